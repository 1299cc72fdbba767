"""Regression, likelihood and margin losses against closed forms in fifty digits, SciPy, and hand calculation."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from conformance import evaluate
from conformance.errors import Undefined

EDGES = [0.0, -0.0, 2.0**-40, -(2.0**-40), 0.75, -0.75, 1.0, -1.0, 1.5, -3.25, 1e4, -1e4]
"""Differences: none, tiny ones, both sides of every threshold, and large ones."""


def log_cosh(d):
    return mpmath.log(mpmath.cosh(d))


def huber(delta):
    return lambda d: d**2 / 2 if abs(d) <= delta else delta * (abs(d) - mpmath.mpf(delta) / 2)


def smooth_l1(beta):
    return lambda d: d**2 / (2 * mpmath.mpf(beta)) if abs(d) < beta else abs(d) - mpmath.mpf(beta) / 2


OF_A_DIFFERENCE = [
    ("mean_squared_error", {}, {}, lambda d: d**2),
    ("mean_absolute_error", {}, {}, abs),
    ("huber", {"delta": 1.0}, {}, huber(1)),
    ("huber", {"delta": 1.25}, {}, huber(1.25)),
    ("huber", {"delta": 1.25}, {"divided": True}, lambda d: huber(1.25)(d) / mpmath.mpf(1.25)),
    ("smooth_l1", {"beta": 1.0}, {}, smooth_l1(1)),
    ("smooth_l1", {"beta": 1.25}, {}, smooth_l1(1.25)),
    ("smooth_l1", {"beta": 0.0}, {}, abs),
    ("log_cosh", {}, {}, log_cosh),
]


@pytest.mark.parametrize(("name", "parameters", "dialect", "truth"), OF_A_DIFFERENCE)
def test_losses_of_a_difference_at_its_edges(name, parameters, dialect, truth):
    tensors = {"prediction": EDGES, "target": np.zeros(len(EDGES)), "loss.gradient": np.ones(len(EDGES))}
    found, bounds = evaluate(
        name, tensors, {**parameters, "reduction": "none"}, dialect=dialect, bound=True, precision="float32"
    )
    with mpmath.workdps(50):
        values = [float(truth(mpmath.mpf(each))) for each in EDGES]
        slopes = [float(mpmath.diff(truth, mpmath.mpf(each))) if each else 0.0 for each in EDGES if abs(each) != 1]
    np.testing.assert_allclose(found["loss"], values, rtol=1e-12)
    kept = [found["prediction.gradient"][i] for i, each in enumerate(EDGES) if abs(each) != 1]
    np.testing.assert_allclose(kept, slopes, rtol=1e-12)
    assert np.all(bounds["loss"] <= 20 * 2.0**-24 * np.abs(values))


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "smooth_l1"])
def test_what_is_not_finite_stays_so(name):
    tensors = {"prediction": [np.nan, np.inf, -np.inf], "target": [0.0, 0.0, 0.0]}
    found = evaluate(name, tensors, {"reduction": "none"})["loss"]
    assert np.isnan(found[0])
    assert found[1:].tolist() == [np.inf, np.inf]


def test_the_composed_logarithm_cancels_near_zero_and_not_elsewhere():
    tensors = {"prediction": [2.0**-10, 8.0], "target": [0.0, 0.0]}
    options = {"bound": True, "precision": "float32"}
    direct, tight = evaluate("log_cosh", tensors, {"reduction": "none"}, **options)
    composed, wide = evaluate("log_cosh", tensors, {"reduction": "none"}, dialect={"logarithm": "composed"}, **options)
    np.testing.assert_allclose(direct["loss"], composed["loss"], atol=1e-15)
    assert wide["loss"][0] > 1e4 * tight["loss"][0]


@pytest.mark.parametrize(
    ("reduction", "loss"),
    [
        ("mean", 21 / 6),
        ("sum", 21),
        ("none", [[1, 4, 1], [9, 0, 6]]),
        ("batch", 21 / 2),
        ("last_axis", [2, 5]),
        ("sum_of_means", 7),
    ],
)
def test_reductions(reduction, loss):
    tensors = {"prediction": [[1, 4, -1], [9, 0, 6]], "target": np.zeros((2, 3))}
    found = evaluate("mean_absolute_error", tensors, dialect={"reduction": reduction})["loss"]
    np.testing.assert_allclose(found, loss)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber"])
@pytest.mark.parametrize(("division", "divisor"), [("weights", 3 * 3), ("all", 2 * 3)])
def test_sample_weights(name, division, divisor):
    tensors = {"prediction": [[1, 4, 1], [9, 0, 6]], "target": np.zeros((2, 3)), "sample_weight": [2.5, 0.5]}
    single = evaluate(name, {key: tensors[key] for key in ("prediction", "target")}, {"reduction": "none"})["loss"]
    expected = (2.5 * single[0].sum() + 0.5 * single[1].sum()) / divisor
    assert evaluate(name, tensors, dialect={"division": division})["loss"] == pytest.approx(expected, rel=1e-14)
    weighted = evaluate(name, tensors, {"reduction": "none"})["loss"]
    np.testing.assert_allclose(weighted, single * [[2.5], [0.5]])


def test_weights_of_another_shape_and_shapes_that_differ_are_refused():
    ones = np.ones((2, 3))
    with pytest.raises(Undefined, match="weights"):
        evaluate("mean_squared_error", {"prediction": ones, "target": ones, "sample_weight": np.ones(3)})
    with pytest.raises(Undefined, match=r"\[3, 1\]"):
        evaluate("mean_absolute_error", {"prediction": np.ones((3, 1)), "target": np.ones(3)})


def test_percentages_by_hand():
    tensors = {"prediction": [3.0, 1.0, 0.5], "target": [2.0, -2.0, 0.0]}
    found = evaluate("mean_absolute_percentage_error", tensors, {"reduction": "none", "epsilon": 0.25})["loss"]
    assert found.tolist() == [50, 150, 200]
    assert evaluate("mean_absolute_percentage_error", tensors, {"reduction": "none"})["loss"][2] == np.inf


def test_logarithmic_error_is_exact_near_zero_and_clips_only_if_asked():
    tensors = {"prediction": [2.0**-40, -0.5, 3.0], "target": [0.0, 0.0, 1.0]}
    with mpmath.workdps(50):
        truth = [float((mpmath.log1p(p) - mpmath.log1p(t)) ** 2) for p, t in zip(*tensors.values(), strict=True)]
    name, none = "mean_squared_logarithmic_error", {"reduction": "none"}
    np.testing.assert_allclose(evaluate(name, tensors, none)["loss"], truth, rtol=1e-12)
    clipped = evaluate(name, tensors, none, dialect={"clip": "least"})["loss"]
    np.testing.assert_allclose(clipped, [0, 0, math.log(2) ** 2], rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("log_input", [False, True])
def test_poisson_is_the_negative_logarithm_of_the_probability(full, log_input):
    rates, counts = np.array([0.25, 1.0, 3.5, 12.0]), np.array([0.0, 1.0, 7.0, 9.0])
    given = np.log(rates) if log_input else rates
    parameters = {"reduction": "none", "full": full, "log_input": log_input}
    found = evaluate("poisson", {"prediction": given, "target": counts}, parameters)["loss"]
    constant = 0.0 if full else np.array([math.lgamma(each + 1) for each in counts])
    np.testing.assert_allclose(found, -stats.poisson.logpmf(counts, rates) - constant, rtol=1e-12)


def test_stirlings_approximation_and_a_count_of_nothing():
    tensors = {"prediction": [0.0, 0.0], "target": [5.0, 0.5]}
    asked = {"reduction": "none", "full": True, "log_input": True}
    found = evaluate("poisson", tensors, asked, dialect={"factorial": "stirling"})["loss"]
    np.testing.assert_allclose(found, [1 + 5 * math.log(5) - 5 + 0.5 * math.log(10 * math.pi), 1])
    gone = evaluate("poisson", {"prediction": [0.0, 0.0], "target": [0.0, 2.0]}, {"reduction": "none"})["loss"]
    assert gone.tolist() == [0, np.inf]
    with pytest.raises(Undefined, match="count"):
        evaluate("poisson", {"prediction": [1.0], "target": [-1.0]}, {"full": True})


def test_gaussian_likelihood():
    x, y, v = np.array([0.5, 2.0, -3.0]), np.array([0.0, 2.0, 1.0]), np.array([0.25, 4.0, 1e-3])
    tensors = {"prediction": x, "target": y, "variance": v}
    found = evaluate("gaussian_nll", tensors, {"reduction": "none", "full": True})["loss"]
    np.testing.assert_allclose(found, -stats.norm.logpdf(y, x, np.sqrt(v)), rtol=1e-12)
    with pytest.raises(Undefined, match="variance"):
        evaluate("gaussian_nll", {**tensors, "variance": -v})


@pytest.mark.parametrize(("setting", "slope"), [("stops", 0.0), ("passes", 0.5 * (1 / 0.25 - 4 / 0.0625))])
def test_the_gradient_of_a_clamped_variance(setting, slope):
    tensors = {"prediction": [2.0], "target": [0.0], "variance": [0.125], "loss.gradient": 1.0}
    found = evaluate("gaussian_nll", tensors, {"epsilon": 0.25}, dialect={"clamp_gradient": setting})
    assert found["loss"] == pytest.approx(0.5 * (math.log(0.25) + 16), rel=1e-14)
    assert found["variance.gradient"][0] == pytest.approx(slope, rel=1e-14)


@pytest.mark.parametrize("log_prediction", [False, True])
@pytest.mark.parametrize("log_target", [False, True])
def test_divergence_is_the_relative_entropy(log_prediction, log_target):
    p, t = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]), np.array([[0.6, 0.3, 0.1], [0.25, 0.5, 0.25]])
    tensors = {"prediction": np.log(p) if log_prediction else p, "target": np.log(t) if log_target else t}
    asked = {"log_prediction": log_prediction, "log_target": log_target}
    found = evaluate("kl_divergence", tensors, asked)["loss"]
    assert found == pytest.approx(np.mean([stats.entropy(*each) for each in zip(t, p, strict=True)]), rel=1e-12)
    single = evaluate("kl_divergence", tensors, asked, dialect={"terms": "single"})["loss"]
    assert single == pytest.approx(found / 3, rel=1e-12)


def test_a_class_that_the_target_lacks_counts_nothing():
    tensors = {"prediction": [[0.0, 0.5, 0.5]], "target": [[0.0, 1.0, 0.0]], "loss.gradient": 1.0}
    found = evaluate("kl_divergence", tensors)
    assert found["loss"] == pytest.approx(math.log(2), rel=1e-14)
    assert found["prediction.gradient"].tolist() == [[0, -2, 0]]
    assert np.isnan(evaluate("kl_divergence", tensors, dialect={"zero_log": "nan"})["loss"])
    clipped = evaluate("kl_divergence", tensors, dialect={"clip": "least"})["loss"]
    assert clipped == pytest.approx(math.log(2) + 1e-7 * math.log(1e-7 / 0.5), rel=1e-14)
    lost = evaluate("kl_divergence", {"prediction": [[0.0, 1.0]], "target": [[0.5, 0.5]]})["loss"]
    assert lost == np.inf


@pytest.mark.parametrize(("labels", "loss"), [("given", [0.25, 1, 0]), ("converted", [0.25, 1.5, 0])])
def test_hinge_and_what_becomes_of_labels(labels, loss):
    tensors = {"prediction": [0.75, 0.5, 2.0], "target": [1.0, 0.0, 1.0]}
    found = evaluate("hinge", tensors, {"reduction": "none"}, dialect={"labels": labels})["loss"]
    assert found.tolist() == loss
    squared = evaluate("squared_hinge", tensors, {"reduction": "none"}, dialect={"labels": labels})["loss"]
    assert squared.tolist() == [each**2 for each in loss]


def test_labels_that_are_not_binary_are_not_converted():
    tensors = {"prediction": [0.75, 0.5], "target": [0.0, -1.0]}
    found = evaluate("hinge", tensors, {"reduction": "none"}, dialect={"labels": "converted"})["loss"]
    assert found.tolist() == [1, 1.5]


@pytest.mark.parametrize(("setting", "slope"), [("neither", 0.0), (1, 1.0)])
def test_the_derivative_of_no_difference(setting, slope):
    tensors = {"prediction": [2.0, 1.0], "target": [2.0, 3.0], "loss.gradient": [1.0, 1.0]}
    found = evaluate("mean_absolute_error", tensors, {"reduction": "none"}, dialect={"subgradient": setting})
    assert found["prediction.gradient"].tolist() == [slope, -1]


@pytest.mark.parametrize(("setting", "slope"), [(0, 0.0), (0.5, -0.5), (1, -1.0)])
def test_the_derivative_of_hinge_at_its_margin(setting, slope):
    tensors = {"prediction": [1.0], "target": [1.0], "loss.gradient": 1.0}
    assert evaluate("hinge", tensors, dialect={"subgradient": setting})["prediction.gradient"].tolist() == [slope]


@pytest.mark.parametrize(("rivals", "loss"), [("largest", [0.5, 1]), ("zeroed", [0.5, 3]), ("mean", [1 / 6, 1 / 3])])
def test_categorical_hinge_and_its_rivals(rivals, loss):
    """Where all scores are negative, 0 in place of the true class's score is the largest."""
    tensors = {"prediction": [[1.0, 1.5, -3.0], [-2.0, -2.0, -4.0]], "target": [1, 0]}
    found = evaluate("categorical_hinge", tensors, {"reduction": "none"}, dialect={"rivals": rivals})["loss"]
    np.testing.assert_allclose(found, loss, rtol=1e-14)
    with pytest.raises(Undefined, match="classes"):
        evaluate("categorical_hinge", {**tensors, "target": [1, 3]})


