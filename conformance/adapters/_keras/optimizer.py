"""How Keras spells optimizers."""

from __future__ import annotations

from typing import Any

from conformance.adapters import _functions as functions
from conformance.errors import Unsupported
from conformance.spelling import Call, Name, Parameters, Shapes, Spelling, Spellings, per_step

spellings = Spellings()


def _number(value: Any) -> float | None:
    """Keras refuses the integers 0 and 1 for a learning rate or a momentum."""
    return None if value is None else float(value)


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    if p["dampening"]:
        raise Unsupported("keras.optimizers.SGD has no dampening")
    return Spelling(
        Call(
            "keras.optimizers.SGD",
            learning_rate=_number(per_step(p.get("learning_rate"), 1)),
            momentum=_number(p["momentum"]),
            nesterov=p["nesterov"],
            weight_decay=p["weight_decay"] or None,
        ),
        tensors={"velocity": Name("momentum")},
        reads={"learning_rate": _learning_rate},
    )


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call(
            "keras.optimizers.Adam",
            learning_rate=_number(per_step(p.get("learning_rate"), 1)),
            beta_1=p.get("beta_1"),
            beta_2=p.get("beta_2"),
            epsilon=p.get("epsilon"),
            weight_decay=p["weight_decay"] or None,
        ),
        tensors={"first_moment": Name("momentum"), "second_moment": Name("velocity")},
        reads={
            "learning_rate": _learning_rate,
            "beta_1": lambda optimizer: optimizer.beta_1,
            "beta_2": lambda optimizer: optimizer.beta_2,
            "epsilon": lambda optimizer: optimizer.epsilon,
        },
    )


def _learning_rate(optimizer: Any) -> float:
    return float(functions.array(optimizer.learning_rate))
