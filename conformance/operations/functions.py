"""Functions that several formulas are made of, written so that nothing overflows and nothing cancels."""

from __future__ import annotations

import math

import autograd.numpy as np
from autograd.extend import defvjp, primitive

from conformance.operation import Array, Knob
from conformance.operations.choices import constant

DERIVATIVE = Knob(
    "derivative",
    {
        "exact": "to a relative rounding error, wherever it is taken",
        "of_result": "from the rounded result, as 1 - y^2 or y (1 - y): cancels where it saturates",
    },
    default="exact",
    algorithmic=True,
)
EXPM1 = Knob(
    "expm1",
    {"direct": "expm1(x), exact near 0", "subtracted": "exp(x) - 1: cancels near 0"},
    default="direct",
    algorithmic=True,
)


def below_zero(x: Array) -> Array:
    """The lesser of ``x`` and ``-x``, with the derivative -1 at 0."""
    return np.where(x < 0, x, -x)


@primitive  # type: ignore[untyped-decorator]
def logistic(x: Array, derivative: str = "exact") -> Array:
    """1 / (1 + exp(-x)); obeys DERIVATIVE."""
    small = np.exp(below_zero(x))
    return np.where(x < 0, small, 1.0) / (1.0 + small)


@primitive  # type: ignore[untyped-decorator]
def hyperbolic_tangent(x: Array, derivative: str = "exact") -> Array:
    """The hyperbolic tangent; obeys DERIVATIVE."""
    return np.tanh(x)


def _slope_of_logistic(y: Array, x: Array, derivative: str = "exact") -> Array:
    return y * (1.0 - y if derivative == "of_result" else logistic(-x))


def _slope_of_tanh(y: Array, x: Array, derivative: str = "exact") -> Array:
    return 1.0 - y * y if derivative == "of_result" else 4.0 * (logistic(2.0 * x) * logistic(-2.0 * x))


defvjp(logistic, lambda *about: lambda cotangent: cotangent * _slope_of_logistic(*about), None)
defvjp(hyperbolic_tangent, lambda *about: lambda cotangent: cotangent * _slope_of_tanh(*about), None)


def log_one_plus_exp(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.where(x < 0, 0.0, x) + np.log1p(np.exp(below_zero(x)))


def exponential_less_one(x: Array, form: str) -> Array:
    """exp(x) - 1; obeys EXPM1."""
    return np.expm1(x) if form == "direct" else np.exp(x) - 1.0


def largest(x: Array, axes: tuple[int, ...]) -> Array:
    """The largest element along some axes, which stay with size 1, as a number."""
    return np.max(constant(x), axis=axes, keepdims=True)


def log_sum_exp(x: Array, axes: tuple[int, ...]) -> Array:
    """log(sum(exp(x))) over some axes, which stay with size 1; the largest element is taken off first."""
    top = largest(x, axes)
    shift = np.where(np.abs(top) < math.inf, top, 0.0)
    return np.log(np.sum(np.exp(x - shift), axis=axes, keepdims=True)) + shift
