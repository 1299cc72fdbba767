"""How PyTorch's functions spell rearrangement."""

from __future__ import annotations

from conformance.adapters._torch import argument
from conformance.adapters._torch.geometry import patches
from conformance.adapters._windows import each, refuse
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Layout, Parameters, Shapes, Spellings

spellings = Spellings()

IMAGE, ROWS = Layout.of("bhwc->bchw"), Layout.of("bpd->bdp")


@spellings
def unfold(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.unfold"
    if len(shapes["x"]) != 4:
        raise Unsupported(f"{name} takes 4 axes")
    return Function(
        Call(name, **patches(p, name)), layout=IMAGE, layouts={"y": ROWS}, reads={"strides": argument("stride")}
    )


@spellings
def fold(p: Parameters, shapes: Shapes) -> Function:
    name, sizes = "torch.nn.functional.fold", p["output_size"]
    if isinstance(sizes, int) or len(sizes) != 2:
        raise Unsupported(f"{name} folds to 2 spatial axes")
    return Function(Call(name, output_size=each(sizes, 2), **patches(p, name)), layout=ROWS, layouts={"y": IMAGE})


@spellings
def pixel_shuffle(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.pixel_shuffle"
    refuse(p, name, order="CRD")
    return Function(Call(name, upscale_factor=p["block_size"]), layout=IMAGE, reads={"order": lambda call: "CRD"})


@spellings
def pixel_unshuffle(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.pixel_unshuffle"
    refuse(p, name, order="CRD")
    return Function(Call(name, downscale_factor=p["block_size"]), layout=IMAGE, reads={"order": lambda call: "CRD"})
