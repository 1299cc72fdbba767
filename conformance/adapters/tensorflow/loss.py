"""How TensorFlow spells losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(squared_error, reduction=p["reduction"]))


def squared_error(target: Any, prediction: Any, reduction: str) -> Any:
    squares = tf.math.squared_difference(prediction, target)
    if reduction == "none":
        return squares
    return tf.reduce_mean(squares) if reduction == "mean" else tf.reduce_sum(squares)
