"""How keras.ops spells activations."""

from __future__ import annotations

from conformance.spelling import Converted, Function, Spellings, argument

spellings = Spellings(make=Function, reader=argument)


def _named(tanh: bool) -> str:
    return "tanh" if tanh else "none"


spellings.call("relu", "keras.ops.relu")
spellings.call("gelu", "keras.ops.gelu", approximate=Converted("approximate", "tanh".__eq__, _named))
spellings.call("softmax", "keras.ops.softmax", axis="axis")
spellings.call("selu", "keras.ops.selu")
spellings.call("silu", "keras.ops.silu")
spellings.call("sigmoid", "keras.ops.sigmoid")
spellings.call("tanh", "keras.ops.tanh")
spellings.call("log_sigmoid", "keras.ops.log_sigmoid")
spellings.call("softsign", "keras.ops.softsign")
spellings.call("tanh_shrink", "keras.ops.tanh_shrink")
spellings.call("relu6", "keras.ops.relu6")
spellings.call("hard_tanh", "keras.ops.hard_tanh")
spellings.call("hard_sigmoid", "keras.ops.hard_sigmoid")
spellings.call("hard_swish", "keras.ops.hard_swish")
spellings.call("leaky_relu", "keras.ops.leaky_relu", negative_slope="negative_slope")
spellings.call("elu", "keras.ops.elu", alpha="alpha")
spellings.call("celu", "keras.ops.celu", alpha="alpha")
spellings.call("softplus", "keras.ops.softplus", {"beta": 1.0})
spellings.call("squareplus", "keras.ops.squareplus", b="b")
spellings.call("soft_shrink", "keras.ops.soft_shrink", threshold="threshold")
spellings.call("hard_shrink", "keras.ops.hard_shrink", threshold="threshold")
spellings.call("threshold", "keras.ops.threshold", threshold="threshold", default_value="value")
spellings.call("log_softmax", "keras.ops.log_softmax", axis="axis")
spellings.call("logsumexp", "keras.ops.logsumexp", axis="axis")
spellings.call("sparsemax", "keras.ops.sparsemax", axis="axis")
spellings.call("glu", "keras.ops.glu", axis="axis")
