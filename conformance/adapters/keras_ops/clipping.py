"""How keras.ops clips an array; by a norm, only Keras' optimizers clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_each, limit=p["clip_value"]))


# --- what a user writes; this function stands in the reproduction script as it is -----------------------------------


def clip_each(x: Any, limit: float) -> Any:
    return keras.ops.clip(x, -limit, limit)
