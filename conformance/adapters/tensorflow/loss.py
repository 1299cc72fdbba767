"""How TensorFlow spells losses of a number, a distribution or a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, default

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


def reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return tf.reduce_mean(losses) if reduction == "mean" else tf.reduce_sum(losses)


def weighted(loss: str, target: Any, prediction: Any, weights: Any, reduction: str, **options: Any) -> Any:
    """One of the losses that take weights; their own default of a reduction is a mean."""
    kinds = tf.compat.v1.losses.Reduction
    chosen = {"none": kinds.NONE, "sum": kinds.SUM, "mean": kinds.SUM_BY_NONZERO_WEIGHTS}[reduction]
    spread = 1.0 if weights is None else weights[..., None]
    return getattr(tf.compat.v1.losses, loss)(target, prediction, weights=spread, reduction=chosen, **options)


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Function:
    if "sample_weight" in shapes:
        return Function(Local(weighted_squared_error, [weighted], reduction=p["reduction"]))
    return Function(Local(squared_error, [reduced], reduction=p["reduction"]))


def squared_error(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.math.squared_difference(prediction, target), reduction)


def weighted_squared_error(target: Any, prediction: Any, sample_weight: Any, reduction: str) -> Any:
    return weighted("mean_squared_error", target, prediction, sample_weight, reduction)


@spellings
def mean_absolute_error(p: Parameters, shapes: Shapes) -> Function:
    if "sample_weight" in shapes:
        return Function(Local(weighted_absolute_error, [weighted], reduction=p["reduction"]))
    return Function(Local(absolute_error, [reduced], reduction=p["reduction"]))


def absolute_error(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.abs(prediction - target), reduction)


def weighted_absolute_error(target: Any, prediction: Any, sample_weight: Any, reduction: str) -> Any:
    return weighted("absolute_difference", target, prediction, sample_weight, reduction)


@spellings
def mean_squared_logarithmic_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(logarithmic_error, [reduced], reduction=p["reduction"]))


def logarithmic_error(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.math.squared_difference(tf.math.log1p(prediction), tf.math.log1p(target)), reduction)


@spellings
def huber(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(huber_loss, [weighted], reduction=p["reduction"], delta=p["delta"]))


def huber_loss(target: Any, prediction: Any, sample_weight: Any = None, *, reduction: str, delta: float) -> Any:
    return weighted("huber_loss", target, prediction, sample_weight, reduction, delta=delta)


@spellings
def poisson(p: Parameters, shapes: Shapes) -> Function:
    if p.get("epsilon"):
        raise Unsupported("tf.nn.log_poisson_loss has no epsilon")
    log_input = p.get("log_input", True)
    return Function(
        Local(poisson_loss, [reduced], log_input=log_input, full=p["full"], reduction=p["reduction"]),
        reads={"log_input": lambda call: log_input, "epsilon": lambda call: 0.0},
    )


def poisson_loss(target: Any, prediction: Any, log_input: bool, full: bool, reduction: str) -> Any:
    logarithm = prediction if log_input else tf.math.log(prediction)
    return reduced(tf.nn.log_poisson_loss(target, logarithm, compute_full_loss=full), reduction)


@spellings
def cosine_similarity(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Local(cosine_distance, [reduced], epsilon=p.get("epsilon"), reduction=p["reduction"]),
        reads={"epsilon": lambda call: call.arguments.get("epsilon", default(tf.nn.l2_normalize, "epsilon"))},
    )


def cosine_distance(target: Any, prediction: Any, reduction: str, **epsilon: float) -> Any:
    one, other = tf.nn.l2_normalize(prediction, -1, **epsilon), tf.nn.l2_normalize(target, -1, **epsilon)
    return reduced(1 - tf.reduce_sum(one * other, -1), reduction)


@spellings
def hinge(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(hinge_loss, [weighted], reduction=p["reduction"]))


def hinge_loss(target: Any, prediction: Any, reduction: str) -> Any:
    return weighted("hinge_loss", (target + 1) / 2, prediction, None, reduction)  # its labels are 0 and 1
