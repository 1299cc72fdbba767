"""How keras.ops spells linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply))


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = keras.ops.matmul(x, kernel)
    return y if bias is None else keras.ops.add(y, bias)


@spellings
def einsum_dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_axes, equation=p["equation"]))


def multiply_axes(x: Any, kernel: Any, bias: Any = None, *, equation: str) -> Any:
    y = keras.ops.einsum(equation, x, kernel)
    return y if bias is None else keras.ops.add(y, bias)


@spellings
def bilinear(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_both))


def multiply_both(x: Any, other: Any, kernel: Any, bias: Any = None) -> Any:
    y = keras.ops.einsum("...i,ijo,...j->...o", x, kernel, other)
    return y if bias is None else keras.ops.add(y, bias)


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Function:
    others = {"padding_index": -1, "max_norm": 0.0, "out_of_range": "raise"}
    refuse_others(p, "keras.ops.take", ["negative_index"], others)
    return Function(Local(take_rows))


def take_rows(x: Any, embeddings: Any) -> Any:
    return keras.ops.take(embeddings, x, axis=0)
