"""Pooling: windows of an image, each of them become one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autograd.numpy as np
import numpy

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import PADDING_SIDE, Settings, constant
from conformance.operations.windows import CEIL, Reach, gathered, inside, padded, per_axis, sliding

NAN = Knob("nan", {"propagate": "NaN stays NaN", "drop": "NaN counts as less than everything"}, default="propagate")
SUBGRADIENT = Knob(
    "subgradient",
    {
        "first": "the first of several largest elements takes the whole gradient",
        "split": "all of them take equal shares of it",
    },
    default="first",
)
PAD_VALUE = Knob(
    "pad_value",
    {
        "neutral": "padding is less than everything to a maximum, and 0 to a sum",
        "zero": "padding is 0 to a maximum, too",
        "edge": "padding repeats the outermost element, and counts as one",
    },
    default="neutral",
)
COUNT_INCLUDE_PAD = Knob(
    "count_include_pad",
    {
        False: "the mean is over the elements",
        True: "the mean is over elements and padding, but not over what lies beyond it in a window of ceil_mode",
        "whole": "the mean is over the whole window, wherever that reaches",
    },
    default=False,
)
MAGNITUDE = Knob(
    "magnitude",
    {
        "absolute": "the sum of |x|^p",
        "signed": "the sum of x^p: odd powers cancel, and the root of a negative sum is NaN",
    },
    default="absolute",
)
PARTIAL_WINDOW = Knob(
    "partial_window",
    {
        "sum": "a window of ceil_mode that reaches beyond the padding sums what there is",
        "rescaled": "it is scaled up as if its mean went on",
    },
    default="sum",
)
BINS = Knob(
    "bins",
    {
        "floor_to_ceil": "from floor(i n / m) to ceil((i + 1) n / m): adjacent bins may share elements",
        "sliding": "ceil(n / m) elements from i floor(n / m) on: the last ones may be seen by none",
        "covering": "n - (m - 1) floor(n / m) elements from i floor(n / m) on: the usual port to plain pooling",
    },
    default="floor_to_ceil",
)
INDEX = Knob(
    "index",
    {
        "result": "an index counts the positions of the result",
        "least": "it counts those of the least result, which is then put into the corner of the one asked for",
    },
    default="result",
)

POOL_SIZE = parameter(2, "how far a window reaches, one number or one per spatial axis", minimum=1, many=True)
STRIDES = parameter(
    0,
    "the step between two windows, one number or one per spatial axis; 0: pool_size",
    minimum=0,
    many=True,
    own_default=True,
)
PADDING = parameter("valid", "valid: none; same: as many outputs as inputs / strides", choices=("valid", "same"))
PADS = parameter(0, "how much padding stands on either side, one number or one per spatial axis", minimum=0, many=True)
DILATION = parameter(
    1, "the step between two elements of a window, one number or one per spatial axis", minimum=1, many=True
)
CEIL_MODE = parameter(False, "a last window may reach beyond the padding")
OUTPUT_SIZE = parameter(1, "how many bins, one number or one per spatial axis", minimum=1, many=True)
KEEPDIMS = parameter(False, "keep the spatial axes, with size 1", own_default=True)

IMAGE = [[[[1, 8, -3], [5, 2, -1], [0, 3, -2], [2, 7, -9]], [[7, 6, -5], [3, 4, -7], [6, 1, -4], [4, 5, -3]]]]


@operation(
    formula=r"y_{hwc} = \max_{i,j} x_{(s h + d i - p)(s w + d j - p) c}",
    source="https://onnx.ai/onnx/operators/onnx__MaxPool.html",
    example=Example(
        {"x": IMAGE}, {"y": [[[[7, 8, -1], [6, 7, -2]]]]}, {"strides": 2}, target=[[[[7, 8, 1], [4, 7, -2]]]]
    ),
    knobs=(NAN, SUBGRADIENT, PADDING_SIDE, PAD_VALUE.without("edge"), CEIL),
)
def max_pool(
    x: Array = input("batch *space channel"),
    *,
    pool_size: int = POOL_SIZE,
    strides: int = STRIDES,
    padding: str = PADDING,
    pads: int = PADS,
    dilation: int = DILATION,
    ceil_mode: bool = CEIL_MODE,
    dialect: Settings,
) -> dict[str, Array]:
    """The largest element of each window, in any number of spatial axes. ONNX operator MaxPool.

    Padding never is the largest element.  The first of equal ones takes the gradient.
    """
    reaches = _reaches(x, pool_size, strides, padding, pads, dilation, ceil_mode, dialect)
    elements = np.where(inside(reaches), gathered(x, reaches), -math.inf)
    if dialect["pad_value"] == "zero":
        elements = np.where(padded(reaches) & ~inside(reaches), 0.0, elements)
    return {"y": _largest(elements, dialect)}


@operation(
    formula=r"y_{hwc} = \frac{1}{n_{hw}} \sum_{i,j} x_{(s h + d i - p)(s w + d j - p) c}",
    source="https://onnx.ai/onnx/operators/onnx__AveragePool.html",
    example=Example(
        {"x": IMAGE}, {"y": [[[[4, 5, -4], [3, 4, -4.5]]]]}, {"strides": 2}, target=[[[[3, 5, -2], [4, 4, -4]]]]
    ),
    knobs=(COUNT_INCLUDE_PAD, PADDING_SIDE, PAD_VALUE.without("zero"), CEIL),
)
def average_pool(
    x: Array = input("batch *space channel"),
    *,
    pool_size: int = POOL_SIZE,
    strides: int = STRIDES,
    padding: str = PADDING,
    pads: int = PADS,
    dilation: int = DILATION,
    ceil_mode: bool = CEIL_MODE,
    count_include_pad: bool = parameter(False, "padding counts in the mean, with zeros", own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the elements in each window, in any number of spatial axes. ONNX operator AveragePool."""
    reaches = _reaches(x, pool_size, strides, padding, pads, dilation, ceil_mode, dialect)
    elements, counted, there = gathered(x, reaches), padded(reaches), inside(reaches)
    if dialect["pad_value"] == "edge":
        there = counted
    elif dialect["count_include_pad"] == "whole":
        counted = np.ones_like(there)
    elif not dialect["count_include_pad"]:
        counted = there
    count = numpy.sum(counted, axis=-2)
    divisor = numpy.where(count == 0, math.nan, count)  # the mean of nothing is not a number
    return {"y": np.sum(np.where(there, elements, 0.0), axis=-2) / divisor}


