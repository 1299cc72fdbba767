"""How PyTorch's functions spell convolutions."""

from __future__ import annotations

from conformance.adapters._torch import geometry
from conformance.spelling import Call, Function, Layout, Name, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.conv2d"
    return Function(
        Call(name, **geometry.convolving(p, name)),
        tensors={"kernel": Name("weight", Layout.of("hwio->oihw")), "bias": Name("bias")},
        layout=Layout.of("bhwc->bchw"),
    )
