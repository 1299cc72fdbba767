"""Losses of classes against fifty digits, and CTC against every alignment there is."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest

from conformance import evaluate
from conformance.errors import Undefined
from conformance.operation import get_operation

MEAN, SUM, NONE = ({"reduction": each} for each in ("mean", "sum", "none"))
LOGITS = [[2.5, -1.25, 0.5], [-3.0, 7.0, 1.5], [1e4, -1e4, 0.0], [20.0, -0.0, -40.0]]
SHARES = [[0.25, 0.5, 0.25], [0.0, 1.0, 0.0], [0.0, 0.75, 0.5], [1.0, 0.0, 0.0]]
PROBABILITIES = [[0.5, 0.25, 0.25], [1e-6, 0.9, 0.05], [0.75, 1e-30, 0.3], [0.3, 0.3, 0.9]]
LABELS = [1, 2, 0, 1]
WEIGHTS = [0.5, 3.0, 1.25]
BINARY_LOGITS = [-1e4, -100.0, -20.0, -1.5, -0.0, 0.75, 20.0, 1e4]
BINARY_SHARES = [0.0, 1.0, 0.0, 0.25, 0.5, 1.0, 1.0, 0.0]
BINARY_PROBABILITIES = [1e-30, 1e-7, 0.25, 0.5, 0.999, 1 - 2.0**-30]
BINARY_LABELS = [1.0, 0.0, 0.25, 1.0, 0.0, 1.0]
REGIONS = [[[0.5, 0.1], [0.9, 0.0], [0.3, 0.8]], [[0.25, 0.6], [0.125, 1.0], [0.7, 0.2]]]
MASKS = [[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.5, 1.0], [0.0, 0.0]]]

log, log1p, exp = mpmath.log, mpmath.log1p, mpmath.exp


def xlog(share, logarithm, x):
    return share * logarithm(x) if share else mpmath.mpf(0)


def softmax(row):
    total = mpmath.fsum(map(exp, row))
    return [exp(each) / total for each in row]


def log_softmax(row):
    total = log(mpmath.fsum(map(exp, row)))
    return [each - total for each in row]


def crossentropy(p, t):
    return -xlog(t, log, p) - xlog(1 - t, log1p, -p)


def logistic(x, t):
    return t * log1p(exp(-x)) + (1 - t) * log1p(exp(x))


def binary_focal(x, t, alpha, gamma):
    p, other = 1 / (1 + exp(-x)), 1 / (1 + exp(x))
    missed = (1 - t) * p + t * other
    return (t * alpha + (1 - t) * (1 - alpha)) * missed**gamma * logistic(x, t)


def rows(function, target):
    """A loss of each row, of a flat list of numbers."""
    classes = np.shape(LOGITS)[1]
    return lambda x: [function(x[i * classes : (i + 1) * classes], t) for i, t in enumerate(target)]


def elements(function, target):
    return lambda x: [function(each, mpmath.mpf(t)) for each, t in zip(x, target, strict=True)]


def smoothed(shares, amount):
    return [[t * (1 - amount) + amount / len(row) for t in row] for row in shares]


def dot(shares, logarithms):
    return -mpmath.fsum(t * each for t, each in zip(shares, logarithms, strict=True))


def dot_log(p, t):
    return -mpmath.fsum(xlog(share, log, each) for share, each in zip(t, p, strict=True))


def regions(function):
    """A loss of each sample and class, of predictions and masks of three places."""

    def losses(x):
        p, y = np.array(x, dtype=object).reshape(2, 3, 2), np.array(MASKS)
        return [function(p[i, :, c], y[i, :, c]) for i in range(2) for c in range(2)]

    return losses


def dice(p, y, epsilon=mpmath.mpf("0.125")):
    return 1 - (2 * mpmath.fsum(p * y) + epsilon) / (mpmath.fsum(p) + mpmath.fsum(y) + epsilon)


def tversky(p, y):
    both, false, missed = (mpmath.fsum(each) for each in (p * y, p * (1 - y), (1 - p) * y))
    return 1 - both / (both + 0.25 * false + 0.75 * missed)


TRUTHS = {
    "binary_crossentropy": (
        {"prediction": BINARY_PROBABILITIES, "target": BINARY_LABELS},
        {},
        elements(crossentropy, BINARY_LABELS),
    ),
    "binary_crossentropy smoothed": (
        {"prediction": BINARY_PROBABILITIES, "target": BINARY_LABELS},
        {"label_smoothing": 0.25},
        elements(lambda p, t: crossentropy(p, t * 0.75 + 0.125), BINARY_LABELS),
    ),
    "binary_crossentropy_with_logits": (
        {"prediction": BINARY_LOGITS, "target": BINARY_SHARES},
        {},
        elements(logistic, BINARY_SHARES),
    ),
    "binary_crossentropy_with_logits weighted": (
        {"prediction": BINARY_LOGITS, "target": BINARY_SHARES},
        {"pos_weight": 2.5, "label_smoothing": 0.125},
        elements(
            lambda x, t: 2.5 * (t * 0.875 + 0.0625) * log1p(exp(-x)) + (1 - t * 0.875 - 0.0625) * log1p(exp(x)),
            BINARY_SHARES,
        ),
    ),
    "binary_focal_crossentropy": (
        {"prediction": BINARY_LOGITS, "target": BINARY_SHARES},
        {"alpha": 0.375, "gamma": 3.0},
        elements(lambda x, t: binary_focal(x, t, mpmath.mpf("0.375"), 3), BINARY_SHARES),
    ),
    "binary_focal_crossentropy of probabilities": (
        {"prediction": BINARY_PROBABILITIES, "target": BINARY_LABELS},
        {"alpha": 0.375, "gamma": 1.5, "from_logits": False},
        elements(
            lambda p, t: (0.375 * t + 0.625 * (1 - t)) * ((1 - t) * p + t * (1 - p)) ** 1.5 * crossentropy(p, t),
            BINARY_LABELS,
        ),
    ),
    "categorical_crossentropy": (
        {"prediction": PROBABILITIES, "target": SHARES},
        {},
        rows(dot_log, SHARES),
    ),
    "categorical_crossentropy smoothed": (
        {"prediction": PROBABILITIES, "target": SHARES},
        {"label_smoothing": 0.375},
        rows(dot_log, smoothed(SHARES, 0.375)),
    ),
    "categorical_crossentropy_with_logits": (
        {"prediction": LOGITS, "target": SHARES},
        {},
        rows(lambda x, t: dot(t, log_softmax(x)), SHARES),
    ),
    "categorical_crossentropy_with_logits weighted": (
        {"prediction": LOGITS, "target": SHARES, "class_weight": WEIGHTS},
        {"label_smoothing": 0.375},
        rows(lambda x, t: dot(np.multiply(t, WEIGHTS), log_softmax(x)), smoothed(SHARES, 0.375)),
    ),
    "categorical_focal_crossentropy": (
        {"prediction": PROBABILITIES, "target": SHARES},
        {"alpha": 0.375, "gamma": 3.0},
        rows(lambda p, t: 0.375 * dot(np.multiply(t, (1 - np.array(p)) ** 3), map(log, p)), SHARES),
    ),
    "sparse_categorical_crossentropy": (
        {"prediction": PROBABILITIES, "target": LABELS},
        {},
        rows(lambda p, label: -log(p[label]), LABELS),
    ),
    "sparse_categorical_crossentropy_with_logits": (
        {"prediction": LOGITS, "target": LABELS},
        {},
        rows(lambda x, label: -log_softmax(x)[label], LABELS),
    ),
    "negative_log_likelihood": (
        {"prediction": LOGITS, "target": LABELS},
        {},
        rows(lambda x, label: -x[label], LABELS),
    ),
    "dice": ({"prediction": REGIONS, "target": MASKS}, {"epsilon": 0.125}, regions(dice)),
    "tversky": ({"prediction": REGIONS, "target": MASKS}, {"alpha": 0.25, "beta": 0.75}, regions(tversky)),
}


def off(found, truth, bound):
    """How far results lie from the truth, in units of 1e-12 of it, or of their own bound where digits cancel."""
    return [
        float(abs(mpmath.mpf(float(one)) - other) / max(1e-12 * abs(other), limit, 1e-300))
        for one, other, limit in zip(np.ravel(found), truth, np.ravel(bound), strict=True)
    ]


@pytest.mark.parametrize("name", TRUTHS)
def test_the_losses_and_their_gradient_in_fifty_digits(name):
    tensors, parameters, truth = TRUTHS[name]
    operation = name.partition(" ")[0]
    with mpmath.workdps(60):
        flat = [mpmath.mpf(float(each)) for each in np.ravel(tensors["prediction"])]
        losses = truth(flat)
        reduced = {"none": losses, "sum": [mpmath.fsum(losses)], "mean": [mpmath.fsum(losses) / len(losses)]}
        for reduction, expected in reduced.items():
            values, bounds = evaluate(operation, tensors, {**parameters, "reduction": reduction}, bound=True)
            assert max(off(values["loss"], expected, bounds["loss"])) <= 1, reduction

    def slope(index):
        with mpmath.workdps(60):
            step = mpmath.mpf(2) ** -100 * (abs(flat[index]) or 1)
        with mpmath.workdps(200):
            ends = [mpmath.fsum(truth([*flat[:index], flat[index] + h, *flat[index + 1 :]])) for h in (step, -step)]
            return (ends[0] - ends[1]) / (2 * step)

    values, bounds = evaluate(operation, {**tensors, "loss.gradient": 1.0}, {**parameters, **SUM}, bound=True)
    expected = [slope(index) for index in range(len(flat))]
    assert max(off(values["prediction.gradient"], expected, bounds["prediction.gradient"])) <= 1


@pytest.mark.parametrize("name", TRUTHS)
def test_a_bound_is_finite_and_tight(name):
    """A bound far above the rounding error of a sum of a few terms would let a wrong formula pass."""
    tensors, parameters, _ = TRUTHS[name]
    tensors = {**tensors, "loss.gradient": 1.0}
    asked = {**parameters, **SUM}
    values, bounds = evaluate(name.partition(" ")[0], tensors, asked, bound=True, precision="float32")
    assert np.isfinite(bounds["prediction.gradient"]).all()
    largest = {key: np.max(np.abs(value)) for key, value in values.items()}
    for key, bound in bounds.items():
        assert np.max(bound) <= 60 * 2.0**-24 * largest[key], key


def loss(name, tensors, parameters=None, **dialect):
    return evaluate(name, tensors, parameters, dialect=dialect)["loss"]


def gradient(name, tensors, parameters=None, **dialect):
    tensors = {**tensors, "loss.gradient": 1.0}
    return evaluate(name, tensors, {**SUM, **(parameters or {})}, dialect=dialect)["prediction.gradient"]


@pytest.mark.parametrize(
    ("clip", "value", "slope"),
    [("none", math.inf, -math.inf), ("probability", -math.log(1e-7), 0.0), ("logarithm", 100.0, -1e12)],
)
def test_a_certain_and_wrong_probability(clip, value, slope):
    tensors = {"prediction": [0.0], "target": [1.0]}
    assert loss("binary_crossentropy", tensors, clip=clip) == pytest.approx(value, rel=1e-15)
    assert gradient("binary_crossentropy", tensors, clip=clip) == [pytest.approx(slope)]


@pytest.mark.parametrize(("clip", "slope"), [("none", [1.0, 1.0, -1.0]), ("logarithm", [0.0, 2.0**-40 / 1e-12, 0.0])])
def test_a_certain_and_right_probability(clip, slope):
    """Without a clip 0 log 0 is 0, and the slope is that of the other term; torch divides by at least 1e-12."""
    tensors = {"prediction": [0.0, 2.0**-40, 1.0], "target": [0.0, 0.0, 1.0]}
    assert loss("binary_crossentropy", tensors, SUM, clip=clip) == pytest.approx(2.0**-40, rel=1e-15)
    assert gradient("binary_crossentropy", tensors, clip=clip) == pytest.approx(slope)


def test_clipped_probabilities_in_float32_may_be_off_as_far_as_their_complement_is():
    tensors = {"prediction": [1.0], "target": [0.0]}
    values, bounds = evaluate(
        "binary_crossentropy", tensors, dialect={"clip": "probability"}, bound=True, precision="float32"
    )
    keras = -math.log(float(np.float32(1) - np.float32(1 - 1e-7)))  # 15.942
    assert abs(keras - values["loss"]) < bounds["loss"]


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_what_is_no_probability_is_refused(name):
    target = [0] if name.startswith("sparse") else [[1.0, 0.0]]
    with pytest.raises(Undefined, match="probabilities"):
        evaluate(name, {"prediction": [[-0.25, 1.0]], "target": target})


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [({}, -math.log(0.2)), ({"renormalise": True}, math.log(3)), ({"clip": "before_sum"}, math.log(3))],
)
def test_probabilities_that_do_not_sum_to_one(dialect, expected):
    found = loss("sparse_categorical_crossentropy", {"prediction": [[0.2, 0.2, 0.2]], "target": [1]}, **dialect)
    assert found == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ({"clip": "probability"}, 1e-7),
        ({"clip": "probability", "renormalise": True}, 1e-7),
        ({"clip": "before_sum"}, 1e-7 / (1e-7 + 0.5 + (1 - 1e-7))),
    ],
)
def test_probabilities_are_clipped_after_or_before_they_are_made_to_sum_to_one(dialect, expected):
    tensors = {"prediction": [[0.0, 0.5, 2.0]], "target": [0]}
    found = loss("sparse_categorical_crossentropy", tensors, **dialect)
    assert found == pytest.approx(-math.log(expected), rel=1e-14)


def test_probabilities_taken_for_logits():
    """The published numbers: crossentropy of [.1, .1, .8] is .2231, and .6897 if softmax is taken once more."""
    tensors = {"prediction": [[0.1, 0.1, 0.8]], "target": [[0.0, 0.0, 1.0]]}
    assert loss("categorical_crossentropy", tensors) == pytest.approx(0.2231, abs=5e-5)
    assert loss("categorical_crossentropy", tensors, from_logits=True) == pytest.approx(0.6897, abs=5e-5)


@pytest.mark.parametrize(
    ("smoothing", "shares"), [("all", [0.0625, 0.8125, 0.0625, 0.0625]), ("others", [0.0625 / 0.75] * 4)]
)
def test_label_smoothing(smoothing, shares):
    """A quarter is shared by four classes, or by the three others; two classes share it alike, or one has it all."""
    if smoothing == "others":
        shares[1] = 0.75
    p = np.array([0.5, 0.125, 0.25, 0.125])
    tensors = {"prediction": [p], "target": [[0.0, 1.0, 0.0, 0.0]]}
    asked = {"label_smoothing": 0.25}
    expected = -np.dot(shares, np.log(p))
    assert loss("categorical_crossentropy", tensors, asked, smoothing=smoothing) == pytest.approx(expected)
    tensors = {"prediction": np.log([p]), "target": tensors["target"]}
    assert loss("categorical_crossentropy_with_logits", tensors, asked, smoothing=smoothing) == pytest.approx(expected)
    share = 0.875 if smoothing == "all" else 0.75
    binary = loss("binary_crossentropy", {"prediction": [0.25], "target": [1.0]}, asked, smoothing=smoothing)
    assert binary == pytest.approx(-share * math.log(0.25) - (1 - share) * math.log(0.75))


def test_a_class_without_share_counts_nothing_even_if_it_is_impossible():
    tensors = {"prediction": [[-np.inf, 0.0, 0.0]], "target": [[0.0, 1.0, 0.0]]}
    name = "categorical_crossentropy_with_logits"
    assert loss(name, tensors) == pytest.approx(math.log(2))
    assert gradient(name, tensors).tolist() == [[0.0, -0.5, 0.5]]
    assert np.isnan(loss(name, tensors, zero_log="nan"))
    tensors = {"prediction": [[0.0, 0.5, 0.5]], "target": [[0.0, 1.0, 0.0]]}
    assert loss("categorical_crossentropy", tensors) == pytest.approx(math.log(2))
    assert gradient("categorical_crossentropy", tensors).tolist() == [[0.0, -2.0, 0.0]]


def test_a_target_that_does_not_sum_to_one():
    """softmax * sum(target) - target; TensorFlow takes the sum for 1 in the gradient, and not in the loss."""
    tensors = {"prediction": [[0.0, 0.0, 0.0, 0.0]], "target": [[1.0, 1.0, 0.0, 1.0]]}
    name = "categorical_crossentropy_with_logits"
    assert loss(name, tensors) == loss(name, tensors, target_sum="one") == pytest.approx(3 * math.log(4))
    assert gradient(name, tensors).tolist() == [[-0.25, -0.25, 0.75, -0.25]]
    assert gradient(name, tensors, target_sum="one").tolist() == [[-0.75, -0.75, 0.25, -0.75]]


def test_class_weights_of_a_target_distribution():
    tensors = {"prediction": [[0.0, 0.0]], "target": [[0.75, 0.25]], "class_weight": [3.0, 1.0]}
    name = "categorical_crossentropy_with_logits"
    assert loss(name, tensors) == pytest.approx((0.75 * 3 + 0.25) * math.log(2))
    assert loss(name, tensors, weighting="sample") == pytest.approx(3 * math.log(2))


SPARSE = {
    "sparse_categorical_crossentropy_with_logits": {"prediction": [[0.0, 0.0], [0.0, 0.0], [0.0, math.log(3)]]},
    "negative_log_likelihood": {"prediction": np.log([[0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])},
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize(("division", "divisor"), [("weights", 3 + 1), ("count", 2), ("all", 3)])
def test_a_mean_is_divided_by_weights_or_counts(name, division, divisor):
    tensors = {**SPARSE[name], "target": [0, -7, 1], "class_weight": [3.0, 1.0]}
    asked = {"ignore_index": -7}
    total = 3 * math.log(2) - math.log(0.75)
    assert loss(name, tensors, asked, division=division) == pytest.approx(total / divisor)
    assert loss(name, tensors, {**asked, **SUM}) == pytest.approx(total)
    assert loss(name, tensors, {**asked, **NONE}).tolist() == pytest.approx([3 * math.log(2), 0, -math.log(0.75)])
    assert gradient(name, tensors, {**asked, **MEAN}, division=division)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", SPARSE)
def test_a_class_may_be_ignored_and_all_may_be(name):
    tensors = {**SPARSE[name], "target": [1, 1, 1]}
    asked = {"ignore_index": 1}
    assert np.isnan(loss(name, tensors, asked))
    assert loss(name, tensors, asked, empty="zero") == 0
    assert loss(name, tensors, asked, division="all") == 0
    assert gradient(name, tensors, {**asked, **MEAN}).tolist() == [[0.0, 0.0]] * 3
    assert loss(name, {**tensors, "target": [1, 0, 1]}, asked) == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", [*SPARSE, "sparse_categorical_crossentropy"])
@pytest.mark.parametrize("label", [2, -1])
def test_a_label_that_is_no_class_is_refused(name, label):
    with pytest.raises(Undefined, match=f"the target {label} is none of 2 classes"):
        evaluate(name, {"prediction": [[0.5, 0.5], [0.5, 0.5]], "target": [0, label]})


def test_classes_stand_on_the_last_axis():
    rng = np.random.default_rng(5)
    x, target = rng.normal(size=(2, 4, 3)), rng.integers(0, 3, (2, 4))
    found = loss("sparse_categorical_crossentropy_with_logits", {"prediction": x, "target": target}, NONE)
    expected = [[np.log(np.exp(x[i, j]).sum()) - x[i, j, target[i, j]] for j in range(4)] for i in range(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    shares = np.eye(3)[target]
    same = loss("categorical_crossentropy_with_logits", {"prediction": x, "target": shares}, NONE)
    np.testing.assert_allclose(same, expected, rtol=1e-14)


def test_focal_losses_without_focus_are_crossentropies():
    """The published number: with the weight 0.25, which Keras always applies, .1277 for .5108."""
    tensors = {"prediction": [[0.6, 0.4]], "target": [[1.0, 0.0]]}
    asked = {"gamma": 0.0}
    assert loss("categorical_crossentropy", tensors) == pytest.approx(0.5108, abs=5e-5)
    assert loss("categorical_focal_crossentropy", tensors, asked) == pytest.approx(0.1277, abs=5e-5)
    tensors = {"prediction": [[0.6, 0.4]], "target": [[1.0, 0.25]]}
    found = loss("binary_focal_crossentropy", tensors, {**asked, "from_logits": False}, balance="none")
    assert found == pytest.approx(float(loss("binary_crossentropy", tensors)))


@pytest.mark.parametrize("dialect", [{}, {"clip": "probability"}, {"complement": "rounded"}])
def test_the_focal_loss_of_a_logit_is_that_of_its_probability(dialect):
    x, target = np.array([-2.0, 0.5, 3.0]), [1.0, 0.0, 0.25]
    of_logits = loss("binary_focal_crossentropy", {"prediction": x, "target": target}, **dialect)
    tensors = {"prediction": 1 / (1 + np.exp(-x)), "target": target}
    assert of_logits == pytest.approx(float(loss("binary_focal_crossentropy", tensors, {"from_logits": False})))
    x, target = np.array([[-2.0, 0.5, 3.0], [0.0, 1.0, -1.0]]), [[1.0, 0.0, 0.0], [0.0, 0.75, 0.25]]
    of_logits = loss("categorical_focal_crossentropy", {"prediction": x, "target": target}, {"from_logits": True})
    tensors = {"prediction": np.exp(x) / np.exp(x).sum(-1, keepdims=True), "target": target}
    assert of_logits == pytest.approx(float(loss("categorical_focal_crossentropy", tensors)))


@pytest.mark.parametrize(("smooth", "value"), [("both", 0.0), ("denominator", 1.0)])
@pytest.mark.parametrize("name", ["dice", "tversky"])
def test_nothing_predicted_where_nothing_is(name, smooth, value):
    tensors = {"prediction": np.zeros((1, 3)), "target": np.zeros((1, 3))}
    assert loss(name, tensors, {"epsilon": 0.25}, smooth=smooth) == value
    assert np.isnan(loss(name, tensors))


def test_regions_reach_over_any_axes():
    p, y = np.arange(1.0, 7.0).reshape(1, 2, 3) / 8, np.array([[[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]])
    assert loss("dice", {"prediction": p, "target": y}, {"axis": (0, 1, 2)}) == pytest.approx(1 - 2 * 10 / (21 + 24))
    assert loss("dice", {"prediction": p, "target": y}, {"axis": (1, 2), **NONE}).shape == (1,)
    halves = {"alpha": 0.5, "beta": 0.5, "axis": (1, 2)}
    assert loss("tversky", {"prediction": p, "target": y}, halves) == pytest.approx(1 - 2 * 10 / (21 + 24))
    squares = 91 / 64 + 3
    found = loss("dice", {"prediction": p, "target": y}, {"axis": (1, 2)}, denominator="squares")
    assert found == pytest.approx(1 - 2 * 10 / 8 / squares)


def test_what_is_falsely_predicted_has_the_weight_alpha():
    tensors = {"prediction": [[1.0, 1.0, 0.5, 0.0]], "target": [[1.0, 0.0, 0.0, 1.0]]}
    asked = {"alpha": 2.0, "beta": 8.0}
    assert loss("tversky", tensors, asked) == pytest.approx(1 - 1 / (1 + 2 * 1.5 + 8 * 1))
    assert loss("tversky", tensors, asked, weights="swapped") == pytest.approx(1 - 1 / (1 + 8 * 1.5 + 2 * 1))


# --- of a sequence ---------------------------------------------------------------------------------------------------


def collapsed(path, blank):
    """The labels of an alignment: repetitions are one label, blanks none."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def every_alignment(logits, label, blank):
    """-log of the probability of all alignments, one by one."""
    p = [softmax(row) for row in logits]
    paths = itertools.product(range(len(logits[0])), repeat=len(logits))
    return -log(
        mpmath.fsum(
            mpmath.fprod(row[step] for row, step in zip(p, path, strict=True))
            for path in paths
            if collapsed(path, blank) == label
        )
    )


