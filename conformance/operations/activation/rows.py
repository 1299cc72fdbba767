"""Of each row: shares that sum to 1, their logarithms, and the sum of exponentials behind them; a gate."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, Setting, chosen_axes, input, operation, parameter
from conformance.operations.choices import MASKED_ROW, Settings, constant
from conformance.operations.functions import largest, log_sum_exp, logistic

AXIS = Knob(
    "axis",
    {
        "given": "the axis that the parameter names",
        "flattened": "that axis and all behind it, as one (ONNX before opset 13)",
        "legacy": "axis 0 of an array of 0, 1 or 3 axes, else axis 1 (torch with dim=None)",
    },
    default="given",
)
TAU = Knob(
    "tau",
    {
        "support": "the sum over the support, less 1, divided by its size",
        "cumulative": "the sum of the cumulative sums over the support, less 1, divided by its size",
    },
    default="support",
)
GATE = Knob(
    "gate",
    {
        "second": "the second half gates the first",
        "first": "the first half gates the second",
        "interleaved": "every second element gates the one before it",
    },
    default="second",
)


def axes_of(x: Array, axis: int, setting: Setting) -> tuple[int, ...]:
    """The axes along which the shares sum to 1; obeys AXIS."""
    (axis,) = chosen_axes(axis, x.ndim)
    if setting == "flattened":
        return tuple(range(axis, x.ndim))
    return (axis if setting == "given" else 0 if x.ndim in (0, 1, 3) else 1,)


@operation(
    formula=r"y_{i} = \frac{e^{x_{i}}}{\sum_{j} e^{x_{j}}}",
    source="https://www.deeplearningbook.org/contents/numerical.html",
    example=Example({"x": [[5, 5, 5, 5], [0, 0, 0, 0]]}, {"y": [[0.25] * 4] * 2}),
    knobs=(AXIS, MASKED_ROW.without("-inf")),
)
def softmax(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis whose elements sum to 1"),
    dialect: Settings,
) -> dict[str, Array]:
    """Exponentials that sum to 1. Goodfellow, Bengio and Courville 2016, equation 4.1.

    The largest element is taken off first, as section 4.1 there does: the result is the same, and finite.
    """
    axes = axes_of(x, axis, dialect["axis"])
    top = largest(x, axes)
    masked = top == -math.inf
    exponential = np.exp(x - top)
    y = exponential / np.sum(exponential, axis=axes, keepdims=True)
    if dialect["masked_row"] != "nan":
        share = 0.0 if dialect["masked_row"] == "zero" else 1.0 / math.prod(x.shape[each] for each in axes)
        y = np.where(masked, share, y)
    return {"y": y}


@operation(
    formula=r"y_{i} = x_{i} - \log \sum_{j} e^{x_{j}}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    example=Example({"x": [[3, -800, -900], [-900, 0, -800]]}, {"y": [[0, -803, -903], [-900, 0, -800]]}),
    knobs=(AXIS,),
)
def log_softmax(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis whose shares sum to 1"),
    dialect: Settings,
) -> dict[str, Array]:
    """The logarithm of the softmax. Goodfellow, Bengio and Courville 2016, equation 6.30."""
    axes = axes_of(x, axis, dialect["axis"])
    rest = x - largest(x, axes)
    return {"y": rest - np.log(np.sum(np.exp(rest), axis=axes, keepdims=True))}


@operation(
    formula=r"y = \log \sum_{i} e^{x_{i}}",
    source="https://doi.org/10.1093/imanum/draa038",
    example=Example({"x": [[3, -800, -900], [-900, 0, -800]]}, {"y": [3, 0]}),
    knobs=(MASKED_ROW.published("-inf").without("zero", "uniform"),),
)
def logsumexp(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis that is summed over"),
    dialect: Settings,
) -> dict[str, Array]:
    """The logarithm of a sum of exponentials. Blanchard, D. J. Higham and N. J. Higham 2021, equation 1.1."""
    axes = chosen_axes(axis, x.ndim)
    y = log_sum_exp(x, axes)
    if dialect["masked_row"] == "nan":
        y = np.where(largest(x, axes) == -math.inf, math.nan, y)
    return {"y": np.reshape(y, tuple(size for each, size in enumerate(x.shape) if each not in axes))}


@operation(
    formula=r"y_{i} = \max(x_{i} - \tau, 0), \quad \tau = \frac{\sum_{j \in S} x_{j} - 1}{|S|}, \quad "
    r"S = \Bigl\{ i : \sum_{j} \max(x_{j} - x_{i}, 0) < 1 \Bigr\}",
    source="https://arxiv.org/abs/1602.02068",
    example=Example({"x": [[1, 2, 2.5], [0, -3, 1]]}, {"y": [[0, 0.25, 0.75], [0, 0, 1]]}),
    knobs=(TAU,),
)
def sparsemax(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis whose elements sum to 1"),
    dialect: Settings,
) -> dict[str, Array]:
    """The Euclidean projection onto the simplex. Martins and Astudillo 2016, equations 2 to 4.

    Their support, the elements with 1 + k x_(k) > x_(1) + ... + x_(k) in descending order, is written without
    sorting: what the larger elements have in excess is less than 1.
    """
    (axis,) = chosen_axes(axis, x.ndim)
    rows = np.moveaxis(x, axis, -1)
    top = largest(rows, (-1,))
    rest = rows - top
    numbers = constant(rest)
    excess = numbers[..., None, :] - numbers[..., :, None]
    support = np.sum(np.where(excess > 0, excess, 0.0), axis=-1) < 1
    size = _count(support, numbers)[..., None]
    if dialect["tau"] == "support":
        tau = (np.sum(np.where(support, rest, 0.0), axis=-1, keepdims=True) - 1.0) / size
        y = np.where(support | np.isnan(rest), rest - tau, 0.0)
    else:
        sums = size - _places(numbers)  # in how many of the cumulative sums an element is
        tau = (np.sum(np.where(support, sums * rows, 0.0), axis=-1, keepdims=True) - 1.0) / size
        y = np.where(rows > tau, rows - tau, 0.0)
    return {"y": np.moveaxis(y, -1, axis)}


def _places(numbers: Array) -> Array:
    """The place of each element in the descending order of its row, from 0."""
    others, each = numbers[..., None, :], numbers[..., :, None]
    count = numbers.shape[-1]
    earlier = np.arange(count)[None, :] < np.arange(count)[:, None]
    return _count((others > each) | ((others == each) & earlier), others)


def _count(condition: Array, numbers: Array) -> Array:
    """How often a condition holds along the last axis, in the arithmetic of ``numbers``, which it broadcasts with."""
    return np.sum(np.where(condition, np.ones_like(numbers), 0.0), axis=-1)


@operation(
    formula=r"y = a \, \sigma(b), \quad x = (a, b)",
    source="https://arxiv.org/abs/1612.08083",
    example=Example({"x": [[6, 2, 8, 0, 40, 64]]}, {"y": [[3, 2, 8]]}),
    knobs=(GATE,),
)
def glu(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis that is halved"),
    dialect: Settings,
) -> dict[str, Array]:
    """The gated linear unit. Dauphin, Fan, Auli and Grangier 2017, equation 1, of two convolutions side by side."""
    (axis,) = chosen_axes(axis, x.ndim)
    size = x.shape[axis]
    if size % 2:
        raise Undefined(f"an axis of {size} elements has no halves")
    if dialect["gate"] == "interleaved":
        passed, gate = _part(x, axis, slice(0, None, 2)), _part(x, axis, slice(1, None, 2))
    else:
        passed, gate = _part(x, axis, slice(0, size // 2)), _part(x, axis, slice(size // 2, None))
    if dialect["gate"] == "first":
        passed, gate = gate, passed
    return {"y": passed * logistic(gate)}


def _part(x: Array, axis: int, part: slice) -> Array:
    return x[(slice(None),) * axis + (part,)]
