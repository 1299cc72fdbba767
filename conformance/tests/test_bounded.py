"""The bound: sound for float32 evaluation, tight enough to see a fault, and never lost on the way."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from conformance.arithmetic.bounded import Bounded, growth
from conformance.arithmetic.gradient import contract, vjp

U = 2.0**-24
floats = st.floats(-100, 100, width=32)
positive = st.floats(np.float32(0.01), 100, width=32)

UNARY = {
    "negative": np.negative, "abs": np.abs, "exp": lambda x: np.exp(x / 2), "expm1": lambda x: np.expm1(x / 8),
    "tanh": np.tanh, "square": np.square, "cube": lambda x: x**3, "cosh": lambda x: np.cosh(x / 8),
    "cos": np.cos, "cos of a rounded angle": lambda x: np.cos(x * np.float32(1.1)),
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min,
    "transpose": np.transpose, "ravel": np.ravel, "pad": lambda x: np.pad(x, 1), "flip": np.flip,
}  # fmt: skip
POSITIVE = {"sqrt": np.sqrt, "log": np.log, "log1p": np.log1p, "root": lambda x: x**0.25, "reciprocal": lambda x: 1 / x}


def sound(function, *values):
    with np.errstate(all="ignore"):
        single = np.asarray(function(*(np.float32(value) for value in values)), np.float64)
        bounded = function(*(Bounded(value, U) for value in values))
    assert single.shape == bounded.shape
    assert np.all(np.abs(single - bounded.value) <= bounded.error + U * np.abs(bounded.value) + 1e-37)


@pytest.mark.parametrize("name", UNARY)
@given(values=arrays(np.float32, array_shapes(max_dims=3, max_side=6), elements=floats))
@settings(max_examples=30, deadline=None)
def test_unary_bounds_are_sound(name, values):
    sound(UNARY[name], values)


@pytest.mark.parametrize("name", POSITIVE)
@given(values=arrays(np.float32, array_shapes(max_dims=2, max_side=6), elements=positive))
@settings(max_examples=30, deadline=None)
def test_bounds_of_positive_numbers_are_sound(name, values):
    sound(POSITIVE[name], values)


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum])
@given(one=arrays(np.float32, (3, 4), elements=floats), other=arrays(np.float32, (4,), elements=positive))
@settings(max_examples=30, deadline=None)
def test_binary_bounds_are_sound_and_pass_errors_on(ufunc, one, other):
    sound(ufunc, one, other)
    sound(lambda x, y: ufunc(x * np.float32(1.1), np.sqrt(y)), one, other)


def test_contraction_is_sound_and_grows_with_the_number_of_terms():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(3, 500)).astype(np.float32), rng.normal(size=(500, 2)).astype(np.float32)
    sound(lambda a, b: contract("ij,jk->ik", a, b), one, other)
    bounded = contract("ij,jk->ik", Bounded(one, U), Bounded(other, U))
    expected = (growth(500) + 1) * U * (np.abs(one).astype(float) @ np.abs(other).astype(float))
    np.testing.assert_allclose(bounded.error, expected, rtol=1e-12)


def test_exact_operations_add_nothing():
    x = Bounded([1.5, -2.25], U)
    for exact in (-x, np.abs(x), x * 2, x / 4, x + 0, np.maximum(x, 0.0), x[::-1], np.where(x > 0, x, 0.0)):
        assert np.all(exact.error == 0)


def test_cancellation_keeps_the_error_of_its_operands():
    x = Bounded([3.0], U) * 1.1 - Bounded([3.3], U)
    assert x.error[0] > 0.9 * 3.3 * U


def test_an_undetermined_quotient_has_an_infinite_bound_and_special_values_none():
    with np.errstate(all="ignore"):
        assert np.isinf((1 / Bounded([1e-9], U, [1e-8])).error[0])
        assert np.log(Bounded([0.0], U)).error[0] == 0
        assert (Bounded([np.nan], U) * 2).error[0] == 0


@pytest.mark.parametrize(
    "lossy",
    [
        lambda x: np.asarray(x), lambda x: np.sin(x), lambda x: np.cumsum(x), lambda x: np.linalg.norm(x),
        lambda x: np.multiply.reduce(x), lambda x: np.sum(x, where=[True]),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_refused(lossy):
    with pytest.raises(TypeError, match="bound"):
        lossy(Bounded([1.0], U))


@pytest.mark.parametrize(
    ("value", "exact"), [(0.5, True), (2.0**-10, True), (1e-3, False), (0.99, False), (0.0, True), (16777217.0, False)]
)
def test_a_parameter_is_exact_only_if_float32_holds_it(value, exact):
    assert (Bounded.rounded(value, U).error == 0) == exact
    assert exact == (float(np.float32(value)) == value)
    assert Bounded.rounded(value, 2.0**-53).error == 0


def test_the_gradient_carries_a_bound_and_sums_what_meets():
    x = Bounded([[1.0, 2.0], [3.0, 4.0]], U)
    results, pull = vjp(
        lambda v: {"y": v["x"][np.array([0, 0, 1])] * v["w"], "other": v["x"]}, {"x": x, "w": x[0]}, ("y",)
    )
    assert set(results) == {"y", "other"}
    gradient = pull({"y": Bounded(np.ones((3, 2)), U)})
    assert gradient["x"].value.tolist() == [[2, 4], [1, 2]]
    assert gradient["w"].value.tolist() == [5, 8]
    assert np.all(gradient["w"].error > 0)


def test_what_a_result_does_not_depend_on_has_a_gradient_of_zeros():
    _, pull = vjp(lambda v: {"y": anp.exp(v["x"])}, {"x": Bounded([0.0], U), "unused": Bounded([1.0, 2.0], U)}, ("y",))
    assert pull({"y": Bounded([1.0], U)})["unused"].value.tolist() == [0, 0]


@pytest.mark.parametrize(("x", "tanh"), [(-1e10, False), (1e10, False), (40.0, True), (-300.0, True)])
def test_a_vanishing_factor_does_not_leave_the_result_open(x, tanh):
    """Both forms of gelu multiply by what vanishes far out: the bound of the gradient must not become infinite."""
    from conformance import evaluate

    tensors = {"x": np.array([x]), "y.gradient": np.array([1.0])}
    dialect = {"approximate": "tanh"} if tanh else {}
    for precision in ("float32", "float64"):
        _, bounds = evaluate("gelu", tensors, dialect=dialect, bound=True, precision=precision)
        if x**2 < 1e30 and precision == "float64":
            assert np.isfinite(bounds["x.gradient"]).all()


def test_what_overflows_in_float32_is_open_and_what_underflows_may_be_zero():
    with np.errstate(all="ignore"):
        assert np.isinf((Bounded([1e30], U) * Bounded([1e20], U)).error[0])
        assert (Bounded([1e-30], U) * Bounded([1e-20], U)).error[0] == 2.0**-126
        assert (Bounded([1e30], 2.0**-53) * Bounded([1e20], 2.0**-53)).error[0] < 1e36
