"""How PyTorch's functions spell linear maps."""

from __future__ import annotations

from conformance.spelling import Call, Function, Layout, Name, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.linear"),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )
