"""How TensorFlow spells convolutions."""

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
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve, strides=p["strides"], padding=p["padding"].upper(), dilations=p["dilation"]))


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.conv2d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)
