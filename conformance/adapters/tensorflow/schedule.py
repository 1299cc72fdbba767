"""How TensorFlow spells schedules: those of tf.compat.v1.train, which TensorFlow 2 has left to Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def value(rate: Any) -> Any:
    """What a schedule gives: eagerly, a function that gives it."""
    return rate() if callable(rate) else rate


def piecewise_constant(iteration: Any, initial_learning_rate: Any, boundaries: list[int], decay_rate: float) -> Any:
    """This schedule takes one count of steps, the others take many."""
    values = [initial_learning_rate * decay_rate**passed for passed in range(len(boundaries) + 1)]
    steps = tf.unstack(tf.reshape(iteration, [-1]))
    rates = [value(tf.compat.v1.train.piecewise_constant_decay(step, boundaries, values)) for step in steps]
    return tf.reshape(tf.stack(rates), iteration.shape)


def exponential(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return value(tf.compat.v1.train.exponential_decay(initial_learning_rate, iteration, **options))


def inverse_time(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return value(tf.compat.v1.train.inverse_time_decay(initial_learning_rate, iteration, **options))


def cosine(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    """Its pi is in float32, with which it takes no rate in float64."""
    rate = tf.cast(initial_learning_rate, tf.float32)
    return value(tf.compat.v1.train.cosine_decay(rate, iteration, **options))


def polynomial(iteration: Any, initial_learning_rate: Any, **options: Any) -> Any:
    return value(tf.compat.v1.train.polynomial_decay(initial_learning_rate, iteration, **options))


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def piecewise_constant_decay(p: Parameters, shapes: Shapes) -> Function:
    boundaries = [p["boundaries"]] if isinstance(p["boundaries"], int) else list(p["boundaries"])
    return Function(Local(piecewise_constant, [value], boundaries=boundaries, decay_rate=p["decay_rate"]))


@spellings
def exponential_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(exponential, [value], **p))


@spellings
def inverse_time_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(inverse_time, [value], **p))


@spellings
def cosine_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(cosine, [value], **p))


@spellings
def polynomial_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(polynomial, [value], **p), reads={"end_learning_rate": lambda _: 0.0001})