@operation(
    formula=r"y_{hwc} = \Bigl( \sum_{i,j} |x_{(s h + d i - p)(s w + d j - p) c}|^p \Bigr)^{1/p}",
    source="https://arxiv.org/abs/1204.3968",
    example=Example(
        {"x": [[[3, 5, 0], [4, 12, 2], [8, 0, 1], [6, 7, 0]]]},
        {"y": [[[5, 13, 2], [10, 7, 1]]]},
        {"strides": 2},
        target=[[[4, 13, 2], [10, 5, 1]]],
    ),
    knobs=(MAGNITUDE, PARTIAL_WINDOW, PADDING_SIDE, CEIL),
)
def lp_pool(
    x: Array = input("batch *space channel"),
    *,
    p: Array = parameter(2.0, "the order of the norm", minimum=1),
    pool_size: int = POOL_SIZE,
    strides: int = STRIDES,
    padding: str = PADDING,
    pads: int = PADS,
    dilation: int = DILATION,
    ceil_mode: bool = CEIL_MODE,
    dialect: Settings,
) -> dict[str, Array]:
    """The p-norm of each window, in any number of spatial axes. Sermanet, Chintala and LeCun 2012, equation 1.

    Without their Gaussian weights, and of magnitudes, as in ONNX's operator LpPool.  The gradient at a window of
    zeros is taken as 0.
    """
    reaches = _reaches(x, pool_size, strides, padding, pads, dilation, ceil_mode, dialect)
    elements = np.where(inside(reaches), gathered(x, reaches), 0.0)
    if dialect["magnitude"] == "absolute":
        elements = np.where(elements < 0, -elements, elements)
    total = np.sum(elements**p, axis=-2)
    if dialect["partial_window"] == "rescaled":
        total = total * (math.prod(each.positions.shape[1] for each in reaches) / numpy.sum(padded(reaches), axis=-2))
    zero = total == 0
    safe = np.where(zero, 1.0, total)
    return {"y": np.where(zero, 0.0, np.sqrt(safe) if p == 2 else safe ** (1.0 / p))}


@operation(
    formula=r"y_{ic} = \frac{1}{b_i - a_i} \sum_{j=a_i}^{b_i - 1} x_{jc}, \quad "
    r"a_i = \lfloor i n / m \rfloor, \; b_i = \lceil (i + 1) n / m \rceil",
    source="https://arxiv.org/abs/1406.4729",
    example=Example(
        {"x": IMAGE},
        {"y": [[[[3, 5, -2], [1, 5, -5.5]], [[5, 5, -6], [5, 3, -3.5]]]]},
        {"output_size": [2, 2]},
        target=[[[[2, 5, -2], [1, 3, -5.5]], [[5, 6, -6], [4, 3, -3.5]]]],
    ),
    knobs=(BINS,),
)
def adaptive_average_pool(
    x: Array = input("batch *space channel"), *, output_size: int = OUTPUT_SIZE, dialect: Settings
) -> dict[str, Array]:
    """The mean of each of so many bins, in any number of spatial axes. He, Zhang, Ren and Sun 2014, appendix A."""
    reaches = _bins(x, output_size, dialect)
    there = inside(reaches)
    return {"y": np.sum(np.where(there, gathered(x, reaches), 0.0), axis=-2) / numpy.sum(there, axis=-2)}


