"""How Keras spells optimizers."""

from __future__ import annotations

from typing import Any

from conformance.adapters import _functions as functions
from conformance.errors import Unsupported
from conformance.spelling import NOTHING, Call, Converted, Name, Spellings, per_step

spellings = Spellings()


def _first(rates: Any) -> float:
    """Keras refuses the integers 0 and 1 for a learning rate or a momentum."""
    return float(per_step(rates, 1))


def _held(rate: Any) -> float:
    return float(functions.array(rate))


def _or_none(decay: Any) -> float | None:
    return decay or None


def _or_zero(decay: float | None) -> float:
    return decay or 0.0


def _slots(**names: str) -> dict[str, Any]:
    return {"tensors": {ours: Name(theirs) for ours, theirs in names.items()}}


RATE = {"learning_rate": Converted("learning_rate", _first, _held)}
COMMON = {**RATE, "weight_decay": Converted("weight_decay", _or_none, _or_zero)}
MOMENTUM = {"momentum": Converted("momentum", float, float)}
DECAYS = {"beta_1": "beta_1", "beta_2": "beta_2", "epsilon": "epsilon"}
MOMENTS = {"first_moment": "momentum", "second_moment": "velocity"}

spellings.call(
    "sgd",
    "keras.optimizers.SGD",
    {"dampening": 0.0},
    **COMMON,
    **MOMENTUM,
    nesterov="nesterov",
    options=_slots(velocity="momentum"),
)
spellings.call(
    "rmsprop",
    "keras.optimizers.RMSprop",
    {"initial_accumulator": 0.0},
    **COMMON,
    **MOMENTUM,
    rho="rho",
    epsilon="epsilon",
    centered="centered",
    options=_slots(second_moment="velocity", first_moment="average_gradient", velocity="momentum"),
)
spellings.call(
    "adagrad",
    "keras.optimizers.Adagrad",
    {"learning_rate_decay": 0.0},
    **COMMON,
    epsilon="epsilon",
    initial_accumulator_value="initial_accumulator",
    options=_slots(accumulator="accumulator"),
)
spellings.call(
    "adadelta",
    "keras.optimizers.Adadelta",
    **COMMON,
    rho="rho",
    epsilon="epsilon",
    options=_slots(squared_gradient="accumulated_grad", squared_step="accumulated_delta_var"),
)
spellings.call("adam", "keras.optimizers.Adam", **COMMON, **DECAYS, options=_slots(**MOMENTS))
spellings.call(
    "adamw", "keras.optimizers.AdamW", **RATE, **DECAYS, weight_decay="weight_decay", options=_slots(**MOMENTS)
)
spellings.call(
    "amsgrad",
    Call("keras.optimizers.Adam", amsgrad=True),
    **COMMON,
    **DECAYS,
    options=_slots(**MOMENTS, maximum="velocity_hat"),
)
spellings.call(
    "adamax", "keras.optimizers.Adamax", **COMMON, **DECAYS, options=_slots(first_moment="momentum", norm="norm")
)
spellings.call(
    "nadam", "keras.optimizers.Nadam", {"momentum_decay": 0.004}, **COMMON, **DECAYS, options=_slots(**MOMENTS)
)
spellings.call(
    "lion", "keras.optimizers.Lion", **COMMON, beta_1="beta_1", beta_2="beta_2", options=_slots(first_moment="momentum")
)
spellings.call("lamb", "keras.optimizers.Lamb", **COMMON, **DECAYS, options=_slots(**MOMENTS))
FACTORED = {name: name for name in ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")}
spellings.call(
    "adafactor",
    "keras.optimizers.Adafactor",
    **COMMON,
    **FACTORED,
    options=_slots(row_moment="[0]", column_moment="[1]"),
)
spellings.call(
    "adafactor_vector", "keras.optimizers.Adafactor", **COMMON, **FACTORED, options=_slots(second_moment="velocity")
)


def _rate_of(scale: str) -> Any:
    if scale == "width":
        raise Unsupported("keras.optimizers.Muon has no scale by the width, only by the larger side")
    return 0.2 if scale == "rms" else NOTHING


def _scale_of(rate: float | None) -> str:
    return "none" if rate is None else "rms"


spellings.call(
    "muon",
    "keras.optimizers.Muon",
    {"epsilon": 1e-7},
    **RATE,
    **MOMENTUM,
    nesterov="nesterov",
    ns_steps="steps",
    muon_a="linear",
    muon_b="cubic",
    muon_c="quintic",
    rms_rate=Converted("scale", _rate_of, _scale_of),
    weight_decay="weight_decay",
    options=_slots(moment="momentum"),
)
spellings.call(
    "ftrl",
    "keras.optimizers.Ftrl",
    **RATE,
    learning_rate_power="learning_rate_power",
    beta="beta",
    l1_regularization_strength="l1",
    l2_regularization_strength="l2",
    initial_accumulator_value="initial_accumulator",
    options=_slots(accumulator="accumulator", linear="linear"),
)
