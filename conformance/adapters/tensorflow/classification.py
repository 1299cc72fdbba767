"""How TensorFlow spells losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


def reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return tf.reduce_mean(losses) if reduction == "mean" else tf.reduce_sum(losses)


def _refuse(p: Parameters, shapes: Shapes, name: str, **implied: Any) -> None:
    refuse_others(p, name, {"reduction"}, implied)
    if "class_weight" in shapes:
        raise Unsupported(f"{name} has no class weights")


@spellings
def binary_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    if p["label_smoothing"]:
        raise Unsupported("tf.nn.sigmoid_cross_entropy_with_logits has no label_smoothing")
    if p["pos_weight"] == 1:
        return Function(Local(sigmoid_cross_entropy, [reduced], reduction=p["reduction"]))
    return Function(Local(weighted_cross_entropy, [reduced], pos_weight=p["pos_weight"], reduction=p["reduction"]))


def sigmoid_cross_entropy(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.nn.sigmoid_cross_entropy_with_logits(target, prediction), reduction)


def weighted_cross_entropy(target: Any, prediction: Any, pos_weight: float, reduction: str) -> Any:
    return reduced(tf.nn.weighted_cross_entropy_with_logits(target, prediction, pos_weight), reduction)


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "tf.nn.softmax_cross_entropy_with_logits", label_smoothing=0.0)
    return Function(Local(softmax_cross_entropy, [reduced], reduction=p["reduction"]))


def softmax_cross_entropy(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.nn.softmax_cross_entropy_with_logits(target, prediction), reduction)


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "tf.nn.sparse_softmax_cross_entropy_with_logits", ignore_index=-100)
    return Function(Local(sparse_cross_entropy, [reduced], reduction=p["reduction"]))


def sparse_cross_entropy(target: Any, prediction: Any, reduction: str) -> Any:
    return reduced(tf.nn.sparse_softmax_cross_entropy_with_logits(target, prediction), reduction)


@spellings
def ctc(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(connectionist, [reduced], blank=p["blank"], reduction=p["reduction"]))


def connectionist(
    target: Any,
    prediction: Any,
    prediction_length: Any = None,
    target_length: Any = None,
    blank: int = 0,
    reduction: str = "mean",
) -> Any:
    """tf.nn.ctc_loss takes 32-bit numbers only."""
    batch, labels = target.shape
    if prediction_length is None:
        prediction_length = tf.fill([batch], prediction.shape[1])
    if target_length is None:
        target_length = tf.fill([batch], labels)
    losses = tf.nn.ctc_loss(
        tf.cast(target, tf.int32),
        tf.cast(prediction, tf.float32),
        tf.cast(target_length, tf.int32),
        tf.cast(prediction_length, tf.int32),
        logits_time_major=False,
        blank_index=blank,
    )
    return reduced(tf.cast(losses, prediction.dtype), reduction)
