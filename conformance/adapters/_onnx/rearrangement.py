"""How ONNX spells rearrangement."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Graph, node
from conformance.adapters._windows import channels_first, each, refuse
from conformance.spelling import Layout, Parameters, Shapes, Spellings

spellings = Spellings()

IMAGE = Layout.of("bhwc->bchw")


@spellings
def fold(p: Parameters, shapes: Shapes) -> Graph:
    sizes = [p["output_size"]] if isinstance(p["output_size"], int) else list(p["output_size"])
    rank = len(sizes)
    folded = node(
        "Col2Im",
        ["x", "image_shape", "block_shape"],
        ["y"],
        dilations=list(each(p["dilation"], rank)),
        pads=list(each(p["pads"], rank)) * 2,
        strides=list(each(p["strides"], rank)),
    )
    nodes = [
        node("Constant", [], ["image_shape"], value_ints=sizes),
        node("Constant", [], ["block_shape"], value_ints=list(each(p["kernel_size"], rank))),
        folded,
    ]
    return Graph(nodes, layout=Layout.of("bpd->bdp"), layouts={"y": channels_first(rank)})


@spellings
def pixel_shuffle(p: Parameters, shapes: Shapes) -> Graph:
    made = node("DepthToSpace", ["x"], ["y"], blocksize=p["block_size"], mode=p.get("order"))
    return Graph([made], layout=IMAGE, reads={"order": "mode"})


@spellings
def pixel_unshuffle(p: Parameters, shapes: Shapes) -> Graph:
    refuse(p, "the operator SpaceToDepth", order="DCR")
    return Graph([node("SpaceToDepth", ["x"], ["y"], blocksize=p["block_size"])], layout=IMAGE, holds={"order": "DCR"})
