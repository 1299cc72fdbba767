"""How ONNX spells activations."""

from __future__ import annotations

import numpy as np

from conformance.adapters._onnx._nodes import Graph, Nodes, node
from conformance.spelling import Parameters, Shapes

spellings = Nodes()

spellings.node("relu", "Relu")
spellings.node("gelu", "Gelu", approximate="approximate")
spellings.node("softmax", "Softmax", axis="axis")
spellings.node("selu", "Selu")
spellings.node("sigmoid", "Sigmoid")
spellings.node("tanh", "Tanh")
spellings.node("softsign", "Softsign")
spellings.node("mish", "Mish")
spellings.node("hard_sigmoid", "HardSigmoid")
spellings.node("hard_swish", "HardSwish")
spellings.node("leaky_relu", "LeakyRelu", alpha="negative_slope")
spellings.node("elu", "Elu", alpha="alpha")
spellings.node("celu", "Celu", alpha="alpha")
spellings.node("softplus", "Softplus", {"beta": 1.0})
spellings.node("soft_shrink", "Shrink", lambd="threshold", bias="threshold")
spellings.node("hard_shrink", "Shrink", lambd="threshold")
spellings.node("threshold", "ThresholdedRelu", {"value": 0.0}, alpha="threshold")
spellings.node("log_softmax", "LogSoftmax", axis="axis")
spellings.node("prelu", "PRelu", inputs=("x", "alpha"))


@spellings
def silu(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Sigmoid", ["x"], ["share"]), node("Mul", ["x", "share"], ["y"])])


@spellings
def log_sigmoid(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Sigmoid", ["x"], ["share"]), node("Log", ["share"], ["y"])])


@spellings
def tanh_shrink(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Tanh", ["x"], ["tanh"]), node("Sub", ["x", "tanh"], ["y"])])


@spellings
def glu(p: Parameters, shapes: Shapes) -> Graph:
    halves = node("Split", ["x"], ["passed", "gate"], axis=p["axis"], num_outputs=2)
    return Graph([halves, node("Sigmoid", ["gate"], ["share"]), node("Mul", ["passed", "share"], ["y"])])


@spellings
def logsumexp(p: Parameters, shapes: Shapes) -> Graph:
    axes = node("Constant", [], ["axes"], value_ints=[p["axis"]])
    return Graph([axes, node("ReduceLogSumExp", ["x", "axes"], ["y"], keepdims=0)])


@spellings
def relu6(p: Parameters, shapes: Shapes) -> Graph:
    return _clipped(0.0, 6.0)


@spellings
def hard_tanh(p: Parameters, shapes: Shapes) -> Graph:
    return _clipped(-1.0, 1.0)


def _clipped(low: float, high: float) -> Graph:
    return Graph([node("Clip", ["x", "low", "high"], ["y"])], inert={"low": np.array(low), "high": np.array(high)})
