"""How TensorFlow clips gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, argument

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings(make=Function, reader=argument)

spellings.call("clip_by_norm", "tensorflow.clip_by_norm", clip_norm="clip_norm")


@spellings
def clip_by_global_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_all, clip_norm=p["clip_norm"]))


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_each, limit=p["clip_value"]))


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def clip_all(x1: Any, x2: Any, clip_norm: float) -> Any:
    clipped, _ = tf.clip_by_global_norm([x1, x2], clip_norm)
    return tuple(clipped)


def clip_each(x: Any, limit: float) -> Any:
    return tf.clip_by_value(x, -limit, limit)
