"""How ONNX spells each operation: as one node, or the few that an exporter writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import AS_IS, Array, Call, Layout, Parameters, Spellings, lazy
from conformance.errors import Unsupported

if TYPE_CHECKING:
    import onnx
else:
    onnx = lazy("onnx")

Shapes = Mapping[str, tuple[int, ...]]

TRAINING = "ai.onnx.preview.training"
OPSETS = {"": 21, TRAINING: 1}
"""The version of each set of operators: the newest that the oldest supported ONNX and ONNX Runtime both have."""

spellings = Spellings()


# --- what an operation is in ONNX -----------------------------------------------------------------------------------


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Call:
    """The call that makes a node; an attribute that is None is left to the operator's default."""
    return Call("onnx.helper.make_node", operator, list(inputs), list(outputs), **attributes)


@dataclass(frozen=True)
class Graph:
    """An operation as nodes, whose inputs and results bear the canonical names.

    ``training`` are the nodes in training, if there is such a thing: they give each of the ``states`` anew, under the
    name of `renewed`.  ``layout`` is that of the inputs and results, ``layouts`` those of weights; ``inert`` are
    tensors that a node cannot leave out, with values that change nothing; ``reads`` names the attributes of the first
    node that hold canonical parameters.
    """

    nodes: Sequence[Call] = ()
    training: Sequence[Call] = ()
    states: Sequence[str] = ()
    layout: Layout = AS_IS
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    inert: Mapping[str, Array] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)

    def held(self) -> dict[str, Any]:
        """The canonical parameters as the node holds them, or the operator's defaults."""
        made = (*self.nodes, *self.training)[0]()
        schema = onnx.defs.get_schema(made.op_type, OPSETS[made.domain], made.domain)
        given = {each.name: each for each in made.attribute}
        held = {
            name: onnx.helper.get_attribute_value(given.get(attribute, schema.attributes[attribute].default_value))
            for name, attribute in self.reads.items()
        }
        return {name: value.decode() if isinstance(value, bytes) else value for name, value in held.items()}


def renewed(state: str) -> str:
    """The name under which a model gives a state anew."""
    return f"new_{state}"


# --- how ONNX spells each operation ---------------------------------------------------------------------------------


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Graph:
    rank = len(shapes["x"])
    channel = p["axis"] % rank
    states = ("moving_mean", "moving_variance")
    inputs = ["x", "gamma", "beta", *states]
    options = {"epsilon": p.get("epsilon"), "momentum": p.get("momentum")}
    return Graph(
        [node("BatchNormalization", inputs, ["y"], **options)],
        [node("BatchNormalization", inputs, ["y", *map(renewed, states)], **options, training_mode=1)],
        states,
        layout=Layout.moving([channel], 1, rank),
        inert={"gamma": np.ones(shapes["x"][channel]), "beta": np.zeros(shapes["x"][channel])},
        reads={"epsilon": "epsilon", "momentum": "momentum"},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Graph:
    rank = len(shapes["x"])
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    features = sorted(axis % rank for axis in axes)
    inputs = ["x", "gamma", "beta"] if p["center"] else ["x", "gamma"]
    return Graph(
        [node("LayerNormalization", inputs, ["y"], axis=-len(features), epsilon=p.get("epsilon"))],
        layout=Layout.moving(features, rank - len(features), rank),
        inert={"gamma": np.ones([shapes["x"][axis] for axis in features])},
        reads={"epsilon": "epsilon"},
    )


@spellings
def dense(p: Parameters, shapes: Shapes) -> Graph:
    inputs = ["x", "kernel", "bias"] if p["use_bias"] else ["x", "kernel"]
    if len(shapes["x"]) == 2:
        return Graph([node("Gemm", inputs, ["y"])])
    if not p["use_bias"]:
        return Graph([node("MatMul", inputs, ["y"])])
    return Graph([node("MatMul", ["x", "kernel"], ["product"]), node("Add", ["product", "bias"], ["y"])])


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Graph:
    inputs = ["x", "kernel", "bias"] if p["use_bias"] else ["x", "kernel"]
    convolution = node(
        "Conv",
        inputs,
        ["y"],
        auto_pad={"same": "SAME_UPPER", "valid": "VALID"}[p["padding"]],
        strides=_pair(p["strides"]),
        dilations=_pair(p["dilation"]),
        group=p["groups"],
    )
    return Graph([convolution], layout=Layout.of("bhwc->bchw"), layouts={"kernel": Layout.of("hwio->oihw")})


def _pair(one_or_two: Any) -> list[int]:
    return [one_or_two] * 2 if isinstance(one_or_two, int) else [one_or_two[0], one_or_two[-1]]


@spellings
def relu(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Relu", ["x"], ["y"])])


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Gelu", ["x"], ["y"], approximate=p.get("approximate"))], reads={"approximate": "approximate"})


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Graph:
    return Graph([node("Softmax", ["x"], ["y"], axis=p["axis"])])


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Graph:
    difference = node("Sub", ["prediction", "target"], ["difference"])
    if p["reduction"] == "none":
        return Graph([difference, node("Mul", ["difference", "difference"], ["loss"])])
    reduce = {"mean": "ReduceMean", "sum": "ReduceSum"}[p["reduction"]]
    squares = node("Mul", ["difference", "difference"], ["squares"])
    return Graph([difference, squares, node(reduce, ["squares"], ["loss"], keepdims=0)])


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Graph:
    """ONNX has no gradient descent without momentum; a momentum of 0 is one."""
    return _optimizer(
        "Momentum",
        p,
        ("variable", "velocity"),
        shapes,
        alpha=float(p["momentum"]),
        beta=1.0 - p["dampening"],
        mode="nesterov" if p["nesterov"] else "standard",
        norm_coefficient=float(p["weight_decay"]),
        reads={"momentum": "alpha", "weight_decay": "norm_coefficient"},
    )


@spellings
def adam(p: Parameters, shapes: Shapes) -> Graph:
    return _optimizer(
        "Adam",
        p,
        ("variable", "first_moment", "second_moment"),
        shapes,
        alpha=p.get("beta_1"),
        beta=p.get("beta_2"),
        epsilon=p.get("epsilon"),
        norm_coefficient=p["weight_decay"] or None,
        reads={"beta_1": "alpha", "beta_2": "beta", "epsilon": "epsilon", "weight_decay": "norm_coefficient"},
    )


def _optimizer(
    operator: str, p: Parameters, states: Sequence[str], shapes: Shapes, reads: Mapping[str, str], **attributes: Any
) -> Graph:
    if "learning_rate" not in p:
        raise Unsupported(f"{TRAINING}.{operator} takes the learning rate as an input, which has no default")
    variable, *slots = states
    inputs = ["learning_rate", "iterations", variable, "gradient", *slots]
    return Graph(
        training=[node(operator, inputs, [*map(renewed, states)], **attributes, domain=TRAINING)],
        states=states,
        inert={slot: np.zeros(shapes[variable]) for slot in slots},
        reads=reads,
    )
