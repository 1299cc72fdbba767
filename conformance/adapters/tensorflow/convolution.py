"""How TensorFlow spells convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Speller, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


def _many(one_or_many: Any, axes: int) -> list[int]:
    """One number for each axis between batch and channel."""
    given = [one_or_many] if isinstance(one_or_many, int) else list(one_or_many)
    return given if len(given) == axes else given * axes


def _padding(p: Parameters, name: str) -> str:
    if p["padding"] == "causal":
        raise Unsupported(f"{name} has no padding='CAUSAL'")
    return str(p["padding"].upper())


@spellings
def conv1d(p: Parameters, shapes: Shapes) -> Function:
    padding = _padding(p, "tf.nn.conv1d")
    return Function(Local(convolve_1d, stride=p["strides"], padding=padding, dilations=p["dilation"]))


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    padding = _padding(p, "tf.nn.conv2d")
    return Function(Local(convolve, strides=p["strides"], padding=padding, dilations=p["dilation"]))


@spellings
def conv3d(p: Parameters, shapes: Shapes) -> Function:
    if p["groups"] != 1:
        raise Unsupported("tf.nn.conv3d has no groups")
    strides, dilations = ([1, *_many(p[each], 3), 1] for each in ("strides", "dilation"))
    padding = _padding(p, "tf.nn.conv3d")
    return Function(Local(convolve_3d, strides=strides, padding=padding, dilations=dilations))


def _transposed(axes: int) -> Speller:
    name = f"conv{axes}d_transpose"
    function = {1: convolve_transposed_1d, 2: convolve_transposed_2d}[axes]

    def speller(p: Parameters, shapes: Shapes) -> Function:
        if p["groups"] != 1:
            raise Unsupported(f"tf.nn.{name} has no groups")
        if p["output_padding"] >= 0:
            raise Unsupported(f"tf.nn.{name} takes an output_shape in place of output_padding")
        return Function(
            Local(
                function,
                helpers=(output_shape,),
                strides=_many(p["strides"], axes),
                padding=_padding(p, name),
                dilations=_many(p["dilation"], axes),
            )
        )

    return speller


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve_depthwise, **_options(p, "tf.nn.depthwise_conv2d")))


@spellings
def separable_conv2d(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve_separable, **_options(p, "tf.nn.separable_conv2d")))


def _options(p: Parameters, name: str) -> dict[str, Any]:
    return {
        "strides": [1, *_many(p["strides"], 2), 1],
        "padding": _padding(p, name),
        "dilations": _many(p["dilation"], 2),
    }


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def convolve_1d(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.conv1d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.conv2d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve_3d(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.conv3d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve_transposed_1d(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    shape = output_shape(x.shape, kernel.shape, **options)
    y = tf.nn.conv1d_transpose(x, kernel, shape, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve_transposed_2d(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    shape = output_shape(x.shape, kernel.shape, **options)
    y = tf.nn.conv2d_transpose(x, kernel, shape, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def output_shape(x: Any, kernel: Any, strides: list[int], padding: str, dilations: list[int]) -> list[int]:
    """TensorFlow leaves it to its users to say how many outputs there are."""
    if padding == "SAME":
        sizes = [size * step for size, step in zip(x[1:-1], strides, strict=True)]
    else:
        axes = zip(x[1:-1], kernel[:-2], strides, dilations, strict=True)
        sizes = [(size - 1) * step + (taps - 1) * gap + 1 for size, taps, step, gap in axes]
    return [x[0], *sizes, kernel[-2]]


def convolve_depthwise(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.depthwise_conv2d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve_separable(x: Any, depthwise_kernel: Any, pointwise_kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.separable_conv2d(x, depthwise_kernel, pointwise_kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


spellings.update({f"conv_transpose{axes}d": _transposed(axes) for axes in (1, 2)})
