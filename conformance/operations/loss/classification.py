"""Losses of a predicted class: of its probability, its logarithm, or its logits.  The class axis is the last."""

from __future__ import annotations

import math

import autograd.numpy as np
import numpy

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter
from conformance.operations.choices import ZERO_LOG, Settings, constant, shift
from conformance.operations.loss.reducing import REDUCTION, SAMPLE_REDUCTION, reduce, reduction_parameter

ELEMENT_REDUCTION = REDUCTION.without("batch")
CLIP = Knob(
    "clip",
    {
        "none": "the logarithm of the probability as it is",
        "probability": "the probability is clipped to [1e-7, 1 - 1e-7] first",
        "before_sum": "so it is, and then divided by the sum of all",
        "logarithm": "a logarithm is at least -100, and p (1 - p), by which the gradient is divided, at least 1e-12",
    },
    default="none",
)
COMPLEMENT = Knob(
    "complement",
    {
        "exact": "log(1 - p) is log1p(-p), and 1 less the sigmoid of x is that of -x",
        "rounded": "1 - p is rounded before anything is made of it",
    },
    default="exact",
    algorithmic=True,
)
RENORMALISE = Knob(
    "renormalise",
    {False: "the probabilities as they are", True: "they are divided by their sum, before any clipping"},
    default=False,
)
SMOOTHING = Knob(
    "smoothing",
    {
        "all": "label_smoothing is shared by all classes: target (1 - s) + s / classes",
        "others": "it is shared by the other classes: target (1 - s) + (1 - target) s / (classes - 1)",
    },
    default="all",
)
FROM_LOGITS = Knob(
    "from_logits",
    {
        True: "the prediction holds logits: its log_softmax is taken",
        False: "the prediction is taken as it is",
    },
    default=True,
)
TARGET_SUM = Knob(
    "target_sum",
    {
        "own": "the gradient is softmax(prediction) * sum(target) - target",
        "one": "the gradient is softmax(prediction) - target, whatever the target's sum",
    },
    default="own",
)
WEIGHTING = Knob(
    "weighting",
    {
        "class": "the term of each class is multiplied by its class_weight",
        "sample": "the loss of a sample is multiplied by the class_weight of its most probable class",
    },
    default="class",
)
DIVISION = Knob(
    "division",
    {
        "weights": "a mean is divided by the sum of the weights of the targets that are not ignored",
        "count": "by the number of targets that are not ignored",
        "all": "by the number of targets",
    },
    default="weights",
)
EMPTY = Knob("empty", {"nan": "the mean of nothing is NaN", "zero": "the mean of nothing is 0"}, default="nan")

_LEAST = 1e-7
_LEAST_DIVISOR = float(numpy.float32(1e-12))  # PyTorch holds it in float32, whatever the format of the tensors


def _smoothing() -> float:
    share: float = parameter(0.0, "how much of the target is shared by all classes alike", minimum=0)
    return share


def _smoothed(target: Array, amount: Array, classes: int, settings: Settings) -> Array:
    """The target after label smoothing (Szegedy and others 2016, section 7); obeys SMOOTHING."""
    if not bool(amount):
        return target
    if settings["smoothing"] == "others":
        return target * (1.0 - amount) + (1.0 - target) * (amount / (classes - 1))
    return target * (1.0 - amount) + amount / classes


def _refuse(prediction: Array, highest: float) -> None:
    """What is no probability; NaN passes."""
    values = constant(prediction)
    if np.any(values < 0) or np.any(values > highest):
        raise Undefined("the prediction holds probabilities, which are not negative and not above 1")


def _clipped(probability: Array, settings: Settings) -> Array:
    if settings["clip"] not in ("probability", "before_sum"):
        return probability
    least = _LEAST * np.ones_like(
        constant(probability)
    )  # in the arithmetic at hand, so that 1 - least is rounded in it
    most = 1.0 - least
    return np.where(probability < least, least, np.where(probability > most, most, probability))


def _log(probability: Array, share: Array) -> Array:
    """The logarithm, but 0 where the target has no share: 0 log 0 is 0, and so is its gradient."""
    return np.log(np.where(share == 0, 1.0, probability))


