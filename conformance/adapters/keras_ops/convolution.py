"""How keras.ops spells convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters import _keras as base
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Speller, Spellings

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")


def _options(p: Parameters) -> dict[str, Any]:
    return {"strides": p["strides"], "padding": p["padding"], "dilation_rate": p["dilation"]}


def convolution(p: Parameters, shapes: Shapes) -> Function:
    if p["padding"] == "causal":
        raise Unsupported("keras.ops.conv has no padding='causal'")
    return Function(Local(convolve, **_options(p)))


def transposed(p: Parameters, shapes: Shapes) -> Function:
    if p["groups"] != 1:
        raise Unsupported("keras.ops.conv_transpose has no groups")
    return Function(Local(convolve_transposed, **_options(p), output_padding=base.output_padding(p)))


def depthwise(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve_depthwise, **_options(p)))


def separable(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve_separable, **_options(p)))


def _on_tensorflow(speller: Speller) -> Speller:
    def refusing(p: Parameters, shapes: Shapes) -> Any:
        base.refuse_strided_dilation(p, "a convolution of keras.ops on TensorFlow")
        return speller(p, shapes)

    return refusing


on_other_backends = Spellings(
    {f"conv{axes}d": convolution for axes in (1, 2, 3)},
    {f"conv_transpose{axes}d": transposed for axes in (1, 2)},
    {"depthwise_conv2d": depthwise, "separable_conv2d": separable},
)
spellings = Spellings({name: _on_tensorflow(each) for name, each in on_other_backends.items()})


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.conv(x, kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)


def convolve_transposed(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.conv_transpose(x, kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)


def convolve_depthwise(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.depthwise_conv(x, kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)


def convolve_separable(x: Any, depthwise_kernel: Any, pointwise_kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.separable_conv(x, depthwise_kernel, pointwise_kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)
