"""Activations against fifty digits, at ordinary and at extreme inputs, and their slopes at kinks."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from conformance import evaluate
from conformance.errors import Undefined
from conformance.operation import get_operation

INF, NAN = math.inf, math.nan
DIGITS = 60


def clip(x, low, high):
    return min(max(x, low), high)


def logistic(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def exponential(x, alpha, width=1):
    return x if x > 0 else alpha * (mpmath.exp(x / width) - 1)


SELU_ALPHA = mpmath.mpf("1.6732632423543772848170429916717")
SELU_SCALE = mpmath.mpf("1.0507009873554804934193349852946")

TRUTH = {
    ("leaky_relu", 0.25): lambda x: x if x > 0 else x / 4,
    ("elu", 2.0): lambda x: exponential(x, 2),
    ("selu", None): lambda x: SELU_SCALE * exponential(x, SELU_ALPHA),
    ("celu", 2.0): lambda x: exponential(x, 2, 2),
    ("gelu", None): lambda x: x * mpmath.ncdf(x),
    ("silu", None): lambda x: x * logistic(x),
    ("sigmoid", None): logistic,
    ("tanh", None): mpmath.tanh,
    ("softplus", None): softplus,
    ("softplus", 3.0): lambda x: softplus(3 * x) / 3,
    ("log_sigmoid", None): lambda x: -softplus(-x),
    ("softsign", None): lambda x: x / (1 + abs(x)),
    ("mish", None): lambda x: x * mpmath.tanh(softplus(x)),
    ("tanh_shrink", None): lambda x: x - mpmath.tanh(x),
    ("squareplus", None): lambda x: (x + mpmath.sqrt(x * x + 4)) / 2,
    ("squareplus", 0.5): lambda x: (x + mpmath.sqrt(x * x + 0.5)) / 2,
    ("relu", None): lambda x: max(x, 0),
    ("relu6", None): lambda x: clip(x, 0, 6),
    ("hard_tanh", None): lambda x: clip(x, -1, 1),
    ("hard_sigmoid", None): lambda x: clip(x + 3, 0, 6) / 6,
    ("hard_swish", None): lambda x: x * clip(x + 3, 0, 6) / 6,
    ("soft_shrink", None): lambda x: mpmath.sign(x) * max(abs(x) - 0.5, 0),
    ("hard_shrink", 0.75): lambda x: x if abs(x) > 0.75 else 0,
    ("threshold", 0.25): lambda x: x if x > 0.25 else 0,
    ("rrelu", None): lambda x: x if x > 0 else x * (mpmath.mpf(1 / 8) + mpmath.mpf(1 / 3)) / 2,
}
POINTS = [
    -1e4,
    -110.0,
    -40.0,
    -19.7,
    -6.3,
    -2.9,
    -1.27,
    -0.6,
    -1e-3,
    -1e-9,
    1e-9,
    1e-3,
    0.31,
    0.9,
    2.2,
    5.9,
    17.3,
    90,
    1e4,
]


def parameters(name, value):
    names = [key for key in get_operation(name).parameters if key != "approximate"]
    return {} if value is None else {names[0]: value}


def scale(name, x, y):
    """What a rounding error is relative to: the result, or the terms that cancel where it is the difference of two."""
    if name in ("tanh_shrink", "gelu"):
        return abs(x)
    return max(abs(y), {"hard_sigmoid": 0.5, "hard_swish": abs(x)}.get(name, 0.0))


@pytest.mark.parametrize(("name", "value"), TRUTH, ids=str)
def test_values_are_those_of_fifty_digits_everywhere(name, value):
    for precision, unit in (("float32", 2.0**-24), ("float64", 2.0**-53)):
        values, bounds = evaluate(name, {"x": POINTS}, parameters(name, value), bound=True, precision=precision)
        assert np.isfinite(bounds["y"]).all()
        for x, y, bound in zip(POINTS, values["y"], bounds["y"], strict=True):
            with mpmath.workdps(DIGITS):
                truth = TRUTH[name, value](mpmath.mpf(x))
                off = float(abs(y - truth))
            assert off <= 1e-12 * scale(name, x, y) + 1e-300, x
            assert bound <= (30 + 3 * abs(x)) * unit * scale(name, x, y) + 1e-37 * max(1.0, abs(x)), (precision, x)
            assert precision == "float32" or off <= 4 * bound + 1e-300, x


@pytest.mark.parametrize(("name", "value"), [key for key in TRUTH if get_operation(key[0]).differentiable], ids=str)
def test_slopes_are_those_of_fifty_digits(name, value):
    tensors = {"x": POINTS, "y.gradient": np.ones(len(POINTS))}
    for precision in ("float32", "float64"):
        values, bounds = evaluate(name, tensors, parameters(name, value), bound=True, precision=precision)
        assert np.isfinite(bounds["x.gradient"]).all()
        assert (bounds["x.gradient"] <= 1e-4).all()
        for x, slope, bound in zip(POINTS, values["x.gradient"], bounds["x.gradient"], strict=True):
            with mpmath.workdps(DIGITS):
                truth = mpmath.diff(TRUTH[name, value], mpmath.mpf(x), h=mpmath.mpf(10) ** -25)
                off = float(abs(slope - truth))
            assert off <= max(1e-12 * abs(float(truth)), bound) + 1e-20, x


@pytest.mark.parametrize(
    ("name", "value"), [("sigmoid", None), ("tanh", None), ("silu", None), ("mish", None), ("softplus", None)]
)
def test_slopes_are_exact_where_they_saturate(name, value):
    points = [-30.0, -9.0, 9.0, 30.0]
    tensors = {"x": points, "y.gradient": np.ones(4)}
    slopes = evaluate(name, tensors)["x.gradient"]
    with mpmath.workdps(DIGITS):
        truth = [mpmath.diff(TRUTH[name, value], x, h=mpmath.mpf(10) ** -25) for x in points]
    np.testing.assert_allclose(slopes, [float(each) for each in truth], rtol=1e-12)


def test_a_derivative_of_the_rounded_result_is_bounded_by_its_cancellation():
    for name in ("sigmoid", "tanh"):
        tensors = {"x": [8.0], "y.gradient": [1.0]}
        (value, bound), (other, wide) = (
            [
                each["x.gradient"].item()
                for each in evaluate(name, tensors, dialect=dialect, bound=True, precision="float32")
            ]
            for dialect in ({}, {"derivative": "of_result"})
        )
        assert other == pytest.approx(value, rel=1e-8)
        assert bound < 1e-5 * value
        assert 2.0**-24 < wide < 1e-6


@pytest.mark.parametrize(
    ("name", "at_infinity", "at_minus_infinity"),
    [
        ("relu", INF, 0), ("leaky_relu", INF, -INF), ("elu", INF, -1), ("celu", INF, -1), ("silu", INF, NAN),
        ("selu", INF, -float(SELU_SCALE * SELU_ALPHA)), ("sigmoid", 1, 0), ("tanh", 1, -1), ("softplus", INF, 0),
        ("log_sigmoid", 0, -INF), ("softsign", NAN, NAN), ("mish", INF, NAN), ("tanh_shrink", INF, -INF),
        ("relu6", 6, 0), ("hard_tanh", 1, -1), ("hard_sigmoid", 1, 0), ("hard_swish", INF, NAN),
        ("soft_shrink", INF, -INF), ("hard_shrink", INF, -INF), ("threshold", INF, 0), ("rrelu", INF, -INF),
    ],
)  # fmt: skip
def test_infinities_and_nan(name, at_infinity, at_minus_infinity):
    y = evaluate(name, {"x": [INF, -INF, NAN]})["y"]
    np.testing.assert_allclose(y, [at_infinity, at_minus_infinity, NAN], rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "parameter", "kinks", "slopes"),
    [
        ("relu", {}, [0], {0: [0], 0.5: [0.5], 1: [1]}),
        ("leaky_relu", {"negative_slope": 0.5}, [0], {0: [0.5], 0.5: [0.75], 1: [1], "both": [1.5], "neither": [0]}),
        ("elu", {"alpha": 3.0}, [0], {0: [3], 0.5: [2], 1: [1], "both": [4]}),
        ("celu", {"alpha": 3.0}, [0], {0: [1], "both": [2]}),
        ("relu6", {}, [0, 6], {0: [0, 0], 0.5: [0.5, 0.5], 1: [1, 1]}),
        ("hard_tanh", {}, [-1, 1], {0: [0, 0], 0.5: [0.5, 0.5], 1: [1, 1]}),
        ("hard_sigmoid", {}, [-3, 3], {0: [0, 0], 0.5: [1 / 12, 1 / 12], 1: [1 / 6, 1 / 6]}),
        ("hard_swish", {}, [-3, 3], {0: [0, 1], 0.5: [-0.25, 1.25], 1: [-0.5, 1.5]}),
        ("soft_shrink", {}, [-0.5, 0.5], {0: [0, 0], 0.5: [0.5, 0.5], 1: [1, 1]}),
        ("hard_shrink", {}, [-0.5, 0.5], {}),
        ("threshold", {}, [1], {}),
    ],
)  # fmt: skip
def test_slopes_at_kinks(name, parameter, kinks, slopes):
    knob = get_operation(name).knobs.get("subgradient")
    assert set(knob.values if knob else ()) == set(slopes)
    tensors = {"x": kinks, "y.gradient": np.ones(len(kinks))}
    values = {setting: evaluate(name, tensors, parameter, dialect={"subgradient": setting}) for setting in slopes}
    for setting, expected in slopes.items():
        np.testing.assert_allclose(values[setting]["x.gradient"], expected, rtol=1e-15)
        np.testing.assert_array_equal(values[setting]["y"], values[0]["y"])
    if not slopes:
        assert not evaluate(name, tensors, parameter)["x.gradient"].any()


def test_slopes_at_zero_where_nothing_bends():
    for name, slope in (
        ("sigmoid", 0.25),
        ("softplus", 0.5),
        ("log_sigmoid", 0.5),
        ("softsign", 1),
        ("squareplus", 0.5),
    ):
        assert evaluate(name, {"x": [0.0, -0.0], "y.gradient": [1, 1]})["x.gradient"].tolist() == [slope, slope]


def test_selu_jumps_in_its_slope_at_zero():
    for setting, slope in ((0, SELU_SCALE * SELU_ALPHA), (1, SELU_SCALE), ("both", SELU_SCALE * (1 + SELU_ALPHA))):
        found = evaluate("selu", {"x": [0.0], "y.gradient": [1]}, dialect={"subgradient": setting})
        assert found["x.gradient"].item() == pytest.approx(float(slope), rel=1e-15)


def test_nan_is_dropped_where_it_is_compared():
    dialect = {"nan": "drop"}
    for name, parameter, y in (("soft_shrink", {}, 0), ("hard_shrink", {}, 0), ("threshold", {"value": -2.0}, -2)):
        assert evaluate(name, {"x": [NAN]}, parameter, dialect=dialect)["y"].tolist() == [y]


@pytest.mark.parametrize(("x", "y"), [(-3, 0), (-2.5, 0), (-1, 0.3), (0, 0.5), (1, 0.7), (2.5, 1), (3, 1)])
def test_the_older_hard_sigmoid(x, y):
    assert evaluate("hard_sigmoid", {"x": [x]}, dialect={"slope": 0.2})["y"].item() == pytest.approx(y, rel=1e-15)


def test_softplus_that_gives_up_above_twenty():
    x, beta = np.array([19.9, 20.1, 9.9, 10.1]), np.array([1.0, 1.0, 2.0, 2.0])
    for each, sharp, off in zip(x, beta, (2.2764e-9, 0, 1.2587e-9, 0), strict=True):
        y = evaluate("softplus", {"x": each}, {"beta": float(sharp)}, dialect={"linear_above": 20})["y"]
        assert float(y) - each == pytest.approx(off, rel=1e-3, abs=1e-15)


def test_prelu_has_a_slope_for_each_channel():
    x = np.array([[[-2.0, 4.0, -8.0]], [[1.0, -1.0, -3.0]]])
    tensors = {"x": x, "alpha": [0.5, 0.25, 2.0], "y.gradient": np.ones(x.shape)}
    found = evaluate("prelu", tensors)
    assert found["y"].tolist() == [[[-1, 4, -16]], [[1, -0.25, -6]]]
    assert found["alpha.gradient"].tolist() == [-2, -1, -11]
    assert found["x.gradient"].tolist() == [[[0.5, 1, 2]], [[1, 0.25, 2]]]


def test_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 3, (3, 4, 2))
    for axis in (0, 1, -1):
        exponentials = np.exp(x)
        total = exponentials.sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(evaluate("softmax", {"x": x}, {"axis": axis})["y"], exponentials / total, rtol=1e-12)
        np.testing.assert_allclose(
            evaluate("log_softmax", {"x": x}, {"axis": axis})["y"], x - np.log(total), rtol=1e-12, atol=1e-15
        )
        found = evaluate("logsumexp", {"x": x, "y.gradient": np.ones(total.squeeze(axis).shape)}, {"axis": axis})
        np.testing.assert_allclose(found["y"], np.log(total).squeeze(axis), rtol=1e-12)
        np.testing.assert_allclose(found["x.gradient"], exponentials / total, rtol=1e-12)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_rows_far_out(precision):
    x = [[1e4, 9.999e3, -1e4], [-1e4, -1.0001e4, -2e4]]
    small = math.log1p(math.exp(-1))
    values, bounds = evaluate("log_softmax", {"x": x}, bound=True, precision=precision)
    np.testing.assert_allclose(values["y"], [[-small, -1 - small, -2e4 - small], [-small, -1 - small, -1e4 - small]])
    assert (bounds["y"] <= 1e-4 * np.abs(values["y"])).all()
    values, bounds = evaluate("logsumexp", {"x": x}, bound=True, precision=precision)
    np.testing.assert_allclose(values["y"], [1e4 + small, -1e4 + small], rtol=1e-15)
    assert (bounds["y"] <= 4 * 2.0**-24 * 1e4).all()


def test_rows_of_infinities():
    y = evaluate("logsumexp", {"x": [[-INF, -INF], [INF, 1], [-INF, 1], [NAN, 1]]})["y"]
    np.testing.assert_array_equal(y, [-INF, INF, 1, NAN])
    dialect = {"masked_row": "nan"}
    np.testing.assert_array_equal(
        evaluate("logsumexp", {"x": [[-INF, -INF], [-INF, 1]]}, dialect=dialect)["y"], [NAN, 1]
    )
    y = evaluate("log_softmax", {"x": [[-INF, -INF], [INF, 1], [-INF, 1]]})["y"]
    np.testing.assert_array_equal(y, [[NAN, NAN], [NAN, NAN], [-INF, 0]])
    y = evaluate("sparsemax", {"x": [[-INF, 0, 0.5], [NAN, 0, 1], [-INF, -INF, -INF]]})["y"]
    np.testing.assert_array_equal(y, [[0, 0.25, 0.75], [NAN] * 3, [NAN] * 3])


def sorted_sparsemax(row):
    """Algorithm 1 of Martins and Astudillo, as it is printed."""
    ordered = np.sort(row)[::-1]
    sums = np.cumsum(ordered)
    k = max(k for k in range(1, len(row) + 1) if 1 + k * ordered[k - 1] > sums[k - 1])
    return np.maximum(row - (sums[k - 1] - 1) / k, 0), k


@pytest.mark.parametrize("seed", range(5))
def test_sparsemax_is_the_algorithm_that_sorts(seed):
    x = np.random.default_rng(seed).normal(0, 0.7, (3, 5, 4))
    cotangent = np.random.default_rng(seed + 100).normal(size=x.shape)
    for axis in (0, 1, -1):
        found = evaluate("sparsemax", {"x": x, "y.gradient": cotangent}, {"axis": axis})
        rows = [np.moveaxis(each, axis, -1).reshape(-1, x.shape[axis]) for each in (x, cotangent)]
        truth, slopes = [], []
        for row, pulled in zip(*rows, strict=True):
            y, k = sorted_sparsemax(row)
            truth.append(y)
            support = y > 0
            slopes.append(np.where(support, pulled - pulled[support].sum() / k, 0))
        shown = [np.moveaxis(found[each], axis, -1).reshape(-1, x.shape[axis]) for each in ("y", "x.gradient")]
        np.testing.assert_allclose(shown[0], truth, atol=1e-14)
        np.testing.assert_allclose(shown[1], slopes, atol=1e-14)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 2, 2.5], [0, 0, 0]),
        ([3, 1, 0], [1, 0, 0]),
        ([0.5, 0.25, 0.25], [0.5 - 1.25 / 3, 0, 0]),
        ([-1, -1, -3], [1, 1, 0]),
    ],
)
def test_sparsemax_that_sums_the_cumulative_sums(x, y):
    """By hand: [1, 2, 2.5] has the cumulative sums 2.5 and 4.5 over its support, so tau is 3."""
    found = evaluate("sparsemax", {"x": [x]}, dialect={"tau": "cumulative"})["y"]
    np.testing.assert_allclose(found, [y], atol=1e-15)


@pytest.mark.parametrize("gate", ["second", "first", "interleaved"])
def test_gates(gate):
    x = [[5, 1, 40, 0]]
    halves = {"second": [5, 0.5], "first": [40 / (1 + math.exp(-5)), 0], "interleaved": [5 / (1 + math.exp(-1)), 20]}
    found = evaluate("glu", {"x": x}, dialect={"gate": gate})["y"]
    np.testing.assert_allclose(found, [halves[gate]], rtol=1e-15)


def test_glu_along_another_axis_and_its_slope():
    x = np.random.default_rng(1).normal(size=(3, 4, 2))
    cotangent = np.ones((3, 2, 2))
    found = evaluate("glu", {"x": x, "y.gradient": cotangent}, {"axis": 1})
    passed, gate = x[:, :2], 1 / (1 + np.exp(-x[:, 2:]))
    np.testing.assert_allclose(found["y"], passed * gate, rtol=1e-14)
    expected = np.concatenate([gate, passed * gate * (1 - gate)], axis=1)
    np.testing.assert_allclose(found["x.gradient"], expected, rtol=1e-12)


def test_what_has_no_answer():
    with pytest.raises(Undefined, match="an axis of 3 elements has no halves"):
        evaluate("glu", {"x": [[1, 2, 3]]})
    with pytest.raises(Undefined, match="axis 2 does not exist"):
        evaluate("sparsemax", {"x": [[1, 2, 3]]}, {"axis": 2})
