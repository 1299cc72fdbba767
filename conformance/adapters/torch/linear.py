"""How PyTorch's modules spell linear maps."""

from __future__ import annotations

from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.Linear", *shapes["kernel"], bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )
