"""How keras.ops spells linear maps."""

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
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply))


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = keras.ops.matmul(x, kernel)
    return y if bias is None else keras.ops.add(y, bias)
