"""A message between the parent and a worker: a line of JSON, the bytes of its arrays, and a line that ends it.

::

    {"id": 2, "task": {... {"$array": ["float32", [4, 3]]} ...}}
    (48 bytes, as they lie in memory: both ends are on one machine)
    {"end": 2}

What JSON lacks is an object with one key: ``{"$array": [dtype, shape]}``, ``{"$again": index}`` for an array that the
message already holds, ``{"$tuple": [...]}``, ``{"$float": "nan"}``.  Arrays are sent from where they are and received
where they stay.  Receiving executes nothing, and checks every size before it takes memory.

The ending finds out at once whatever else was written, so that it is not taken for the answer to the next question.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import Any

import numpy as np

from conformance.spelling import Array

DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
)
LONGEST_LINE = 1 << 24
"""JSON takes up to 30 times its length in memory, so that its limit is narrower than that of the arrays."""

_CHUNK = 1 << 16
_PIECES = os.sysconf("SC_IOV_MAX")
_DIMENSIONS = 64


class Outgoing:
    """A message on its way out: `write` until it is `complete`. Raises `TypeError` for what cannot be sent."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        self.number: int = message["id"]
        table: dict[int, tuple[int, Array]] = {}  # by identity; holding the array keeps its identity its own
        line = json.dumps(_plain(message, table), allow_nan=False).encode("ascii") + b"\n"
        if len(line) > LONGEST_LINE:
            raise TypeError(f"a message whose line has {len(line)} bytes cannot be sent")
        views = [_bytes(np.ascontiguousarray(each, each.dtype.newbyteorder("="))) for _, each in table.values()]
        self._pieces = deque(each for each in (memoryview(line), *views, memoryview(_ending(self.number))) if each)

    @property
    def complete(self) -> bool:
        """Whether all of it was written."""
        return not self._pieces

    def write(self, descriptor: int) -> None:
        """Write once, as much as there is room for."""
        _skip(self._pieces, os.writev(descriptor, list(islice(self._pieces, _PIECES))))


class Incoming:
    """A message on its way in, of at most so many bytes, and of that number: `read` until it is `complete`."""

    def __init__(self, largest: int, number: int | None = None) -> None:
        self._number = number
        self.message: Any = None
        self.complete = False
        self._room = largest
        self._line = bytearray()
        self._arrays: list[Array] = []
        self._end = self._said = memoryview(b"")
        self._places: deque[memoryview] = deque()  # for what follows the line, once that is whole

    def read(self, descriptor: int) -> int:
        """Read once, and return how many bytes that were, 0 at the end; raises `ValueError` for what is no message."""
        if self._places:
            count = os.readv(descriptor, list(islice(self._places, _PIECES)))
            _skip(self._places, count)
        else:
            chunk = os.read(descriptor, _CHUNK)
            count = len(chunk)
            self._take(chunk)
        if self._end and len(self._places) <= 1:
            self._finish()
        return count

    def _take(self, chunk: bytes) -> None:
        line, newline, more = chunk.partition(b"\n")
        self._line += line
        if len(self._line) > min(self._room, LONGEST_LINE):
            raise ValueError("it is too long")
        if newline:
            self._understand()
            rest = memoryview(more)
            while rest and self._places:
                place = self._places[0][: len(rest)]
                place[:] = rest[: len(place)]
                rest = rest[len(place) :]
                _skip(self._places, len(place))

    def _understand(self) -> None:
        self._room -= len(self._line)
        try:
            text = str(self._line, "ascii")
            self.message = json.loads(text, object_pairs_hook=self._rich, parse_constant=_no_constant)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(self.message, dict) or type(self.message.get("id")) is not int:
            raise ValueError("expected an object with an id")
        if self._number not in (None, self.message["id"]):
            raise ValueError("it is not to the question that was asked")
        self._end = memoryview(_ending(self.message["id"]))
        self._said = memoryview(bytearray(len(self._end)))
        surplus = memoryview(bytearray(1))
        self._places.extend([*(_bytes(each) for each in self._arrays if each.nbytes), self._said, surplus])

    def _finish(self) -> None:
        if self._said != self._end or not self._places:
            raise ValueError("it does not end where it should")
        if any(each.dtype == bool and each.view(np.uint8).max(initial=0) > 1 for each in self._arrays):
            raise ValueError("a bool is 0 or 1")
        self.complete = True

    def _rich(self, pairs: list[tuple[str, Any]]) -> Any:
        """What an object stands for."""
        value = dict(pairs)
        if len(value) < len(pairs):
            raise ValueError("a key stands twice in an object")
        if not any(key.startswith("$") for key in value):
            return value
        if len(value) == 1:
            match value:
                case {"$array": [str(name), [*shape]]}:
                    return self._array(name, shape)
                case {"$again": int(index)} if 0 <= index < len(self._arrays):
                    return self._arrays[index]
                case {"$tuple": [*items]}:
                    return tuple(items)
                case {"$float": "nan" | "inf" | "-inf" as text}:
                    return float(text)
        raise ValueError(f"an object with the keys {', '.join(sorted(value)):.100} has no meaning")

    def _array(self, name: str, shape: list[Any]) -> Array:
        if name not in DTYPES:
            raise ValueError(f"{name:.100} is no dtype of an array")
        if len(shape) > _DIMENSIONS or not all(type(each) is int and each >= 0 for each in shape):
            raise ValueError(f"{shape!s:.100} is no shape")
        size = math.prod(shape) * np.dtype(name).itemsize
        if size > self._room:
            raise ValueError(f"it is too long: {name} of shape {shape!s:.100}")
        self._room -= size
        self._arrays.append(np.empty(shape, name))
        return self._arrays[-1]


def receive(descriptor: int) -> Any:
    """The next message of any size, waited for; None at the end."""
    incoming = Incoming(sys.maxsize)
    while not incoming.complete:
        if not incoming.read(descriptor):
            return None
    return incoming.message


def send(descriptor: int, outgoing: Outgoing) -> None:
    """Write all of a message."""
    while not outgoing.complete:
        outgoing.write(descriptor)


def _ending(number: int) -> bytes:
    return b'{"end": %d}\n' % number


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _skip(pieces: deque[memoryview], count: int) -> None:
    """Drop so many bytes at the front."""
    while count:
        first = pieces.popleft()
        if count < len(first):
            pieces.appendleft(first[count:])
        count -= min(count, len(first))


def _plain(value: Any, table: dict[int, tuple[int, Array]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.name not in DTYPES:
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        if id(value) in table:
            return {"$again": table[id(value)][0]}
        table[id(value)] = len(table), value
        return {"$array": [value.dtype.name, value.shape]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, list):
        return [_plain(each, table) for each in value]
    if isinstance(value, tuple):
        return {"$tuple": [_plain(each, table) for each in value]}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name), table) for each in fields(value)}
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) or key.startswith("$") for key in value):
            raise TypeError(f"a mapping with the keys {sorted(map(str, value))} cannot be sent")
        return {key: _plain(each, table) for key, each in value.items()}
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} cannot be sent: {value!r:.100}")


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
