"""Windows that slide over the spatial axes of an array: where they lie, and what stands in them.

Along each axis a table says which element every place of the window sees; the tables of all axes together gather an
array ``[batch, *place, tap, channel]``.  Pooling reduces its taps, im2col lays them out, col2im sums them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Knob
from conformance.operations.choices import Settings, same_padding

CEIL = Knob(
    "ceil",
    {
        "drop_last": "ceil_mode rounds up, less a last window that would lie wholly in the padding behind",
        "on": "ceil_mode rounds up, and that window stays",
    },
    default="drop_last",
)


@dataclass(frozen=True)
class Reach:
    """What the windows see along one axis.

    ``positions[place, tap]`` is the element at that tap; below 0 and from ``size`` on it is padding, from ``end`` on
    not even that: a window of ceil_mode reaches beyond.
    """

    positions: Any
    size: int
    end: int


def per_axis(name: str, given: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """A parameter's number for each spatial axis."""
    numbers = (given,) * rank if isinstance(given, int) else tuple(given)
    if len(numbers) != rank:
        raise Undefined(f"{name} gives {len(numbers)} numbers for {rank} spatial axes")
    return numbers


def sliding(
    sizes: Sequence[int],
    taps: Sequence[int],
    steps: Sequence[int],
    *,
    gaps: Sequence[int],
    padding: str,
    pads: Sequence[int],
    settings: Settings,
    ceil: bool = False,
) -> list[Reach]:
    """The windows of convolution and pooling, axis by axis; obeys PADDING_SIDE and CEIL where there is a choice."""
    if padding == "same" and any(pads):
        raise Undefined(f"padding 'same' leaves no choice of pads, and {list(pads)} are given")
    reaches = []
    for size, tap, step, gap, pad in zip(sizes, taps, steps, gaps, pads, strict=True):
        width = (tap - 1) * gap + 1
        before, after = same_padding(size, width, step, settings) if padding == "same" else (pad, pad)
        room = size + before + after - width
        places = (-(-room // step) if ceil else room // step) + 1
        if ceil and settings["ceil"] == "drop_last" and (places - 1) * step >= size + before:
            places -= 1
        if places < 1:
            raise Undefined(f"a window reaches over {width}, more than its input of {size} with its padding")
        positions = step * np.arange(places)[:, None] + gap * np.arange(tap)[None, :] - before
        reaches.append(Reach(positions, size, size + after))
    return reaches


def gathered(x: Array, reaches: Sequence[Reach]) -> Array:
    """What the windows see: ``[batch, *place, tap, channel]``; where that is padding, the nearest element."""
    if 0 in x.shape[1:-1]:
        raise Undefined(f"nothing can be seen in an array of the shape {list(x.shape)}")
    nearest = [np.clip(each.positions, 0, each.size - 1) for each in reaches]
    seen = x[(slice(None), *_crossed(nearest), slice(None))]
    rank = len(reaches)
    return np.reshape(seen, (*seen.shape[: rank + 1], math.prod(seen.shape[rank + 1 : -1]), seen.shape[-1]))


def inside(reaches: Sequence[Reach]) -> Any:
    """Which of the taps are elements: ``[*place, tap, 1]``."""
    return _everywhere([(each.positions >= 0) & (each.positions < each.size) for each in reaches])


def padded(reaches: Sequence[Reach]) -> Any:
    """Which of the taps are elements or padding; the others exist for the sake of ceil_mode."""
    return _everywhere([each.positions < each.end for each in reaches])


def _everywhere(along: Sequence[Any]) -> Any:
    whole = np.ones((), dtype=bool)
    for each in _crossed(along):
        whole = whole & each
    rank = len(along)
    return np.reshape(whole, (*whole.shape[:rank], math.prod(whole.shape[rank:]), 1))


def _crossed(tables: Sequence[Any]) -> list[Any]:
    """Tables of one axis each, so shaped that together they span all places and all taps."""
    rank = len(tables)
    crossed = []
    for axis, table in enumerate(tables):
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = table.shape
        crossed.append(np.reshape(table, shape))
    return crossed
