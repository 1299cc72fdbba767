"""How JAX and flax spell activations."""

from __future__ import annotations

from conformance.spelling import Converted, Function, Spellings, argument

spellings = Spellings(make=Function, reader=argument)


def _named(tanh: bool) -> str:
    return "tanh" if tanh else "none"


spellings.call("relu", "jax.nn.relu")
spellings.call("gelu", "jax.nn.gelu", approximate=Converted("approximate", "tanh".__eq__, _named))
spellings.call("softmax", "jax.nn.softmax", axis="axis")
