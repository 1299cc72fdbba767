"""The optimizers' formulas against what their recursions sum up to, in 30 digits, and against numbers seen before."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import conformance
from conformance.operation import get_operation
from conformance.oracle import filled
from conformance.spelling import Layout

GRADIENTS = [0.5, -0.25, 0.3, 1.5, -1.0, 0.125, 1e-6]
RATES = [0.125, 0.125, 0.0625, 0.5, 0.25, 0.25, 1.0]
START = 1.25
SUMS = {}


def run(name, parameters, dialect, slots=()):
    """The variable after each step, from START, and the slots that a case gives."""
    operation = get_operation(name)
    tensors = filled(operation, {"variable": [START], "gradient": [0.0], **dict(slots)}, parameters)
    seen = []
    for step, (gradient, rate) in enumerate(zip(GRADIENTS, RATES, strict=True), 1):
        given = {**parameters, "learning_rate": rate}
        tensors |= {"gradient": np.array([gradient])}
        tensors |= operation(tensors, given, training=True, step=step, dialect=dialect)
        seen.append(float(tensors["variable"][0]))
    return seen


def summed(function):
    """File a function under the name of the optimizer whose steps, before the learning rate, it gives."""
    SUMS[function.__name__] = function
    return function


def mean(decay, values):
    """The running mean that began at 0, as the sum it is."""
    last = len(values) - 1
    return (1 - decay) * mpmath.fsum(decay ** (last - i) * each for i, each in enumerate(values))


def adams_step(m, v, first, second, epsilon, where):
    if where == "hat":  # as if epsilon were divided by the root of the correction
        epsilon = epsilon / mpmath.sqrt(second)
    if where == "inside":
        return m / first / mpmath.sqrt(v / second + epsilon)
    return m / first / (mpmath.sqrt(v / second) + epsilon)


@summed
def adam(g, p, epsilon, correction):
    t = len(g) - (correction == "late")
    first, second = (1 - p["beta_1"] ** t or mpf(1)), (1 - p["beta_2"] ** t or mpf(1))
    m, v = mean(p["beta_1"], g), mean(p["beta_2"], [each**2 for each in g])
    return adams_step(m, v, first, second, p["epsilon"], epsilon)


@summed
def adamw(g, p, epsilon):
    return adam(g, p, epsilon, "every_step")


@summed
def amsgrad(g, p, correction):
    lengths = range(1, len(g) + 1)
    seconds = [mean(p["beta_2"], [each**2 for each in g[:n]]) for n in lengths]
    if correction == "before_maximum":
        seconds = [each / (1 - p["beta_2"] ** n) for n, each in zip(lengths, seconds, strict=True)]
    first = mpf(1) if correction == "none" else 1 - p["beta_1"] ** len(g)
    second = 1 - p["beta_2"] ** len(g) if correction in ("every_step", "after_epsilon") else mpf(1)
    where = "hat" if correction == "after_epsilon" else "after_correction"
    return adams_step(mean(p["beta_1"], g), max(seconds), first, second, p["epsilon"], where)


@summed
def adamax(g, p, epsilon):
    inside, outside = (p["epsilon"], 0) if epsilon == "inside" else (0, p["epsilon"])
    last = len(g) - 1
    norm = max(p["beta_2"] ** (last - i) * (abs(each) + inside) for i, each in enumerate(g))
    return mean(p["beta_1"], g) / (1 - p["beta_1"] ** len(g)) / (norm + outside)


@summed
def nadam(g, p, momentum_schedule, first_moment, second_moment):
    def momentum(t):
        if momentum_schedule == "constant":
            return p["beta_1"]
        rate = p["momentum_decay"] if momentum_schedule == "slow" else 1
        return p["beta_1"] * (1 - mpf(0.96) ** (rate * t) / 2)

    t = len(g)
    mu = [momentum(each) for each in range(1, t + 2)]
    decays = mu[:t] if first_moment == "scheduled" else [p["beta_1"]] * t
    m = mpmath.fsum((1 - decays[i]) * g[i] * mpmath.fprod(decays[i + 1 :]) for i in range(t))
    numerator = mu[t] * m / (1 - mpmath.fprod(mu)) + (1 - mu[t - 1]) * g[-1] / (1 - mpmath.fprod(mu[:t]))
    n = mean(p["beta_2"], [each**2 for each in g]) / (1 - p["beta_2"] ** t)
    return numerator / (mpmath.sqrt(n * (p["beta_2"] if second_moment == "damped" else 1)) + p["epsilon"])


@summed
def radam(g, p, epsilon, threshold):
    """The length of the average is that of the plain one with the same centre of mass (section 5.1 of the paper)."""
    t = len(g)
    first, second = 1 - p["beta_1"] ** t, 1 - p["beta_2"] ** t
    centre = mpmath.fsum((1 - p["beta_2"]) * p["beta_2"] ** age / second * (age + 1) for age in range(t))
    length, longest = 2 * centre - 1, 2 / (1 - p["beta_2"]) - 1
    m, v = mean(p["beta_1"], g), mean(p["beta_2"], [each**2 for each in g])
    if length <= threshold:
        return m / first
    squared = ((length - 4) / (longest - 4)) * ((length - 2) / (longest - 2)) * (longest / length)
    return mpmath.sqrt(squared) * adams_step(m, v, first, second, p["epsilon"], epsilon)


def root(squares, epsilon, where):
    return mpmath.sqrt(squares + epsilon) if where == "inside" else mpmath.sqrt(squares) + epsilon


@summed
def rmsprop(g, p, epsilon):
    squares = mean(p["rho"], [each**2 for each in g]) + p["rho"] ** len(g) * p["initial_accumulator"]
    if p["centered"]:
        squares -= mean(p["rho"], g) ** 2
    return g[-1] / root(squares, p["epsilon"], epsilon)


@summed
def adagrad(g, p, epsilon):
    squares = p["initial_accumulator"] + mpmath.fsum(each**2 for each in g)
    return g[-1] / root(squares, p["epsilon"], epsilon) / (1 + (len(g) - 1) * p["learning_rate_decay"])


@summed
def adadelta(g, p, epsilon):
    before = [adadelta(g[:n], p, epsilon) for n in range(1, len(g))]
    ratio = root(mean(p["rho"], [each**2 for each in before]), p["epsilon"], epsilon)
    return ratio / root(mean(p["rho"], [each**2 for each in g]), p["epsilon"], epsilon) * g[-1]


BETAS = {"beta_1": 0.75, "beta_2": 0.875, "epsilon": 0.125}
POINTS = {
    "adam": [BETAS, BETAS | {"epsilon": 1e-7}],
    "adamw": [BETAS | {"weight_decay": 0.0}],
    "amsgrad": [BETAS],
    "adamax": [BETAS],
    "nadam": [BETAS | {"momentum_decay": 0.004}, BETAS | {"momentum_decay": 0.25}],
    "radam": [BETAS],
    "rmsprop": [
        {"rho": 0.75, "epsilon": 0.125, "centered": centered, "initial_accumulator": start, "momentum": 0.0}
        for centered in (False, True)
        for start in (0.0, 1.0)
    ],
    "adagrad": [
        {"epsilon": 0.125, "initial_accumulator": start, "learning_rate_decay": decay}
        for start, decay in ((0.0, 0.0), (0.1, 0.5))
    ],
    "adadelta": [{"rho": 0.75, "epsilon": 0.125}, {"rho": 0.9, "epsilon": 1e-6}],
}


def dialects(name):
    """Every combination of the settings that the sums above know."""
    knobs = get_operation(name).knobs
    known = [each for each in knobs if each not in ("weight_decay", "learning_rate")]
    return [dict(zip(known, each, strict=True)) for each in itertools.product(*(knobs[one].values for one in known))]


@pytest.mark.parametrize(
    ("name", "parameters", "dialect"),
    [(name, parameters, dialect) for name in SUMS for parameters in POINTS[name] for dialect in dialects(name)],
)
def test_a_recursion_gives_what_it_sums_up_to(name, parameters, dialect):
    with mpmath.workdps(30):
        precise = {key: each if isinstance(each, bool) else mpf(each) for key, each in parameters.items()}
        gradients, variable, expected = [mpf(each) for each in GRADIENTS], mpf(START), []
        for step, rate in enumerate(RATES, 1):
            variable -= mpf(rate) * SUMS[name](gradients[:step], precise, **dialect)
            expected.append(float(variable))
    np.testing.assert_allclose(run(name, parameters, dialect), expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted({*SUMS, "sgd"}))
def test_weight_decay(name):
    """In L2 form it is a gradient; the decoupled one shrinks the variable first, and the gradient stays what it is."""
    operation = get_operation(name)
    tensors = filled(operation, {"variable": [2.0], "gradient": [0.5]}, {})
    rate, decay = 0.25, 0.125

    def stepped(dialect, gradient=0.5, variable=2.0, weight_decay=0.0):
        given = {**tensors, "gradient": np.array([gradient]), "variable": np.array([variable])}
        parameters = {"learning_rate": rate, "weight_decay": weight_decay, "epsilon": 0.0625}
        return operation(given, parameters, training=True, dialect={"weight_decay": dialect})["variable"]

    assert stepped("l2", weight_decay=decay) == pytest.approx(stepped("l2", gradient=0.5 + decay * 2), rel=1e-14)
    shrunk = stepped("l2", variable=2 - rate * decay * 2)
    assert stepped("decoupled", weight_decay=decay) == pytest.approx(shrunk, rel=1e-14)


def test_the_decay_of_adamw_as_published_knows_no_learning_rate():
    tensors = {"variable": [2.0, -4.0], "gradient": [0.0, 0.0]}
    found = conformance.evaluate("adamw", tensors, {"learning_rate": 0.25, "weight_decay": 0.125}, "train")
    np.testing.assert_array_equal(found["variable"], [1.75, -3.5])


SEEN = [  # w = 1, g = 1 and a learning rate of 0.1, after one step, to the digits that were noted
    ("rmsprop", {"rho": 0.9, "epsilon": 0.1}, {"epsilon": "inside"}, 0.7764),
    ("rmsprop", {"rho": 0.9, "epsilon": 0.1}, {"epsilon": "outside"}, 0.7597),
    ("rmsprop", {"rho": 0.9, "epsilon": 1e-7}, {"epsilon": "inside"}, 0.6838),
    ("adagrad", {"epsilon": 1e-7, "initial_accumulator": 0.1}, {"epsilon": "inside"}, 0.9047),
    ("adagrad", {"epsilon": 1e-10, "initial_accumulator": 0.0}, {"epsilon": "outside"}, 0.9000),
    ("adamw", {"weight_decay": 0.004}, {"weight_decay": "decoupled", "epsilon": "hat"}, 0.8996),
    ("adamw", {"weight_decay": 0.01}, {"weight_decay": "decoupled"}, 0.8990),
    ("nadam", {"beta_1": 0.9}, {"momentum_schedule": "fast"}, 0.8937),
    ("nadam", {"beta_1": 0.9}, {"momentum_schedule": "slow"}, 0.8944),
    ("nadam", {"beta_1": 0.9}, {"momentum_schedule": "constant"}, 0.8526),
]


@pytest.mark.parametrize(("name", "parameters", "dialect", "expected"), SEEN)
def test_numbers_that_frameworks_gave(name, parameters, dialect, expected):
    if name == "nadam":
        dialect = {**dialect, "first_moment": "constant", "second_moment": "corrected"}
    parameters = {"learning_rate": 0.1, **parameters}
    found = conformance.evaluate(name, {"variable": [1.0], "gradient": [1.0]}, parameters, "train", dialect)
    assert found["variable"][0] == pytest.approx(expected, abs=0.00005)


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_velocity_of_rmsprop_that_holds_the_learning_rate_goes_on_with_the_old_one(where):
    """A gradient of one size divides to 1 where there was an accumulator of its square before: the steps count."""
    rates, momentum = RATES[:3], 0.5
    tensors = {"variable": np.array([0.0]), "gradient": np.array([2.0])}
    tensors |= {"second_moment": np.array([4.0]), "velocity": np.array([0.0])}
    parameters = {"rho": 0.5, "epsilon": 0.0, "momentum": momentum}
    for step, rate in enumerate(rates, 1):
        given = {**parameters, "learning_rate": rate}
        tensors |= get_operation("rmsprop")(tensors, given, training=True, step=step, dialect={"learning_rate": where})
    a, b, c = rates
    expected = {
        "inside": a + (a / 2 + b) + (a / 4 + b / 2 + c),
        "outside": a + b * (1 + 1 / 2) + c * (1 + 1 / 2 + 1 / 4),
    }
    assert tensors["variable"][0] == -expected[where]


def test_a_slot_may_be_kept_with_the_other_sign():
    layout = Layout((1, 0), negated=True)
    ours = np.array([[1.0, -2.0, 4.0]])
    np.testing.assert_array_equal(layout.theirs(ours), [[-1.0], [2.0], [-4.0]])
    np.testing.assert_array_equal(layout.ours(layout.theirs(ours)), ours)


@pytest.mark.parametrize("name", sorted(SUMS))
@pytest.mark.parametrize("gradient", [1e4, -1e4, 0.0, -0.0, 1e-6, 1e-30])
def test_the_bound_is_finite_and_tight_whatever_the_gradient(name, gradient):
    """Within some tens of roundings of the step."""
    tensors = {"variable": [1.5, -3.0], "gradient": [gradient, gradient]}
    parameters = {"learning_rate": 0.125, **POINTS[name][0], "epsilon": 0.0078125}
    values, bounds = conformance.evaluate(name, tensors, parameters, "train", bound=True, precision="float32")
    step = np.abs(values["variable"] - [1.5, -3.0])
    assert np.isfinite(values["variable"]).all()
    assert (bounds["variable"] <= 2.0**-24 * (np.abs(values["variable"]) + 50 * step) + 2.0**-126).all()


@pytest.mark.parametrize("name", sorted(SUMS))
def test_what_is_not_finite_stays_visible(name):
    tensors = {"variable": [1.0, 1.0], "gradient": [math.nan, math.inf]}
    with np.errstate(all="ignore"):
        found = conformance.evaluate(name, tensors, {"learning_rate": 0.125}, "train")
    assert np.isnan(found["variable"][0])
    assert not np.isfinite(found["variable"][1])
