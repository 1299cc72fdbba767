"""How keras.ops spells pooling."""

from __future__ import annotations

from typing import Any

from conformance.adapters._windows import each, pooled, refuse, spatial
from conformance.spelling import Call, Function, Parameters, Shapes, Spellings, argument

spellings = Spellings()


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Function:
    return _pool(p, shapes, "keras.ops.max_pool")


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Function:
    refuse(p, "keras.ops.average_pool", count_include_pad=False)
    return _pool(p, shapes, "keras.ops.average_pool", count_include_pad=lambda call: False)


def _pool(p: Parameters, shapes: Shapes, name: str, **reads: Any) -> Function:
    rank = spatial(shapes)
    refuse(p, name, pads=0, dilation=1, ceil_mode=False)
    size, steps = pooled(p, rank)
    return Function(
        Call(name, pool_size=size, strides=steps, padding=p["padding"]),
        reads={"strides": lambda call: call.argument("strides") or 0, **reads},  # None is the size, as our 0
    )


@spellings
def adaptive_average_pool(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("keras.ops.adaptive_average_pool", output_size=each(p["output_size"], spatial(shapes))))


@spellings
def adaptive_max_pool(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("keras.ops.adaptive_max_pool", output_size=each(p["output_size"], spatial(shapes))))


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "keras.ops.mean")


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "keras.ops.max")


def _global(p: Parameters, rank: int, name: str) -> Function:
    axes = tuple(range(1, rank + 1))
    return Function(Call(name, axis=axes, keepdims=p.get("keepdims")), reads={"keepdims": argument("keepdims")})