def test_cosine_distance():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 5, 4))
    found = evaluate("cosine_similarity", {"prediction": x, "target": y}, {"reduction": "none"})["loss"]
    np.testing.assert_allclose(found, [distance.cosine(*each) for each in zip(x, y, strict=True)], rtol=1e-12)


@pytest.mark.parametrize(
    ("setting", "norms"), [("clamp", 8 * 8), ("clamp_square", math.sqrt(25 * 8)), ("inside", math.sqrt(33 * 9))]
)
def test_where_the_epsilon_of_a_cosine_stands(setting, norms):
    """Vectors of the lengths 5 and 1, at an angle of 0."""
    tensors = {"prediction": [[3.0, 4.0]], "target": [[0.6, 0.8]]}
    found = evaluate("cosine_similarity", tensors, {"epsilon": 8.0}, dialect={"epsilon": setting, "sign": "similarity"})
    assert found["loss"] == pytest.approx(5 / norms, rel=1e-12)


def test_a_vector_of_zeros_has_no_direction_unless_epsilon_gives_its_norm():
    tensors = {"prediction": [[0.0, 0.0]], "target": [[1.0, 0.0]], "loss.gradient": 1.0}
    assert np.isnan(evaluate("cosine_similarity", tensors, {"epsilon": 0.0})["loss"])
    found = evaluate("cosine_similarity", tensors, {"epsilon": 0.5})
    assert found["loss"] == 1
    assert found["prediction.gradient"].tolist() == [[-2, 0]]


