"""The oracle against truth that is not ours: fifty digits, hand calculation, and published numbers."""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import mpmath
import numpy as np
import pytest

from conformance import evaluate
from conformance.arithmetic.precision import PRECISIONS
from conformance.errors import Undefined, UsageError
from conformance.operation import get_operation, operations
from conformance.oracle import filled
from conformance.tests.precise import DIGITS, Precise, exact
from conformance.tests.samples import draw


def settings(name):
    """The formula itself, and every dialect that changes one knob."""
    yield {}
    for knob in get_operation(name).knobs.values():
        for value in knob.others:
            yield {knob.name: value}


@partial(np.vectorize, otypes=[float])
def apart(one, other):
    """How far two numbers are apart: not at all, if both are NaN or the same infinity."""
    return 0 if one == other or (mpmath.isnan(one) and mpmath.isnan(other)) else abs(one - other)


def wrapped(operation, tensors):
    """Tensors in fifty digits, integers as they are."""
    indices = operation.holds_integers and operation.family != "schedule"  # an iteration is a number like any other
    return {key: each if indices and operation.tensors[key].integer else Precise(each) for key, each in tensors.items()}


def precise(name, tensors, parameters, dialect, training):
    """The formula in fifty digits."""
    operation = get_operation(name)
    arrays = wrapped(operation, filled(operation, tensors, parameters))
    numbers = {key: exact(value) if isinstance(value, float) else value for key, value in parameters.items()}
    defaults = {key: exact(each.default) for key, each in operation.parameters.items() if each.kind is float}
    results = operation(arrays, {**defaults, **numbers}, training=training, dialect=dialect)
    return {key: each if isinstance(each, Precise) else Precise(each) for key, each in results.items()}


MANY = [(name, dialect) for name in operations() for dialect in settings(name)]


@pytest.mark.parametrize(("name", "dialect"), MANY, ids=str)
@pytest.mark.parametrize("training", [False, True], ids=["predict", "train"])
def test_float64_is_within_its_own_bound_of_fifty_digits(name, dialect, training):
    checked = 0
    for seed in range(4):
        tensors, parameters = draw(name, seed)
        try:
            values, bounds = evaluate(
                name, tensors, parameters, "train" if training else "predict", dialect, bound=True
            )
        except Undefined:
            continue
        with mpmath.workdps(DIGITS):
            truth = precise(name, tensors, parameters, dialect, training)
            for key, value in values.items():
                off = np.asarray(apart(Precise(value).values, truth[key].values), dtype=float)
                assert np.all(off <= bounds[key] + 1e-300), (seed, key)
                checked += value.size
    assert checked


@pytest.mark.parametrize("name", [name for name, each in operations().items() if each.differentiable])
def test_gradient_is_within_its_own_bound_of_a_difference_quotient_in_fifty_digits(name):
    operation = get_operation(name)
    tensors, parameters = draw(name, 7)
    result = operation.objective[0]
    shape = evaluate(name, tensors, parameters, "train")[result].shape
    cotangent = np.random.default_rng(1).normal(size=shape)
    values, bounds = evaluate(name, {**tensors, f"{result}.gradient": cotangent}, parameters, "train", bound=True)
    names = [key for key in tensors if operation.tensors[key].differentiable]
    assert {f"{key}.gradient" for key in names} == {key for key in values if key.endswith(".gradient")}

    def objective(key, index, step):
        moved = wrapped(operation, tensors)
        moved[key].values[index] += step
        numbers = {each: exact(value) if isinstance(value, float) else value for each, value in parameters.items()}
        y = operation(moved, numbers, training=True)[result]
        return mpmath.fsum(np.ravel(y.values * Precise(cotangent).values))

    with mpmath.workdps(DIGITS):
        step = mpmath.mpf(10) ** -20
        for key in names:
            for index in list(np.ndindex(tensors[key].shape))[:6]:
                slope = (objective(key, index, step) - objective(key, index, -step)) / (2 * step)
                off = float(abs(mpmath.mpf(float(values[f"{key}.gradient"][index])) - slope))
                assert off <= bounds[f"{key}.gradient"][index] + 1e-28, (key, index)


