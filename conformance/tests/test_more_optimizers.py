"""Lion, LAMB, Adafactor, Muon, FTRL and the clipping of gradients against what defines them, in 20 digits."""

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

GRADIENTS = np.random.default_rng(1).normal(size=(3, 2, 3))
RATES = [0.125, 0.0625, 0.75]
START = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])


def run(name, parameters, dialect, start=START, gradients=GRADIENTS, rates=RATES):
    """The variable after each step."""
    operation = get_operation(name)
    tensors = filled(operation, {"variable": start, "gradient": gradients[0]}, parameters)
    seen = []
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        given = {**parameters, "learning_rate": rate}
        tensors |= operation({**tensors, "gradient": gradient}, given, training=True, step=step, dialect=dialect)
        seen.append(tensors["variable"])
    return np.array(seen)


def matrix(array):
    return mpmath.matrix(np.atleast_2d(array).tolist())


def numbers(found):
    return np.array(found.tolist(), dtype=float).reshape(found.rows, found.cols)


def each(function, *arrays):
    """A function of the elements of matrices of one shape."""
    rows, columns = arrays[0].rows, arrays[0].cols
    return mpmath.matrix([[function(*(a[i, j] for a in arrays)) for j in range(columns)] for i in range(rows)])


def mean(decay, values):
    """The running mean that began at 0, as the sum it is."""
    last = len(values) - 1
    total = mpmath.zeros(values[0].rows, values[0].cols)
    for i, value in enumerate(values):
        total += (1 - decay) * decay ** (last - i) * value
    return total


def size(x):
    return mpmath.sqrt(mpmath.fsum(value**2 for value in x) / (x.rows * x.cols))


# --- each optimizer's step, from all gradients so far -----------------------------------------------------------------


def decayed(w, g, rate, decay, where):
    """The variable and the gradients that a step starts from."""
    if where == "l2":
        return w, g + decay * w
    return w * (1 - rate * decay), g


def lion(w, seen, rate, p, weight_decay, nan):
    w, seen[-1] = decayed(w, seen[-1], rate, p["weight_decay"], weight_decay)
    moment = mean(p["beta_2"], seen[:-1]) if seen[:-1] else 0 * w
    return w - rate * each(mpmath.sign, p["beta_1"] * moment + (1 - p["beta_1"]) * seen[-1])


def lamb(w, seen, rate, p, epsilon, weight_decay):
    if weight_decay != "in_step":
        w, seen[-1] = decayed(w, seen[-1], rate, p["weight_decay"], weight_decay)
    t = len(seen)
    first, second = 1 - p["beta_1"] ** t, 1 - p["beta_2"] ** t
    m = mean(p["beta_1"], seen) / first
    v = mean(p["beta_2"], [each(lambda g: g**2, g) for g in seen]) / second
    inside, outside = (p["epsilon"], 0) if epsilon == "inside" else (0, p["epsilon"])
    outside = outside / mpmath.sqrt(second) if epsilon == "hat" else outside
    r = each(lambda m, v: m / (mpmath.sqrt(v + inside) + outside), m, v)
    r += p["weight_decay"] * w if weight_decay == "in_step" else 0 * w
    return w - rate * mpmath.norm(w, 2) / mpmath.norm(r, 2) * r


