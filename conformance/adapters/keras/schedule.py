"""How Keras spells schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, default

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def piecewise_constant(iteration: Any, initial_learning_rate: Any, boundaries: list[int], decay_rate: float) -> Any:
    """On some backends this schedule takes one count of steps only, while the others take many."""
    values = [initial_learning_rate * decay_rate**passed for passed in range(len(boundaries) + 1)]
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)
    rates = [schedule(step) for step in keras.ops.unstack(keras.ops.reshape(iteration, [-1]))]
    return keras.ops.reshape(keras.ops.stack(rates), iteration.shape)


def exponential(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return keras.optimizers.schedules.ExponentialDecay(initial_learning_rate, **options)(iteration)


def inverse_time(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return keras.optimizers.schedules.InverseTimeDecay(initial_learning_rate, **options)(iteration)


def cosine(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return keras.optimizers.schedules.CosineDecay(initial_learning_rate, **options)(iteration)


def polynomial(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return keras.optimizers.schedules.PolynomialDecay(initial_learning_rate, **options)(iteration)


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def piecewise_constant_decay(p: Parameters, shapes: Shapes) -> Function:
    boundaries = [p["boundaries"]] if isinstance(p["boundaries"], int) else list(p["boundaries"])
    return Function(Local(piecewise_constant, boundaries=boundaries, decay_rate=p["decay_rate"]))


@spellings
def exponential_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(exponential, **p))


@spellings
def inverse_time_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(inverse_time, **p))


@spellings
def cosine_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(cosine, **p))


@spellings
def polynomial_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(polynomial, **p), reads={"end_learning_rate": _end})


def _end(call: Any) -> Any:
    given = call.arguments.get("end_learning_rate")
    return default(keras.optimizers.schedules.PolynomialDecay, "end_learning_rate") if given is None else given
