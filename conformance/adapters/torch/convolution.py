"""How PyTorch's modules spell convolutions."""

from __future__ import annotations

from conformance.adapters._torch import geometry
from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    height, width, _, filters = shapes["kernel"]
    options = geometry.convolving(p, "torch.nn.Conv2d")
    return Spelling(
        Call("torch.nn.Conv2d", shapes["x"][3], filters, (height, width), **options, bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("hwio->oihw")), "bias": Name("bias")},
        layout=Layout.of("bhwc->bchw"),
    )