@operation(
    formula=r"y_{ic} = \max_{a_i \le j < b_i} x_{jc}, \quad "
    r"a_i = \lfloor i n / m \rfloor, \; b_i = \lceil (i + 1) n / m \rceil",
    source="https://arxiv.org/abs/1406.4729",
    example=Example(
        {"x": IMAGE},
        {"y": [[[[5, 8, -1], [2, 7, -2]], [[7, 6, -5], [6, 5, -3]]]]},
        {"output_size": [2, 2]},
        target=[[[[4, 8, -1], [2, 5, -2]], [[7, 7, -5], [5, 5, -3]]]],
    ),
    knobs=(BINS, NAN, SUBGRADIENT),
)
def adaptive_max_pool(
    x: Array = input("batch *space channel"), *, output_size: int = OUTPUT_SIZE, dialect: Settings
) -> dict[str, Array]:
    """The largest element of each of so many bins. He, Zhang, Ren and Sun 2014, appendix A."""
    reaches = _bins(x, output_size, dialect)
    return {"y": _largest(np.where(inside(reaches), gathered(x, reaches), -math.inf), dialect)}


@operation(
    formula=r"y_{c} = \frac{1}{h w} \sum_{i,j} x_{ijc}",
    source="https://arxiv.org/abs/1312.4400",
    example=Example({"x": IMAGE}, {"y": [[3.5, 4.5, -4.25]]}, {"keepdims": False}, target=[[3.5, 0.5, -2.25]]),
)
def global_average_pool(x: Array = input("batch *space channel"), *, keepdims: bool = KEEPDIMS) -> dict[str, Array]:
    """The mean of each channel, over all spatial axes. Lin, Chen and Yan 2013, section 3.2."""
    y = _flat(x)
    return {"y": _kept(np.sum(y, axis=1) / y.shape[1], x, keepdims)}


@operation(
    formula=r"y_{c} = \max_{i,j} x_{ijc}",
    source="https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html",
    example=Example({"x": IMAGE}, {"y": [[7, 8, -1]]}, {"keepdims": False}, target=[[6, 8, -3]]),
    knobs=(NAN, SUBGRADIENT.published("split")),
)
def global_max_pool(
    x: Array = input("batch *space channel"), *, keepdims: bool = KEEPDIMS, dialect: Settings
) -> dict[str, Array]:
    """The largest element of each channel, over all spatial axes. ONNX operator GlobalMaxPool.

    Frameworks take the maximum of an array here, whose gradient they split among equal elements.
    """
    return {"y": _kept(_largest(_flat(x), dialect), x, keepdims)}


@operation(
    formula=r"y_{j c} = \begin{cases} x_{i c} & \text{if } j = \mathrm{indices}_{i c} \\ 0 & \text{else} \end{cases}",
    source="https://arxiv.org/abs/1311.2901",
    example=Example(
        {"x": [[[[7, 8, -1], [6, 7, -2]]]], "indices": [[[[4, 0, 1], [6, 3, 2]]]]},
        {"y": [[[[0, 8, 0], [0, 0, -1], [0, 0, -2], [0, 7, 0]], [[7, 0, 0], [0, 0, 0], [6, 0, 0], [0, 0, 0]]]]},
        {"strides": 2},
    ),
    knobs=(INDEX,),
)
def max_unpool(
    x: Array = input("batch *space channel"),
    indices: Array = input("batch *space channel", integer=True),
    *,
    pool_size: int = POOL_SIZE,
    strides: int = STRIDES,
    pads: int = PADS,
    output_size: int = parameter(
        0, "the spatial sizes of the result; 0: the least that pool into x", minimum=0, many=True
    ),
    dialect: Settings,
) -> dict[str, Array]:
    """Put each element back where the maximum was, among zeros. Zeiler and Fergus 2013, section 2.1.

    An index counts the positions of the result's spatial axes, in row-major order, of its own sample and channel.
    """
    sizes = x.shape[1:-1]
    taps = per_axis("pool_size", pool_size, len(sizes))
    steps = _steps(strides, taps)
    margins = per_axis("pads", pads, len(sizes))
    least = [
        (size - 1) * step - 2 * pad + tap for size, step, pad, tap in zip(sizes, steps, margins, taps, strict=True)
    ]
    wanted = per_axis("output_size", output_size, len(sizes))
    space = [each or own for each, own in zip(wanted, least, strict=True)]
    if min(space, default=0) < 1:
        raise Undefined(f"the result would have the spatial sizes {space}")
    counted = least if dialect["index"] == "least" else space
    if indices.size and not (numpy.min(indices) >= 0 and numpy.max(indices) < math.prod(counted)):
        raise Undefined(f"an index lies outside of the {math.prod(counted)} positions of {counted}")
    batch, channel, places = x.shape[0], x.shape[-1], math.prod(space)
    rows = numpy.reshape(indices, (batch, math.prod(sizes), channel))
    if any(one > other for one, other in zip(counted, space, strict=True)):
        raise Undefined(f"{counted} positions do not fit into {space}")
    rows = numpy.ravel_multi_index(numpy.unravel_index(rows, counted), space)
    ordered = numpy.sort(rows, axis=1)
    if numpy.any(ordered[:, 1:] == ordered[:, :-1]):
        raise Undefined("two elements have the same index")
    source = numpy.full((batch, places, channel), -1)
    numpy.put_along_axis(source, rows, numpy.arange(rows.shape[1])[None, :, None], axis=1)
    samples, channels = numpy.arange(batch)[:, None, None], numpy.arange(channel)
    found = _flat(x)[samples, numpy.maximum(source, 0), channels]
    return {"y": np.reshape(np.where(source < 0, 0.0, found), (batch, *space, channel))}