def adafactor(w, seen, rate, p, epsilon, relative_step, weight_decay):
    """With sums where the formula has means, as the paper writes it."""
    extra = p["epsilon_1"] if epsilon == "inside" else 0
    rows, columns = w.rows, w.cols
    r, c, v = mpmath.zeros(rows, 1), mpmath.zeros(1, columns), 0 * w
    for t, g in enumerate(seen, 1):
        kept = 1 - mpf(t) ** p["beta_2_decay"]
        squares = each(lambda g: g**2 + extra, g)
        r = kept * r + (1 - kept) * (squares * mpmath.ones(columns, 1))
        c = kept * c + (1 - kept) * (mpmath.ones(1, rows) * squares)
        v = kept * v + (1 - kept) * squares
    if rows > 1:
        total = mpmath.fsum(r)
        if epsilon == "clamp":
            total = max(total, rows * columns * p["epsilon_1"])
        v = r * c / total
    if epsilon == "clamp":
        v = each(lambda v: max(v, p["epsilon_1"] ** 2), v)
    u = each(lambda g, v: g / mpmath.sqrt(v), seen[-1], v)
    u = u / max(1, size(u) / p["clip_threshold"])
    shrunk = w * (1 - p["weight_decay"] * (1 if weight_decay == "unscaled" else rate))
    step = min(rate, 1 / mpmath.sqrt(len(seen))) if relative_step else rate
    return shrunk - max(p["epsilon_2"], size(shrunk if weight_decay == "first" else w)) * step * u


def muon(w, seen, rate, p, momentum, correction, epsilon, scale):
    """The polynomial of the singular values."""
    decay, t = p["momentum"], len(seen)
    share = 1 - decay if momentum == "mean" else 1
    moment = mean(decay, seen) / (1 - decay) * share
    early, late = (1 - decay**t, 1 - decay ** (t + 1)) if correction == "every_step" else (1, 1)
    x = share * seen[-1] / early + decay * moment / late if p["nesterov"] else moment / early
    norm = mpmath.sqrt(mpmath.fsum(value**2 for value in x))
    u, s, vt = mpmath.svd(x / (max(norm, p["epsilon"]) if epsilon == "clamp" else norm + p["epsilon"]))
    for _ in range(p["steps"]):
        s = each(lambda s: p["linear"] * s + p["cubic"] * s**3 + p["quintic"] * s**5, s)
    rows, columns = w.rows, w.cols
    factor = {
        "none": 1,
        "width": mpmath.sqrt(max(1, mpf(rows) / columns)),
        "transposed": mpmath.sqrt(max(1, mpf(columns) / rows)),
        "rms": mpf("0.2") * mpmath.sqrt(max(rows, columns)),
    }[scale]
    return w * (1 - rate * p["weight_decay"]) - rate * factor * (u * mpmath.diag(list(s)) * vt)


BETAS = {"beta_1": 0.75, "beta_2": 0.875, "weight_decay": 0.25}
FACTORED = {"beta_2_decay": -0.75, "epsilon_1": 0.125, "epsilon_2": 0.5, "clip_threshold": 0.75, "weight_decay": 0.25}
COEFFICIENTS = {"linear": 3.4445, "cubic": -4.775, "quintic": 2.0315}
ORTHOGONAL = {"momentum": 0.75, "steps": 2, "epsilon": 2.0, "weight_decay": 0.25, **COEFFICIENTS}
POINTS = {
    "lion": [BETAS],
    "lamb": [BETAS | {"epsilon": 0.125}],
    "adafactor": [FACTORED, FACTORED | {"epsilon_1": 16.0, "epsilon_2": 4.0}],
    "muon": [ORTHOGONAL | {"nesterov": True}, ORTHOGONAL | {"nesterov": False, "epsilon": 1e-7}],
}
STEPS = {"lion": lion, "lamb": lamb, "adafactor": adafactor, "muon": muon}


def dialects(name):
    knobs = get_operation(name).knobs
    return [dict(zip(knobs, chosen, strict=True)) for chosen in itertools.product(*(k.values for k in knobs.values()))]


def expected(name, parameters, dialect, start, gradients):
    with mpmath.workdps(20):
        p = {key: value if isinstance(value, (bool, int)) else mpf(value) for key, value in parameters.items()}
        w, seen, found = matrix(start), [], []
        for rate, gradient in zip(RATES, gradients, strict=True):
            seen.append(matrix(gradient))
            w = STEPS[name](w, seen, mpf(rate), p, **dialect)
            found.append(numbers(w))
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "parameters", "dialect"),
    [(name, parameters, dialect) for name in POINTS for parameters in POINTS[name] for dialect in dialects(name)],
)
def test_a_recursion_gives_what_defines_it(name, parameters, dialect):
    np.testing.assert_allclose(
        run(name, parameters, dialect), expected(name, parameters, dialect, START, GRADIENTS), rtol=1e-11
    )