def test_the_published_answer_of_batch_normalization():
    x = [[[[1.0], [5.0]]]]
    learned = {  # as Keras holds them, in float32; NumPy went on in float64
        "gamma": np.float32([0.22297101]),
        "beta": np.float32([0.49253803]),
        "moving_mean": np.float32([0.36868709]),
        "moving_variance": np.float32([0.41429576]),
    }
    y = evaluate("batch_normalization", {"x": x, **learned}, {"epsilon": 0.001})["y"]
    np.testing.assert_allclose(y.ravel(), [0.71096905498374263, 2.0949484904433255], rtol=1e-15)


def test_batch_statistics_without_epsilon_are_what_was_expected():
    dialect = {"statistics": "batch", "epsilon": "none"}
    y = evaluate("batch_normalization", {"x": [[[[1.0], [5.0]]]]}, {"epsilon": 0.001}, dialect=dialect)["y"]
    assert y.ravel().tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("dialect", "variance"),
    [({}, [1.645, 1.251]), ({"variance_correction": 1}, [1.893, 1.368])],
)
def test_moving_variance_with_and_without_correction(dialect, variance):
    """0.9 * 1 + 0.1 * variance, where four values have the biased variances 7.45 and 3.51."""
    biased = np.array([7.45, 3.51])
    x = np.stack([np.sqrt(biased), -np.sqrt(biased), np.sqrt(biased), -np.sqrt(biased)])
    results = evaluate("batch_normalization", {"x": x}, {"momentum": 0.9}, "train", dialect)
    np.testing.assert_allclose(results["moving_variance"], variance, atol=6e-4)


