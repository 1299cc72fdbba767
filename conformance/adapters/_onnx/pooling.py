"""How ONNX spells pooling."""

from __future__ import annotations

import math
from typing import Any

from conformance.adapters._onnx._nodes import Graph, node
from conformance.adapters._windows import channels_first, each, given, pooled, spatial
from conformance.errors import Unsupported
from conformance.spelling import AS_IS, Parameters, Shapes, Spellings

spellings = Spellings()

ONES = {"strides": 1}
"""What the operators document as their strides where none are given."""


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Graph:
    return _pool("MaxPool", p, spatial(shapes), {})


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Graph:
    counted = p.get("count_include_pad")
    options = {"count_include_pad": None if counted is None else int(counted)}
    return _pool("AveragePool", p, spatial(shapes), options, {"count_include_pad": "count_include_pad"})


@spellings
def lp_pool(p: Parameters, shapes: Shapes) -> Graph:
    if p["p"] != int(p["p"]):
        raise Unsupported("the operator LpPool has no p but integers")
    return _pool("LpPool", p, spatial(shapes), {"p": int(p["p"])})


def _pool(
    operator: str, p: Parameters, rank: int, options: dict[str, Any], reads: dict[str, str] | None = None
) -> Graph:
    size, steps = pooled(p, rank)
    same = p["padding"] == "same"
    made = node(
        operator,
        ["x"],
        ["y"],
        kernel_shape=list(size),
        strides=None if steps is None else list(steps),
        dilations=list(each(p["dilation"], rank)),
        ceil_mode=int(p["ceil_mode"]),
        pads=None if same else list(each(p["pads"], rank)) * 2,
        auto_pad="SAME_UPPER" if same else None,
        **options,
    )
    return Graph([made], layout=channels_first(rank), reads=reads or {}, holds=ONES if steps is None else {})


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Graph:
    return _global("GlobalAveragePool", p, spatial(shapes))


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Graph:
    return _global("GlobalMaxPool", p, spatial(shapes))


def _global(operator: str, p: Parameters, rank: int) -> Graph:
    if p.get("keepdims", True):
        return Graph([node(operator, ["x"], ["y"])], layout=channels_first(rank), holds={"keepdims": True})
    nodes = [node(operator, ["x"], ["pooled"]), node("Flatten", ["pooled"], ["y"])]
    return Graph(nodes, layout=channels_first(rank), layouts={"y": AS_IS})


@spellings
def max_unpool(p: Parameters, shapes: Shapes) -> Graph:
    """Its indices count through all samples and channels, where ours begin anew in each."""
    rank = spatial(shapes)
    (batch, *sizes, channel), (size, steps) = shapes["x"], pooled(p, rank)
    pads = each(p["pads"], rank)
    around = zip(sizes, steps or (1,) * rank, size, pads, strict=True)
    space = [(count - 1) * step + tap - 2 * pad for count, step, tap, pad in around]
    wanted = [batch, channel, *each(p["output_size"], rank)] if given(p, "output_size") else None
    plane = math.prod(wanted[2:] if wanted else space)
    nodes = [
        node("Constant", [], ["starts"], value_ints=[number * plane for number in range(batch * channel)]),
        node("Constant", [], ["shape"], value_ints=[batch, channel, *[1] * rank]),
        node("Reshape", ["starts", "shape"], ["offsets"]),
        node("Add", ["indices", "offsets"], ["positions"]),
    ]
    if wanted:
        nodes.append(node("Constant", [], ["output_shape"], value_ints=wanted))
    unpool = node(
        "MaxUnpool",
        ["x", "positions", "output_shape"] if wanted else ["x", "positions"],
        ["y"],
        kernel_shape=list(size),
        strides=None if steps is None else list(steps),
        pads=list(pads) * 2,
    )
    return Graph(
        [*nodes, unpool],
        layout=channels_first(rank),
        holds=ONES if steps is None else {},
        shapes={"y": wanted} if wanted else {},
    )
