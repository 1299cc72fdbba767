"""How ONNX spells losses."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Graph, node
from conformance.spelling import Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Graph:
    difference = node("Sub", ["prediction", "target"], ["difference"])
    if p["reduction"] == "none":
        return Graph([difference, node("Mul", ["difference", "difference"], ["loss"])])
    reduce = {"mean": "ReduceMean", "sum": "ReduceSum"}[p["reduction"]]
    squares = node("Mul", ["difference", "difference"], ["squares"])
    return Graph([difference, squares, node(reduce, ["squares"], ["loss"], keepdims=0)])
