"""How PyTorch's functions spell losses."""

from __future__ import annotations

from conformance.spelling import Call, Function, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("torch.nn.functional.mse_loss", reduction=p["reduction"]))
