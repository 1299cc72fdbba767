"""Transposed convolution: what spreads each input over the outputs, the gradient of a convolution."""

from __future__ import annotations

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, PADDING_SIDE, Settings, halves
from conformance.operations.convolution.correlation import (
    BIAS,
    DILATION,
    GROUPS,
    STRIDES,
    Numbers,
    correlated,
    extended,
    oriented,
    per_axis,
    spans,
    turned,
)

OUTPUT_SIZE = Knob(
    "output_size",
    {
        "full": "for valid (n - 1) * strides + kernel, as far as the kernel reaches; for same n * strides",
        "multiple": "at least n * strides for valid, too: zeros follow where the kernel is smaller than the strides",
        "reached": "at most (n - 1) * strides + kernel for same, too: nothing follows",
    },
    default="full",
)
CROPPING = Knob(
    "cropping",
    {
        "both_ends": "where output_padding is given, half a kernel is cut off at both ends before it is added behind",
        "split": "what is to be cut off, output_padding taken off it, is split over both ends, an odd one at the end",
    },
    default="both_ends",
)

_CROPPING = "valid: nothing is cut off; same: cut to inputs * strides outputs, or as output_padding says"
_OUTPUT_PADDING = (
    "how much is added at the end, to what valid gives or to what is left if half a kernel is cut off at both ends; "
    "-1: none to valid, to same as much as makes inputs * strides"
)


@operation(
    formula=r"y_{uo} = \sum_{s t + d i = u + p} \sum_{c} x_{tc} K_{ioc} + b_{o}",
    source="https://arxiv.org/abs/1603.07285",
    example=Example(  # the kernel is the same when reversed
        {"x": [[[1, 0], [2, 1]]]},
        {"y": [[[1.5], [10.5], [3.5], [23.5], [2.5]]]},
        {"strides": 2},
        tensors={"kernel": [[[1, 0]], [[10, 3]], [[1, 0]]], "bias": [0.5]},
        target=[[[1.5], [5.5], [3.5], [23.5], [3.5]]],
    ),
    knobs=(PADDING_SIDE, KERNEL.without("transposed"), OUTPUT_SIZE, CROPPING),
)
def conv_transpose1d(
    x: Array = input("batch length channel"),
    kernel: Array = weight("kernel_length group_filter channel"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", _CROPPING, choices=("valid", "same")),
    output_padding: int = parameter(-1, _OUTPUT_PADDING, minimum=-1),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    groups: int = parameter(1, GROUPS, minimum=1),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Spread each input over the outputs with every kernel: `conv_transpose2d` with one axis less."""
    y = _transposed(x, kernel, strides, padding, output_padding, dilation, groups, dialect)
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{uvo} = \sum_{s h + d i = u + p} \; \sum_{s w + d j = v + q} \sum_{c} x_{hwc} K_{ijoc} + b_{o}",
    source="https://arxiv.org/abs/1603.07285",
    example=Example(
        {"x": [[[[1, 0], [2, 0], [0, 0]], [[0, 1], [0, 0], [3, 0]]]]},
        {
            "y": [
                [
                    [[1.5], [10.5], [3.5], [20.5], [2.5], [0.5], [0.5]],
                    [[0.5], [2.5], [0.5], [0.5], [3.5], [30.5], [3.5]],
                ]
            ]
        },
        {"strides": [1, 2]},
        tensors={"kernel": [[[[1, 0]], [[10, 2]], [[1, 0]]]], "bias": [0.5]},
        target=[
            [
                [[1.5], [10.5], [3.5], [6.5], [2.5], [0.5], [0.5]],
                [[0.5], [0.5], [0.5], [0.5], [3.5], [30.5], [3.5]],
            ]
        ],
    ),
    knobs=(PADDING_SIDE, KERNEL, OUTPUT_SIZE, CROPPING),
)
def conv_transpose2d(
    x: Array = input("batch height width channel"),
    kernel: Array = weight("kernel_height kernel_width group_filter channel"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", _CROPPING, choices=("valid", "same")),
    output_padding: int = parameter(-1, _OUTPUT_PADDING, minimum=-1),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    groups: int = parameter(1, GROUPS, minimum=1),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Spread each input over the outputs with every kernel. Dumoulin and Visin 2016, section 4, relationship 14.

    It is the gradient of a convolution with respect to its input, so the kernel is not reversed, and 'same' cuts off
    what the 'same' convolution of its output pads: an odd one at the end.
    """
    y = _transposed(x, kernel, strides, padding, output_padding, dilation, groups, dialect)
    return {"y": y + bias if use_bias else y}


def _transposed(
    x: Array,
    kernel: Array,
    strides: Numbers,
    padding: str,
    output_padding: int,
    dilation: Numbers,
    groups: int,
    settings: Settings,
) -> Array:
    """The convolution, with the reversed kernel, of the input with zeros between its elements and around it."""
    filters, channels = kernel.shape[-2:]
    if channels % groups:
        raise Undefined(f"{channels} channels do not fit {groups} groups")
    kernel = turned(oriented(kernel, settings))
    kernel = np.reshape(kernel, (*kernel.shape[:-1], groups, channels // groups))
    kernel = np.swapaxes(kernel, -3, -1)
    kernel = np.reshape(kernel, (*kernel.shape[:-2], groups * filters))

    steps, gaps = per_axis(strides, x.ndim - 2), per_axis(dilation, x.ndim - 2)
    reaches = spans(kernel, gaps)
    ends = [_cropping(*each, padding, output_padding, settings) for each in zip(reaches, steps, strict=True)]
    for axis, step in enumerate(steps, 1):
        x = _spaced(x, axis, step)
    x = extended(x, [(reach - 1, reach - 1) for reach in reaches])
    y = correlated(x, kernel, [1] * len(steps), gaps, groups)
    if any(before + behind >= size for (before, behind), size in zip(ends, y.shape[1:-1], strict=True)):
        raise Undefined(f"of {list(y.shape[1:-1])} outputs, {ends} are cut off at the ends: none is left")
    y = y[(slice(None), *(slice(before, -behind if behind > 0 else None) for before, behind in ends))]
    return extended(y, [(0, max(-behind, 0)) for _, behind in ends])


def _cropping(reach: int, step: int, padding: str, output_padding: int, settings: Settings) -> tuple[int, int]:
    """How much is cut off at both ends of what the kernel reaches; where it is negative, zeros follow."""
    if padding == "valid":
        padded = settings["output_size"] == "multiple" and output_padding < 0
        return 0, -(max(step - reach, 0) if padded else max(output_padding, 0))
    if output_padding >= 0:
        half = reach // 2
        left_over = 2 * half - output_padding
        split = settings["cropping"] == "split" and left_over > 0
        return (left_over // 2, left_over - left_over // 2) if split else (half, half - output_padding)
    if settings["padding_side"] == "symmetric":
        return (reach - 1) // 2, (reach - 1) // 2
    if reach > step:
        return halves(reach - step, settings)
    return 0, (0 if settings["output_size"] == "reached" else reach - step)


def _spaced(x: Array, axis: int, step: int) -> Array:
    """``step - 1`` zeros between the elements along an axis."""
    before, size, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    around = [(0, step - 1) if each == axis + 1 else (0, 0) for each in range(x.ndim + 1)]
    x = np.pad(np.reshape(x, (*before, size, 1, *behind)), around, mode="constant")
    x = np.reshape(x, (*before, size * step, *behind))
    return x[(slice(None),) * axis + (slice(0, (size - 1) * step + 1),)]
