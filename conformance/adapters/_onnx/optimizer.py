"""How ONNX spells optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from conformance.adapters._onnx._nodes import TRAINING, Graph, node, renewed
from conformance.errors import Unsupported
from conformance.spelling import Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Graph:
    """ONNX has no gradient descent without momentum; a momentum of 0 is one."""
    return _optimizer(
        "Momentum",
        p,
        ("variable", "velocity"),
        shapes,
        alpha=float(p["momentum"]),
        beta=1.0 - p["dampening"],
        mode="nesterov" if p["nesterov"] else "standard",
        norm_coefficient=float(p["weight_decay"]),
        reads={"momentum": "alpha", "weight_decay": "norm_coefficient"},
    )


@spellings
def adagrad(p: Parameters, shapes: Shapes) -> Graph:
    """The accumulator is an input: who wants it to begin with a number fills it."""
    if p.get("initial_accumulator"):
        raise Unsupported(f"{TRAINING}.Adagrad has no initial_accumulator")
    return _optimizer(
        "Adagrad",
        p,
        ("variable", "accumulator"),
        shapes,
        epsilon=p.get("epsilon"),
        decay_factor=p["learning_rate_decay"] or None,
        norm_coefficient=p["weight_decay"] or None,
        reads={"epsilon": "epsilon", "learning_rate_decay": "decay_factor", "weight_decay": "norm_coefficient"},
    )


@spellings
def adam(p: Parameters, shapes: Shapes) -> Graph:
    return _optimizer(
        "Adam",
        p,
        ("variable", "first_moment", "second_moment"),
        shapes,
        alpha=p.get("beta_1"),
        beta=p.get("beta_2"),
        epsilon=p.get("epsilon"),
        norm_coefficient=p["weight_decay"] or None,
        reads={"beta_1": "alpha", "beta_2": "beta", "epsilon": "epsilon", "weight_decay": "norm_coefficient"},
    )


def _optimizer(
    operator: str, p: Parameters, states: Sequence[str], shapes: Shapes, reads: Mapping[str, str], **attributes: Any
) -> Graph:
    if "learning_rate" not in p:
        raise Unsupported(f"{TRAINING}.{operator} takes the learning rate as an input, which has no default")
    variable, *slots = states
    inputs = ["learning_rate", "iterations", variable, "gradient", *slots]
    return Graph(
        training=[node(operator, inputs, [*map(renewed, states)], **attributes, domain=TRAINING)],
        states=states,
        inert={slot: np.zeros(shapes[variable]) for slot in slots},
        reads=reads,
    )
