"""How PyTorch's modules spell normalizations."""

from __future__ import annotations

from conformance.adapters._torch import geometry
from conformance.errors import Unsupported
from conformance.spelling import Call, Layout, Name, Parameters, Shapes, Spelling, Spellings, complement

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    if not 2 <= rank <= 5:
        raise Unsupported(f"torch.nn.BatchNorm takes 2 to 5 axes, not {rank}")
    channel = p["axis"] % rank
    return Spelling(
        Call(
            f"torch.nn.BatchNorm{max(rank - 2, 1)}d",
            shapes["x"][channel],
            eps=p.get("epsilon"),
            momentum=complement(p.get("momentum")),
            affine=p["scale"] or p["center"],
        ),
        tensors={
            "gamma": Name("weight"),
            "beta": Name("bias"),
            "moving_mean": Name("running_mean"),
            "moving_variance": Name("running_var"),
        },
        layout=Layout.moving([channel], 1, rank),
        reads={"epsilon": lambda module: module.eps, "momentum": lambda module: complement(module.momentum)},
        fixed=_inert(p),
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    features = geometry.features(p, rank)
    return Spelling(
        Call(
            "torch.nn.LayerNorm",
            tuple(shapes["x"][axis] for axis in features),
            eps=p.get("epsilon"),
            elementwise_affine=p["scale"] or p["center"],
        ),
        tensors={"gamma": Name("weight"), "beta": Name("bias")},
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": lambda module: module.eps},
        fixed=_inert(p),
    )


def _inert(p: Parameters) -> dict[str, float]:
    """``affine`` brings weight and bias together: the one that the case leaves out is held at its neutral value."""
    if p["scale"] == p["center"]:
        return {}
    return {"beta": 0.0} if p["scale"] else {"gamma": 1.0}
