"""How TensorFlow spells optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Call, Name, Parameters, Shapes, Spelling, Spellings, default

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    for name in ("dampening", "weight_decay"):
        if p[name]:
            raise Unsupported(f"the optimizers of tf.compat.v1.train have no {name}")
    if "learning_rate" not in p:
        raise Unsupported("tf.compat.v1.train.GradientDescentOptimizer has no default learning rate")
    if not p["momentum"]:
        return Spelling(Call("tensorflow.compat.v1.train.GradientDescentOptimizer"))
    return Spelling(
        Call("tensorflow.compat.v1.train.MomentumOptimizer", momentum=p["momentum"], use_nesterov=p["nesterov"]),
        tensors={"velocity": Name("momentum")},
    )


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    if p["weight_decay"]:
        raise Unsupported("the optimizers of tf.compat.v1.train have no weight_decay")
    call = Call(
        "tensorflow.compat.v1.train.AdamOptimizer",
        beta1=p.get("beta_1"),
        beta2=p.get("beta_2"),
        epsilon=p.get("epsilon"),
    )
    return Spelling(
        call,
        tensors={"first_moment": Name("m"), "second_moment": Name("v")},
        reads={
            "learning_rate": _adam("learning_rate"),
            "beta_1": _adam("beta1"),
            "beta_2": _adam("beta2"),
            "epsilon": _adam("epsilon"),
        },
    )


def _adam(name: str) -> Callable[[Any], Any]:
    return lambda call: call.arguments.get(name, default(tf.compat.v1.train.AdamOptimizer, name))
