"""How optax clips gradients: as a transformation of a tree of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def clip_norm(*gradients: Any, max_norm: float) -> Any:
    transformation = optax.clip_by_global_norm(max_norm)
    clipped, _ = transformation.update(gradients, transformation.init(gradients))
    return clipped if len(clipped) > 1 else clipped[0]


def clip_value(x: Any, max_delta: float) -> Any:
    transformation = optax.clip(max_delta)
    clipped, _ = transformation.update(x, transformation.init(x))
    return clipped


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def clip_by_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, max_norm=p["clip_norm"]))


@spellings
def clip_by_global_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_norm, max_norm=p["clip_norm"]))


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(clip_value, max_delta=p["clip_value"]))