def log_softmax(logits: Array) -> Array:
    """The logarithms of the softmax over the last axis: none is positive, and nothing cancels."""
    shifted = logits - np.max(shift(logits), axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def _log_sum_exp(logits: Array) -> Array:
    largest = np.max(shift(logits), axis=-1)
    return largest + np.log(np.sum(np.exp(logits - largest[..., None]), axis=-1))


def _softmax(logits: Array) -> Array:
    exponential = np.exp(logits - np.max(shift(logits), axis=-1, keepdims=True))
    return exponential / np.sum(exponential, axis=-1, keepdims=True)


def _softplus(x: Array) -> Array:
    """log(1 + e^x): the loss of a logit -x whose target is 1."""
    return np.where(x >= 0, x, 0.0) + np.log1p(np.exp(np.where(x >= 0, -x, x)))


def _sigmoid(x: Array) -> Array:
    exponential = np.exp(np.where(x >= 0, -x, x))
    return np.where(x >= 0, 1.0, exponential) / (1.0 + exponential)


# --- of two classes --------------------------------------------------------------------------------------------------


def _rounds_first(settings: Settings) -> bool:
    """Whether 1 - p is rounded before anything is made of it: whoever clips p has no log1p."""
    return settings["complement"] == "rounded" or settings["clip"] == "probability"


def _binary(probability: Array, target: Array, settings: Settings) -> Array:
    """-target log p - (1 - target) log(1 - p); obeys CLIP and COMPLEMENT."""
    if settings["clip"] == "logarithm":
        return _binary_with_least_logarithm(probability, target)
    p = _clipped(probability, settings)
    rounded = _rounds_first(settings)
    complement = _log(1.0 - p, 1.0 - target) if rounded else np.log1p(-np.where(target == 1, 0.0, p))
    return -(target * _log(p, target)) - (1.0 - target) * complement


def _binary_with_least_logarithm(probability: Array, target: Array) -> Array:
    p = constant(probability)
    loss = -(target * np.maximum(np.log(p), -100.0)) - (1.0 - target) * np.maximum(np.log1p(-p), -100.0)
    slope = (p - target) / np.maximum((1.0 - p) * p, _LEAST_DIVISOR)
    return loss + slope * (probability - p)  # the loss itself, with this slope


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \left( y_{i} \log \hat{y}_{i} + (1 - y_{i}) \log(1 - \hat{y}_{i}) \right)",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    results=("loss",),
    example=Example(
        {"prediction": [[0.5, 0.25, 0.75], [0.875, 0.125, 0.5]], "target": [[1, 1, 0], [0, 1, 0]]},
        {"loss": 12 * math.log(2) / 6},
    ),
    knobs=(ELEMENT_REDUCTION, CLIP.without("before_sum"), SMOOTHING, COMPLEMENT),
)
def binary_crossentropy(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    label_smoothing: float = _smoothing(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of probabilities of one class. Goodfellow, Bengio and Courville 2016, section 6.2.2.2."""
    _refuse(prediction, 1.0)
    return {"loss": reduce(_binary(prediction, _smoothed(target, label_smoothing, 2, dialect), dialect), dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \left( q y_{i} \log(1 + e^{-x_{i}}) + (1 - y_{i}) \log(1 + e^{x_{i}}) \right)",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    results=("loss",),
    example=Example(
        {"prediction": [[0, 0, 64], [-64, 0, -128]], "target": [[1, 0, 0], [1, 1, 0]]},
        {"loss": (3 * math.log(2) + 128) / 6},
    ),
    knobs=(
        ELEMENT_REDUCTION,
        SMOOTHING,
        Knob(
            "form",
            {
                "two_terms": "target log(1 + e^-x) + (1 - target) log(1 + e^x): nothing cancels",
                "one_logarithm": "(1 - target) x + log(1 + e^-x), and the gradient sigmoid(x) - target: both cancel",
            },
            default="two_terms",
            algorithmic=True,
        ),
    ),
)
def binary_crossentropy_with_logits(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    pos_weight: float = parameter(1.0, "the weight of the positive class", minimum=0),
    label_smoothing: float = _smoothing(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of logits of one class. Goodfellow, Bengio and Courville 2016, equation 6.26."""
    target = _smoothed(target, label_smoothing, 2, dialect)
    if dialect["form"] == "one_logarithm":
        x, positive = constant(prediction), pos_weight * target
        losses = (1.0 - target) * x + (1.0 - target + positive) * _softplus(-x)
        slope = (1.0 - target + positive) * _sigmoid(x) - positive
        losses = losses + slope * (prediction - x)  # the loss itself, with this slope
    else:
        losses = pos_weight * (target * _softplus(-prediction)) + (1.0 - target) * _softplus(prediction)
    return {"loss": reduce(losses, dialect)}


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \alpha_{i} (1 - p_{i})^{\gamma} \log p_{i}, \quad"
    r"p_{i} = y_{i} \hat{y}_{i} + (1 - y_{i})(1 - \hat{y}_{i}), \quad"
    r"\alpha_{i} = \alpha y_{i} + (1 - \alpha)(1 - y_{i})",
    source="https://arxiv.org/abs/1708.02002",
    results=("loss",),
    example=Example(
        {"prediction": [[0, 0, 64], [-64, 0, -128]], "target": [[1, 0, 0], [1, 1, 0]]},
        {"loss": (2 * 0.25 * 0.25 * math.log(2) + 0.75 * 0.25 * math.log(2) + 0.75 * 64 + 0.25 * 64) / 6},
        {"alpha": 0.25, "gamma": 2.0, "from_logits": True},
    ),
    knobs=(
        ELEMENT_REDUCTION,
        CLIP.without("logarithm", "before_sum"),
        Knob(
            "balance",
            {"alpha": "weighted by alpha or 1 - alpha (equation 5)", "none": "not weighted: alpha is not used"},
            default="alpha",
        ),
        COMPLEMENT,
    ),
)
def binary_focal_crossentropy(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    alpha: float = parameter(0.25, "the weight of the positive class; the other has 1 - alpha", own_default=True),
    gamma: float = parameter(2.0, "how much less the well-predicted elements count", minimum=0, own_default=True),
    from_logits: bool = parameter(True, "the prediction holds logits, not probabilities"),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """Crossentropy that counts well-predicted elements less. Lin and others 2017, equation 5.

    A target between 0 and 1 has the crossentropy of both classes, and a p in proportion.
    """
    if not from_logits:
        _refuse(prediction, 1.0)
    p = _sigmoid(prediction) if from_logits else prediction
    if from_logits and dialect["clip"] == "none":
        losses = target * _softplus(-prediction) + (1.0 - target) * _softplus(prediction)
    else:
        losses = _binary(p, target, dialect)
    if _rounds_first(dialect):
        missed = 1.0 - (target * p + (1.0 - target) * (1.0 - p))
    else:
        missed = (1.0 - target) * p + target * (_sigmoid(-prediction) if from_logits else 1.0 - p)
    losses = np.power(missed, gamma) * losses
    if dialect["balance"] == "alpha":
        losses = (target * alpha + (1.0 - target) * (1.0 - alpha)) * losses
    return {"loss": reduce(losses, dialect)}


# --- of many classes -------------------------------------------------------------------------------------------------


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \sum_{c} y_{ic} \log \hat{y}_{ic}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    results=("loss",),
    example=Example(
        {"prediction": [[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], "target": [[0, 1, 0], [0.5, 0, 0.5]]},
        {"loss": 4 * math.log(2) / 2},
    ),
    knobs=(
        SAMPLE_REDUCTION,
        CLIP.without("logarithm", "before_sum"),
        RENORMALISE,
        SMOOTHING,
        FROM_LOGITS.published(False),
    ),
)
def categorical_crossentropy(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch class", differentiable=False),
    *,
    label_smoothing: float = _smoothing(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of a target distribution and predicted probabilities.

    Goodfellow, Bengio and Courville 2016, equation 6.12.
    """
    target = _smoothed(target, label_smoothing, prediction.shape[-1], dialect)
    if dialect["from_logits"]:
        return {"loss": reduce(-np.sum(target * log_softmax(prediction), axis=-1), dialect)}
    p = _clipped(_renormalised(prediction, dialect), dialect)
    return {"loss": reduce(-np.sum(target * _log(p, target), axis=-1), dialect)}


def _renormalised(probability: Array, settings: Settings) -> Array:
    """Probabilities that sum to 1; obeys RENORMALISE."""
    _refuse(probability, math.inf)
    return _shared(probability) if settings["renormalise"] else probability


def _shared(probability: Array) -> Array:
    return probability / np.sum(probability, axis=-1, keepdims=True)


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \sum_{c} w_{c} y_{ic} \log \frac{e^{x_{ic}}}{\sum_{j} e^{x_{ij}}}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    results=("loss",),
    example=Example(
        {"prediction": [[0, 0, 0, 0], [2, 2, 2, 2]], "target": [[0, 1, 0, 0], [0.5, 0, 0.25, 0.25]]},
        {"loss": 2 * math.log(2)},
    ),
    knobs=(SAMPLE_REDUCTION, SMOOTHING, WEIGHTING, TARGET_SUM, ZERO_LOG),
)
def categorical_crossentropy_with_logits(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch class", differentiable=False),
    class_weight: Array = input("class", differentiable=False, optional=True),
    *,
    label_smoothing: float = _smoothing(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of a target distribution and the softmax of logits.

    Goodfellow, Bengio and Courville 2016, equations 6.12 and 6.30.
    """
    if dialect["weighting"] == "sample" and class_weight is not None:
        most = np.argmax(target == np.max(target, axis=-1, keepdims=True), axis=-1)
        weight = class_weight[most][..., None]
    else:
        weight = 1.0 if class_weight is None else class_weight
    target = weight * _smoothed(target, label_smoothing, prediction.shape[-1], dialect)
    logarithm = log_softmax(prediction)
    if dialect["zero_log"] == "zero":
        logarithm = np.where(target == 0, 0.0, logarithm)
    losses = -np.sum(target * logarithm, axis=-1)
    if dialect["target_sum"] == "one":
        sums = _log_sum_exp(prediction)
        losses = losses + (1.0 - np.sum(target, axis=-1)) * (sums - constant(sums))  # nothing, with this slope
    return {"loss": reduce(losses, dialect)}


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \log \hat{y}_{i y_{i}}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    results=("loss",),
    example=Example(
        {"prediction": [[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], "target": [1, 0]}, {"loss": 5 * math.log(2) / 2}
    ),
    knobs=(SAMPLE_REDUCTION, CLIP.without("logarithm"), RENORMALISE),
)
def sparse_categorical_crossentropy(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch", integer=True),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of a target class and predicted probabilities.

    Goodfellow, Bengio and Courville 2016, equation 6.12.
    """
    p = _clipped(_renormalised(prediction, dialect), dialect)
    chosen, _ = _chosen(_shared(p) if dialect["clip"] == "before_sum" else p, target, None)
    return {"loss": reduce(-np.log(chosen), dialect)}


def _chosen(rows: Array, target: Array, ignored: int | None) -> tuple[Array, Array]:
    """The element of each row that the target names, and whether it is one to count."""
    classes = rows.shape[-1]
    kept = target != ignored if ignored is not None else np.ones(target.shape, dtype=bool)
    outside = kept & ((target < 0) | (target >= classes))
    if np.any(outside):
        raise Undefined(f"the target {int(target[outside][0])} is none of {classes} classes")
    flat = np.reshape(rows, (-1, classes))
    chosen = flat[np.arange(flat.shape[0]), np.ravel(np.where(kept, target, 0))]
    return np.reshape(chosen, target.shape), kept


def _weighted(losses: Array, target: Array, kept: Array, class_weight: Array, settings: Settings) -> Array:
    """Losses of samples, weighted by their classes and reduced; obeys SAMPLE_REDUCTION, DIVISION and EMPTY."""
    count = int(np.sum(kept))
    total = {"weights": count, "count": count, "all": target.size}[str(settings["division"])]
    if class_weight is not None:
        weight = np.where(kept, class_weight[np.where(kept, target, 0)], 0.0)
        losses = weight * losses
        total = np.sum(weight) if settings["division"] == "weights" else total
    losses = np.where(kept, losses, 0.0)
    if settings["reduction"] != "mean":
        return reduce(losses, settings)
    return np.sum(losses) if settings["empty"] == "zero" and not count else np.sum(losses) / total


_LABELS = "https://onnx.ai/onnx/operators/onnx__{}.html"


def _ignore_index() -> int:
    label: int = parameter(-100, "a target that is not to be counted; it need not be a class")
    return label


@operation(
    formula=r"L = \frac{\sum_{i} w_{y_{i}} \left( \log \sum_{c} e^{x_{ic}} - x_{i y_{i}} \right)}"
    r"{\sum_{i} w_{y_{i}}}, \quad y_{i} \ne \mathrm{ignored}",
    source=_LABELS.format("SoftmaxCrossEntropyLoss"),
    results=("loss",),
    example=Example(
        {"prediction": [[0, 0, 0, 0], [2, 2, 2, 2], [0, 64, 0, 0]], "target": [1, 3, 0]},
        {"loss": (4 * math.log(2) + 64) / 3},
    ),
    knobs=(
        SAMPLE_REDUCTION,
        DIVISION,
        EMPTY,
        Knob(
            "normaliser",
            {
                "shifted": "the largest logit is taken off the target's and the others before all else",
                "whole": "the logit is taken off the logarithm of the sum of exponentials: cancels if both are large",
            },
            default="shifted",
            algorithmic=True,
        ),
    ),
)
def sparse_categorical_crossentropy_with_logits(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch", integer=True),
    class_weight: Array = input("class", differentiable=False, optional=True),
    *,
    ignore_index: int = _ignore_index(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The crossentropy of a target class and the softmax of logits. ONNX, SoftmaxCrossEntropyLoss."""
    if dialect["normaliser"] == "whole":
        logit, kept = _chosen(prediction, target, ignore_index)
        chosen = logit - _log_sum_exp(prediction)
    else:
        chosen, kept = _chosen(log_softmax(prediction), target, ignore_index)
    return {"loss": _weighted(-chosen, target, kept, class_weight, dialect)}


@operation(
    formula=r"L = \frac{-\sum_{i} w_{y_{i}} x_{i y_{i}}}{\sum_{i} w_{y_{i}}}, \quad y_{i} \ne \mathrm{ignored}",
    source=_LABELS.format("NegativeLogLikelihoodLoss"),
    results=("loss",),
    example=Example(
        {"prediction": [[-1, -2, -4], [-0.5, -8, -1]], "target": [2, 1], "class_weight": [2, 1, 3]},
        {"loss": (3 * 4 + 8) / 4},
    ),
    knobs=(SAMPLE_REDUCTION, DIVISION, EMPTY),
)
def negative_log_likelihood(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch", integer=True),
    class_weight: Array = input("class", differentiable=False, optional=True),
    *,
    ignore_index: int = _ignore_index(),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The negative logarithm, given by the prediction, of the target's probability. ONNX, NegativeLogLikelihoodLoss."""
    chosen, kept = _chosen(prediction, target, ignore_index)
    return {"loss": _weighted(-chosen, target, kept, class_weight, dialect)}


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \sum_{c} \alpha y_{ic} (1 - p_{ic})^{\gamma} \log p_{ic}",
    source="https://arxiv.org/abs/1708.02002",
    results=("loss",),
    example=Example(
        {"prediction": [[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], "target": [[0, 1, 0], [1, 0, 0]]},
        {"loss": 0.25 * math.log(2) * (2 * 0.75**2 + 3 * 0.875**2) / 2},
        {"alpha": 0.25, "gamma": 2.0, "from_logits": False},
    ),
    knobs=(SAMPLE_REDUCTION, CLIP.without("logarithm", "before_sum"), RENORMALISE),
)
def categorical_focal_crossentropy(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch class", differentiable=False),
    *,
    alpha: float = parameter(0.25, "the weight of every class", own_default=True),
    gamma: float = parameter(2.0, "how much less well-predicted classes count", minimum=0, own_default=True),
    from_logits: bool = parameter(False, "the prediction holds logits, not probabilities"),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """Categorical crossentropy that counts well-predicted classes less. Lin and others 2017, equation 5, by class."""
    p = _renormalised(_softmax(prediction) if from_logits else prediction, dialect)
    p = _clipped(p, dialect)
    logarithm = log_softmax(prediction) if from_logits and dialect["clip"] == "none" else _log(p, target)
    losses = -np.sum(alpha * np.power(1.0 - p, gamma) * (target * logarithm), axis=-1)
    return {"loss": reduce(losses, dialect)}


# --- of overlap ------------------------------------------------------------------------------------------------------

SMOOTH = Knob(
    "smooth",
    {
        "both": "epsilon is added above and below the fraction: nothing predicted where nothing is has the loss 0",
        "denominator": "epsilon is added below only: it has the loss 1",
    },
    default="both",
)


@operation(
    formula=r"L = 1 - \frac{2 \sum_{i} p_{i} y_{i} + \epsilon}{\sum_{i} p_{i} + \sum_{i} y_{i} + \epsilon}",
    source="https://arxiv.org/abs/1608.04117",
    results=("loss",),
    example=Example(
        {
            "prediction": [[[0.5, 0.5], [1, 0], [0.5, 0.5]]],
            "target": [[[1, 0], [1, 0], [0, 1]]],
        },
        {"loss": (1 / 4.25 + 1 / 2.25) / 2},
        {"epsilon": 0.25},
    ),
    knobs=(
        SAMPLE_REDUCTION,
        SMOOTH,
        Knob(
            "denominator",
            {"sum": "the sums of both", "squares": "the sums of their squares (V-Net, Milletari and others 2016)"},
            default="sum",
        ),
    ),
)
def dice(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    axis: int = parameter(1, "the axis, or axes, of the elements that make one region", many=True),
    epsilon: float = parameter(0.0, "added to the fraction, for empty regions", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """1 less the Dice coefficient of a predicted and a true region. Drozdzal and others 2016, equation 1."""
    axes = chosen_axes(axis, prediction.ndim)
    overlap = 2.0 * np.sum(prediction * target, axis=axes)
    p, y = (prediction, target) if dialect["denominator"] == "sum" else (prediction * prediction, target * target)
    below = np.sum(p, axis=axes) + np.sum(y, axis=axes) + epsilon
    above = overlap + epsilon if dialect["smooth"] == "both" else overlap
    return {"loss": reduce(1.0 - above / below, dialect)}


@operation(
    formula=r"L = 1 - \frac{\sum_{i} p_{i} y_{i} + \epsilon}"
    r"{\sum_{i} p_{i} y_{i} + \alpha \sum_{i} p_{i} (1 - y_{i}) + \beta \sum_{i} (1 - p_{i}) y_{i} + \epsilon}",
    source="https://arxiv.org/abs/1706.05721",
    results=("loss",),
    example=Example(
        {
            "prediction": [[[0.5, 0.5], [1, 0], [0.5, 0.5]]],
            "target": [[[1, 0], [1, 0], [0, 1]]],
        },
        {"loss": (0.5 / 2.125 + 0.5 / 1.125) / 2},
        {"alpha": 0.5, "beta": 0.5, "epsilon": 0.125},
    ),
    knobs=(
        SAMPLE_REDUCTION,
        SMOOTH,
        Knob(
            "weights",
            {"given": "alpha weighs what is falsely predicted, beta what is missed", "swapped": "the other way round"},
            default="given",
        ),
    ),
)
def tversky(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    alpha: float = parameter(0.5, "the weight of what is falsely predicted", own_default=True),
    beta: float = parameter(0.5, "the weight of what is missed", own_default=True),
    axis: int = parameter(1, "the axis, or axes, of the elements that make one region", many=True),
    epsilon: float = parameter(0.0, "added to the fraction, for empty regions", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """1 less the Tversky index of a predicted and a true region. Salehi and others 2017, equation 3."""
    axes = chosen_axes(axis, prediction.ndim)
    if dialect["weights"] == "swapped":
        alpha, beta = beta, alpha
    overlap = np.sum(prediction * target, axis=axes)
    false = np.sum(prediction * (1.0 - target), axis=axes)
    missed = np.sum((1.0 - prediction) * target, axis=axes)
    below = overlap + alpha * false + beta * missed + epsilon
    above = overlap + epsilon if dialect["smooth"] == "both" else overlap
    return {"loss": reduce(1.0 - above / below, dialect)}
