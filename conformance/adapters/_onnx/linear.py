"""How ONNX spells linear maps."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Graph, node
from conformance.errors import Unsupported
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


@spellings
def einsum_dense(p: Parameters, shapes: Shapes) -> Graph:
    if not p["bias_axes"]:
        return Graph([node("Einsum", ["x", "kernel"], ["y"], equation=p["equation"])])
    product = node("Einsum", ["x", "kernel"], ["product"], equation=p["equation"])
    return Graph([product, node("Add", ["product", "bias"], ["y"])])


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Graph:
    if p["padding_index"] >= 0 or p["max_norm"] or p["out_of_range"] != "raise":
        raise Unsupported("the operator Gather has no padding, no max_norm and no mode for indices out of range")
    return Graph([node("Gather", ["embeddings", "x"], ["y"], axis=0)])
