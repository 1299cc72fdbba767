"""How PyTorch's modules spell losses of a number, a distribution or a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spelling, Spellings, attribute

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


def _loss(operation: str, name: str, **arguments: str) -> None:
    """A loss with a reduction, and the arguments that take parameters of ours."""

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        if "sample_weight" in shapes:
            raise Unsupported(f"{name} has no weights")
        given = {key: p.get(ours) for key, ours in arguments.items()}
        reads = {ours: attribute(key) for key, ours in arguments.items()}
        return Spelling(Call(name, reduction=p["reduction"], **given), reads=reads)

    spellings[operation] = speller


_loss("mean_squared_error", "torch.nn.MSELoss")
_loss("mean_absolute_error", "torch.nn.L1Loss")
_loss("huber", "torch.nn.HuberLoss", delta="delta")
_loss("smooth_l1", "torch.nn.SmoothL1Loss", beta="beta")
_loss("poisson", "torch.nn.PoissonNLLLoss", log_input="log_input", full="full", eps="epsilon")
_loss("gaussian_nll", "torch.nn.GaussianNLLLoss", full="full", eps="epsilon")
_loss("categorical_hinge", "torch.nn.MultiMarginLoss")
_loss("triplet", "torch.nn.TripletMarginLoss", margin="margin", p="degree", swap="swap", eps="epsilon")


@spellings
def mean_squared_logarithmic_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(logarithmic_error, reduction=p["reduction"]))


def logarithmic_error(prediction: Any, target: Any, reduction: str) -> Any:
    return torch.nn.MSELoss(reduction=reduction)(torch.log1p(prediction), torch.log1p(target))


@spellings
def kl_divergence(p: Parameters, shapes: Shapes) -> Spelling:
    options = {"reduction": "batchmean" if p["reduction"] == "batch" else p["reduction"], "log_target": p["log_target"]}
    if p.get("log_prediction", True):
        return Spelling(Call("torch.nn.KLDivLoss", **options), reads={"log_prediction": lambda loss: True})
    return Function(Local(divergence_of_probabilities, **options), reads={"log_prediction": lambda call: False})


def divergence_of_probabilities(prediction: Any, target: Any, **options: Any) -> Any:
    return torch.nn.KLDivLoss(**options)(torch.log(prediction), target)


@spellings
def cosine_similarity(p: Parameters, shapes: Shapes) -> Function:
    if "epsilon" in p:
        raise Unsupported("torch.nn.CosineEmbeddingLoss has no epsilon")
    call = Local(cosine_embedding, reduction=p["reduction"])
    return Function(call, reads={"epsilon": lambda call: EPSILON})


EPSILON = float(np.float32(1e-12))
"""A constexpr float in PyTorch's source, in which it has no other name."""


def cosine_embedding(prediction: Any, target: Any, reduction: str) -> Any:
    alike = torch.ones(len(prediction), dtype=prediction.dtype)
    return torch.nn.CosineEmbeddingLoss(reduction=reduction)(prediction, target, alike)
