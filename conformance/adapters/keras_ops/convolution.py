"""How keras.ops spells convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters import _keras as base
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    base.refuse_strided_dilation(p, "keras.ops.conv on TensorFlow")
    return convolution(p, shapes)


def convolution(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve, strides=p["strides"], padding=p["padding"], dilation_rate=p["dilation"]))


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.conv(x, kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)