@pytest.mark.parametrize("dialect", dialects("adafactor_vector"))
def test_adafactor_remembers_the_squares_of_a_vector_whole(dialect):
    start, gradients = START[0], GRADIENTS[:, 0]
    found = run("adafactor_vector", FACTORED, dialect, start, gradients)
    np.testing.assert_allclose(found, expected("adafactor", FACTORED, dialect, start, gradients)[:, 0], rtol=1e-12)


def test_adafactor_is_exact_where_the_squares_have_rank_one():
    """Then the estimate is the square itself, and the step has the size of the variable and the gradient's signs."""
    gradient = np.outer([1.0, -3.0], [2.0, 0.5, -4.0])
    tensors = {"variable": START, "gradient": gradient}
    found = conformance.evaluate("adafactor", tensors, {"learning_rate": 0.5, "epsilon_1": 0.0}, "train")
    np.testing.assert_allclose(
        START - found["variable"], 0.5 * np.sqrt(np.mean(START**2)) * np.sign(gradient), rtol=1e-13
    )


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_muon_with_the_coefficients_of_newton_and_schulz_comes_to_an_orthogonal_matrix(shape):
    gradient = GRADIENTS[0].reshape(shape)
    parameters = {"learning_rate": 1.0, "momentum": 0.0, "steps": 40, "linear": 1.5, "cubic": -0.5, "quintic": 0.0}
    found = conformance.evaluate("muon", {"variable": np.zeros(shape), "gradient": gradient}, parameters, "train")
    u, _, vt = np.linalg.svd(gradient, full_matrices=False)
    np.testing.assert_allclose(-found["variable"], u @ vt, atol=1e-12)


@pytest.mark.parametrize("power", [-0.5, -0.25])
@pytest.mark.parametrize(("l2", "factor"), [("once", 1), ("twice", 2)])
def test_ftrl_finds_the_least_regularized_sum_of_losses(power, l2, factor):
    """McMahan et al. 2013, section 3: the least g w + sum of s (w - w_s)^2 / 2 + l1 |w| + l2 w^2 / 2."""
    gradients, rate = [0.5, -1.0, 0.75, 2.0, -0.25], 0.25
    p = {"beta": 0.5, "l1": 0.375, "l2": 0.25, "initial_accumulator": 0.125, "learning_rate_power": power}
    found = run("ftrl", p, {"l2": l2}, np.array([0.0]), np.array(gradients)[:, None], [rate] * 5)[:, 0]
    squares, slowed, points, weights = 0.125, [(0.125 ** (-power)) / rate], [0.0], []
    for t, gradient in enumerate(gradients, 1):
        squares += gradient**2
        slowed.append(squares ** (-power) / rate)
        weights.append(slowed[-1] - slowed[-2])
        flat = 0.5 / rate + slowed[0] + factor * 0.25
        linear = sum(gradients[:t]) - sum(s * w for s, w in zip(weights, points, strict=True))
        curvature = flat + sum(weights)
        points.append(-math.copysign(max(abs(linear) - 0.375, 0), linear) / curvature)
    np.testing.assert_allclose(found, points[1:], rtol=1e-12, atol=1e-15)


def test_ftrl_without_regularization_is_adagrad():
    """Where the curvature began at 0: the variable is the sum of steps by the root of the squares so far."""
    p = {"beta": 0.0, "l1": 0.0, "l2": 0.0, "initial_accumulator": 0.0}
    found = run("ftrl", p, {}, rates=[0.25] * 3)
    steps = 0.25 * GRADIENTS / np.sqrt(np.cumsum(GRADIENTS**2, axis=0))
    np.testing.assert_allclose(found, START - np.cumsum(steps, axis=0), rtol=1e-12)


