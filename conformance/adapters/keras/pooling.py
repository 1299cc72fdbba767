"""How Keras spells pooling."""

from __future__ import annotations

from typing import Any

from conformance.adapters._windows import each, pooled, refuse, spatial
from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings, attribute

spellings = Spellings()


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    return _pool(p, shapes, "keras.layers.MaxPooling")


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    refuse(p, "keras.layers.AveragePooling", count_include_pad=False)
    return _pool(p, shapes, "keras.layers.AveragePooling", count_include_pad=lambda layer: False)


def _pool(p: Parameters, shapes: Shapes, name: str, **reads: Any) -> Spelling:
    rank = spatial(shapes)
    refuse(p, name, pads=0, dilation=1, ceil_mode=False)
    size, steps = pooled(p, rank)
    return Spelling(
        Call(f"{name}{rank}D", pool_size=size, strides=steps, padding=p["padding"]),
        reads={"strides": attribute("strides"), **reads},
    )


@spellings
def adaptive_average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    return Spelling(Call(f"keras.layers.AdaptiveAveragePooling{rank}D", each(p["output_size"], rank)))


@spellings
def adaptive_max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    rank = spatial(shapes)
    return Spelling(Call(f"keras.layers.AdaptiveMaxPooling{rank}D", each(p["output_size"], rank)))


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Spelling:
    return _global(p, f"keras.layers.GlobalAveragePooling{spatial(shapes)}D")


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Spelling:
    return _global(p, f"keras.layers.GlobalMaxPooling{spatial(shapes)}D")


def _global(p: Parameters, name: str) -> Spelling:
    return Spelling(Call(name, keepdims=p.get("keepdims")), reads={"keepdims": attribute("keepdims")})
