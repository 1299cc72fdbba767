"""How PyTorch clips gradients: in place, of parameters that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def with_gradients(*gradients: Any) -> Any:
    """Parameters whose gradients these are."""
    parameters = [torch.nn.Parameter(torch.zeros_like(each)) for each in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return parameters


def clip_norm(*gradients: Any, max_norm: float) -> Any:
    parameters = with_gradients(*gradients)
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clipped = tuple(each.grad for each in parameters)
    return clipped if len(clipped) > 1 else clipped[0]


def clip_value(x: Any, limit: float) -> Any:
    parameters = with_gradients(x)
    torch.nn.utils.clip_grad_value_(parameters, limit)
    return parameters[0].grad


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def clip_by_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, [with_gradients], max_norm=p["clip_norm"]))


@spellings
def clip_by_global_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, [with_gradients], max_norm=p["clip_norm"]))


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_value, [with_gradients], limit=p["clip_value"]))
