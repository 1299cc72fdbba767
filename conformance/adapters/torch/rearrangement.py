"""How PyTorch's modules spell rearrangement."""

from __future__ import annotations

from conformance.adapters._torch.geometry import patches
from conformance.adapters._windows import each, refuse
from conformance.errors import Unsupported
from conformance.spelling import Call, Layout, Parameters, Shapes, Spelling, Spellings, attribute

spellings = Spellings()

IMAGE, ROWS = Layout.of("bhwc->bchw"), Layout.of("bpd->bdp")


@spellings
def unfold(p: Parameters, shapes: Shapes) -> Spelling:
    if len(shapes["x"]) != 4:
        raise Unsupported("torch.nn.Unfold takes 4 axes")
    return Spelling(
        Call("torch.nn.Unfold", **patches(p, "torch.nn.Unfold")),
        layout=IMAGE,
        layouts={"y": ROWS},
        reads={"strides": attribute("stride")},
    )


@spellings
def fold(p: Parameters, shapes: Shapes) -> Spelling:
    sizes = p["output_size"]
    if isinstance(sizes, int) or len(sizes) != 2:
        raise Unsupported("torch.nn.Fold folds to 2 spatial axes")
    return Spelling(
        Call("torch.nn.Fold", each(sizes, 2), **patches(p, "torch.nn.Fold")),
        layout=ROWS,
        layouts={"y": IMAGE},
    )


@spellings
def pixel_shuffle(p: Parameters, shapes: Shapes) -> Spelling:
    refuse(p, "torch.nn.PixelShuffle", order="CRD")
    return Spelling(Call("torch.nn.PixelShuffle", p["block_size"]), layout=IMAGE, reads={"order": lambda module: "CRD"})


@spellings
def pixel_unshuffle(p: Parameters, shapes: Shapes) -> Spelling:
    refuse(p, "torch.nn.PixelUnshuffle", order="CRD")
    return Spelling(
        Call("torch.nn.PixelUnshuffle", p["block_size"]), layout=IMAGE, reads={"order": lambda module: "CRD"}
    )
