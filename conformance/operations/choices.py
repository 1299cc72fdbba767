"""Choices that many formulas share: each knob stands beside the code that obeys it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import autograd.numpy as np
from autograd.tracer import getval

from conformance.arithmetic.bounded import Bounded
from conformance.operation import Array, Knob, Setting

Settings = Mapping[str, Setting]

VARIANCE_CORRECTION = Knob(
    "variance_correction",
    {0: "the sum of squares is divided by n (biased)", 1: "it is divided by n - 1 (unbiased, Bessel)"},
    default=0,
)
VARIANCE = Knob(
    "variance",
    {"two_pass": "the mean of (x - mean)^2", "fast": "the mean of x^2 less the squared mean: cancels"},
    default="two_pass",
    algorithmic=True,
)
EPSILON = Knob(
    "epsilon",
    {
        "inside": "sqrt(variance + epsilon)",
        "outside": "sqrt(variance) + epsilon",
        "squared": "sqrt(variance + epsilon^2)",
        "none": "sqrt(variance): epsilon is not used",
    },
    default="inside",
)
NORM_EPSILON = Knob(
    "epsilon",
    {
        "floor": "max(norm, epsilon)",
        "floor_inside": "sqrt(max(norm^2, epsilon))",
        "inside": "sqrt(norm^2 + epsilon)",
        "outside": "norm + epsilon",
        "none": "norm: epsilon is not used",
        "zero": "norm: epsilon is not used, but a norm of 0 counts as 1",
    },
    default="floor",
)
WEIGHT_DECAY = Knob(
    "weight_decay",
    {
        "l2": "the gradient grows by weight_decay * variable",
        "decoupled": "the variable shrinks by learning_rate * weight_decay * variable, apart from the gradient",
    },
    default="l2",
)
KERNEL = Knob(
    "kernel",
    {
        "given": "as given",
        "transposed": "its two axes (of a convolution: height and width) are swapped",
        "flipped": "reversed along each spatial axis: convolution in the mathematician's sense",
    },
    default="given",
)
SUBGRADIENT = Knob(
    "subgradient",
    {
        0: "at a kink, the derivative of the branch that is cut off (of relu: 0)",
        0.5: "the mean of both branches' derivatives at a kink",
        1: "at a kink, the derivative of the branch that lets x through (of relu: 1)",
        "both": "the sum of both branches' derivatives at a kink",
        "neither": "0 at a kink, whatever the derivatives beside it",
    },
    default=0,
)
NAN = Knob("nan", {"propagate": "NaN stays NaN", "drop": "NaN counts as less than everything"}, default="propagate")
MASKED_ROW = Knob(
    "masked_row",
    {
        "nan": "a row of only -inf gives NaN",
        "zero": "it gives zeros",
        "uniform": "it gives equal shares",
        "-inf": "it gives -inf, the logarithm of an empty sum",
    },
    default="nan",
)
PADDING_SIDE = Knob(
    "padding_side",
    {
        "right": "'same' padding that cannot be split evenly goes to the end (SAME_UPPER)",
        "left": "it goes to the beginning (SAME_LOWER)",
        "symmetric": "dilation * (kernel - 1) // 2 on either side, whatever the strides: the usual port",
    },
    default="right",
)


def same_padding(size: int, reach: int, step: int, settings: Settings) -> tuple[int, int]:
    """What stands before and behind an axis for ceil(size / step) places of a window; obeys PADDING_SIDE.

    ``reach`` is how much of the axis the window spans, dilation included.
    """
    if settings["padding_side"] == "symmetric":
        return (reach - 1) // 2, (reach - 1) // 2
    return halves(max((-(-size // step) - 1) * step + reach - size, 0), settings)


def halves(total: int, settings: Settings) -> tuple[int, int]:
    """A total split over both ends of an axis; the odd one goes where PADDING_SIDE says."""
    less, more = total // 2, total - total // 2
    return (more, less) if settings["padding_side"] == "left" else (less, more)


CLAMP_GRADIENT = Knob(
    "clamp_gradient",
    {"stops": "no gradient flows to what is clamped", "passes": "the gradient flows as if nothing were clamped"},
    default="stops",
)
ZERO_LOG = Knob(
    "zero_log",
    {"zero": "0 log 0 is 0: a class that the target lacks counts nothing", "nan": "0 log 0 is 0 times -inf, NaN"},
    default="zero",
)


def mean(x: Array, axes: Sequence[int]) -> Array:
    """The mean over some axes, which stay with size 1."""
    return np.sum(x, axis=tuple(axes), keepdims=True) / count(x, axes)


def count(x: Array, axes: Sequence[int]) -> int:
    """How many elements a statistic over these axes sees."""
    return math.prod(x.shape[axis] for axis in axes)


def moments(x: Array, axes: Sequence[int], settings: Settings) -> tuple[Array, Array]:
    """Mean and variance over some axes, which stay with size 1; obeys VARIANCE and VARIANCE_CORRECTION."""
    n = count(x, axes)
    average = mean(x, axes)
    if settings["variance"] == "fast":
        squares = np.sum(x * x, axis=tuple(axes), keepdims=True) - n * average * average
    else:
        centred = x - average
        squares = np.sum(centred * centred, axis=tuple(axes), keepdims=True)
    return average, _quotient(squares, n - float(settings["variance_correction"]))


def _quotient(squares: Array, divisor: float) -> Array:
    return squares / divisor if divisor else squares * math.nan  # the unbiased variance of one value is 0/0


def deviation(variance: Array, epsilon: Array, settings: Settings) -> Array:
    """The denominator of a normalization, from a variance or a squared norm; obeys EPSILON and NORM_EPSILON."""
    match settings["epsilon"]:
        case "inside":
            return np.sqrt(variance + epsilon)
        case "outside":
            return np.sqrt(variance) + epsilon
        case "squared":
            return np.sqrt(variance + epsilon * epsilon)
        case "floor":
            return np.maximum(root(variance), epsilon)
        case "floor_inside":
            return np.sqrt(np.maximum(variance, epsilon))
        case "zero":
            return root(variance) + np.where(variance == 0, 1.0, 0.0)
        case _:
            return np.sqrt(variance)


def root(x: Array) -> Array:
    """The square root, whose slope at 0 is taken as 0."""
    zero = x == 0
    return np.where(zero, np.sqrt(constant(x)), np.sqrt(np.where(zero, 1.0, x)))


def at_kinks(kink: Array, inside: Array, passing: Array, cut: Array, settings: Settings) -> Array:
    """``passing`` inside, ``cut`` elsewhere; obeys SUBGRADIENT at a kink, where the two meet."""
    match settings["subgradient"]:
        case 0:
            here = cut
        case 1:
            here = passing
        case "both":
            here = passing + cut - constant(cut)
        case "neither":
            here = constant(cut)
        case share:
            here = float(share) * (passing + cut)
    return np.where(kink, here, np.where(inside, passing, cut))


def constant(x: Array) -> Array:
    """``x`` as a number: no gradient flows through it."""
    while getval(x) is not x:
        x = getval(x)
    return x


def shift(x: Array) -> Array:
    """``x`` as a constant that any other number could stand for, so that its own error does no harm.

    What is taken off exponents and added to the logarithm of their sum is only there to keep them small.
    """
    x = constant(x)
    return Bounded(x.value, x.unit) if isinstance(x, Bounded) else x


def absolute(x: Array, settings: Settings | None = None) -> Array:
    """``|x|``, whose derivative at 0 is 0, or obeys SUBGRADIENT."""
    sign = np.sign(constant(x))
    if settings and settings["subgradient"] == 1:
        sign = np.where(sign == 0, 1.0, sign)
    return x * sign


def at_least(x: Array, least: Array, settings: Settings) -> Array:
    """``x``, but nothing less than ``least``; obeys CLAMP_GRADIENT."""
    clamped = np.where(x <= least, least, x)
    if settings["clamp_gradient"] == "passes":
        return clamped + np.where(x <= least, x - constant(x), 0.0)
    return clamped
