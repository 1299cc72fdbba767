"""How JAX and flax spell losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Local, Parameters, Shapes, Spelling, Spellings

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")

spellings = Spellings()


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Local(squared_error, reduction=p["reduction"]))


def squared_error(prediction: Any, target: Any, reduction: str) -> Any:
    squares = optax.losses.squared_error(prediction, target)
    if reduction == "none":
        return squares
    return squares.mean() if reduction == "mean" else squares.sum()
