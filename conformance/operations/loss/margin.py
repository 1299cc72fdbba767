"""Losses that ask for a distance: between a score and the others, or between points."""

from __future__ import annotations

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import CLAMP_GRADIENT, EPSILON, SUBGRADIENT, Settings, absolute, at_least
from conformance.operations.loss.reducing import REDUCTION, SAMPLE_REDUCTION, reduce, reduction_parameter

LABELS = Knob(
    "labels",
    {
        "given": "-1 or 1, as they are",
        "converted": "if all of them are 0 or 1, they become -1 or 1",
    },
    default="given",
)
RIVALS = Knob(
    "rivals",
    {
        "largest": "the largest score of the other classes",
        "zeroed": "the largest of all scores, with 0 in place of the true class's",
        "mean": "each of the other classes has a margin of its own: their sum, divided by the number of classes",
    },
    default="largest",
)
POWER = Knob(
    "power",
    {"absolute": "the size of each difference is raised to the power", "signed": "the difference itself is"},
    default="absolute",
)


def _positive(x: Array, settings: Settings) -> Array:
    """The positive part; obeys SUBGRADIENT."""
    kept = (x >= 0 if settings["subgradient"] == 1 else x > 0) | np.isnan(x)
    part = np.where(kept, x, 0.0)
    return part + np.where(x == 0, 0.5 * x, 0.0) if settings["subgradient"] == 0.5 else part


