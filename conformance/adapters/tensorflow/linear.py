"""How TensorFlow spells linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    if len(shapes["x"]) < 2:
        raise Unsupported("tf.matmul takes 2 axes or more")
    return Function(Local(multiply))


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = tf.matmul(x, kernel)
    return y if bias is None else tf.nn.bias_add(y, bias)