@pytest.mark.parametrize(
    ("labels", "blank"),
    [([1, 2], 0), ([1, 1], 0), ([2, 0, 2], 1), ([0], 2), ([], 0), ([1, 2, 1], 0), ([0, 0], 2)],
    ids=str,
)
def test_ctc_is_the_sum_over_every_alignment(labels, blank):
    rng = np.random.default_rng(len(labels) + 10 * blank)
    for times, scale in [(5, 1.0), (4, 30.0)]:
        x = rng.normal(0, scale, (1, times, 3))
        tensors = {"prediction": x, "target": np.reshape(labels, (1, -1)).astype(int)}
        values, bounds = evaluate(
            "ctc", {**tensors, "loss.gradient": 1.0}, {"blank": blank, **SUM}, bound=True, precision="float32"
        )
        with mpmath.workdps(60):
            flat = [mpmath.mpf(float(each)) for each in x.ravel()]

            def truth(flat, times=times):
                return every_alignment([flat[3 * t : 3 * t + 3] for t in range(times)], labels, blank)

            assert values["loss"] == pytest.approx(float(truth(flat)), rel=1e-13)
            assert bounds["loss"] < 64 * 2.0**-24 * max(values["loss"], np.abs(x).max())
            h = mpmath.mpf(10) ** -25
            for index in range(0, len(flat), 2):
                ends = [truth([*flat[:index], flat[index] + step, *flat[index + 1 :]]) for step in (h, -h)]
                slope = values["prediction.gradient"].ravel()[index]
                assert slope == pytest.approx(float((ends[0] - ends[1]) / (2 * h)), rel=1e-11, abs=1e-14)
            assert np.all(bounds["prediction.gradient"] < 2.0**-12)  # of slopes between -1 and 1


