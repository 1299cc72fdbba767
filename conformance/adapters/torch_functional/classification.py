"""How PyTorch's functions spell losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch import argument
from conformance.adapters._torch.geometry import class_second
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Layout, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings(make=Function, reader=argument)

spellings.call(
    "binary_crossentropy",
    "torch.nn.functional.binary_cross_entropy",
    {"label_smoothing": 0.0},
    reduction="reduction",
)


@spellings
def binary_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    if p["label_smoothing"]:
        raise Unsupported("torch.nn.functional.binary_cross_entropy_with_logits has no label_smoothing")
    if p["pos_weight"] == 1:
        return Function(Call("torch.nn.functional.binary_cross_entropy_with_logits", reduction=p["reduction"]))
    return Function(Local(positive_weighted, pos_weight=p["pos_weight"], reduction=p["reduction"]))


def positive_weighted(prediction: Any, target: Any, pos_weight: float, reduction: str) -> Any:
    return torch.nn.functional.binary_cross_entropy_with_logits(
        prediction, target, pos_weight=torch.tensor(pos_weight), reduction=reduction
    )


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    second = class_second(shapes)
    layouts = {"prediction": second, "target": second}
    return Function(cross_entropy(p, shapes, "label_smoothing"), layouts=layouts)


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Function:
    return Function(cross_entropy(p, shapes, "ignore_index"), layouts={"prediction": class_second(shapes)})


def cross_entropy(p: Parameters, shapes: Shapes, option: str) -> Call:
    options = {option: p[option], "reduction": p["reduction"]}
    if "class_weight" in shapes:
        return Local(weighted_cross_entropy, **options)
    return Call("torch.nn.functional.cross_entropy", **options)


def weighted_cross_entropy(prediction: Any, target: Any, class_weight: Any, **options: Any) -> Any:
    return torch.nn.functional.cross_entropy(prediction, target, weight=class_weight, **options)


@spellings
def negative_log_likelihood(p: Parameters, shapes: Shapes) -> Function:
    options = {"ignore_index": p["ignore_index"], "reduction": p["reduction"]}
    weighted = "class_weight" in shapes
    call = Local(weighted_likelihood, **options) if weighted else Call("torch.nn.functional.nll_loss", **options)
    return Function(call, layouts={"prediction": class_second(shapes)})


def weighted_likelihood(prediction: Any, target: Any, class_weight: Any, **options: Any) -> Any:
    return torch.nn.functional.nll_loss(prediction, target, weight=class_weight, **options)


@spellings
def ctc(p: Parameters, shapes: Shapes) -> Function:
    call = Local(connectionist, blank=p["blank"], reduction=p["reduction"])
    return Function(call, layouts={"prediction": Layout.of("btc->tbc")})


def connectionist(
    prediction: Any,
    target: Any,
    prediction_length: Any = None,
    target_length: Any = None,
    blank: int = 0,
    reduction: str = "mean",
) -> Any:
    batch, labels = target.shape
    if prediction_length is None:
        prediction_length = torch.full((batch,), len(prediction))
    if target_length is None:
        target_length = torch.full((batch,), labels)
    logarithms = torch.nn.functional.log_softmax(prediction, -1)
    return torch.nn.functional.ctc_loss(
        logarithms, target, prediction_length, target_length, blank=blank, reduction=reduction
    )
