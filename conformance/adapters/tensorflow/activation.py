"""How TensorFlow spells activations."""

from __future__ import annotations

from conformance.spelling import Call, Converted, Function, Spellings, argument

spellings = Spellings(make=Function, reader=argument)


def _named(tanh: bool) -> str:
    return "tanh" if tanh else "none"


spellings.call("relu", "tensorflow.nn.relu")
spellings.call("gelu", "tensorflow.nn.gelu", approximate=Converted("approximate", "tanh".__eq__, _named))
spellings.call("softmax", "tensorflow.nn.softmax", axis="axis")
spellings.call("selu", "tensorflow.nn.selu")
spellings.call("silu", "tensorflow.nn.silu")
spellings.call("sigmoid", "tensorflow.nn.sigmoid")
spellings.call("tanh", "tensorflow.nn.tanh")
spellings.call("log_sigmoid", "tensorflow.math.log_sigmoid")
spellings.call("softsign", "tensorflow.nn.softsign")
spellings.call("relu6", "tensorflow.nn.relu6")
spellings.call("hard_tanh", Call("tensorflow.clip_by_value", clip_value_min=-1.0, clip_value_max=1.0))
spellings.call("leaky_relu", "tensorflow.nn.leaky_relu", alpha="negative_slope")
spellings.call("elu", "tensorflow.nn.elu", {"alpha": 1.0})
spellings.call("softplus", "tensorflow.nn.softplus", {"beta": 1.0})
spellings.call("log_softmax", "tensorflow.nn.log_softmax", axis="axis")
spellings.call("logsumexp", "tensorflow.math.reduce_logsumexp", axis="axis")