def ctc(target, spans, lengths, parameters=None, classes=4, **dialect):
    x = np.random.default_rng(3).normal(0, 2, (len(target), 5, classes))
    tensors = {"prediction": x, "target": target, "prediction_length": spans, "target_length": lengths}
    return tensors, loss("ctc", tensors, {**NONE, **(parameters or {})}, **dialect)


def test_ctc_reads_no_further_than_the_lengths():
    target, spans, lengths = [[1, 2, 3], [2, 2, 0], [3, 1, 1]], [5, 4, 3], [3, 2, 0]
    tensors, losses = ctc(target, spans, lengths)
    alone = [
        evaluate(
            "ctc",
            {"prediction": x[None, :span], "target": np.array(label[:length], dtype=int)[None]},
        )["loss"]
        for x, label, span, length in zip(tensors["prediction"], target, spans, lengths, strict=True)
    ]
    np.testing.assert_allclose(losses, alone, rtol=1e-14)
    slopes = gradient("ctc", tensors)
    assert not slopes[1, 4:].any()
    assert not slopes[2, 3:].any()
    assert loss("ctc", tensors) == pytest.approx(np.mean(losses))
    assert loss("ctc", tensors, reduction="target_length") == pytest.approx(np.mean(losses / [3, 2, 1]))


