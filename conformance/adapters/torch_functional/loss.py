"""How PyTorch's functions spell losses of a number, a distribution or a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch import argument
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


def _loss(operation: str, name: str, weighted: Any = None, **arguments: str) -> None:
    """A loss with a reduction, and the arguments that take parameters of ours; ``weighted`` takes sample weights."""

    def speller(p: Parameters, shapes: Shapes) -> Function:
        given = {key: p.get(ours) for key, ours in arguments.items()}
        if "sample_weight" in shapes:
            return Function(Local(weighted, [spread], reduction=p["reduction"], **given))
        reads = {ours: argument(key) for key, ours in arguments.items()}
        return Function(Call(name, reduction=p["reduction"], **given), reads=reads)

    spellings[operation] = speller


def spread(sample_weight: Any, prediction: Any) -> Any:
    """A weight for each element, as PyTorch wants them."""
    return sample_weight[..., None].expand_as(prediction)


def weighted_squared_error(prediction: Any, target: Any, sample_weight: Any, reduction: str) -> Any:
    weight = spread(sample_weight, prediction)
    return torch.nn.functional.mse_loss(prediction, target, reduction=reduction, weight=weight)


def weighted_absolute_error(prediction: Any, target: Any, sample_weight: Any, reduction: str) -> Any:
    weight = spread(sample_weight, prediction)
    return torch.nn.functional.l1_loss(prediction, target, reduction=reduction, weight=weight)


def weighted_huber(prediction: Any, target: Any, sample_weight: Any, reduction: str, delta: float) -> Any:
    weight = spread(sample_weight, prediction)
    return torch.nn.functional.huber_loss(prediction, target, reduction=reduction, delta=delta, weight=weight)


_loss("mean_squared_error", "torch.nn.functional.mse_loss", weighted_squared_error)
_loss("mean_absolute_error", "torch.nn.functional.l1_loss", weighted_absolute_error)
_loss("huber", "torch.nn.functional.huber_loss", weighted_huber, delta="delta")
_loss("smooth_l1", "torch.nn.functional.smooth_l1_loss", beta="beta")
_loss("poisson", "torch.nn.functional.poisson_nll_loss", log_input="log_input", full="full", eps="epsilon")
_loss("categorical_hinge", "torch.nn.functional.multi_margin_loss")
_loss("triplet", "torch.nn.functional.triplet_margin_loss", margin="margin", p="degree", swap="swap", eps="epsilon")


@spellings
def gaussian_nll(p: Parameters, shapes: Shapes) -> Function:
    call = Call("torch.nn.functional.gaussian_nll_loss", full=p["full"], eps=p.get("epsilon"), reduction=p["reduction"])
    return Function(call, reads={"epsilon": argument("eps")})


@spellings
def mean_squared_logarithmic_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(logarithmic_error, reduction=p["reduction"]))


def logarithmic_error(prediction: Any, target: Any, reduction: str) -> Any:
    return torch.nn.functional.mse_loss(torch.log1p(prediction), torch.log1p(target), reduction=reduction)


@spellings
def kl_divergence(p: Parameters, shapes: Shapes) -> Function:
    options = {"reduction": "batchmean" if p["reduction"] == "batch" else p["reduction"], "log_target": p["log_target"]}
    logarithms = p.get("log_prediction", True)
    call = (
        Call("torch.nn.functional.kl_div", **options) if logarithms else Local(divergence_of_probabilities, **options)
    )
    return Function(call, reads={"log_prediction": lambda call: logarithms})


def divergence_of_probabilities(prediction: Any, target: Any, **options: Any) -> Any:
    return torch.nn.functional.kl_div(torch.log(prediction), target, **options)


@spellings
def cosine_similarity(p: Parameters, shapes: Shapes) -> Function:
    if len(shapes.get("prediction", (0, 0))) < 2:
        raise Unsupported("one vector alone is no batch")
    return Function(
        Local(cosine_distance, reduction=p["reduction"], eps=p.get("epsilon")),
        reads={
            "epsilon": lambda call: call.arguments.get("eps", Call("torch.nn.CosineSimilarity").argument("eps")),
        },
    )


def cosine_distance(prediction: Any, target: Any, reduction: str, **eps: float) -> Any:
    losses = 1 - torch.nn.functional.cosine_similarity(prediction, target, dim=-1, **eps)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()
