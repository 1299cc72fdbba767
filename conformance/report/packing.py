"""How the page's data is packed: a line of JSON and after it the bytes of its numbers, compressed, as text.

Columns compress better than rows, each being of one kind.  Of the columns of numbers the low bytes of all stand
together, then the next ones, and so on: four planes, which take a third less than the digits of the numbers would.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from conformance.spelling import Array

LEVEL = 7
"""Of compression: 8 takes half as long again for a hundredth less."""
LONG = 1024
"""A plane of a column that is longer has a code of its own, made for its bytes."""
MISSING, NAN, INFINITE = range(3)
"""What stands in place of an integer where the power of ten is `NO_NUMBER`; the sign is that of the infinity."""
NO_NUMBER = -(1 << 15)
LOWEST = -400
"""A power of ten below that of every float."""


def packed(value: Any) -> str:
    """What stands in a page: base 85, with a comma for the sign that would begin markup."""
    columns: list[Integers | Numbers] = []
    place = 0

    def column(given: Integers | Numbers) -> dict[str, Any]:
        nonlocal place
        columns.append(given)
        at, place = place, place + len(given.values)
        return {"kind": type(given).__name__, "at": at, "count": len(given.values)}

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=column)
    compressed = b"".join(_compressed(text.encode("utf-8", "backslashreplace") + b"\n", columns))
    return base64.b85encode(compressed).decode("ascii").replace("<", ",")


def _compressed(line: bytes, columns: Sequence[Integers | Numbers]) -> Iterator[bytes]:
    compressor = zlib.compressobj(LEVEL)
    yield compressor.compress(line)
    yield compressor.flush(zlib.Z_BLOCK)
    for planes in zip(*(each.planes() for each in columns), strict=True):
        for plane in planes:
            yield compressor.compress(plane)
            if len(plane) > LONG:
                yield compressor.flush(zlib.Z_BLOCK)
    yield compressor.flush()


class Shared(dict[Any, int]):
    """Values, each kept once: where it is used, its place stands."""

    def place(self, value: Any) -> int:
        return self.setdefault(value, len(self))


class Integers:
    """A column of integers of at most 30 bits; None is one that is missing."""

    def __init__(self, values: Iterable[int | None]) -> None:
        self.values = list(values)

    def planes(self) -> list[bytes]:
        """The four bytes of each, which of a missing one are all 255."""
        given = np.array([MISSING if each is None else each for each in self.values], np.int64)
        unsigned = _unsigned(given)
        if None in self.values:
            unsigned[[each is None for each in self.values]] = 0xFFFFFFFF
        return [_plane(unsigned, rank) for rank in range(4)]


class Numbers:
    """A column of numbers, each rounded to so many significant digits, at most four, and to a multiple of ``finest``.

    They may be given as the texts that stand for NaN and the infinities in JSON; None is a number that is missing.
    """

    def __init__(self, digits: int, values: Iterable[float | str | None] = (), *, finest: float = 0.0) -> None:
        self._digits, self._finest, self.values = digits, finest, list(values)
        self._lowest = math.floor(math.log10(finest)) if finest else LOWEST

    def planes(self) -> list[bytes]:
        """The two bytes of an integer for each, and those of the power of ten that it is multiplied by."""
        given = np.array(self.values, np.float64)
        finite, infinite = np.isfinite(given), np.isinf(given)
        integers, powers = _significant(self._coarse(np.where(finite, given, 0.0)), self._digits, self._lowest)
        powers[~finite] = NO_NUMBER
        integers[~finite] = NAN
        integers[infinite] = np.copysign(INFINITE, given[infinite])
        if None in self.values:
            integers[[each is None for each in self.values]] = MISSING
        return [_plane(_unsigned(each), rank) for each in (integers, powers) for rank in range(2)]

    def _coarse(self, values: Array) -> Array:
        small = np.abs(values) < 1e4 * self._finest  # of others four digits are coarser
        return np.where(small, np.rint(np.where(small, values, 0.0) / (self._finest or 1.0)) * self._finest, values)


def _significant(values: Array, digits: int, lowest: int) -> tuple[Array, Array]:
    """Integers, and the powers of ten that they are multiplied by, none of them below the lowest."""
    sizes = np.abs(values)
    powers = 1 - digits + np.floor(np.log10(sizes, out=np.zeros_like(sizes), where=sizes > 0)).astype(np.int64)
    powers = np.maximum(powers, lowest)
    half = powers // 2  # the whole of it may be beyond what a float can hold
    scales = 10.0**half, 10.0 ** (powers - half)
    integers = np.rint(values / scales[0] / scales[1]).astype(np.int64)
    with np.errstate(over="ignore"):  # the largest floats are not rounded up to infinity
        integers -= np.isinf(integers * scales[0] * scales[1]) * np.sign(integers)
    carried = np.abs(integers) == 10**digits  # as 99.9 to two digits
    integers[carried] //= 10
    powers[carried] += 1
    return integers, powers


def _unsigned(integers: Array) -> Array:
    """The sign goes into the lowest bit: small ones of either sign have no high bytes."""
    return np.where(integers < 0, -2 * integers - 1, 2 * integers)


def _plane(unsigned: Array, rank: int) -> bytes:
    return ((unsigned >> 8 * rank) & 0xFF).astype(np.uint8).tobytes()