def test_a_sequence_that_is_too_short_for_its_labels_has_no_alignment():
    tensors, losses = ctc([[1, 2, 3], [2, 2, 0], [1, 2, 0]], [2, 2, 2], [3, 2, 2])
    assert losses[:2].tolist() == [math.inf, math.inf]
    assert np.isfinite(losses[2])
    assert np.isfinite(gradient("ctc", tensors)).all()


def test_logits_taken_for_logarithms():
    tensors, _ = ctc([[1, 2]], [5], [2])
    logits = tensors["prediction"]
    logarithms = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert loss("ctc", {**tensors, "prediction": logarithms}, from_logits=False) == pytest.approx(
        float(loss("ctc", tensors))
    )
    normalisers = np.log(np.exp(logits).sum(-1)).sum()
    assert loss("ctc", tensors, from_logits=False) == pytest.approx(float(loss("ctc", tensors)) - normalisers)


@pytest.mark.parametrize(
    ("target", "spans", "lengths", "parameters", "message"),
    [
        ([[1, 0]], [5], [2], {}, "a label is the blank"),
        ([[1, 4]], [5], [2], {}, "a label is the blank, or no class"),
        ([[1, 2]], [6], [2], {}, "a length is negative, or larger"),
        ([[1, 2]], [5], [3], {}, "a length is negative, or larger"),
        ([[1, 2]], [5], [2], {"blank": 4}, "the blank 4 is none of 4 classes"),
    ],
)
def test_sequences_that_are_refused(target, spans, lengths, parameters, message):
    with pytest.raises(Undefined, match=message):
        ctc(target, spans, lengths, parameters)


@pytest.mark.parametrize("name", sorted({each.partition(" ")[0] for each in TRUTHS} | {"ctc"}))
def test_the_worked_example(name):
    example = get_operation(name).example
    found = evaluate(name, example.inputs, example.parameters)["loss"]
    assert found == pytest.approx(example.expected["loss"], rel=1e-14)
