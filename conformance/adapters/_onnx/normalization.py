"""How ONNX spells normalizations."""

from __future__ import annotations

import numpy as np

from conformance.adapters._onnx._nodes import Graph, Nodes, node, renewed
from conformance.errors import Unsupported
from conformance.spelling import Layout, Parameters, Shapes, refuse_others

spellings = Nodes()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Graph:
    if not p["track_statistics"] or p["statistics"] == "frozen":
        raise Unsupported("BatchNormalization keeps moving statistics, and trains with the batch's")
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
    if p["centering"] == "none":
        raise Unsupported("LayerNormalization always centres")
    rank = len(shapes["x"])
    features = _features(p, rank)
    inputs = ["x", "gamma", "beta"] if p["center"] else ["x", "gamma"]
    return Graph(
        [node("LayerNormalization", inputs, ["y"], axis=-len(features), epsilon=p.get("epsilon"))],
        layout=Layout.moving(features, rank - len(features), rank),
        inert={"gamma": np.ones([shapes["x"][axis] for axis in features])},
        reads={"epsilon": "epsilon"},
    )


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Graph:
    """As an exporter writes it where there is no RMSNormalization, which is of opset 23."""
    if "epsilon" not in p:
        raise Unsupported("opset 21 has no RMSNormalization, whose default epsilon it would be")
    rank = len(shapes["x"])
    features = _features(p, rank)
    return Graph(
        [
            node("Constant", [], ["axes"], value_ints=list(range(-len(features), 0))),
            node("Mul", ["x", "x"], ["squares"]),
            node("ReduceMean", ["squares", "axes"], ["mean"]),
            node("Add", ["mean", "epsilon"], ["sum"]),
            node("Sqrt", ["sum"], ["root"]),
            node("Div", ["x", "root"], ["normalized"]),
            node("Mul", ["normalized", "gamma"], ["y"]) if p["scale"] else node("Identity", ["normalized"], ["y"]),
        ],
        layout=Layout.moving(features, rank - len(features), rank),
        inert={"epsilon": np.array(p["epsilon"])},
    )


@spellings
def group_normalization(p: Parameters, shapes: Shapes) -> Graph:
    if "groups" not in p:
        raise Unsupported("GroupNormalization has no default num_groups")
    channels, rank = shapes["x"][-1], len(shapes["x"])
    return Graph(
        [node("GroupNormalization", AFFINE, ["y"], num_groups=p["groups"], epsilon=p.get("epsilon"))],
        layout=Layout.moving([rank - 1], 1, rank),
        inert={"gamma": np.ones(channels), "beta": np.zeros(channels)},
        reads={"epsilon": "epsilon"},
        shapes={"y": [None] * rank},
    )


@spellings
def instance_normalization(p: Parameters, shapes: Shapes) -> Graph:
    refuse_others(p, "the operator InstanceNormalization", {"epsilon", "center", "scale"}, {"track_statistics": False})
    channels, rank = shapes["x"][-1], len(shapes["x"])
    return Graph(
        [node("InstanceNormalization", AFFINE, ["y"], epsilon=p.get("epsilon"))],
        layout=Layout.moving([rank - 1], 1, rank),
        inert={"gamma": np.ones(channels), "beta": np.zeros(channels)},
        reads={"epsilon": "epsilon"},
    )


@spellings
def unit_normalization(p: Parameters, shapes: Shapes) -> Graph:
    return _lp_normalization(p, p["order"])


@spellings
def l2_normalization(p: Parameters, shapes: Shapes) -> Graph:
    return _lp_normalization(p, 2)


def _lp_normalization(p: Parameters, order: int) -> Graph:
    refuse_others(p, "the operator LpNormalization", {"axis", "order"}, {"epsilon": 0.0})
    if not isinstance(p.get("axis", 0), int):
        raise Unsupported("the operator LpNormalization takes one axis")
    return Graph(
        [node("LpNormalization", ["x"], ["y"], axis=p.get("axis"), p=order)],
        reads={"axis": "axis"},
        holds={"epsilon": 0.0},
    )


@spellings
def mean_variance_normalization(p: Parameters, shapes: Shapes) -> Graph:
    refuse_others(p, "the operator MeanVarianceNormalization", {"axis"}, {})
    axes = [p["axis"]] if isinstance(p.get("axis"), int) else p.get("axis")
    return Graph(
        [node("MeanVarianceNormalization", ["x"], ["y"], axes=axes)],
        reads={"axis": "axes"},
        holds={"epsilon": MEAN_VARIANCE_EPSILON},
        shapes={"y": [None] * len(shapes["x"])},
    )


MEAN_VARIANCE_EPSILON = 1e-9
"""No attribute, but a constant in the operator's function body."""


@spellings
def local_response_normalization(p: Parameters, shapes: Shapes) -> Graph:
    if "size" not in p:
        raise Unsupported("the operator LRN has no default size")
    size, rank = p["size"], len(shapes["x"])
    return Graph(
        [
            node(
                "LRN",
                ["x"],
                ["y"],
                size=size,
                alpha=p["alpha"] * size if "alpha" in p else None,
                beta=p.get("beta"),
                bias=p.get("k"),
            )
        ],
        layout=Layout.moving([rank - 1], 1, rank),
        reads={"beta": "beta", "k": "bias"},
        holds={} if "alpha" in p else {"alpha": LRN_ALPHA / size},
    )


LRN_ALPHA = 1e-4
"""The default of the operator, which divides it by the size."""

AFFINE = ["x", "gamma", "beta"]


def _features(p: Parameters, rank: int) -> list[int]:
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return sorted(axis % rank for axis in axes)
