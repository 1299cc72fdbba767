"""How ONNX spells losses of a number, as an exporter writes them."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.adapters._onnx._nodes import Graph, node
from conformance.errors import Unsupported
from conformance.spelling import Call, Parameters, Shapes, Spellings

spellings = Spellings()


def _reduced(nodes: Sequence[Call], last: str, inputs: Sequence[str], p: Parameters, shapes: Shapes) -> Graph:
    """The nodes, one more that gives the losses of single elements, and what reduces these."""
    if "sample_weight" in shapes:
        raise Unsupported("no exporter writes weights")
    if p["reduction"] == "none":
        return Graph([*nodes, node(last, inputs, ["loss"])])
    reduce = {"mean": "ReduceMean", "sum": "ReduceSum"}[p["reduction"]]
    return Graph([*nodes, node(last, inputs, ["losses"]), node(reduce, ["losses"], ["loss"], keepdims=0)])


DIFFERENCE = node("Sub", ["prediction", "target"], ["difference"])


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Graph:
    return _reduced([DIFFERENCE], "Mul", ["difference", "difference"], p, shapes)


@spellings
def mean_absolute_error(p: Parameters, shapes: Shapes) -> Graph:
    return _reduced([DIFFERENCE], "Abs", ["difference"], p, shapes)
