"""How ONNX spells normalizations."""

from __future__ import annotations

import numpy as np

from conformance.adapters._onnx._nodes import Graph, node, renewed
from conformance.spelling import Layout, Parameters, Shapes, Spellings

spellings = Spellings()


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
