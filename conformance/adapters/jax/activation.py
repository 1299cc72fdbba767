"""How JAX and flax spell activations."""

from __future__ import annotations

from conformance.spelling import Converted, Function, Spellings, argument

spellings = Spellings(make=Function, reader=argument)


def _named(tanh: bool) -> str:
    return "tanh" if tanh else "none"


spellings.call("relu", "jax.nn.relu")
spellings.call("gelu", "jax.nn.gelu", approximate=Converted("approximate", "tanh".__eq__, _named))
spellings.call("softmax", "jax.nn.softmax", axis="axis")
spellings.call("selu", "jax.nn.selu")
spellings.call("silu", "jax.nn.silu")
spellings.call("sigmoid", "jax.nn.sigmoid")
spellings.call("tanh", "jax.nn.tanh")
spellings.call("log_sigmoid", "jax.nn.log_sigmoid")
spellings.call("softsign", "jax.nn.soft_sign")
spellings.call("mish", "jax.nn.mish")
spellings.call("relu6", "jax.nn.relu6")
spellings.call("hard_tanh", "jax.nn.hard_tanh")
spellings.call("hard_sigmoid", "jax.nn.hard_sigmoid")
spellings.call("hard_swish", "jax.nn.hard_swish")
spellings.call("leaky_relu", "jax.nn.leaky_relu", negative_slope="negative_slope")
spellings.call("elu", "jax.nn.elu", alpha="alpha")
spellings.call("celu", "jax.nn.celu", alpha="alpha")
spellings.call("softplus", "jax.nn.softplus", {"beta": 1.0})
spellings.call("squareplus", "jax.nn.squareplus", b="b")
spellings.call("log_softmax", "jax.nn.log_softmax", axis="axis")
spellings.call("logsumexp", "jax.nn.logsumexp", axis="axis")
spellings.call("glu", "jax.nn.glu", axis="axis")