def _steps(strides: int | Sequence[int], taps: Sequence[int]) -> list[int]:
    return [step or tap for step, tap in zip(per_axis("strides", strides, len(taps)), taps, strict=True)]


def _reaches(
    x: Array,
    pool_size: int | Sequence[int],
    strides: int | Sequence[int],
    padding: str,
    pads: int | Sequence[int],
    dilation: int | Sequence[int],
    ceil_mode: bool,
    settings: Settings,
) -> list[Reach]:
    sizes = _spatial(x)
    taps = per_axis("pool_size", pool_size, len(sizes))
    reaches = sliding(
        sizes,
        taps,
        _steps(strides, taps),
        gaps=per_axis("dilation", dilation, len(sizes)),
        padding=padding,
        pads=per_axis("pads", pads, len(sizes)),
        settings=settings,
        ceil=ceil_mode,
    )
    if settings["ceil"] != "on" and not numpy.all(numpy.any(inside(reaches), axis=-2)):
        raise Undefined(f"a window of {list(taps)} lies wholly in the padding")
    return reaches


def _bins(x: Array, output_size: int | Sequence[int], settings: Settings) -> list[Reach]:
    sizes = _spatial(x)
    reaches = []
    for n, m in zip(sizes, per_axis("output_size", output_size, len(sizes)), strict=True):
        places = numpy.arange(m)
        starts, ends = places * n // m, -(-(places + 1) * n // m)
        if settings["bins"] != "floor_to_ceil":
            starts = places * (n // m)
            ends = starts + (-(-n // m) if settings["bins"] == "sliding" else n - (m - 1) * (n // m))
        positions = starts[:, None] + numpy.arange(numpy.max(ends - starts))[None, :]
        reaches.append(Reach(numpy.where(positions < ends[:, None], positions, n), n, n))
    return reaches


def _spatial(x: Array) -> tuple[int, ...]:
    sizes: tuple[int, ...] = x.shape[1:-1]
    if not sizes or 0 in sizes:
        raise Undefined(f"an array of the shape {list(x.shape)} has nothing to pool between its batch and its channels")
    return sizes


def _flat(x: Array) -> Array:
    """``[batch, position, channel]``"""
    return np.reshape(x, (x.shape[0], math.prod(_spatial(x)), x.shape[-1]))


def _kept(y: Array, x: Array, keepdims: bool) -> Array:
    return np.reshape(y, (x.shape[0], *(1 for _ in x.shape[1:-1]), x.shape[-1])) if keepdims else y


def _largest(elements: Array, settings: Settings) -> Array:
    """The largest of the last axis but one; obeys NAN and SUBGRADIENT."""
    if settings["nan"] == "drop":
        elements = np.where(np.isnan(elements), -math.inf, elements)
    if settings["subgradient"] == "split":
        return np.max(elements, axis=-2)
    *places, taps, channel = elements.shape
    chosen: Any = np.reshape(np.argmax(constant(elements), axis=-2), (-1, channel))
    rows = np.reshape(elements, (chosen.shape[0], taps, channel))
    return np.reshape(rows[numpy.arange(chosen.shape[0])[:, None], chosen, numpy.arange(channel)], (*places, channel))