@pytest.mark.parametrize(
    ("padding_side", "y"),
    [("right", [321, 543, 65]), ("left", [210, 432, 654]), ("symmetric", [210, 432, 654])],
)
def test_same_padding_with_strides(padding_side, y):
    """The published numbers: x = 1..6, kernel 1, 10, 100, stride 2."""
    x = np.arange(1.0, 7.0).reshape(1, 1, 6, 1)
    kernel = np.array([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    found = evaluate(
        "conv2d",
        {"x": x, "kernel": kernel},
        {"padding": "same", "strides": [1, 2]},
        dialect={"padding_side": padding_side},
    )
    assert found["y"].ravel().tolist() == y


def test_a_flipped_kernel_is_numpys_convolution():
    x, kernel = np.arange(1.0, 8.0), np.array([1.0, 10.0, 100.0])
    tensors = {"x": x.reshape(1, 1, -1, 1), "kernel": kernel.reshape(1, -1, 1, 1)}
    flipped = evaluate("conv2d", tensors, dialect={"kernel": "flipped"})["y"].ravel()
    assert flipped.tolist() == np.convolve(x, kernel, "valid").tolist()
    assert evaluate("conv2d", tensors)["y"].ravel().tolist() == np.correlate(x, kernel, "valid").tolist()


@pytest.mark.parametrize(
    ("approximate", "y"),
    [("none", -0.00404969409489031), ("tanh", -0.003637392081773), ("quick", -3 / (1 + math.exp(3 * 1.702)))],
)
def test_gelu_of_minus_three(approximate, y):
    """-3 times the normal distribution at -3, 0.001349898031630095 by the tables; tanh's as published, 3.637e-3."""
    assert evaluate("gelu", {"x": [-3.0]}, dialect={"approximate": approximate})["y"][0] == pytest.approx(y, rel=1e-9)


def test_a_parameter_asks_for_a_form_and_a_dialect_overrides_it():
    asked = evaluate("gelu", {"x": [-3.0]}, {"approximate": "tanh"})["y"]
    assert asked == evaluate("gelu", {"x": [-3.0]}, dialect={"approximate": "tanh"})["y"]
    overridden = evaluate("gelu", {"x": [-3.0]}, {"approximate": "tanh"}, dialect={"approximate": "none"})["y"]
    assert overridden == evaluate("gelu", {"x": [-3.0]})["y"]


def test_softmax_of_a_masked_row():
    x = [[-np.inf, -np.inf, -np.inf, -np.inf]]
    assert np.isnan(evaluate("softmax", {"x": x})["y"]).all()
    assert evaluate("softmax", {"x": x}, dialect={"masked_row": "zero"})["y"].tolist() == [[0, 0, 0, 0]]
    assert evaluate("softmax", {"x": x}, dialect={"masked_row": "uniform"})["y"].tolist() == [[0.25] * 4]


@pytest.mark.parametrize(("setting", "slope"), [(0, 0.0), (0.5, 0.5), (1, 1.0)])
def test_the_derivative_of_relu_at_the_kink(setting, slope):
    found = evaluate("relu", {"x": [-1.0, 0.0, 2.0], "y.gradient": [1.0, 1.0, 1.0]}, dialect={"subgradient": setting})
    assert found["x.gradient"].tolist() == [0.0, slope, 1.0]


def adam_by_hand(gradients, rate, b1, b2, epsilon):
    """Kingma and Ba 2014, algorithm 1, line by line in Python's floats."""
    w = m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        w -= rate * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + epsilon)
    return w


def test_adam_by_hand():
    parameters = {"learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    state = {"variable": [0.0], "first_moment": [0.0], "second_moment": [0.0]}
    gradients = [1.0, -0.5, 2.0]
    operation = get_operation("adam")
    for step, gradient in enumerate(gradients, 1):
        arrays = {key: np.asarray(each) for key, each in {**state, "gradient": [gradient]}.items()}
        state = operation(arrays, parameters, training=True, step=step)
    assert state["variable"][0] == pytest.approx(adam_by_hand(gradients, 0.1, 0.9, 0.999, 1e-8), rel=1e-14)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_inside_and_outside_agree_until_the_rate_changes(nesterov):
    operation = get_operation("sgd")

    def trajectory(dialect, rates):
        state = {"variable": np.array([1.0]), "velocity": np.array([0.0])}
        for step, rate in enumerate(rates, 1):
            parameters = {"learning_rate": rate, "momentum": 0.9, "nesterov": nesterov}
            state = operation({**state, "gradient": np.array([1.0])}, parameters, step=step, dialect=dialect)
        return state["variable"][0]

    outside = {"learning_rate": "outside"}
    assert trajectory({}, [0.1] * 5) == pytest.approx(trajectory(outside, [0.1] * 5))
    changed = [0.1, 0.1, 0.01, 0.01, 0.01]
    assert abs(trajectory({}, changed) - trajectory(outside, changed)) > 0.01


def test_the_bound_is_proportional_to_the_roundoff_and_not_wild():
    for name, seed in product(operations(), range(3)):
        tensors, parameters = draw(name, seed)
        values, single = evaluate(name, tensors, parameters, bound=True, precision="float32")
        _, double = evaluate(name, tensors, parameters, bound=True, precision="float64")
        for key, value in values.items():
            scale = PRECISIONS["float32"].unit * np.abs(value).max(initial=1.0, where=np.isfinite(value))
            assert np.median(single[key]) < 200 * scale, (name, key)
            assert np.all(double[key] <= single[key]), (name, key)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate("gellu", {}), "did you mean 'gelu'"),
        (lambda: evaluate("gelu", {"y": [1.0]}), "no tensor 'y'"),
        (lambda: evaluate("gelu", {}), "no tensor|needs the tensor 'x'"),
        (lambda: evaluate("gelu", {"x": [1.0]}, {"approx": "tanh"}), "did you mean 'approximate'"),
        (lambda: evaluate("gelu", {"x": [1.0]}, dialect={"approximate": "erf"}), "known: none, tanh, quick"),
        (lambda: evaluate("gelu", {"x": [1.0]}, phase="training"), "known: predict, train"),
        (lambda: evaluate("dense", {"x": [[1.0]]}), "needs the tensor 'kernel'"),
    ],
)
def test_wrong_names_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="axis 'input' is 2, expected 3"):
        evaluate("dense", {"x": np.zeros((1, 3)), "kernel": np.zeros((2, 4))})
    with pytest.raises(Undefined, match="more than its input"):
        evaluate("conv2d", {"x": np.zeros((1, 2, 2, 1)), "kernel": np.zeros((3, 3, 1, 1))})
