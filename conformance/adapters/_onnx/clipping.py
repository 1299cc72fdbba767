"""How ONNX clips an array."""

from __future__ import annotations

import numpy as np

from conformance.adapters._onnx._nodes import Graph, Nodes, node
from conformance.spelling import Parameters, Shapes

spellings = Nodes()


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Graph:
    limit = np.array(p["clip_value"])
    return Graph([node("Clip", ["x", "least", "most"], ["y"])], inert={"least": -limit, "most": limit})
