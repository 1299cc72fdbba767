"""How PyTorch's functions clip gradients: by a norm that the caller takes, and one tensor after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters.torch.clipping import with_gradients
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def clip_norm(*gradients: Any, max_norm: float) -> Any:
    parameters = with_gradients(*gradients)
    norm = torch.nn.utils.get_total_norm(gradients, foreach=False)
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm, foreach=False)
    clipped = tuple(each.grad for each in parameters)
    return clipped if len(clipped) > 1 else clipped[0]


def clip_value(x: Any, limit: float) -> Any:
    return torch.clamp(x, -limit, limit)


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def clip_by_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, [with_gradients], max_norm=p["clip_norm"]))


@spellings
def clip_by_global_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, [with_gradients], max_norm=p["clip_norm"]))


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_value, limit=p["clip_value"]))
