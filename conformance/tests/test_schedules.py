"""Schedules of the learning rate against closed forms in 30 digits, and against the recursions that some use."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from mpmath import mpf

import conformance
from conformance.errors import UsageError
from conformance.operation import operations

ITERATIONS = np.arange(24).reshape(4, 6)
RATE = 0.1


def rates(name, parameters, dialect=None, iteration=ITERATIONS):
    tensors = {"iteration": iteration, "initial_learning_rate": RATE}
    found = conformance.evaluate(name, tensors, parameters, "predict", dialect)
    return found["y"]


def table(function):
    with mpmath.workdps(30):
        return np.array([float(mpf(RATE) * function(int(t))) for t in ITERATIONS.ravel()]).reshape(ITERATIONS.shape)


@pytest.mark.parametrize("decay_steps", [1, 7, 8])
@pytest.mark.parametrize("decay_rate", [0.9, 0.5, 1.25])
@pytest.mark.parametrize("staircase", [False, True])
def test_decays_by_a_factor_and_by_a_divisor(decay_steps, decay_rate, staircase):
    def elapsed(t):
        return mpf(t // decay_steps) if staircase else mpf(t) / decay_steps

    p = {"decay_steps": float(decay_steps), "decay_rate": decay_rate}
    for given, dialect in (({"staircase": staircase}, {}), ({}, {"staircase": staircase})):
        found = rates("exponential_decay", p | given, dialect)
        np.testing.assert_allclose(found, table(lambda t: mpf(decay_rate) ** elapsed(t)), rtol=1e-14)
        found = rates("inverse_time_decay", p | given, dialect)
        np.testing.assert_allclose(found, table(lambda t: 1 / (1 + mpf(decay_rate) * elapsed(t))), rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("decay_steps", [1, 5, 8])
@pytest.mark.parametrize("after_end", ["stays", "climbs"])
def test_a_cosine_is_the_square_of_one_of_half_the_angle(alpha, decay_steps, after_end):
    def left(t):
        t = min(t, decay_steps) if after_end == "stays" else t
        return mpf(alpha) + (1 - mpf(alpha)) * mpmath.cos(mpmath.pi * t / (2 * decay_steps)) ** 2

    found = rates("cosine_decay", {"alpha": alpha, "decay_steps": float(decay_steps)}, {"after_end": after_end})
    np.testing.assert_allclose(found, table(left), rtol=1e-12, atol=1e-17)


def test_after_its_end_a_cosine_stays_or_is_as_high_as_before():
    p = {"decay_steps": 4.0, "alpha": 0.25}
    assert rates("cosine_decay", p, {}, [4, 5, 8, 100]).tolist() == [0.25 * RATE] * 4
    np.testing.assert_allclose(rates("cosine_decay", p, {"after_end": "climbs"}, [8, 12]), [RATE, RATE / 4])


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.25])
@pytest.mark.parametrize("end", [0.0, 0.02])
@pytest.mark.parametrize("cycle", [False, True])
def test_a_power_of_the_time_left(power, end, cycle):
    def left(t):
        length = 5 * max(1, -(-t // 5)) if cycle else 5
        return (1 - mpf(end) / mpf(RATE)) * (1 - mpf(min(t, length)) / length) ** mpf(power) + mpf(end) / mpf(RATE)

    p = {"decay_steps": 5.0, "power": power, "end_learning_rate": end, "cycle": cycle}
    np.testing.assert_allclose(rates("polynomial_decay", p), table(left), rtol=1e-13, atol=1e-17)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_end_of_a_power_is_exact(power):
    tensors = {"iteration": [3, 4], "initial_learning_rate": RATE}
    p = {"decay_steps": 3.0, "power": power}
    values, bounds = conformance.evaluate("polynomial_decay", tensors, p, bound=True)
    assert values["y"].tolist() == [0, 0]
    assert bounds["y"].tolist() == [0, 0]


@pytest.mark.parametrize(("boundary", "expected"), [("<", [8, 8, 2, 2, 2, 0.5, 0.5]), ("<=", [8, 8, 8, 2, 2, 2, 0.5])])
def test_a_boundary_belongs_to_the_new_rate_or_to_the_old_one(boundary, expected):
    tensors, p = {"iteration": range(7), "initial_learning_rate": 8}, {"boundaries": (2, 5), "decay_rate": 0.25}
    found = conformance.evaluate("piecewise_constant_decay", tensors, p, dialect={"boundary": boundary})
    assert found["y"].tolist() == expected


def test_a_single_boundary():
    assert rates("piecewise_constant_decay", {"boundaries": 2, "decay_rate": 0.5}, {}, [1, 2]).tolist() == [0.1, 0.05]


SCHEDULES = [name for name, each in operations().items() if each.family == "schedule"]


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_bound_is_that_of_a_few_roundings(name):
    """Beside the cosine and 1 - t / T, whose rounding is one of 1."""
    p = {} if name.startswith("piecewise") else {"decay_steps": 7.0}
    tensors = {"iteration": ITERATIONS, "initial_learning_rate": RATE}
    values, bounds = conformance.evaluate(name, tensors, p, bound=True, precision="float32")
    assert (bounds["y"] <= 2.0**-24 * (20 * np.abs(values["y"]) + 8 * RATE)).all()


@pytest.mark.parametrize("name", SCHEDULES)
def test_steps_are_counted_in_whole_numbers(name):
    with pytest.raises(UsageError, match="integers"):
        conformance.evaluate(name, {"iteration": [1.5], "initial_learning_rate": RATE})


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_steps_and_one_step_without_an_axis(name):
    assert rates(name, {}, {}, np.zeros((0, 2), int)).shape == (0, 2)
    assert math.isclose(rates(name, {}, {}, 0), RATE)
