"""How optax spells losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import jax
    import optax
else:
    jax, optax = lazy("jax"), lazy("optax")

spellings = Spellings()


def reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _refuse(p: Parameters, shapes: Shapes, name: str, *known: str, **implied: Any) -> None:
    refuse_others(p, name, {"reduction", *known}, implied)
    if "class_weight" in shapes:
        raise Unsupported(f"{name} has no class weights")


@spellings
def binary_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "optax.sigmoid_binary_cross_entropy", label_smoothing=0.0, pos_weight=1.0)
    return Function(Local(sigmoid_cross_entropy, [reduced], reduction=p["reduction"]))


def sigmoid_cross_entropy(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.sigmoid_binary_cross_entropy(prediction, target), reduction)


@spellings
def binary_focal_crossentropy(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "optax.sigmoid_focal_loss", "alpha", "gamma", from_logits=True)
    options = {name: p[name] for name in ("alpha", "gamma") if p.get(name) is not None}
    call = Local(focal, [reduced], reduction=p["reduction"], **options)
    return Function(call, reads={"gamma": lambda call: call.arguments.get("gamma", 2.0)})


def focal(prediction: Any, target: Any, reduction: str, **options: Any) -> Any:
    return reduced(optax.sigmoid_focal_loss(prediction, target, **options), reduction)


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "optax.softmax_cross_entropy", "label_smoothing")
    smoothing = {"label_smoothing": p["label_smoothing"]} if p["label_smoothing"] else {}
    call = smoothed_cross_entropy if smoothing else softmax_cross_entropy
    return Function(Local(call, [reduced], reduction=p["reduction"], **smoothing))


def softmax_cross_entropy(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.softmax_cross_entropy(prediction, target), reduction)


def smoothed_cross_entropy(prediction: Any, target: Any, label_smoothing: float, reduction: str) -> Any:
    return reduced(optax.softmax_cross_entropy(prediction, optax.smooth_labels(target, label_smoothing)), reduction)


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    _refuse(p, shapes, "optax.softmax_cross_entropy_with_integer_labels", ignore_index=-100)
    return Function(Local(integer_cross_entropy, [reduced], reduction=p["reduction"]))


def integer_cross_entropy(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.softmax_cross_entropy_with_integer_labels(prediction, target), reduction)


@spellings
def ctc(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(connectionist, [reduced, padding], blank=p["blank"], reduction=p["reduction"]))


def padding(length: Any, size: int, batch: int) -> Any:
    """1 behind the length of each sequence, else 0."""
    if length is None:
        return jax.numpy.zeros((batch, size))
    return (jax.numpy.arange(size) >= length[:, None]).astype(float)


def connectionist(
    prediction: Any,
    target: Any,
    prediction_length: Any = None,
    target_length: Any = None,
    blank: int = 0,
    reduction: str = "mean",
) -> Any:
    """optax.ctc_loss answers in JAX's default format, whatever that of the logits."""
    batch, labels = target.shape
    times = padding(prediction_length, prediction.shape[1], batch)
    losses = optax.ctc_loss(prediction, times, target, padding(target_length, labels, batch), blank_id=blank)
    return reduced(losses.astype(prediction.dtype), reduction)
