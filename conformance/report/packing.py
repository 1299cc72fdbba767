"""How the page's data is packed: a line of JSON and after it the bytes of its numbers, compressed, as text.

Columns compress better than rows, each being of one kind; of a column of numbers the bytes of one rank stand together,
which takes a third less than their digits would.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from conformance.spelling import Array

LEVEL = 8
"""Of compression: 9 takes a sixth longer for a thousandth less."""
MISSING, NAN, INFINITE = range(3)
"""What stands in place of an integer where the power of ten is `NO_NUMBER`; the sign is that of the infinity."""
NO_NUMBER = -(1 << 15)


def packed(value: Any) -> str:
    """What stands in a page: base 85, with a comma for the sign that would begin markup."""
    planes: list[bytes] = []

    def column(numbers: Any) -> dict[str, int]:
        place = sum(map(len, planes))
        planes.append(numbers.planes())
        return {"at": place, "count": len(numbers.values)}

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=column)
    compressed = zlib.compress(b"\n".join((text.encode("utf-8", "backslashreplace"), b"".join(planes))), LEVEL)
    return base64.b85encode(compressed).decode("ascii").replace("<", ",")


class Shared(dict[Any, int]):
    """Values, each kept once: where it is used, its place stands."""

    def place(self, value: Any) -> int:
        return self.setdefault(value, len(self))


class Numbers:
    """A column of numbers, each rounded to so many significant digits, at most four; 0: to halves below a thousand.

    They may be given as the texts that stand for NaN and the infinities in JSON; None is a number that is missing.
    """

    def __init__(self, digits: int, values: Iterable[float | str | None] = ()) -> None:
        self._digits, self.values = digits, list(values)

    def planes(self) -> bytes:
        """An integer and a power of ten for each: the low bytes of all integers, their high bytes, and so on."""
        given = np.array(self.values, np.float64)
        finite, infinite = np.isfinite(given), np.isinf(given)
        integers, powers = _rounded(np.where(finite, given, 0.0), self._digits)
        powers[~finite] = NO_NUMBER
        integers[~finite] = NAN
        integers[infinite] = np.copysign(INFINITE, given[infinite])
        integers[[each is None for each in self.values]] = MISSING
        return b"".join(_plane(each, shift) for each in (integers, powers) for shift in (0, 8))


def _rounded(values: Array, digits: int) -> tuple[Array, Array]:
    """Integers, and the powers of ten that they are to be multiplied by."""
    if digits:
        return _significant(values, digits)
    small = np.abs(values) < 1000
    integers, powers = _significant(values, 3)
    halves = 5 * np.rint(2 * np.where(small, values, 0.0)).astype(np.int64)
    return np.where(small, halves, integers), np.where(small, -1, powers)


def _significant(values: Array, digits: int) -> tuple[Array, Array]:
    sizes = np.abs(values)
    powers = 1 - digits + np.floor(np.log10(sizes, out=np.zeros_like(sizes), where=sizes > 0)).astype(np.int64)
    half = powers // 2  # the whole of it may be beyond what a float can hold
    scales = 10.0**half, 10.0 ** (powers - half)
    integers = np.rint(values / scales[0] / scales[1]).astype(np.int64)
    with np.errstate(over="ignore"):  # the largest floats are not rounded up to infinity
        integers -= np.isinf(integers * scales[0] * scales[1]) * np.sign(integers)
    carried = np.abs(integers) == 10**digits  # as 99.9 to two digits
    integers[carried] //= 10
    powers[carried] += 1
    powers[integers == 0] = 0
    return integers, powers


def _plane(integers: Array, shift: int) -> bytes:
    """A byte of each integer, the sign in the lowest bit: small ones of either sign have no high bytes."""
    unsigned = np.where(integers < 0, -2 * integers - 1, 2 * integers)
    return ((unsigned >> shift) & 0xFF).astype(np.uint8).tobytes()