def test_ftrl_makes_small_sums_exactly_zero():
    tensors = {"variable": [0.0, 0.0, 0.0], "gradient": [0.5, -0.5, 0.75]}
    found = conformance.evaluate("ftrl", tensors, {"l1": 0.5, "learning_rate": 0.125}, "train")
    np.testing.assert_array_equal(found["variable"][:2], [0.0, 0.0])
    assert found["variable"][2] < 0


def test_lion_takes_the_sign_of_what_is_not_yet_the_moment():
    tensors = {"variable": [1.0, 1.0, 1.0], "gradient": [1.0, 0.0, math.nan], "first_moment": [-2.0, 0.0, 0.0]}
    parameters = {"learning_rate": 0.5, "beta_1": 0.25, "beta_2": 0.75}
    found = conformance.evaluate("lion", tensors, parameters, "train")
    np.testing.assert_array_equal(found["variable"], [0.5, 1.0, math.nan])
    np.testing.assert_array_equal(found["first_moment"], [-1.25, 0.0, math.nan])
    found = conformance.evaluate("lion", tensors, parameters, "train", {"nan": "zero"})
    np.testing.assert_array_equal(found["variable"], [0.5, 1.0, 1.0])


@pytest.mark.parametrize(("variable", "gradient"), [([0.0, 0.0], [3.0, -4.0]), ([3.0, -4.0], [0.0, 0.0])])
def test_lamb_takes_a_step_as_it_is_where_a_norm_is_zero(variable, gradient):
    tensors = {"variable": variable, "gradient": gradient}
    parameters = {"learning_rate": 0.5, "beta_1": 0.75, "beta_2": 0.875, "epsilon": 2.0**-10}
    values, bounds = conformance.evaluate("lamb", tensors, parameters, "train", bound=True)
    plain = conformance.evaluate("adam", tensors, parameters, "train")
    np.testing.assert_allclose(values["variable"], plain["variable"], rtol=1e-14)
    assert (bounds["variable"] < 1e-14).all()


# --- clipping ---------------------------------------------------------------------------------------------------------

LONG = np.array([[3.0, -4.0, 0.0], [12.0, 0.0, -0.0]])


@pytest.mark.parametrize(("clip_norm", "factor"), [(13.0, 1.0), (14.0, 1.0), (6.5, 0.5), (0.0, 0.0), (1e-4, 1e-4 / 13)])
def test_a_norm_is_clipped_to_its_limit(clip_norm, factor):
    found = conformance.evaluate("clip_by_norm", {"x": LONG}, {"clip_norm": clip_norm})["y"]
    np.testing.assert_allclose(found, factor * LONG, rtol=1e-15)
    x1, x2 = LONG[:1], LONG[1]
    found = conformance.evaluate("clip_by_global_norm", {"x1": x1, "x2": x2}, {"clip_norm": clip_norm})
    np.testing.assert_allclose(found["y1"], factor * x1, rtol=1e-15)
    np.testing.assert_allclose(found["y2"], factor * x2, rtol=1e-15)


def test_the_numbers_of_the_two_scopes():
    tensors = {"x1": [3.0, 4.0], "x2": [12.0]}
    each_own = conformance.evaluate("clip_by_global_norm", tensors, {"clip_norm": 1.0}, dialect={"scope": "each"})
    np.testing.assert_allclose(np.concatenate(list(each_own.values())), [0.6, 0.8, 1.0])
    together = conformance.evaluate("clip_by_global_norm", tensors, {"clip_norm": 1.0})
    np.testing.assert_allclose(np.concatenate(list(together.values())), [0.23, 0.31, 0.92], atol=0.005)


