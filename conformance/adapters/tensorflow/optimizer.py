"""How TensorFlow spells optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conformance.errors import Unsupported
from conformance.spelling import Call, Name, Parameters, Shapes, Spelling, Spellings, argument, refuse_others

spellings = Spellings()

TRAIN = "tensorflow.compat.v1.train"
BETAS = {"learning_rate": "learning_rate", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "epsilon"}


def _optimizer(
    name: str,
    p: Parameters,
    slots: Mapping[str, str],
    own: Mapping[str, str],
    implied: Parameters | None = None,
    **arguments: Any,
) -> Spelling:
    """``own`` are the parameters that have defaults of TensorFlow's own; the learning rate is passed when it is made.

    Of the other parameters ``implied`` are those that it lacks, with the value that it always has.
    """
    if "learning_rate" not in {**p, **own}:
        raise Unsupported(f"tf.compat.v1.train.{name} has no default learning rate")
    lacking = {"weight_decay": 0.0, **(implied or {})}
    refuse_others(p, f"tf.compat.v1.train.{name}", p.keys() - lacking.keys(), lacking)
    given = {theirs: p.get(ours) for ours, theirs in own.items() if ours != "learning_rate"}
    reads = {ours: argument(theirs) for ours, theirs in own.items()}
    return Spelling(
        Call(f"{TRAIN}.{name}", **given, **arguments),
        tensors={ours: Name(theirs) for ours, theirs in slots.items()},
        reads={**reads, **{ours: _always(value) for ours, value in (implied or {}).items()}},
    )


def _always(value: Any) -> Any:
    return lambda _: value


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    if not p["momentum"]:
        return _optimizer("GradientDescentOptimizer", p, {}, {}, {"dampening": 0.0})
    options = {"momentum": p["momentum"], "use_nesterov": p["nesterov"]}
    return _optimizer("MomentumOptimizer", p, {"velocity": "momentum"}, {}, {"dampening": 0.0}, **options)


@spellings
def rmsprop(p: Parameters, shapes: Shapes) -> Spelling:
    slots = {"second_moment": "rms", "velocity": "momentum"} | ({"first_moment": "mg"} if p["centered"] else {})
    options = {"momentum": p["momentum"], "centered": p["centered"]}
    own = {"rho": "decay", "epsilon": "epsilon"}
    return _optimizer("RMSPropOptimizer", p, slots, own, {"initial_accumulator": 1.0}, **options)


@spellings
def adagrad(p: Parameters, shapes: Shapes) -> Spelling:
    if p.get("initial_accumulator") == 0:
        raise Unsupported("tf.compat.v1.train.AdagradOptimizer refuses an initial accumulator of 0")
    own = {"initial_accumulator": "initial_accumulator_value"}
    implied = {"epsilon": 0.0, "learning_rate_decay": 0.0}
    return _optimizer("AdagradOptimizer", p, {"accumulator": "accumulator"}, own, implied)


@spellings
def adadelta(p: Parameters, shapes: Shapes) -> Spelling:
    slots = {"squared_gradient": "accum", "squared_step": "accum_update"}
    own = {"learning_rate": "learning_rate", "rho": "rho", "epsilon": "epsilon"}
    return _optimizer("AdadeltaOptimizer", p, slots, own)


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("AdamOptimizer", p, {"first_moment": "m", "second_moment": "v"}, BETAS)


@spellings
def ftrl(p: Parameters, shapes: Shapes) -> Spelling:
    own = {
        "learning_rate_power": "learning_rate_power",
        "beta": "beta",
        "l1": "l1_regularization_strength",
        "l2": "l2_regularization_strength",
        "initial_accumulator": "initial_accumulator_value",
    }
    made = _optimizer("FtrlOptimizer", p, {"accumulator": "accum", "linear": "linear"}, own)
    return replace(made, reads={**made.reads, "beta": lambda call: call.argument("beta") or 0.0})
