"""How ONNX spells convolutions."""

from __future__ import annotations

from typing import Any

from conformance.adapters._onnx._nodes import Graph, node
from conformance.spelling import Layout, Parameters, Shapes, Spellings

spellings = Spellings()


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
