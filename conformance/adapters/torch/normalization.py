"""How PyTorch's modules spell normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch import functions, geometry
from conformance.errors import Unsupported
from conformance.spelling import (
    Call,
    Function,
    Layout,
    Local,
    Name,
    Parameters,
    Reshaped,
    Shapes,
    Spelling,
    Spellings,
    complement,
    refuse_others,
)

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings(functions.spellings)

AFFINE = {"gamma": Name("weight"), "beta": Name("bias")}
MOVING = {"moving_mean": Name("running_mean"), "moving_variance": Name("running_var")}


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    if p["statistics"] == "frozen":
        raise Unsupported(
            "torch.nn.BatchNorm has no argument for it: its statistics are frozen by eval(), as in prediction"
        )
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
            track_running_stats=None if p["track_statistics"] else False,
        ),
        tensors=AFFINE | MOVING,
        layout=Layout.moving([channel], 1, rank),
        reads={"epsilon": lambda module: module.eps, "momentum": lambda module: complement(module.momentum)},
        fixed=_inert(p),
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    if p["centering"] == "none":
        raise Unsupported("torch.nn.LayerNorm always centres; torch.nn.RMSNorm has no bias")
    rank = len(shapes["x"])
    features = geometry.features(p, rank)
    return Spelling(
        Call(
            "torch.nn.LayerNorm",
            tuple(shapes["x"][axis] for axis in features),
            eps=p.get("epsilon"),
            elementwise_affine=p["scale"] or p["center"],
        ),
        tensors=AFFINE,
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": lambda module: module.eps},
        fixed=_inert(p),
    )


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    features = geometry.features(p, rank)

    def epsilon(module: Any) -> float:
        """None stands for the unit in the last place of 1 in the format of the input."""
        held: float = torch.finfo(module.weight.dtype).eps if module.eps is None else module.eps
        return held

    return Spelling(
        Call(
            "torch.nn.RMSNorm",
            tuple(shapes["x"][axis] for axis in features),
            eps=p.get("epsilon"),
            elementwise_affine=p["scale"],
        ),
        tensors={"gamma": Name("weight")},
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": epsilon} if p["scale"] else {},
    )


@spellings
def group_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    if "groups" not in p:
        raise Unsupported("torch.nn.GroupNorm has no default num_groups")
    rank = len(shapes["x"])
    return Spelling(
        Call(
            "torch.nn.GroupNorm",
            p["groups"],
            shapes["x"][-1],
            eps=p.get("epsilon"),
            affine=p["scale"] or p["center"],
        ),
        tensors=AFFINE,
        layout=Layout.moving([rank - 1], 1, rank),
        reads={"epsilon": lambda module: module.eps},
        fixed=_inert(p),
    )


@spellings
def instance_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    if not 3 <= rank <= 5:
        raise Unsupported(f"torch.nn.InstanceNorm takes 3 to 5 axes, not {rank}")
    return Spelling(
        Call(
            f"torch.nn.InstanceNorm{rank - 2}d",
            shapes["x"][-1],
            eps=p.get("epsilon"),
            momentum=complement(p.get("momentum")),
            affine=p["scale"] or p["center"],
            track_running_stats=p["track_statistics"],
        ),
        tensors=AFFINE | MOVING,
        layout=Layout.moving([rank - 1], 1, rank),
        reads={"epsilon": lambda module: module.eps, "momentum": lambda module: complement(module.momentum)},
        fixed=_inert(p),
    )


@spellings
def local_response_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    if "size" not in p:
        raise Unsupported("torch.nn.LocalResponseNorm has no default size")
    size, rank = p["size"], len(shapes["x"])
    if rank < 3:
        raise Unsupported("torch.nn.LocalResponseNorm takes 3 axes or more")
    return Spelling(
        Call(
            "torch.nn.LocalResponseNorm",
            size,
            alpha=p["alpha"] * size if "alpha" in p else None,
            beta=p.get("beta"),
            k=p.get("k"),
        ),
        layout=Layout.moving([rank - 1], 1, rank),
        reads={
            "alpha": lambda module: module.alpha / size,
            "beta": lambda module: module.beta,
            "k": lambda module: float(module.k),
        },
    )


@spellings
def moments(p: Parameters, shapes: Shapes) -> Function:
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(
        Local(mean_and_variance, axes=axes, keepdim=p["keepdims"], correction=p.get("variance_correction")),
        reads={"variance_correction": lambda call: call.arguments.get("correction", 1)},
    )


@spellings
def weight_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    refuse_others(p, "torch.nn.utils.parametrizations.weight_norm", {"axis", "use_bias"}, {"epsilon": 0.0})
    inputs, units = shapes["kernel"]
    dim, gains, after = (1, inputs, (1, inputs)) if p["axis"] == 0 else (None, units, (units, 1))
    return Spelling(
        Local(weight_normalized, inputs=inputs, units=units, use_bias=p["use_bias"], dim=dim),
        tensors={
            "kernel": Name("parametrizations.weight.original1", TRANSPOSED),
            "gain": Name("parametrizations.weight.original0", Reshaped(before=(gains,), after=after)),
        },
        reads={"epsilon": lambda module: 0.0},
    )


@spellings
def spectral_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    if not p["store_v"]:
        raise Unsupported("torch.nn.utils.parametrizations.spectral_norm stores v too")
    inputs, units = shapes["kernel"]
    return Spelling(
        Local(
            spectrally_normalized,
            inputs=inputs,
            units=units,
            use_bias=p["use_bias"],
            n_power_iterations=p["power_iterations"],
            eps=p.get("epsilon"),
        ),
        tensors={
            "kernel": Name("parametrizations.weight.original", TRANSPOSED),
            "u": Name("spectral._u"),
            "v": Name("spectral._v"),
        },
        reads={"epsilon": lambda module: module.spectral.eps},
    )


TRANSPOSED = Layout.of("io->oi")


def mean_and_variance(x: Any, *, axes: Any, **options: Any) -> Any:
    variance, mean = torch.var_mean(x, axes, **options)
    return mean, variance


def weight_normalized(inputs: int, units: int, use_bias: bool, **dim: int) -> Any:
    linear = torch.nn.Linear(inputs, units, bias=use_bias)
    return torch.nn.utils.parametrizations.weight_norm(linear, **dim)


def spectrally_normalized(inputs: int, units: int, use_bias: bool, **options: Any) -> Any:
    linear = torch.nn.Linear(inputs, units, bias=use_bias)
    module = torch.nn.utils.parametrizations.spectral_norm(linear, **options)
    module.spectral = module.parametrizations.weight[0]
    return module


def _inert(p: Parameters) -> dict[str, float]:
    """``affine`` brings weight and bias together: the one that the case leaves out is held at its neutral value."""
    if p["scale"] == p["center"]:
        return {}
    return {"beta": 0.0} if p["scale"] else {"gamma": 1.0}
