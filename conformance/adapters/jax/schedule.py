"""How optax spells schedules: functions of the count of steps, which is converted to the format of the rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def counted(iteration: Any, initial_learning_rate: Any) -> Any:
    """The count in the format of the rate: with whole numbers of 64 bits, JAX would compute in 64 bits."""
    return iteration.astype(initial_learning_rate.dtype)


def piecewise_constant(iteration: Any, initial_learning_rate: Any, boundaries_and_scales: dict[int, float]) -> Any:
    schedule = optax.piecewise_constant_schedule(initial_learning_rate, boundaries_and_scales)
    return schedule(counted(iteration, initial_learning_rate))


def exponential(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return optax.exponential_decay(initial_learning_rate, **options)(counted(iteration, initial_learning_rate))


def cosine(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return optax.cosine_decay_schedule(initial_learning_rate, **options)(counted(iteration, initial_learning_rate))


def polynomial(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return optax.polynomial_schedule(initial_learning_rate, **options)(counted(iteration, initial_learning_rate))


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def piecewise_constant_decay(p: Parameters, shapes: Shapes) -> Function:
    boundaries = [p["boundaries"]] if isinstance(p["boundaries"], int) else p["boundaries"]
    scales = dict.fromkeys(boundaries, p["decay_rate"])
    return Function(Local(piecewise_constant, [counted], boundaries_and_scales=scales))


@spellings
def exponential_decay(p: Parameters, shapes: Shapes) -> Function:
    options = {name: p[name] for name in ("decay_rate", "staircase")}
    return Function(Local(exponential, [counted], transition_steps=p["decay_steps"], **options))


@spellings
def cosine_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(cosine, [counted], decay_steps=p["decay_steps"], alpha=p["alpha"]))


@spellings
def polynomial_decay(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "optax.polynomial_schedule", p.keys() - {"cycle"}, {"cycle": False})
    if "end_learning_rate" not in p:
        raise Unsupported("optax.polynomial_schedule has no default end_value")
    options = {"end_value": p["end_learning_rate"], "power": p["power"], "transition_steps": p["decay_steps"]}
    return Function(Local(polynomial, [counted], **options))
