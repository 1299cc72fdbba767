"""What the frameworks' spellings of pooling share: numbers per axis, and what most of them lack."""

from __future__ import annotations

from typing import Any

from conformance.errors import Unsupported
from conformance.spelling import Layout, Parameters, Shapes


def spatial(shapes: Shapes) -> int:
    """How many spatial axes the input has; frameworks have names for one, two and three."""
    rank = len(shapes["x"]) - 2
    if not 1 <= rank <= 3:
        raise Unsupported(f"pooling takes 3 to 5 axes, not {rank + 2}")
    return rank


def each(numbers: Any, rank: int) -> tuple[int, ...]:
    """A number for each spatial axis."""
    return (numbers,) * rank if isinstance(numbers, int) else tuple(numbers)


def pooled(p: Parameters, rank: int) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """The size of the windows, and the steps between them if the case gives any."""
    size = each(p["pool_size"], rank)
    if "strides" not in p:
        return size, None
    return size, tuple(step or own for step, own in zip(each(p["strides"], rank), size, strict=True))


def given(p: Parameters, name: str, neutral: int = 0) -> bool:
    """Whether a parameter is away from what changes nothing."""
    value = p.get(name, neutral)
    return any(number != neutral for number in ([value] if isinstance(value, (int, float)) else value))


def refuse(p: Parameters, call: str, **neutral: Any) -> None:
    """Raise `Unsupported` for parameters that are away from the one value that a call knows."""
    for name, value in neutral.items():
        away = p.get(name, value) != value if isinstance(value, (str, bool)) else given(p, name, value)
        if away:
            raise Unsupported(f"{call} has no {name} other than {value}")


def channels_first(rank: int) -> Layout:
    """The layout of images whose channels stand before the spatial axes."""
    return Layout.moving([rank + 1], 1, rank + 2)
