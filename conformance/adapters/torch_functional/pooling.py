"""How PyTorch's functions spell pooling."""

from __future__ import annotations

from conformance.adapters._torch import argument
from conformance.adapters._torch.geometry import lp_window, pooling, unpooling
from conformance.adapters._windows import channels_first, each, refuse, spatial
from conformance.spelling import AS_IS, Call, Function, Parameters, Shapes, Spellings

spellings = Spellings()

STRIDES = {"strides": lambda call: call.arguments.get("stride", 0)}
"""Left out, the stride is the size of the window, as our 0."""


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    call = f"torch.nn.functional.max_pool{rank}d"
    return Function(
        Call(call, **pooling(p, call, rank), dilation=each(p["dilation"], rank), ceil_mode=p["ceil_mode"]),
        layout=channels_first(rank),
        reads=STRIDES,
    )


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    call = f"torch.nn.functional.avg_pool{rank}d"
    refuse(p, call, dilation=1)
    return Function(
        Call(call, **pooling(p, call, rank), ceil_mode=p["ceil_mode"], count_include_pad=p.get("count_include_pad")),
        layout=channels_first(rank),
        reads={**STRIDES, "count_include_pad": argument("count_include_pad")},
    )


@spellings
def lp_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    call = f"torch.nn.functional.lp_pool{rank}d"
    refuse(p, call, dilation=1, padding="valid", pads=0)
    size, steps = lp_window(p, rank)
    return Function(
        Call(call, norm_type=p["p"], kernel_size=size, stride=steps, ceil_mode=p["ceil_mode"]),
        layout=channels_first(rank),
        reads=STRIDES,
    )


@spellings
def adaptive_average_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    name = f"torch.nn.functional.adaptive_avg_pool{rank}d"
    return Function(Call(name, output_size=each(p["output_size"], rank)), layout=channels_first(rank))


@spellings
def adaptive_max_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    name = f"torch.nn.functional.adaptive_max_pool{rank}d"
    return Function(Call(name, output_size=each(p["output_size"], rank)), layout=channels_first(rank))


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "torch.mean")


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "torch.amax")


def _global(p: Parameters, rank: int, name: str) -> Function:
    return Function(
        Call(name, dim=tuple(range(2, rank + 2)), keepdim=p.get("keepdims")),
        layout=channels_first(rank),
        layouts={} if p.get("keepdims") else {"y": AS_IS},
        reads={"keepdims": lambda call: call.arguments.get("keepdim", False)},
    )


@spellings
def max_unpool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    name = f"torch.nn.functional.max_unpool{rank}d"
    return Function(Call(name, **unpooling(p, rank)), layout=channels_first(rank), reads=STRIDES)
