"""How TensorFlow spells pooling."""

from __future__ import annotations

from conformance.adapters._windows import each, given, pooled, refuse, spatial
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Parameters, Shapes, Spellings, argument

spellings = Spellings()


@spellings
def max_pool(p: Parameters, shapes: Shapes) -> Function:
    rank = spatial(shapes)
    if given(p, "dilation", 1):
        return Function(_dilated(p, rank, "MAX"))
    name = "tensorflow.nn.max_pool"
    refuse(p, name, ceil_mode=False)
    size, steps = _window(p, name, rank)
    padding = p["padding"].upper()
    if given(p, "pads"):
        if rank != 2:
            raise Unsupported(f"{name} has pads for 4 axes only")
        padding = [[0, 0], *([pad, pad] for pad in each(p["pads"], rank)), [0, 0]]
    return Function(Call(name, ksize=size, strides=steps, padding=padding))


@spellings
def average_pool(p: Parameters, shapes: Shapes) -> Function:
    rank, name, reads = spatial(shapes), "tensorflow.nn.avg_pool", {"count_include_pad": lambda call: False}
    refuse(p, name, count_include_pad=False)
    if given(p, "dilation", 1):
        return Function(_dilated(p, rank, "AVG"), reads=reads)
    refuse(p, name, ceil_mode=False, pads=0)
    size, steps = _window(p, name, rank)
    return Function(Call(name, ksize=size, strides=steps, padding=p["padding"].upper()), reads=reads)


def _dilated(p: Parameters, rank: int, kind: str) -> Call:
    name = "tensorflow.nn.pool"
    refuse(p, name, ceil_mode=False, pads=0)
    size, steps = _window(p, name, rank)
    if any(step != 1 for step in steps):
        raise Unsupported(f"{name} has no strides > 1 together with dilations > 1")
    return Call(
        name,
        window_shape=size,
        pooling_type=kind,
        padding=p["padding"].upper(),
        dilations=each(p["dilation"], rank),
    )


def _window(p: Parameters, name: str, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    size, steps = pooled(p, rank)
    if steps is None:
        raise Unsupported(f"{name} has no default strides")
    return size, steps


@spellings
def global_average_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "tensorflow.reduce_mean")


@spellings
def global_max_pool(p: Parameters, shapes: Shapes) -> Function:
    return _global(p, spatial(shapes), "tensorflow.reduce_max")


def _global(p: Parameters, rank: int, name: str) -> Function:
    axes = tuple(range(1, rank + 1))
    return Function(Call(name, axis=axes, keepdims=p.get("keepdims")), reads={"keepdims": argument("keepdims")})
