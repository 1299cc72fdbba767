"""Axes and strides as PyTorch takes them."""

from __future__ import annotations

from typing import Any

from conformance.errors import Unsupported
from conformance.spelling import AS_IS, Layout, Parameters, Shapes


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


def class_second(shapes: Shapes) -> Layout:
    """The layout of a prediction whose classes, the last axis of ours, are PyTorch's second."""
    rank = len(shapes.get("prediction", ()))
    return Layout.moving([rank - 1], 1, rank) if rank > 2 else AS_IS
