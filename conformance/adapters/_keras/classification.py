"""How Keras spells losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._keras.loss import REDUCTIONS
from conformance.errors import Unsupported
from conformance.spelling import Call, Converted, Function, Local, Parameters, Shapes, Spelling, Spellings, argument

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings(reader=argument)
REDUCTION = Converted("reduction", REDUCTIONS.get, {theirs: ours for ours, theirs in REDUCTIONS.items()}.get)

spellings.call(
    "binary_crossentropy",
    "keras.losses.BinaryCrossentropy",
    label_smoothing="label_smoothing",
    reduction=REDUCTION,
)
spellings.call(
    "binary_crossentropy_with_logits",
    Call("keras.losses.BinaryCrossentropy", from_logits=True),
    {"pos_weight": 1.0},
    label_smoothing="label_smoothing",
    reduction=REDUCTION,
)
spellings.call(
    "categorical_crossentropy",
    "keras.losses.CategoricalCrossentropy",
    label_smoothing="label_smoothing",
    reduction=REDUCTION,
)
spellings.call("sparse_categorical_crossentropy", "keras.losses.SparseCategoricalCrossentropy", reduction=REDUCTION)
spellings.call(
    "categorical_focal_crossentropy",
    "keras.losses.CategoricalFocalCrossentropy",
    alpha="alpha",
    gamma="gamma",
    from_logits="from_logits",
    reduction=REDUCTION,
)


@spellings
def binary_focal_crossentropy(p: Parameters, shapes: Shapes) -> Spelling:
    """Keras weights by alpha only if it is told to: a case that gives one does."""
    return Spelling(
        Call(
            "keras.losses.BinaryFocalCrossentropy",
            apply_class_balancing=True if p.get("alpha") is not None else None,
            alpha=p.get("alpha"),
            gamma=p.get("gamma"),
            from_logits=p["from_logits"],
            reduction=REDUCTIONS[p["reduction"]],
        ),
        reads={"alpha": argument("alpha"), "gamma": argument("gamma")},
    )


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Spelling:
    options: dict[str, Any] = {
        "from_logits": True,
        "label_smoothing": p["label_smoothing"] or None,
        "reduction": REDUCTIONS[p["reduction"]],
    }
    if "class_weight" in shapes:
        return Function(Local(weighted_crossentropy, **options))
    return Spelling(Call("keras.losses.CategoricalCrossentropy", **options))


def weighted_crossentropy(target: Any, prediction: Any, class_weight: Any, **options: Any) -> Any:
    """What ``fit`` makes of class weights: a weight of each sample."""
    weight = keras.ops.take(class_weight, keras.ops.argmax(target, axis=-1))
    return keras.losses.CategoricalCrossentropy(**options)(target, prediction, sample_weight=weight)


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Spelling:
    options: dict[str, Any] = {
        "from_logits": True,
        "ignore_class": p["ignore_index"] if p["ignore_index"] != -100 else None,
        "reduction": REDUCTIONS[p["reduction"]],
    }
    if "class_weight" in shapes:
        return Function(Local(weighted_sparse_crossentropy, **options))
    return Spelling(Call("keras.losses.SparseCategoricalCrossentropy", **options))


def weighted_sparse_crossentropy(target: Any, prediction: Any, class_weight: Any, **options: Any) -> Any:
    """What ``fit`` makes of class weights: a weight of each sample."""
    weight = keras.ops.take(class_weight, target)
    return keras.losses.SparseCategoricalCrossentropy(**options)(target, prediction, sample_weight=weight)


def _overlapping(p: Parameters, name: str, **options: Any) -> Spelling:
    if p.get("epsilon") not in (None, 1e-7):
        raise Unsupported(f"{name} has no epsilon of its own: it is keras.config.epsilon()")
    axis = p["axis"] if isinstance(p["axis"], int) else tuple(p["axis"])
    call = Call(name, axis=axis, reduction=REDUCTIONS[p["reduction"]], **options)
    reads = {each: argument(each) for each in options}
    return Spelling(call, reads={**reads, "epsilon": lambda call: keras.config.epsilon()})


@spellings
def dice(p: Parameters, shapes: Shapes) -> Spelling:
    return _overlapping(p, "keras.losses.Dice")


@spellings
def tversky(p: Parameters, shapes: Shapes) -> Spelling:
    return _overlapping(p, "keras.losses.Tversky", alpha=p.get("alpha"), beta=p.get("beta"))


@spellings
def ctc(p: Parameters, shapes: Shapes) -> Spelling:
    if p["blank"]:
        raise Unsupported("keras.losses.CTC has no blank other than 0")
    for name in ("prediction_length", "target_length"):
        if name in shapes:
            raise Unsupported(f"keras.losses.CTC has no {name}")
    return Spelling(Call("keras.losses.CTC", reduction=REDUCTIONS[p["reduction"]]))
