"""How ONNX spells linear maps."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Graph, node
from conformance.spelling import Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Graph:
    inputs = ["x", "kernel", "bias"] if p["use_bias"] else ["x", "kernel"]
    if len(shapes["x"]) == 2:
        return Graph([node("Gemm", inputs, ["y"])])
    if not p["use_bias"]:
        return Graph([node("MatMul", inputs, ["y"])])
    return Graph([node("MatMul", ["x", "kernel"], ["product"]), node("Add", ["product", "bias"], ["y"])])
