"""Axes and strides as PyTorch takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.adapters import _windows as windows
from conformance.errors import Unsupported
from conformance.spelling import AS_IS, Layout, Parameters, Reshaped, Shapes


def features(p: Parameters, rank: int) -> list[int]:
    """The axes that a layer normalization is over, in their order."""
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return sorted(axis % rank for axis in axes)


def convolving(p: Parameters, name: str) -> dict[str, Any]:
    """The arguments of a convolution."""
    if p["padding"] == "causal":
        raise Unsupported(f"{name} has no padding='causal'")
    if p["padding"] == "same" and any(each != 1 for each in _many(p["strides"])):
        raise Unsupported(f"{name} has no padding='same' with strides other than 1")
    return {
        "stride": _hashable(p["strides"]),
        "padding": p["padding"],
        "dilation": _hashable(p["dilation"]),
        "groups": p.get("groups"),
    }


def convolving_transposed(p: Parameters, taps: Sequence[int], name: str) -> dict[str, Any]:
    """The arguments of a transposed convolution: for 'same', as much padding as leaves inputs * strides, or more."""
    axes = len(taps)
    steps, gaps = (_many(p[each]) * (axes // len(_many(p[each]))) for each in ("strides", "dilation"))
    ends = [
        _cropping((tap - 1) * gap + 1, step, p["padding"], p["output_padding"])
        for tap, step, gap in zip(taps, steps, gaps, strict=True)
    ]
    for (_, more), step, gap in zip(ends, steps, gaps, strict=True):
        if more >= max(step, gap):
            raise Unsupported(f"{name} has no output_padding of {more} with strides of {step} and dilation of {gap}")
    return {
        "stride": tuple(steps),
        "padding": tuple(cut for cut, _ in ends),
        "output_padding": tuple(more for _, more in ends),
        "dilation": tuple(gaps),
        "groups": p["groups"],
    }


def _cropping(reach: int, step: int, padding: str, output_padding: int) -> tuple[int, int]:
    """PyTorch's padding, cut off at both ends, and its output_padding, added at the end."""
    if padding == "valid":
        return 0, max(output_padding, 0)
    if output_padding >= 0:
        return reach // 2, output_padding
    surplus = reach - step
    return (0, -surplus) if surplus < 0 else (surplus - surplus // 2, surplus % 2)


def _many(one_or_many: Any) -> list[int]:
    return [one_or_many] if isinstance(one_or_many, int) else list(one_or_many)


def _hashable(one_or_many: Any) -> Any:
    return one_or_many if isinstance(one_or_many, int) else tuple(one_or_many)


def kernel(axes: int, transposed: bool = False) -> Layout:
    """Their layout of the kernel of a convolution over so many axes."""
    spatial = SPATIAL[axes]
    return Layout.of(f"{spatial}oi->io{spatial}" if transposed else f"{spatial}io->oi{spatial}")


def depthwise_kernel(shape: Sequence[int]) -> Layout:
    """Their layout of a kernel with multipliers: that of a convolution with a group for each channel."""
    height, width, channels, multiplier = shape
    return Reshaped(
        Layout.of("hwcm->cmhw").axes,
        before=(channels, multiplier, height, width),
        after=(channels * multiplier, 1, height, width),
    )


def image(axes: int) -> Layout:
    """Their layout of inputs and results."""
    spatial = SPATIAL[axes]
    return Layout.of(f"b{spatial}c->bc{spatial}")


SPATIAL = {1: "w", 2: "hw", 3: "dhw"}


def pooling(p: Parameters, name: str, rank: int) -> dict[str, Any]:
    """The arguments that max and average pooling share."""
    windows.refuse(p, name, padding="valid")
    size, steps = windows.pooled(p, rank)
    return {"kernel_size": size, "stride": steps, "padding": windows.each(p["pads"], rank)}


def lp_window(p: Parameters, rank: int) -> tuple[Any, Any]:
    """The size of the windows of a p-norm, and their steps; of one axis these must be plain numbers."""
    size, steps = windows.pooled(p, rank)
    return (size[0], steps and steps[0]) if rank == 1 else (size, steps)


def unpooling(p: Parameters, rank: int) -> dict[str, Any]:
    """The arguments of max unpooling."""
    size, steps = windows.pooled(p, rank)
    wanted = windows.each(p["output_size"], rank) if windows.given(p, "output_size") else None
    return {"kernel_size": size, "stride": steps, "padding": windows.each(p["pads"], rank), "output_size": wanted}


def patches(p: Parameters, name: str) -> dict[str, Any]:
    """The arguments that unfolding and folding share, which PyTorch does in two axes."""
    windows.refuse(p, name, padding="valid")
    return {
        "kernel_size": windows.each(p["kernel_size"], 2),
        "dilation": windows.each(p["dilation"], 2),
        "padding": windows.each(p["pads"], 2),
        "stride": windows.each(p["strides"], 2) if "strides" in p else None,
    }


def class_second(shapes: Shapes) -> Layout:
    """The layout of a prediction whose classes, the last axis of ours, are PyTorch's second."""
    rank = len(shapes.get("prediction", ()))
    return Layout.moving([rank - 1], 1, rank) if rank > 2 else AS_IS
