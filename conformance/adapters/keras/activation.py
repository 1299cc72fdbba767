"""How Keras spells activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import lazy
from conformance.spelling import Array, Call, Layout, Local, Name, Parameters, Shapes, Spelling, Spellings, default

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")


def activation_layer(name: str, **arguments: Any) -> Any:
    return keras.layers.Activation(partial(getattr(keras.activations, name), **arguments))


def _of_activation(name: str) -> Callable[[Any], Any]:
    """Reads an argument of the function in an Activation layer."""
    return lambda layer: default(layer.activation, name)


def _with(name: str) -> Local:
    """An Activation layer whose function has arguments."""
    return Local(activation_layer, name=name)


layers, activations = Spellings(), Spellings(reader=_of_activation)

layers.call("relu", "keras.layers.ReLU")
layers.call("leaky_relu", "keras.layers.LeakyReLU", negative_slope="negative_slope")
layers.call("elu", "keras.layers.ELU", alpha="alpha")
layers.call("softmax", "keras.layers.Softmax", axis="axis")
for _name in (
    "selu", "silu", "sigmoid", "tanh", "log_sigmoid", "softsign", "mish", "tanh_shrink",
    "relu6", "hard_tanh", "hard_sigmoid", "hard_swish",
):  # fmt: skip
    layers.call(_name, Call("keras.layers.Activation", _name))
layers.call("softplus", Call("keras.layers.Activation", "softplus"), {"beta": 1.0})
activations.call("celu", _with("celu"), alpha="alpha")
activations.call("squareplus", _with("squareplus"), b="b")
activations.call("soft_shrink", _with("soft_shrink"), threshold="threshold")
activations.call("hard_shrink", _with("hard_shrink"), threshold="threshold")
activations.call("threshold", _with("threshold"), threshold="threshold", default_value="value")
activations.call("log_softmax", _with("log_softmax"), axis="axis")
activations.call("sparsemax", _with("sparsemax"), axis="axis")
activations.call("glu", _with("glu"), axis="axis")
spellings = Spellings(layers, activations)


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Spelling:
    asked = p.get("approximate")
    return Spelling(
        Call("keras.layers.Activation", "gelu")
        if asked is None
        else Local(activation_layer, name="gelu", approximate=asked == "tanh"),
        reads={"approximate": lambda layer: "tanh" if default(layer.activation, "approximate") else "none"},
    )


@spellings
def prelu(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    return Spelling(
        Call("keras.layers.PReLU", shared_axes=list(range(1, rank - 1)) or None),
        tensors={"alpha": Name("alpha", _Shared(leading=rank - 2))},
    )


@dataclass(frozen=True)
class _Shared(Layout):
    """A weight of one axis that a layer keeps with leading axes of size 1."""

    leading: int = 0

    def theirs(self, ours: Array) -> Array:
        return np.reshape(ours, (1,) * self.leading + ours.shape)

    def ours(self, theirs: Array) -> Array:
        return np.reshape(theirs, theirs.shape[self.leading :])
