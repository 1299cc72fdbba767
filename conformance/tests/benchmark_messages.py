"""How arrays may travel to a worker and back, beside what the harness does: ``python -m conformance.tests.benchmark
messages``.

Three ways, each as small as it can be, between two processes over two pipes: the other end sends back what it got.
The last row is a whole `Connection`: deadlines, checks, a task, an adapter that doubles.
"""

from __future__ import annotations

import binascii
import fcntl
import json
import math
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np

from conformance.adapter import Task
from conformance.connection import Connection
from conformance.spelling import Array

Arrays: TypeAlias = Mapping[str, Array]
ECHO = f"{Path(__file__).with_name('miniatures.py')}:Echo"
SMALL = {name: np.full((4, 3), 0.5, np.float32) for name in ("x", "gamma", "beta")}
BIG = {"x": np.full(64 << 17, 0.5)}  # 64 MiB


class Base64:
    """The bytes as letters inside the line."""

    def __init__(self, incoming: int, outgoing: int, shared: int) -> None:
        self.incoming, self.outgoing, self.shared = os.fdopen(incoming, "rb"), outgoing, shared

    def send(self, arrays: Arrays) -> None:
        pieces = [b"{"]
        for name, each in arrays.items():
            about = f'"{name}": ["{each.dtype.name}", {list(each.shape)}, "'
            pieces += [about.encode(), binascii.b2a_base64(each.data, newline=False), b'"]', b", "]
        self.write([b"".join([*pieces[:-1], b"}\n"])])

    def receive(self) -> dict[str, Array]:
        return {
            name: np.frombuffer(bytearray(binascii.a2b_base64(letters)), dtype).reshape(shape)
            for name, (dtype, shape, letters) in json.loads(self.incoming.readline()).items()
        }

    def write(self, pieces: Sequence[Any]) -> None:
        views = [memoryview(each).cast("B") for each in pieces]
        while views:
            count = os.writev(self.outgoing, views)
            while views and count >= len(views[0]):
                count -= len(views.pop(0))
            views[:1] = [each[count:] for each in views[:1]]


class Behind(Base64):
    """The bytes as they are, behind the line: written from the arrays, read into the arrays."""

    def send(self, arrays: Arrays) -> None:
        about = {name: [each.dtype.name, each.shape] for name, each in arrays.items()}
        self.write([json.dumps(about).encode() + b"\n", *arrays.values()])

    def receive(self) -> dict[str, Array]:
        about = json.loads(self.incoming.readline())
        arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in about.items()}
        for each in arrays.values():
            view = each.data.cast("B")
            while view:
                view = view[self.incoming.readinto(view) :]
        return arrays


class Shared(Base64):
    """The bytes in memory that both processes map; the reader takes a copy, for the next message overwrites it."""

    held = mmap.mmap(-1, 1)

    def send(self, arrays: Arrays) -> None:
        memory, start, about = self.memory(sum(each.nbytes for each in arrays.values())), 0, {}
        for name, each in arrays.items():
            about[name] = [each.dtype.name, each.shape, start]
            np.frombuffer(memory, each.dtype, each.size, start).reshape(each.shape)[...] = each
            start += each.nbytes
        self.write([json.dumps(about).encode() + b"\n"])

    def receive(self) -> dict[str, Array]:
        about = json.loads(self.incoming.readline())
        memory = self.memory(os.fstat(self.shared).st_size)
        return {
            name: np.frombuffer(memory, dtype, math.prod(shape), start).reshape(shape).copy()
            for name, (dtype, shape, start) in about.items()
        }

    def memory(self, size: int) -> mmap.mmap:
        if size > len(self.held):
            os.ftruncate(self.shared, max(size, os.fstat(self.shared).st_size))
            self.held = mmap.mmap(self.shared, size)
        return self.held


WAYS: dict[str, type[Base64]] = {"base64 in the line": Base64, "bytes behind it": Behind, "shared memory": Shared}


def echo(way: str, *descriptors: str) -> None:
    """The other end."""
    end = WAYS[way](*map(int, descriptors))
    while True:
        end.send(end.receive())


def between(way: str, arrays: Arrays, rounds: int) -> list[float]:
    """The seconds of each round trip, one way."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    shared = os.memfd_create("messages")
    for each in (ours_out, ours_in):
        fcntl.fcntl(each, fcntl.F_SETPIPE_SZ, 1 << 20)
    theirs = (theirs_in, theirs_out, shared)
    command = [sys.executable, "-m", "conformance.tests.benchmark_messages", way, *map(str, theirs)]
    with subprocess.Popen(command, pass_fds=theirs) as process:
        end = WAYS[way](ours_in, ours_out, shared)

        def ask() -> dict[str, Array]:
            end.send(arrays)
            return end.receive()

        back = ask()
        assert all(np.array_equal(back[name], each) for name, each in arrays.items())
        spent = seconds(ask, rounds)
        process.kill()
    return spent


def connected(arrays: Arrays, rounds: int) -> list[float]:
    """The seconds of each task of a connection."""
    task = Task("good", "double", "layer", "float32", {}, predict=dict(arrays))
    with Connection(ECHO) as connection:
        return seconds(lambda: connection.run(task), rounds)


def seconds(ask: Callable[[], object], rounds: int) -> list[float]:
    """How long each round took, a first one aside."""
    spent = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        ask()
        spent.append(time.perf_counter() - begin)
    return spent[1:]


def measure() -> None:
    """Print what a message costs, each way."""
    small, big = f"{len(SMALL)} arrays of 48 bytes", "64 MiB"
    print(f"\nthere and back, medians (least) {'':8} {small:>34} {big:>20}")
    ways = {way: lambda *what, way=way: between(way, *what) for way in WAYS} | {"a whole connection": connected}
    for name, way in ways.items():
        few, many = way(SMALL, 3000), way(BIG, 9)
        rate, micro, least = 1 / median(few), 1e6 * median(few), 1e6 * min(few)
        print(
            f"  {name:32} {rate:10.0f} a second {micro:6.0f} ({least:4.0f}) us"
            f" {1e3 * median(many):9.0f} ({1e3 * min(many):4.0f}) ms"
        )


if __name__ == "__main__":
    echo(*sys.argv[1:])
