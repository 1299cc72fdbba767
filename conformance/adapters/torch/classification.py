"""How PyTorch's modules spell losses of classes, and of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch.geometry import class_second
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Layout, Local, Parameters, Shapes, Spelling, Spellings

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()

spellings.call("binary_crossentropy", "torch.nn.BCELoss", {"label_smoothing": 0.0}, reduction="reduction")


@spellings
def binary_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Spelling:
    if p["label_smoothing"]:
        raise Unsupported("torch.nn.BCEWithLogitsLoss has no label_smoothing")
    if p["pos_weight"] == 1:
        return Spelling(Call("torch.nn.BCEWithLogitsLoss", reduction=p["reduction"]))
    return Spelling(Local(positive_weighted, pos_weight=p["pos_weight"], reduction=p["reduction"]))


def positive_weighted(pos_weight: float, reduction: str) -> Any:
    return torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight), reduction=reduction)


@spellings
def categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Spelling:
    options = {"label_smoothing": p["label_smoothing"], "reduction": p["reduction"]}
    second = class_second(shapes)
    layouts = {"prediction": second, "target": second}
    if "class_weight" in shapes:
        return Function(Local(weighted_cross_entropy, **options), layouts=layouts)
    return Spelling(Call("torch.nn.CrossEntropyLoss", **options), layouts=layouts)


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Spelling:
    options = {"ignore_index": p["ignore_index"], "reduction": p["reduction"]}
    layouts = {"prediction": class_second(shapes)}
    if "class_weight" in shapes:
        return Function(Local(weighted_cross_entropy, **options), layouts=layouts)
    return Spelling(Call("torch.nn.CrossEntropyLoss", **options), layouts=layouts)


def weighted_cross_entropy(prediction: Any, target: Any, class_weight: Any, **options: Any) -> Any:
    return torch.nn.CrossEntropyLoss(weight=class_weight, **options)(prediction, target)


@spellings
def negative_log_likelihood(p: Parameters, shapes: Shapes) -> Spelling:
    options = {"ignore_index": p["ignore_index"], "reduction": p["reduction"]}
    layouts = {"prediction": class_second(shapes)}
    if "class_weight" in shapes:
        return Function(Local(weighted_likelihood, **options), layouts=layouts)
    return Spelling(Call("torch.nn.NLLLoss", **options), layouts=layouts)


def weighted_likelihood(prediction: Any, target: Any, class_weight: Any, **options: Any) -> Any:
    return torch.nn.NLLLoss(weight=class_weight, **options)(prediction, target)


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
    loss = torch.nn.CTCLoss(blank=blank, reduction=reduction)
    return loss(torch.log_softmax(prediction, -1), target, prediction_length, target_length)
