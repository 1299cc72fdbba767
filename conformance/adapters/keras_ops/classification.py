"""How keras.ops spells losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


def reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return keras.ops.mean(losses) if reduction == "mean" else keras.ops.sum(losses)


def _refuse(p: Parameters, shapes: Shapes, name: str, **implied: Any) -> None:
    refuse_others(p, name, {"reduction"}, implied)
    if "class_weight" in shapes:
        raise Unsupported(f"{name} has no class weights")


@spellings
def binary_crossentropy(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "keras.ops.binary_crossentropy", label_smoothing=0.0)
    return Function(Local(binary, [reduced], from_logits=False, reduction=p["reduction"]))


@spellings
def binary_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "keras.ops.binary_crossentropy", label_smoothing=0.0, pos_weight=1.0)
    return Function(Local(binary, [reduced], from_logits=True, reduction=p["reduction"]))


def binary(target: Any, prediction: Any, from_logits: bool, reduction: str) -> Any:
    return reduced(keras.ops.binary_crossentropy(target, prediction, from_logits=from_logits), reduction)


@spellings
def categorical_crossentropy(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "keras.ops.categorical_crossentropy", label_smoothing=0.0)
    return Function(Local(categorical, [reduced], from_logits=False, reduction=p["reduction"]))


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "keras.ops.categorical_crossentropy", label_smoothing=0.0)
    return Function(Local(categorical, [reduced], from_logits=True, reduction=p["reduction"]))


def categorical(target: Any, prediction: Any, from_logits: bool, reduction: str) -> Any:
    return reduced(keras.ops.categorical_crossentropy(target, prediction, from_logits=from_logits), reduction)


@spellings
def sparse_categorical_crossentropy(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(sparse, [reduced], from_logits=False, reduction=p["reduction"]))


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "keras.ops.sparse_categorical_crossentropy", ignore_index=-100)
    return Function(Local(sparse, [reduced], from_logits=True, reduction=p["reduction"]))


def sparse(target: Any, prediction: Any, from_logits: bool, reduction: str) -> Any:
    return reduced(keras.ops.sparse_categorical_crossentropy(target, prediction, from_logits=from_logits), reduction)


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
    batch, labels = target.shape
    if prediction_length is None:
        prediction_length = keras.ops.full((batch,), prediction.shape[1], "int32")
    if target_length is None:
        target_length = keras.ops.full((batch,), labels, "int32")
    losses = keras.ops.ctc_loss(target, prediction, target_length, prediction_length, mask_index=blank)
    return reduced(losses, reduction)