@pytest.mark.parametrize(("bad", "short"), [(math.inf, 0.0), (-math.inf, 0.0), (math.nan, math.nan)])
def test_what_is_not_finite_has_no_length(bad, short):
    tensors = {"x1": [bad, 1.0], "x2": [2.0, 3.0, 4.0]}
    found = conformance.evaluate("clip_by_global_norm", tensors, {"clip_norm": 1.0})
    np.testing.assert_array_equal(found["y1"], [math.nan, short])
    np.testing.assert_array_equal(found["y2"], [short] * 3)
    found = conformance.evaluate("clip_by_global_norm", tensors, {"clip_norm": 1.0}, dialect={"infinite_norm": "nan"})
    assert np.isnan(found["y1"]).all()
    assert np.isnan(found["y2"]).all()
    found = conformance.evaluate("clip_by_norm", {"x": tensors["x1"]}, {"clip_norm": 1.0})["y"]
    np.testing.assert_array_equal(found, [math.nan, short])


def test_a_gradient_of_zeros_stays_one():
    values, bounds = conformance.evaluate("clip_by_norm", {"x": [0.0, -0.0]}, {"clip_norm": 1.0}, bound=True)
    np.testing.assert_array_equal(values["y"], [0.0, 0.0])
    np.testing.assert_array_equal(bounds["y"], [0.0, 0.0])


def test_an_epsilon_beside_the_norm_shortens_what_is_just_as_long_as_allowed():
    dialect = {"epsilon": "outside"}
    found = conformance.evaluate("clip_by_norm", {"x": [3e-6, 4e-6]}, {"clip_norm": 5e-6}, dialect=dialect)["y"]
    np.testing.assert_allclose(found, np.array([3e-6, 4e-6]) * 5 / 6, rtol=1e-12)


def test_values_are_clipped_one_by_one():
    x = [-math.inf, -2.0, -0.5, -0.0, 0.5, 2.0, math.inf, math.nan]
    found = conformance.evaluate("clip_by_value", {"x": x}, {"clip_value": 0.5})["y"]
    np.testing.assert_array_equal(found, [-0.5, -0.5, -0.5, 0.0, 0.5, 0.5, 0.5, math.nan])
    assert math.copysign(1, found[3]) == -1


# --- bounds -----------------------------------------------------------------------------------------------------------

U = 2.0**-24


@pytest.mark.parametrize("name", ["lamb", "adafactor", "ftrl"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
def test_the_bound_is_finite_and_tight_whatever_the_gradient(name, scale):
    """Within some tens of roundings of the variable and the step."""
    parameters = {"learning_rate": 0.125} | ({**BETAS, "epsilon": 2.0**-10} if name == "lamb" else {})
    tensors = {"variable": START, "gradient": GRADIENTS[0] * scale}
    values, bounds = conformance.evaluate(name, tensors, parameters, "train", bound=True, precision="float32")
    step = np.abs(values["variable"] - START)
    assert np.isfinite(values["variable"]).all()
    assert (bounds["variable"] <= U * (np.abs(values["variable"]) + 80 * step + 4 * np.abs(START))).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_bound_of_muon_is_finite_and_what_its_iteration_blows_up(scale, steps):
    """A rounding error grows by as much as the smallest singular value does: at most linear^steps."""
    parameters = {"learning_rate": 0.125, "steps": steps}
    tensors = {"variable": 0 * START, "gradient": GRADIENTS[0] * scale}
    _, bounds = conformance.evaluate("muon", tensors, parameters, "train", bound=True, precision="float32")
    assert bounds["variable"].max() <= 0.125 * U * 60 * 3.4445**steps


@pytest.mark.parametrize("name", ["clip_by_norm", "clip_by_value"])
@pytest.mark.parametrize("scale", [1e-30, 1e-4, 1.0, 1e4])
def test_clipping_has_the_bound_of_a_few_roundings(name, scale):
    values, bounds = conformance.evaluate(name, {"x": LONG * scale}, {}, bound=True, precision="float32")
    assert (bounds["y"] <= 12 * U * np.abs(values["y"]) + 2.0**-126).all()
