"""How JAX and flax spell pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._windows import each, given, pooled, refuse, spatial
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spellings, argument

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
else:
    jax, jnp = lazy("jax"), lazy("jax.numpy")

spellings = Spellings()


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Function:
    rank, name = spatial(shapes), "flax.linen.max_pool"
    refuse(p, name, ceil_mode=False)
    options = _window(p, rank)
    if given(p, "dilation", 1):  # flax has none, but what it calls does
        call: Call = Local(dilated_maximum, **options, dilation=each(p["dilation"], rank))
    else:
        call = Call(name, **options)
    return Function(call, reads=STRIDES)


def dilated_maximum(x: Any, window_shape: Any, padding: Any, dilation: Any, strides: Any = None) -> Any:
    strides = strides or (1,) * len(window_shape)
    if not isinstance(padding, str):
        padding = ((0, 0), *padding, (0, 0))
    return jax.lax.reduce_window(
        x,
        -jnp.inf,
        jax.lax.max,
        (1, *window_shape, 1),
        (1, *strides, 1),
        padding,
        window_dilation=(1, *dilation, 1),
    )


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Function:
    rank, name = spatial(shapes), "flax.linen.avg_pool"
    refuse(p, name, ceil_mode=False, dilation=1)
    return Function(
        Call(name, **_window(p, rank), count_include_pad=p.get("count_include_pad")),
        reads={**STRIDES, "count_include_pad": argument("count_include_pad")},
    )


STRIDES = {"strides": lambda call: call.arguments.get("strides", 1)}
"""flax documents None, its default, as 1 everywhere."""


def _window(p: Parameters, rank: int) -> dict[str, Any]:
    size, steps = pooled(p, rank)
    pads = tuple((pad, pad) for pad in each(p["pads"], rank))
    return {
        "window_shape": size,
        "strides": steps,
        "padding": pads if given(p, "pads") else p["padding"].upper(),
    }


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "jax.numpy.mean")


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "jax.numpy.max")


def _global(p: Parameters, rank: int, name: str) -> Function:
    axes = tuple(range(1, rank + 1))
    return Function(Call(name, axis=axes, keepdims=p.get("keepdims")), reads={"keepdims": argument("keepdims")})
