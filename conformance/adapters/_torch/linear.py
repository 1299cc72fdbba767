"""What PyTorch's modules and functions of linear maps have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


def einsum_dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_axes, equation=p["equation"]))


def multiply_axes(x: Any, kernel: Any, bias: Any = None, *, equation: str) -> Any:
    y = torch.einsum(equation, x, kernel)
    return y if bias is None else y + bias


def padding(p: Parameters) -> int | None:
    return None if p["padding_index"] < 0 else p["padding_index"]


def looking_up(p: Parameters, name: str) -> dict[str, Any]:
    """The arguments of an embedding."""
    if p["out_of_range"] != "raise" or p["negative_index"] != "outside":
        raise Unsupported(f"{name} raises IndexError for every index out of range")
    return {"padding_idx": padding(p), "max_norm": p["max_norm"] or None}
