"""How PyTorch's functions spell normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch import argument, functions, geometry
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Layout, Local, Name, Parameters, Shapes, Spellings, complement

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings(functions.spellings)

AFFINE = {"gamma": Name("weight"), "beta": Name("bias")}
MOVING = {"moving_mean": Name("running_mean"), "moving_variance": Name("running_var")}


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    name, eps, momentum = "torch.nn.functional.batch_norm", p.get("epsilon"), complement(p.get("momentum"))
    training = Call(name, training=True, momentum=momentum, eps=eps)
    return Function(
        Call(name, eps=eps) if p["track_statistics"] else Local(normalize_by_batch, eps=eps),
        train=training if p["track_statistics"] and p["statistics"] == "moving" else None,
        tensors=AFFINE | MOVING,
        states=("moving_mean", "moving_variance"),
        layout=Layout.moving([p["axis"] % rank], 1, rank),
        reads={
            "epsilon": lambda call: argument("eps")(training),
            "momentum": lambda call: complement(argument("momentum")(training)),
        },
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    if p["centering"] == "none":
        raise Unsupported("torch.nn.functional.layer_norm always centres; rms_norm has no bias")
    rank = len(shapes["x"])
    features = geometry.features(p, rank)
    shape = tuple(shapes["x"][axis] for axis in features)
    return Function(
        Call("torch.nn.functional.layer_norm", normalized_shape=shape, eps=p.get("epsilon")),
        tensors=AFFINE,
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": argument("eps")},
    )


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Function:
    if "epsilon" not in p:
        raise Unsupported("torch.nn.functional.rms_norm has no default epsilon of its own: it is the input format's")
    rank = len(shapes["x"])
    features = geometry.features(p, rank)
    shape = tuple(shapes["x"][axis] for axis in features)
    return Function(
        Call("torch.nn.functional.rms_norm", normalized_shape=shape, eps=p["epsilon"]),
        tensors={"gamma": Name("weight")},
        layout=Layout.moving(features, rank - len(features), rank),
    )


@spellings
def group_normalization(p: Parameters, shapes: Shapes) -> Function:
    if "groups" not in p:
        raise Unsupported("torch.nn.functional.group_norm has no default num_groups")
    rank = len(shapes["x"])
    return Function(
        Call("torch.nn.functional.group_norm", num_groups=p["groups"], eps=p.get("epsilon")),
        tensors=AFFINE,
        layout=Layout.moving([rank - 1], 1, rank),
        reads={"epsilon": argument("eps")},
    )


@spellings
def instance_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    name, eps, momentum = "torch.nn.functional.instance_norm", p.get("epsilon"), complement(p.get("momentum"))
    training = Call(name, momentum=momentum, eps=eps)
    return Function(
        Call(name, use_input_stats=False, eps=eps) if p["track_statistics"] else training,
        train=training,
        tensors=AFFINE | MOVING,
        states=("moving_mean", "moving_variance"),
        layout=Layout.moving([rank - 1], 1, rank),
        reads={"epsilon": argument("eps"), "momentum": lambda call: complement(argument("momentum")(call))},
    )


@spellings
def local_response_normalization(p: Parameters, shapes: Shapes) -> Function:
    if "size" not in p:
        raise Unsupported("torch.nn.functional.local_response_norm has no default size")
    size, rank = p["size"], len(shapes["x"])
    if rank < 3:
        raise Unsupported("torch.nn.functional.local_response_norm takes 3 axes or more")
    return Function(
        Call(
            "torch.nn.functional.local_response_norm",
            size=size,
            alpha=p["alpha"] * size if "alpha" in p else None,
            beta=p.get("beta"),
            k=p.get("k"),
        ),
        layout=Layout.moving([rank - 1], 1, rank),
        reads={
            "alpha": lambda call: argument("alpha")(call) / size,
            "beta": argument("beta"),
            "k": lambda call: float(argument("k")(call)),
        },
    )


def normalize_by_batch(x: Any, weight: Any = None, bias: Any = None, **eps: float) -> Any:
    return torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, **eps)