def _signs(label: Array, settings: Settings) -> Array:
    binary = settings["labels"] == "converted" and bool(np.all((label == 0) | (label == 1)))
    return 2.0 * label - 1.0 if binary else label


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \max(0, 1 - y_{i} \hat{y}_{i})",
    source="https://doi.org/10.1007/BF00994018",
    results=("loss",),
    example=Example({"prediction": [[1, 2, -3], [0.5, 4, 0]], "target": [[1, -1, -1], [1, 1, -1]]}, {"loss": 4.5 / 6}),
    knobs=(REDUCTION, LABELS, SUBGRADIENT.without("both", "neither")),
)
def hinge(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """What a score lacks of a margin of 1 on its label's side. Cortes and Vapnik 1995; labels are -1 and 1."""
    return {"loss": reduce(_positive(1.0 - _signs(target, dialect) * prediction, dialect), dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \max(0, 1 - y_{i} \hat{y}_{i})^2",
    source="https://doi.org/10.1007/BF00994018",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, -3], [0.5, 4, 0]], "target": [[1, -1, -1], [1, 1, -1]]}, {"loss": 10.25 / 6}
    ),
    knobs=(REDUCTION, LABELS),
)
def squared_hinge(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The square of what a score lacks of its margin. Cortes and Vapnik 1995, equation 22 with sigma 2."""
    lack = 1.0 - _signs(target, dialect) * prediction
    part = np.where((lack > 0) | np.isnan(lack), lack, 0.0)
    return {"loss": reduce(part * part, dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \max \left( 0, 1 + \max_{c \ne y_{i}} \hat{y}_{ic} - \hat{y}_{i y_{i}} \right)",
    source="https://www.jmlr.org/papers/v2/crammer01a.html",
    results=("loss",),
    example=Example({"prediction": [[1, 2, -3], [5, 0.5, 4]], "target": [0, 2]}, {"loss": 2}),
    knobs=(SAMPLE_REDUCTION, RIVALS, SUBGRADIENT.without("both", "neither")),
)
def categorical_hinge(
    prediction: Array = input("batch class"),
    target: Array = input("batch", integer=True),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """What the true class's score lacks of a margin of 1 over the others'. Crammer and Singer 2001, equation 3."""
    classes = prediction.shape[-1]
    if np.any((target < 0) | (target >= classes)):
        raise Undefined(f"a label that is none of {classes} classes")
    true = np.arange(classes) == target[:, None]
    own = np.sum(np.where(true, prediction, 0.0), axis=-1, keepdims=True)
    if dialect["rivals"] == "mean":
        lacks = np.where(true, 0.0, _positive(1.0 + prediction - own, dialect))
        return {"loss": reduce(np.sum(lacks, axis=-1) / classes, dialect)}
    others = np.where(true, 0.0 if dialect["rivals"] == "zeroed" else -np.inf, prediction)
    lack = 1.0 + np.max(others, axis=-1, keepdims=True) - own
    return {"loss": reduce(_positive(lack[:, 0], dialect), dialect)}


COSINE_EPSILON = Knob(
    "epsilon",
    {
        "clamp": "a norm is at least epsilon",
        "clamp_square": "the square of a norm is at least epsilon",
        "inside": EPSILON.values["inside"].replace("variance", "squared norm"),
    },
    default="clamp",
)
SIGN = Knob(
    "sign",
    {
        "distance": "1 less the cosine",
        "negative": "the negative cosine",
        "similarity": "the cosine itself, which is greatest where both agree",
    },
    default="distance",
)


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \left( 1 - \frac{\hat{y}_{i} \cdot y_{i}}"
    r"{\max(\|\hat{y}_{i}\|, \epsilon) \max(\|y_{i}\|, \epsilon)} \right)",
    source="https://docs.scipy.org/doc/scipy/reference/generated/scipy.spatial.distance.cosine.html",
    results=("loss",),
    example=Example({"prediction": [[3, 0, 4], [0, -2, 0]], "target": [[0, 0, 2], [0, 1, 0]]}, {"loss": 1.1}),
    knobs=(SAMPLE_REDUCTION, SIGN, COSINE_EPSILON, CLAMP_GRADIENT),
)
def cosine_similarity(
    prediction: Array = input("*batch feature"),
    target: Array = input("*batch feature", differentiable=False),
    *,
    epsilon: float = parameter(1e-8, "what keeps the norm of a vector from 0", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """One less the cosine of the angle between prediction and target, as SciPy's cosine distance."""
    cosine = np.sum(
        (prediction / _norm(prediction, epsilon, dialect)) * (target / _norm(target, epsilon, dialect)), axis=-1
    )
    match dialect["sign"]:
        case "distance":
            return {"loss": reduce(1.0 - cosine, dialect)}
        case "negative":
            return {"loss": reduce(-cosine, dialect)}
        case _:
            return {"loss": reduce(cosine, dialect)}


def _norm(x: Array, epsilon: Array, settings: Settings) -> Array:
    square = np.sum(x * x, axis=-1, keepdims=True)
    match settings["epsilon"]:
        case "clamp":
            positive = np.where(square > 0, square, 1.0)
            norm = np.where(square > 0, np.sqrt(positive), 0.0)
            return at_least(norm, epsilon, settings)
        case "clamp_square":
            return np.sqrt(at_least(square, epsilon, settings))
        case _:
            return np.sqrt(square + epsilon)


TRIPLET_EPSILON = Knob(
    "epsilon",
    {
        "inside": "added to the sum of powers, under the root",
        "difference": "added to each difference, before its size is taken",
        "none": "epsilon is not used",
    },
    default="inside",
)


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \max \left( 0, d(a_{i}, p_{i}) - d(a_{i}, n_{i}) + m \right),"
    r" \quad d(u, v) = \Bigl( \sum_{j} |u_{j} - v_{j}|^p + \epsilon \Bigr)^{1/p}",
    source="https://bmva-archive.org.uk/bmvc/2016/papers/paper119/abstract119.pdf",
    results=("loss",),
    example=Example(
        {"anchor": [[1, 2, 3], [0, 0, 1]], "positive": [[1, 5, 7], [2, 1, 3]], "negative": [[1, 2, 4], [0, 8, 7]]},
        {"loss": 3},
        {"margin": 2.0, "epsilon": 0.0},
    ),
    knobs=(SAMPLE_REDUCTION, TRIPLET_EPSILON, POWER, SUBGRADIENT.without("both", "neither")),
)
def triplet(
    anchor: Array = input("*batch feature"),
    positive: Array = input("*batch feature"),
    negative: Array = input("*batch feature"),
    *,
    margin: float = parameter(1.0, "how much nearer the positive is to be"),
    degree: float = parameter(2.0, "the p of the p-norm", minimum=1),
    swap: bool = parameter(False, "take the negative's distance from the positive, if that is less"),
    epsilon: float = parameter(0.0, "what keeps a distance from 0", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """How far the positive is from being nearer to the anchor, by a margin, than the negative. Balntas et al. 2016."""
    near = _distance(anchor, positive, degree, epsilon, dialect)
    far = _distance(anchor, negative, degree, epsilon, dialect)
    if swap:
        between = _distance(positive, negative, degree, epsilon, dialect)
        far = np.where(between < far, between, far)
    return {"loss": reduce(_positive(near - far + margin, dialect), dialect)}


def _distance(one: Array, other: Array, degree: Array, epsilon: Array, settings: Settings) -> Array:
    """The norm of a difference; its derivative is 0 where it is 0."""
    difference = one - other
    if settings["epsilon"] == "difference":
        difference = difference + epsilon
    if settings["power"] == "absolute":
        difference = absolute(difference)
    total = np.sum(_power(difference, degree), axis=-1)
    if settings["epsilon"] == "inside":
        total = total + epsilon
    some = (total != 0) | np.isnan(total)
    return np.where(some, _power(np.where(some, total, 1.0), 1.0 / degree), 0.0)


def _power(base: Array, exponent: Array) -> Array:
    """A power; those of the usual norms are products and roots, which are rounded less."""
    match float(exponent):
        case 0.5:
            return np.sqrt(base)
        case 1.0:
            return base
        case 2.0:
            return base * base
        case _:
            return base**exponent