@pytest.mark.parametrize("degree", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("swap", [False, True])
def test_triplets(degree, swap):
    rng = np.random.default_rng(2)
    a, p, n = rng.normal(size=(3, 6, 4))
    asked = {"degree": degree, "swap": swap, "margin": 0.5, "reduction": "none"}
    found = evaluate("triplet", {"anchor": a, "positive": p, "negative": n}, asked)["loss"]
    near, far, between = (
        np.array([distance.minkowski(*each, degree) for each in zip(*pair, strict=True)])
        for pair in ((a, p), (a, n), (p, n))
    )
    np.testing.assert_allclose(
        found, np.maximum(near - (np.minimum(far, between) if swap else far) + 0.5, 0), rtol=1e-12
    )


def test_where_the_epsilon_of_a_distance_stands_and_the_distance_of_nothing():
    tensors = {"anchor": [[1.0, 2.0]], "positive": [[1.0, 2.0]], "negative": [[4.0, -2.0]], "loss.gradient": 1.0}
    for setting, near, far in (
        ("inside", 0.5, math.sqrt(25.25)),
        ("difference", math.sqrt(0.125), math.hypot(-2.75, 4.25)),
    ):
        found = evaluate("triplet", tensors, {"epsilon": 0.25, "margin": 8.0}, dialect={"epsilon": setting})["loss"]
        assert found == pytest.approx(near - far + 8, rel=1e-13)
    assert evaluate("triplet", tensors, {"margin": 8.0})["positive.gradient"].tolist() == [[0, 0]]
    signed = evaluate("triplet", tensors, {"margin": 8.0, "degree": 1.0}, dialect={"power": "signed"})["loss"]
    assert signed == 0 - (-3 + 4) + 8
