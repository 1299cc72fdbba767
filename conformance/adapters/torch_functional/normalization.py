"""How PyTorch's functions spell normalizations."""

from __future__ import annotations

from conformance.adapters._torch import argument, geometry
from conformance.spelling import Call, Function, Layout, Name, Parameters, Shapes, Spellings, complement

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    name, eps, momentum = "torch.nn.functional.batch_norm", p.get("epsilon"), complement(p.get("momentum"))
    return Function(
        Call(name, eps=eps),
        train=Call(name, training=True, momentum=momentum, eps=eps),
        tensors={
            "gamma": Name("weight"),
            "beta": Name("bias"),
            "moving_mean": Name("running_mean"),
            "moving_variance": Name("running_var"),
        },
        states=("moving_mean", "moving_variance"),
        layout=Layout.moving([p["axis"] % rank], 1, rank),
        reads={"epsilon": argument("eps"), "momentum": lambda call: complement(argument("momentum")(call))},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    features = geometry.features(p, rank)
    shape = tuple(shapes["x"][axis] for axis in features)
    return Function(
        Call("torch.nn.functional.layer_norm", normalized_shape=shape, eps=p.get("epsilon")),
        tensors={"gamma": Name("weight"), "beta": Name("bias")},
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": argument("eps")},
    )
