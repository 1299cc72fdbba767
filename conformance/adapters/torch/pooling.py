"""How PyTorch's modules spell pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._torch.geometry import lp_window, pooling, unpooling
from conformance.adapters._windows import channels_first, each, refuse, spatial
from conformance.spelling import AS_IS, Call, Function, Local, Parameters, Shapes, Spelling, Spellings, attribute

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    call = f"torch.nn.MaxPool{rank}d"
    return Spelling(
        Call(call, **pooling(p, call, rank), dilation=each(p["dilation"], rank), ceil_mode=p["ceil_mode"]),
        layout=channels_first(rank),
        reads={"strides": attribute("stride")},
    )


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    call = f"torch.nn.AvgPool{rank}d"
    refuse(p, call, dilation=1)
    return Spelling(
        Call(call, **pooling(p, call, rank), ceil_mode=p["ceil_mode"], count_include_pad=p.get("count_include_pad")),
        layout=channels_first(rank),
        reads={"strides": attribute("stride"), "count_include_pad": attribute("count_include_pad")},
    )


@spellings
def lp_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    call = f"torch.nn.LPPool{rank}d"
    refuse(p, call, dilation=1, padding="valid", pads=0)
    size, steps = lp_window(p, rank)
    return Spelling(
        Call(call, norm_type=p["p"], kernel_size=size, stride=steps, ceil_mode=p["ceil_mode"]),
        layout=channels_first(rank),
        reads={"strides": lambda module: module.stride or 0},  # None is the size of the window, as our 0
    )


@spellings
def adaptive_average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    sizes = each(p["output_size"], rank)
    return Spelling(Call(f"torch.nn.AdaptiveAvgPool{rank}d", sizes), layout=channels_first(rank))


@spellings
def adaptive_max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    sizes = each(p["output_size"], rank)
    return Spelling(Call(f"torch.nn.AdaptiveMaxPool{rank}d", sizes), layout=channels_first(rank))


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    return _global(p, spatial(shapes), "torch.nn.AdaptiveAvgPool{}d", flattened_mean)


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    return _global(p, spatial(shapes), "torch.nn.AdaptiveMaxPool{}d", flattened_maximum)


def _global(p: Parameters, rank: int, name: str, flattened: Callable[..., Any]) -> Spelling:
    kept = p.get("keepdims", True)
    return Spelling(
        Call(name.format(rank), 1) if kept else Local(flattened, rank=rank),
        layout=channels_first(rank),
        layouts={} if kept else {"y": AS_IS},
        reads={"keepdims": lambda module: kept},
    )


def flattened_mean(rank: int) -> Any:
    pool = {1: torch.nn.AdaptiveAvgPool1d, 2: torch.nn.AdaptiveAvgPool2d, 3: torch.nn.AdaptiveAvgPool3d}[rank]
    return torch.nn.Sequential(pool(1), torch.nn.Flatten())


def flattened_maximum(rank: int) -> Any:
    pool = {1: torch.nn.AdaptiveMaxPool1d, 2: torch.nn.AdaptiveMaxPool2d, 3: torch.nn.AdaptiveMaxPool3d}[rank]
    return torch.nn.Sequential(pool(1), torch.nn.Flatten())


@spellings
def max_unpool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    return Function(
        Local(unpool, rank=rank, **unpooling(p, rank)),
        layout=channels_first(rank),
        reads={"strides": lambda call: call.arguments.get("stride", 0)},
    )


def unpool(x: Any, indices: Any, *, rank: int, output_size: Any = None, **window: Any) -> Any:
    module = {1: torch.nn.MaxUnpool1d, 2: torch.nn.MaxUnpool2d, 3: torch.nn.MaxUnpool3d}[rank]
    return module(**window)(x, indices, output_size)
