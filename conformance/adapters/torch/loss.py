"""How PyTorch's modules spell losses."""

from __future__ import annotations

from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("torch.nn.MSELoss", reduction=p["reduction"]))
