"""How optax spells optimizers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters.jax._spelling import Composed
from conformance.errors import Unsupported
from conformance.spelling import Call, Name, Parameters, Shapes, Spelling, Spellings, default

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")

spellings = Spellings()


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    if p["dampening"]:
        raise Unsupported("optax.sgd has no dampening")
    call = Composed(
        "optax.sgd", _learning_rate(p, "optax.sgd"), momentum=p["momentum"] or None, nesterov=p["nesterov"] or None
    )
    return Spelling(_decayed(call, p), tensors={"velocity": Name("trace")} if p["momentum"] else {})


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    call = Composed(
        "optax.adam", _learning_rate(p, "optax.adam"), b1=p.get("beta_1"), b2=p.get("beta_2"), eps=p.get("epsilon")
    )
    return Spelling(
        _decayed(call, p),
        tensors={"first_moment": Name("mu"), "second_moment": Name("nu")},
        reads={"beta_1": _adam(call, "b1"), "beta_2": _adam(call, "b2"), "epsilon": _adam(call, "eps")},
    )


def _adam(call: Call, name: str) -> Callable[[Any], Any]:
    return lambda _: call.arguments.get(name, default(optax.adam, name))


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
