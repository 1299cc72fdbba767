"""How optax spells optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from conformance.adapters.jax._spelling import Composed
from conformance.errors import Unsupported
from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings, refuse_others

spellings = Spellings()

BETAS = {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps"}
MOMENTS = {"first_moment": "mu", "second_moment": "nu"}


def _optimizer(
    name: str,
    p: Parameters,
    slots: Mapping[str, str],
    own: Mapping[str, str],
    implied: Parameters | None = None,
    **arguments: Any,
) -> Spelling:
    """``own`` are the parameters that have defaults of optax's own; a weight_decay not among them comes before it.

    Of the other parameters ``implied`` are those that it lacks, with the value that it always has.
    """
    refuse_others(p, name, p.keys() - (implied or {}).keys(), implied or {})
    call = Composed(name, _learning_rate(p, name), **{theirs: p.get(ours) for ours, theirs in own.items()}, **arguments)
    return Spelling(
        call if "weight_decay" in own else _decayed(call, p),
        tensors={ours: Name(theirs) for ours, theirs in slots.items()},
        reads={ours: _held(call, theirs) for ours, theirs in own.items()},
    )


def _held(call: Call, name: str) -> Callable[[Any], Any]:
    return lambda _: call.argument(name)


def _learning_rate(p: Parameters, name: str) -> Any:
    """The learning rate, or a schedule of it."""
    if "learning_rate" not in p:
        raise Unsupported(f"{name} has no default learning rate")
    rates = p["learning_rate"]
    if not isinstance(rates, (list, tuple)):
        return rates
    stretches = [(rate, len(list(same))) for rate, same in groupby(rates)]
    ends = [sum(length for _, length in stretches[:number]) for number in range(1, len(stretches))]
    return Composed(
        "optax.join_schedules", [Composed("optax.constant_schedule", rate) for rate, _ in stretches], boundaries=ends
    )


def _decayed(call: Composed, p: Parameters) -> Composed:
    """The optimizer behind a decay of the weights, as optax adds one to an optimizer that has none."""
    if not p["weight_decay"]:
        return call
    return Composed("optax.chain", Composed("optax.add_decayed_weights", p["weight_decay"]), call)


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    slots = {"velocity": "trace"} if p["momentum"] else {}
    options = {name: p[name] or None for name in ("momentum", "nesterov")}
    return _optimizer("optax.sgd", p, slots, {}, {"dampening": 0.0}, **options)


@spellings
def rmsprop(p: Parameters, shapes: Shapes) -> Spelling:
    """What optax collects in its velocity is added to the variable."""
    own = {"rho": "decay", "epsilon": "eps", "initial_accumulator": "initial_scale"}
    slots = {"second_moment": "nu"} | ({"first_moment": "mu"} if p["centered"] else {})
    made = _optimizer("optax.rmsprop", p, slots, own, centered=p["centered"], momentum=p["momentum"] or None)
    velocity = {"velocity": Name("trace", Layout(negated=True))} if p["momentum"] else {}
    return replace(made, tensors={**made.tensors, **velocity})


@spellings
def adagrad(p: Parameters, shapes: Shapes) -> Spelling:
    own = {"epsilon": "eps", "initial_accumulator": "initial_accumulator_value"}
    return _optimizer("optax.adagrad", p, {"accumulator": "sum_of_squares"}, own, {"learning_rate_decay": 0.0})


@spellings
def adadelta(p: Parameters, shapes: Shapes) -> Spelling:
    slots = {"squared_gradient": "e_g", "squared_step": "e_x"}
    own = {"rho": "rho", "epsilon": "eps", "weight_decay": "weight_decay"}
    return _optimizer("optax.adadelta", p, slots, own)


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.adam", p, MOMENTS, BETAS)


@spellings
def adamw(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.adamw", p, MOMENTS, {**BETAS, "weight_decay": "weight_decay"})


@spellings
def amsgrad(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.amsgrad", p, {**MOMENTS, "maximum": "nu_max"}, BETAS)


@spellings
def adamax(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.adamax", p, {"first_moment": "mu", "norm": "nu"}, BETAS)


@spellings
def nadam(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.nadam", p, MOMENTS, BETAS, {"momentum_decay": 0.004})


@spellings
def radam(p: Parameters, shapes: Shapes) -> Spelling:
    return _optimizer("optax.radam", p, MOMENTS, BETAS)


@spellings
def lion(p: Parameters, shapes: Shapes) -> Spelling:
    own = {"beta_1": "b1", "beta_2": "b2", "weight_decay": "weight_decay"}
    return _optimizer("optax.lion", p, {"first_moment": "mu"}, own)


@spellings
def lamb(p: Parameters, shapes: Shapes) -> Spelling:
    own = {**BETAS, "weight_decay": "weight_decay"}
    return _optimizer("optax.lamb", p, MOMENTS, own)


def _factored(p: Parameters, slots: Mapping[str, str]) -> Spelling:
    """Adafactor, which factors a small matrix only if it is told so; without a learning rate it does without one."""
    implied = {"relative_step": False, "epsilon_2": 0.001}
    refuse_others(p, "optax.adafactor", p.keys() - implied.keys(), implied)
    decay = p.get("beta_2_decay")
    call = Composed(
        "optax.adafactor",
        _learning_rate(p, "optax.adafactor") if "learning_rate" in p else None,
        min_dim_size_to_factor=1,
        decay_rate=None if decay is None else -decay,
        clipping_threshold=p.get("clip_threshold"),
        weight_decay_rate=p["weight_decay"] or None,
        eps=p.get("epsilon_1"),
    )
    return Spelling(
        call,
        tensors={ours: Name(theirs) for ours, theirs in slots.items()},
        reads={
            **({} if "learning_rate" in p else {"learning_rate": lambda _: 1.0}),
            "beta_2_decay": lambda _: -call.argument("decay_rate"),
            "epsilon_1": _held(call, "eps"),
            "epsilon_2": lambda _: 0.001,
            "clip_threshold": _held(call, "clipping_threshold"),
            "relative_step": lambda _: False,
        },
    )


@spellings
def adafactor(p: Parameters, shapes: Shapes) -> Spelling:
    """What optax calls rows are means over the longer axis."""
    rows, columns = shapes["variable"]
    names = ("v_row", "v_col") if rows <= columns else ("v_col", "v_row")
    return _factored(p, dict(zip(("row_moment", "column_moment"), names, strict=True)))


@spellings
def adafactor_vector(p: Parameters, shapes: Shapes) -> Spelling:
    return _factored(p, {"second_moment": "v"})


@spellings
def muon(p: Parameters, shapes: Shapes) -> Spelling:
    if p.get("scale") == "none":
        raise Unsupported("optax.contrib.muon always scales the step by the shape")
    odd = ("linear", "cubic", "quintic")
    own = {"momentum": "beta", "epsilon": "eps", "weight_decay": "weight_decay"}
    options = {
        "ns_coeffs": tuple(p.get(each, MUON[each]) for each in odd) if p.keys() & set(odd) else None,
        "ns_steps": p["steps"],
        "nesterov": p["nesterov"],
        "consistent_rms": 0.2 if p.get("scale") == "rms" else None,
    }
    made = _optimizer("optax.contrib.muon", p, {"moment": "mu"}, own, **options)
    reads = {each: _coefficient(made.call, number) for number, each in enumerate(odd)}
    reads["scale"] = lambda _: "width" if made.call.argument("consistent_rms") is None else "rms"
    return replace(made, reads={**made.reads, **reads})


MUON = {"linear": 3.4445, "cubic": -4.775, "quintic": 2.0315}
"""The coefficients, of which optax takes all or none."""


def _coefficient(call: Call, number: int) -> Callable[[Any], Any]:
    return lambda _: call.argument("ns_coeffs")[number]
