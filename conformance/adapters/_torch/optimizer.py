"""How torch.optim spells optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Array, Call, Layout, Name, Parameters, Shapes, Spelling, Spellings, per_step

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

FUSED = ("SGD", "Adagrad", "Adam", "AdamW")
"""The optimizers that have a fused kernel; the others are then asked for ``foreach``."""

RATE = {"learning_rate": "lr"}
BETAS = {**RATE, "beta_1": "betas", "beta_2": "betas", "epsilon": "eps"}
MOMENTS = {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"}
STEP = {"step": 0.0}


def optimizers(**form: bool) -> Spellings:
    """The optimizers; PyTorch has each in three forms, a loop, ``foreach`` and ``fused``, and the loop by default."""
    spellings = Spellings()

    def made(
        name: str,
        p: Parameters,
        slots: Mapping[str, str],
        own: Mapping[str, str],
        beside: Mapping[str, float] = STEP,
        **arguments: Any,
    ) -> Spelling:
        """``own`` are the parameters that have defaults of PyTorch's own, ``beside`` is what begins with the slots."""
        given = {theirs: per_step(p.get(ours), 1) for ours, theirs in own.items() if theirs != "betas"}
        if "beta_1" in p or "beta_2" in p:
            given["betas"] = (p.get("beta_1", 0.9), p.get("beta_2", 0.999))
        given["weight_decay"] = p.get("weight_decay")
        chosen = {"foreach": True} if "fused" in form and name not in FUSED else form
        return Spelling(
            Call(f"torch.optim.{name}", **given, **arguments, **chosen),
            tensors={ours: Name(theirs) for ours, theirs in slots.items()},
            reads={ours: _held(ours, theirs) for ours, theirs in own.items()},
            fixed=beside,
        )

    @spellings
    def sgd(p: Parameters, shapes: Shapes) -> Spelling:
        options = {name: p[name] for name in ("momentum", "nesterov", "dampening")}
        return made("SGD", p, {"velocity": "momentum_buffer"}, RATE, {}, **options)

    @spellings
    def rmsprop(p: Parameters, shapes: Shapes) -> Spelling:
        if p.get("initial_accumulator"):
            raise Unsupported("torch.optim.RMSprop has no initial_accumulator other than 0.0")
        slots = {"second_moment": "square_avg", "first_moment": "grad_avg", "velocity": "momentum_buffer"}
        own = {**RATE, "rho": "alpha", "epsilon": "eps"}
        return made("RMSprop", p, slots, own, momentum=p["momentum"], centered=p["centered"])

    @spellings
    def adagrad(p: Parameters, shapes: Shapes) -> Spelling:
        own = {**RATE, "epsilon": "eps", "initial_accumulator": "initial_accumulator_value"}
        return made("Adagrad", p, {"accumulator": "sum"}, own, lr_decay=p["learning_rate_decay"])

    @spellings
    def adadelta(p: Parameters, shapes: Shapes) -> Spelling:
        slots = {"squared_gradient": "square_avg", "squared_step": "acc_delta"}
        return made("Adadelta", p, slots, {**RATE, "rho": "rho", "epsilon": "eps"})

    @spellings
    def adam(p: Parameters, shapes: Shapes) -> Spelling:
        return made("Adam", p, MOMENTS, BETAS)

    @spellings
    def adamw(p: Parameters, shapes: Shapes) -> Spelling:
        return made("AdamW", p, MOMENTS, {**BETAS, "weight_decay": "weight_decay"})

    @spellings
    def amsgrad(p: Parameters, shapes: Shapes) -> Spelling:
        return made("Adam", p, {**MOMENTS, "maximum": "max_exp_avg_sq"}, BETAS, amsgrad=True)

    @spellings
    def adamax(p: Parameters, shapes: Shapes) -> Spelling:
        return made("Adamax", p, {"first_moment": "exp_avg", "norm": "exp_inf"}, BETAS)

    @spellings
    def nadam(p: Parameters, shapes: Shapes) -> Spelling:
        beside = {**STEP, "mu_product": 1.0}
        return made("NAdam", p, MOMENTS, BETAS, beside, momentum_decay=p["momentum_decay"])

    @spellings
    def radam(p: Parameters, shapes: Shapes) -> Spelling:
        return made("RAdam", p, MOMENTS, BETAS)

    def factored(p: Parameters, slots: Mapping[str, Name]) -> Spelling:
        if p.get("relative_step") is False:
            raise Unsupported("torch.optim.Adafactor always takes a relative step")
        made_of = {**RATE, "beta_2_decay": "beta2_decay", "clip_threshold": "d"}
        both = None
        if "epsilon_1" in p or "epsilon_2" in p:
            both = (p.get("epsilon_1"), p.get("epsilon_2", 0.001))
        chosen = made("Adafactor", p, {}, made_of, eps=both)
        reads = {
            "epsilon_1": _first_epsilon,
            "epsilon_2": lambda optimizer: optimizer.defaults["eps"][1],
            "relative_step": lambda _: True,
        }
        return replace(chosen, tensors=slots, reads={**chosen.reads, **reads})

    @spellings
    def adafactor(p: Parameters, shapes: Shapes) -> Spelling:
        return factored(p, {"row_moment": Name("row_var", Kept(axis=1)), "column_moment": Name("col_var", Kept())})

    @spellings
    def adafactor_vector(p: Parameters, shapes: Shapes) -> Spelling:
        return factored(p, {"second_moment": Name("variance")})

    @spellings
    def muon(p: Parameters, shapes: Shapes) -> Spelling:
        if p.get("scale") == "none":
            raise Unsupported("torch.optim.Muon always scales the step by the shape")
        own = {**RATE, "momentum": "momentum", "epsilon": "eps", "weight_decay": "weight_decay"}
        given = {theirs: per_step(p.get(ours), 1) for ours, theirs in own.items()}
        odd = ("linear", "cubic", "quintic")
        scale = {"width": "original", "rms": "match_rms_adamw"}.get(p.get("scale", ""))
        call = Call(
            "torch.optim.Muon",
            **given,
            nesterov=p["nesterov"],
            ns_coefficients=tuple(p.get(each, MUON[each]) for each in odd) if p.keys() & set(odd) else None,
            ns_steps=p["steps"],
            adjust_lr_fn=scale,
        )
        reads = {ours: _held(ours, theirs) for ours, theirs in own.items()}
        reads |= {each: _coefficient(number) for number, each in enumerate(odd)}
        reads["scale"] = lambda optimizer: "rms" if optimizer.defaults["adjust_lr_fn"] == "match_rms_adamw" else "width"
        return Spelling(call, tensors={"moment": Name("momentum_buffer")}, reads=reads)

    return spellings


MUON = {"linear": 3.4445, "cubic": -4.775, "quintic": 2.0315}
"""The coefficients, of which PyTorch takes all or none."""


@dataclass(frozen=True)
class Kept(Layout):
    """The layout of a mean that keeps the axis it is over."""

    axis: int = 0

    def theirs(self, ours: Array) -> Array:
        return np.expand_dims(ours, self.axis)

    def ours(self, theirs: Array) -> Array:
        return np.squeeze(theirs, self.axis)


def _first_epsilon(optimizer: Any) -> float:
    """Where none is given, what the format of the variable cannot tell from 0 beside 1."""
    (given, _), variable = optimizer.defaults["eps"], optimizer.param_groups[0]["params"][0]
    return float(torch.finfo(variable.dtype).eps if given is None else given)


def _coefficient(number: int) -> Callable[[Any], Any]:
    return lambda optimizer: optimizer.defaults["ns_coefficients"][number]


def _held(ours: str, theirs: str) -> Callable[[Any], Any]:
    """Reads a parameter off an optimizer; both betas are one pair."""
    if theirs == "betas":
        return lambda optimizer: optimizer.defaults["betas"][("beta_1", "beta_2").index(ours)]
    return lambda optimizer: optimizer.defaults[theirs]
