"""The formulas of normalization against hand calculation, closed forms, and the linear algebra of NumPy and SciPy."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from conformance import evaluate
from conformance.errors import Undefined, UsageError
from conformance.operation import get_operation, operations

RNG = np.random.default_rng(7)
FAMILY = [name for name, each in operations().items() if each.family == "normalization"]


def y(operation, tensors, parameters=None, **options):
    return evaluate(operation, tensors, parameters, **options)["y"]


def gradient(operation, tensors, parameters=None, of="x", **options):
    """The gradient of the sum of all results, weighted so that no symmetry hides anything."""
    results = evaluate(operation, tensors, parameters, **options)
    weights = np.linspace(1, 2, results["y"].size).reshape(results["y"].shape)
    return evaluate(operation, {**tensors, "y.gradient": weights}, parameters, **options)[f"{of}.gradient"]


def quotient(operation, tensors, parameters=None, of="x", **options):
    """The same by central differences."""
    values = {name: np.array(each, dtype=float) for name, each in tensors.items()}
    slopes = np.zeros_like(values[of])
    for index in np.ndindex(slopes.shape):
        total = []
        for step in (1e-5, -1e-5):
            moved = {name: each.copy() for name, each in values.items()}
            moved[of][index] += step
            result = y(operation, moved, parameters, **options)
            total.append(np.sum(result * np.linspace(1, 2, result.size).reshape(result.shape)))
        slopes[index] = (total[0] - total[1]) / 2e-5
    return slopes


# --- of samples ------------------------------------------------------------------------------------------------------


def test_the_catalogue_of_tiny_inputs_shows_the_epsilon_of_the_root_mean_square():
    """1e-4 divided by sqrt(1e-8 + epsilon), in fifty digits."""
    for epsilon in (1e-6, 1e-7, 2.0**-23, 1e-5):
        with mpmath.workdps(50):
            expected = float(mpmath.mpf(1e-4) / mpmath.sqrt(mpmath.mpf(1e-4) ** 2 + mpmath.mpf(epsilon)))
        assert y("rms_normalization", {"x": [[1e-4]]}, {"epsilon": epsilon}) == pytest.approx(expected, rel=1e-15)


def test_centering_is_what_tells_root_mean_square_from_standard_deviation():
    x = [[1.0, 2.0, 6.0]]  # mean 3, variance 14/3, mean of squares 41/3
    dialects = {"none": math.sqrt(41 / 3), "variance": math.sqrt(14 / 3)}
    for centering, divisor in dialects.items():
        for operation in ("rms_normalization", "layer_normalization"):
            found = y(operation, {"x": x}, {"epsilon": 0.0}, dialect={"centering": centering})
            np.testing.assert_allclose(found, np.array(x) / divisor, rtol=1e-14)
    asked = y("layer_normalization", {"x": x}, {"epsilon": 0.0, "centering": "none"})
    np.testing.assert_allclose(asked, np.array(x) / dialects["none"], rtol=1e-14)


def test_weights_in_excess_of_one():
    plain = y("rms_normalization", {"x": [[3.0, 4.0]], "gamma": [1.5, 1.25]}, {"epsilon": 0.0})
    excess = y("rms_normalization", {"x": [[3.0, 4.0]], "gamma": [0.5, 0.25]}, dialect={"gamma": "excess"})
    np.testing.assert_allclose(plain, [[4.5 / math.sqrt(12.5), 5 / math.sqrt(12.5)]], rtol=1e-14)
    np.testing.assert_allclose(excess, plain, rtol=1e-6)


def test_group_normalization_joins_layer_and_instance_normalization():
    x = RNG.normal(size=(2, 3, 4, 6))
    epsilon = {"epsilon": 0.125}
    one = y("group_normalization", {"x": x}, {"groups": 1, **epsilon})
    np.testing.assert_allclose(one, y("layer_normalization", {"x": x}, {"axis": [1, 2, 3], **epsilon}), rtol=1e-12)
    each = y("group_normalization", {"x": x}, {"groups": 6, **epsilon})
    np.testing.assert_allclose(each, y("instance_normalization", {"x": x}, epsilon), rtol=1e-12)
    moments = y("mean_variance_normalization", {"x": x}, {"axis": [1, 2], **epsilon})
    np.testing.assert_allclose(each, moments, rtol=1e-12)


def test_groups_are_adjacent_channels():
    x = np.array([[[1.0, 3.0, 10.0, 30.0]]])
    found = y("group_normalization", {"x": x}, {"groups": 2, "epsilon": 0.0})
    np.testing.assert_allclose(found, [[[-1, 1, -1, 1]]], rtol=1e-14)
    strided = y("group_normalization", {"x": x[..., [0, 2, 1, 3]]}, {"groups": 2, "epsilon": 0.0})
    assert not np.allclose(strided, [[[-1, -1, 1, 1]]])


def test_groups_must_part_the_channels():
    with pytest.raises(Undefined, match="6 channels cannot be parted into 32 equal groups"):
        y("group_normalization", {"x": np.ones((2, 3, 6))})


def test_an_instance_needs_space():
    with pytest.raises(Undefined, match="an axis of space"):
        y("instance_normalization", {"x": np.ones((2, 3))})


def test_one_value_per_instance_gives_beta():
    found = y("instance_normalization", {"x": [[[3.0, -2.0]]], "beta": [0.5, 0.25]}, {"epsilon": 0.125})
    assert found.tolist() == [[[0.5, 0.25]]]


@pytest.mark.parametrize("correction", [0, 1])
def test_moving_statistics_of_instances_are_means_over_the_batch(correction):
    x = RNG.normal(1, 2, size=(3, 5, 2))
    results = evaluate(
        "instance_normalization",
        {"x": x},
        {"track_statistics": True, "momentum": 0.75},
        "train",
        {"variance_correction": correction},
    )
    np.testing.assert_allclose(results["moving_mean"], 0.25 * x.mean((0, 1)), rtol=1e-13)
    expected = 0.75 + 0.25 * x.var(1, ddof=correction).mean(0)
    np.testing.assert_allclose(results["moving_variance"], expected, rtol=1e-13)


def test_instances_are_predicted_with_moving_statistics_only_if_asked():
    tensors = {"x": [[[2.0], [4.0]]], "moving_mean": [1.0], "moving_variance": [4.0]}
    assert y("instance_normalization", tensors, {"epsilon": 0.0, "track_statistics": True}).ravel().tolist() == [
        0.5,
        1.5,
    ]
    assert y("instance_normalization", {"x": tensors["x"]}, {"epsilon": 0.0}).ravel().tolist() == [-1, 1]


# --- of batches ------------------------------------------------------------------------------------------------------


def test_frozen_statistics_train_as_they_predict():
    tensors = {"x": [[2.0], [4.0]], "moving_mean": [1.0], "moving_variance": [4.0]}
    results = evaluate("batch_normalization", tensors, {"epsilon": 0.0, "statistics": "frozen"}, "train")
    assert results["y"].ravel().tolist() == [0.5, 1.5]
    assert (results["moving_mean"].item(), results["moving_variance"].item()) == (1, 4)


def test_untracked_statistics_are_the_batch_s_in_prediction():
    parameters = {"epsilon": 0.0, "track_statistics": False}
    results = evaluate("batch_normalization", {"x": [[2.0], [4.0]]}, parameters)
    assert results["y"].ravel().tolist() == [-1, 1]
    assert results.keys() == {"y"}
    with pytest.raises(Undefined, match="cannot be frozen"):
        y("batch_normalization", {"x": [[2.0]]}, {**parameters, "statistics": "frozen"})


def test_the_mean_of_an_empty_batch_is_not_a_number():
    results = evaluate("batch_normalization", {"x": np.ones((0, 2))}, {"momentum": 0.5}, "train")
    assert results["y"].shape == (0, 2)
    assert np.isnan(results["moving_mean"]).all()
    assert np.isnan(results["moving_variance"]).all()


# --- statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [-1, 0, [0, 2]])
@pytest.mark.parametrize("correction", [0, 1])
def test_moments_are_those_of_scipy(axis, keepdims, correction):
    x = RNG.normal(3, 2, size=(2, 3, 4))
    options = {"axis": axis, "keepdims": keepdims, "variance_correction": correction}
    found = evaluate("moments", {"x": x}, options)
    axes = tuple(axis) if isinstance(axis, list) else axis
    np.testing.assert_allclose(found["mean"], stats.tmean(x, axis=axes, keepdims=keepdims), rtol=1e-13)
    expected = np.var(x, axis=axes, ddof=correction, keepdims=keepdims)
    np.testing.assert_allclose(found["variance"], expected, rtol=1e-13)


def test_the_variance_of_one_value():
    assert evaluate("moments", {"x": [5.0]})["variance"] == 0
    assert math.isnan(evaluate("moments", {"x": [5.0]}, {"variance_correction": 1})["variance"])


def test_a_large_mean_is_no_trouble_but_to_the_fast_variance():
    x = [10000.0, 10001.0, 10002.0]
    values, bounds = evaluate("moments", {"x": x}, bound=True, precision="float32")
    assert values["variance"] == pytest.approx(2 / 3, rel=1e-14)
    assert bounds["variance"] < 0.02
    _, fast = evaluate("moments", {"x": x}, dialect={"variance": "fast"}, bound=True, precision="float32")
    assert fast["variance"] > 10


def test_a_feature_that_never_varies_is_divided_by_epsilon():
    tensors = {"x": [[3.0, 3.0]], "mean": [1.0, 1.0], "variance": [0.0, 4.0]}
    np.testing.assert_allclose(y("feature_normalization", tensors), [[2e7, 1]], rtol=1e-14)
    np.testing.assert_allclose(y("feature_normalization", tensors, {"invert": True}), [[1 + 3e-7, 7]], rtol=1e-14)


def test_features_along_two_axes_keep_their_order():
    x, mean = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 4))
    found = y("feature_normalization", {"x": x, "mean": mean, "variance": np.full((2, 4), 4.0)}, {"axis": [2, 0]})
    np.testing.assert_allclose(found, (x - mean[:, None, :]) / 2, rtol=1e-14)


# --- of vectors ------------------------------------------------------------------------------------------------------

NORMS = {
    "floor": lambda norm, epsilon: max(norm, epsilon),
    "floor_inside": lambda norm, epsilon: math.sqrt(max(norm**2, epsilon)),
    "inside": lambda norm, epsilon: math.sqrt(norm**2 + epsilon),
    "outside": lambda norm, epsilon: norm + epsilon,
    "none": lambda norm, epsilon: norm,
    "zero": lambda norm, epsilon: norm or 1.0,
}


@pytest.mark.parametrize("setting", NORMS)
@pytest.mark.parametrize("scale", [1.0, 0.05])
@pytest.mark.parametrize("order", [1, 2])
def test_where_epsilon_guards_a_norm(setting, scale, order):
    x = np.array([[3.0, -4.0]]) * scale
    norm = np.linalg.norm(x.ravel(), order)
    options = {"epsilon": 0.5, "order": order}
    found = y("unit_normalization", {"x": x}, options, dialect={"epsilon": setting})
    np.testing.assert_allclose(found, x / NORMS[setting](norm, 0.5), rtol=1e-14)
    if order == 2:
        again = y("l2_normalization", {"x": x}, {"epsilon": 0.5}, dialect={"epsilon": setting})
        np.testing.assert_array_equal(again, found)
    slopes = gradient("unit_normalization", {"x": x}, options, dialect={"epsilon": setting})
    np.testing.assert_allclose(
        slopes, quotient("unit_normalization", {"x": x}, options, dialect={"epsilon": setting}), atol=1e-6
    )


@pytest.mark.parametrize("operation", ["l2_normalization", "unit_normalization"])
def test_a_vector_of_zeros(operation):
    x = {"x": [[0.0, -0.0]]}
    assert y(operation, x).tolist() == [[0, 0]]
    assert np.isnan(y(operation, x, dialect={"epsilon": "none"})).all()
    assert y(operation, x, dialect={"epsilon": "zero"}).tolist() == [[0, 0]]
    assert gradient(operation, x, {"epsilon": 0.25}).tolist() == [[4, 8]]
    assert gradient(operation, x, {"epsilon": 0.25}, dialect={"epsilon": "floor_inside"}).tolist() == [[2, 4]]


def test_axes_of_one_vector():
    x = RNG.normal(size=(2, 3, 4))
    for axis, shape in ((1, (2, 1, 4)), ([0, 2], (1, 3, 1)), ([0, 1, 2], (1, 1, 1))):
        squares = (y("l2_normalization", {"x": x}, {"axis": axis}) ** 2).sum(
            tuple(axis) if isinstance(axis, list) else axis, keepdims=True
        )
        np.testing.assert_allclose(squares, np.ones(shape), rtol=1e-14)


@pytest.mark.parametrize(
    ("size", "side", "sums"),
    [
        (1, "right", [1, 100, 1e4, 1e6]),
        (3, "right", [101, 10101, 1010100, 1010000]),
        (2, "right", [101, 10100, 1010000, 1e6]),
        (2, "left", [1, 101, 10100, 1010000]),
        (4, "right", [10101, 1010101, 1010100, 1010000]),
        (4, "left", [101, 10101, 1010101, 1010100]),
        (9, "right", [1010101] * 4),
    ],
)
def test_digits_show_the_window_of_channels(size, side, sums):
    x = np.array([[1.0, 10.0, 100.0, 1000.0]])
    parameters = {"size": size, "alpha": 1.0, "beta": 1.0, "k": 0.0}
    found = y("local_response_normalization", {"x": x}, parameters, dialect={"padding_side": side})
    np.testing.assert_allclose(found, x / sums, rtol=1e-13)
    mean = {"padding_side": side, "alpha": "mean"}
    found = y("local_response_normalization", {"x": x}, parameters, dialect=mean)
    np.testing.assert_allclose(found, x / sums * size, rtol=1e-13)


def test_the_response_of_the_paper():
    x = RNG.normal(0, 30, size=(2, 1, 3, 7))
    found = y("local_response_normalization", {"x": x})
    with mpmath.workdps(40):
        total = mpmath.fsum(mpmath.mpf(float(each)) ** 2 for each in x[1, 0, 2, 1:6])
        expected = float(x[1, 0, 2, 3] / (2 + mpmath.mpf(1e-4) * total) ** mpmath.mpf(0.75))
    assert found[1, 0, 2, 3] == pytest.approx(expected, rel=1e-14)
    small = {"x": x[:1, :, :1] / 10}
    parameters = {"size": 4, "alpha": 0.5}
    np.testing.assert_allclose(
        gradient("local_response_normalization", small, parameters),
        quotient("local_response_normalization", small, parameters),
        atol=1e-8,
    )


STORED = {"store_v": True}


# --- of weights ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_a_normalized_kernel_has_the_gains_for_norms(axis):
    kernel, gain = RNG.normal(size=(3, 2)), RNG.uniform(1, 2, size=(3, 2)[axis])
    found = y("weight_normalization", {"x": np.eye(3), "kernel": kernel, "gain": gain}, {"axis": axis})
    np.testing.assert_allclose(np.linalg.norm(found, axis=1 - axis), gain, rtol=1e-14)
    np.testing.assert_allclose(found / kernel, np.abs(found / kernel), rtol=1e-14)


def test_gains_must_fit_their_axis():
    with pytest.raises(Undefined, match="axis 1 of the kernel has 2 places"):
        y("weight_normalization", {"x": np.eye(3), "kernel": np.ones((3, 2)), "gain": np.ones(3)})


@pytest.mark.parametrize("of", ["x", "kernel", "gain", "bias"])
def test_gradients_of_weight_normalization(of):
    tensors = {"x": RNG.normal(size=(2, 3)), "kernel": RNG.normal(size=(3, 2)), "gain": [0.5, 2], "bias": [1, -1]}
    found = gradient("weight_normalization", tensors, of=of)
    np.testing.assert_allclose(found, quotient("weight_normalization", tensors, of=of), atol=1e-7)
    if of == "kernel":  # equation 3: orthogonal to the direction itself
        np.testing.assert_allclose((found * tensors["kernel"]).sum(0), 0, atol=1e-14)


@pytest.mark.parametrize("start", ["u", "v"])
def test_power_iteration_finds_the_largest_singular_value(start):
    kernel = RNG.normal(size=(3, 4))
    left, values, right = np.linalg.svd(kernel)
    tensors = {"x": np.eye(3), "kernel": kernel, "u": RNG.normal(size=4), "v": RNG.normal(size=3)}
    results = evaluate(
        "spectral_normalization",
        tensors,
        {"power_iterations": 200, "store_v": True},
        "train",
        {"power_iteration": start},
    )
    np.testing.assert_allclose(results["y"], kernel / values[0], rtol=1e-10)
    np.testing.assert_allclose(np.abs(results["u"]), np.abs(right[0]), rtol=1e-10)
    np.testing.assert_allclose(np.abs(results["v"]), np.abs(left[:, 0]), rtol=1e-10)
    stored = {**tensors, "u": results["u"], "v": results["v"]}
    np.testing.assert_allclose(y("spectral_normalization", stored, {"store_v": True}), kernel / values[0], rtol=1e-10)
    del stored["v"]
    np.testing.assert_allclose(y("spectral_normalization", stored), kernel / values[0], rtol=1e-10)


def test_one_step_of_power_iteration_by_hand():
    """From u = (1, 0): v = W u = (3, 4) / 5, u = W^T v = (5, 0.6) / norm, sigma = that norm."""
    tensors = {"x": np.eye(2), "kernel": [[3.0, 1.0], [4.0, 0.0]], "u": [1.0, 0.0], "v": [0.0, 1.0]}
    results = evaluate("spectral_normalization", tensors, STORED, "train")
    sigma = math.hypot(5, 0.6)
    np.testing.assert_allclose(results["v"], [0.6, 0.8], rtol=1e-14)
    np.testing.assert_allclose(results["u"], [5 / sigma, 0.6 / sigma], rtol=1e-14)
    np.testing.assert_allclose(results["y"], np.array(tensors["kernel"]) / sigma, rtol=1e-14)
    other = evaluate("spectral_normalization", tensors, STORED, "train", {"power_iteration": "v"})
    np.testing.assert_allclose(other["u"], [1, 0], rtol=1e-14)  # from v = (0, 1): u = (4, 0) / 4, v = (3, 4) / 5
    np.testing.assert_allclose(other["v"], [0.6, 0.8], rtol=1e-14)
    np.testing.assert_allclose(other["y"], np.array(tensors["kernel"]) / 5, rtol=1e-14)


def test_prediction_divides_by_what_was_stored():
    tensors = {"x": np.eye(2), "kernel": [[3.0, 1.0], [4.0, 0.0]], "u": [1.0, 0.0]}
    kernel = np.array(tensors["kernel"])
    np.testing.assert_allclose(y("spectral_normalization", tensors), kernel / 5, rtol=1e-14)
    found = y("spectral_normalization", {**tensors, "v": [0.0, 1.0]}, STORED)
    np.testing.assert_allclose(found, kernel / 4, rtol=1e-14)
    as_is = y("spectral_normalization", tensors, dialect={"prediction": "as_is"})
    assert as_is.tolist() == tensors["kernel"]
    iterated = y("spectral_normalization", tensors, dialect={"prediction": "iterated"})
    np.testing.assert_allclose(iterated, kernel / math.hypot(5, 0.6), rtol=1e-14)


def test_the_gradient_through_sigma_is_that_of_the_paper():
    """Equation 10: (E - lambda u v^T) / sigma, with lambda the product of E and the normalized kernel."""
    tensors = {"x": np.eye(3), "kernel": RNG.normal(size=(3, 2)), "u": [0.6, 0.8], "v": [2 / 3, 1 / 3, 2 / 3]}
    outer, sigma = np.outer(tensors["v"], tensors["u"]), tensors["v"] @ tensors["kernel"] @ np.array(tensors["u"])
    weights = np.linspace(1, 2, 6).reshape(3, 2)
    expected = {
        "through": (weights - (weights * tensors["kernel"] / sigma).sum() * outer) / sigma,
        "constant": weights / sigma,
        "replaced": weights,
    }
    for setting, each in expected.items():
        found = gradient("spectral_normalization", tensors, STORED, of="kernel", dialect={"sigma_gradient": setting})
        np.testing.assert_allclose(found, each, rtol=1e-12)


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", FAMILY)
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e-4])
def test_bounds_are_finite_and_tight(operation, scale):
    """In float32 on inputs of any size: not infinite, and within a few hundred units of the largest result."""
    example = get_operation(operation).example
    tensors = {**example.inputs, **example.tensors}
    tensors["x"] = np.asarray(tensors["x"]) * scale + 0.375 * (scale == 1)
    values, bounds = evaluate(operation, tensors, example.parameters, bound=True, precision="float32")
    for name, value in values.items():
        assert np.isfinite(bounds[name]).all()
        assert (bounds[name] <= 100 * 2.0**-24 * np.abs(value).max()).all()


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="no setting 'sometimes'"):
        y("l2_normalization", {"x": [1.0]}, dialect={"epsilon": "sometimes"})
