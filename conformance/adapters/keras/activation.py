"""How Keras spells activations."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Call, Local, Parameters, Shapes, Spelling, Spellings, default

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


spellings.call("relu", "keras.layers.ReLU")
spellings.call("softmax", "keras.layers.Softmax", axis="axis")


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Spelling:
    asked = p.get("approximate")
    return Spelling(
        Call("keras.layers.Activation", "gelu") if asked is None else Local(gelu_layer, approximate=asked == "tanh"),
        reads={"approximate": lambda layer: "tanh" if default(layer.activation, "approximate") else "none"},
    )


def gelu_layer(approximate: bool) -> Any:
    return keras.layers.Activation(partial(keras.activations.gelu, approximate=approximate))
