"""Axes and strides as PyTorch takes them."""

from __future__ import annotations

from typing import Any

from conformance.adapters import _windows as windows
from conformance.errors import Unsupported
from conformance.spelling import Parameters


def features(p: Parameters, rank: int) -> list[int]:
    """The axes that a layer normalization is over, in their order."""
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return sorted(axis % rank for axis in axes)


def convolving(p: Parameters, name: str) -> dict[str, Any]:
    """The arguments of a convolution."""
    if p["padding"] == "same" and p["strides"] not in (1, [1, 1], (1, 1)):
        raise Unsupported(f"{name} has no padding='same' with strides other than 1")
    return {
        "stride": _pair(p["strides"]),
        "padding": p["padding"],
        "dilation": _pair(p["dilation"]),
        "groups": p["groups"],
    }


def _pair(one_or_two: Any) -> Any:
    return one_or_two if isinstance(one_or_two, int) else tuple(one_or_two)


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
