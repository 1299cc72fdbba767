"""Messages between the parent and a worker: one JSON line each, the arrays in a table of their own.

::

    {"message": {"id": 2, "task": {... {"$array": 0} ...}}, "arrays": [{"dtype": .., "shape": .., "base64": ..}]}

What JSON lacks is an object with one key: ``{"$array": index}``, ``{"$tuple": [...]}``, ``{"$float": "nan"}``.  An
array that a message holds many times stands in the table once.  Decoding executes nothing and checks every size.

An answer is such a line and then ``{"end": 2}``: whatever else was written before that is found out at once, and not
taken for the answer to the next question.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from conformance.adapter import Array, Arrays, Part, Raised, Reply, Task, Train

DTYPES = frozenset(
    ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")
)


@dataclass(frozen=True)
class Hello:
    """What a worker says of itself once its framework is loaded, and the seconds that loading took."""

    versions: dict[str, str]
    device: str
    precisions: tuple[str, ...]
    modes: tuple[str, ...]
    operations: tuple[str, ...]
    switches: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Answer:
    """An adapter's reply to a task, and the seconds that it spent on it."""

    reply: Reply
    seconds: float


# --- any message ----------------------------------------------------------------------------------------------------


def encode(message: Any) -> bytes:
    """The line that stands for a message; raises `TypeError` for what cannot be sent."""
    table: dict[int, tuple[int, Array]] = {}  # by identity; holding the array keeps its identity its own
    tree = json.dumps(_plain(message, table), allow_nan=False).encode("ascii")
    arrays = [piece for index, array in table.values() for piece in (b", " if index else b"", *_array_line(array))]
    return b"".join([b'{"message": ', tree, b', "arrays": [', *arrays, b"]}\n"])


def ending(number: int) -> bytes:
    """The line that ends the answer to the question of that number."""
    return b'{"end": %d}\n' % number


def decode(line: bytes | memoryview) -> Any:
    """The message that a line stands for; raises `ValueError` for anything else."""
    try:
        whole = json.loads(str(line, "ascii"), parse_constant=_no_constant)
        if not isinstance(whole, dict) or set(whole) != {"message", "arrays"} or not isinstance(whole["arrays"], list):
            raise ValueError("expected a message and its arrays")
        return _rich(whole["message"], [_array(each) for each in whole["arrays"]])
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _plain(value: Any, table: dict[int, tuple[int, Array]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.name not in DTYPES:
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        index, _ = table.setdefault(id(value), (len(table), value))
        return {"$array": index}
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


def _rich(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, list):
        return [_rich(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if not any(key.startswith("$") for key in value):
        return {key: _rich(each, arrays) for key, each in value.items()}
    match value:
        case {"$array": int(index), **rest} if not rest and 0 <= index < len(arrays):
            return arrays[index]
        case {"$tuple": list(items), **rest} if not rest:
            return tuple(_rich(each, arrays) for each in items)
        case {"$float": "nan" | "inf" | "-inf" as text, **rest} if not rest:
            return float(text)
    raise ValueError(f"an object with the keys {', '.join(sorted(value))} has no meaning")


def _array_line(array: Array) -> tuple[bytes, bytes, bytes]:
    # Not by json: it would look through every letter of the base64 for one to escape, and copy it twice more.
    about = f'{{"dtype": "{array.dtype.name}", "shape": {list(array.shape)}, "base64": "'
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return about.encode("ascii"), binascii.b2a_base64(little.data, newline=False), b'"}'


def _array(value: Any) -> Array:
    match value:
        case {"dtype": str(name), "shape": list(shape), "base64": str(text), **rest} if name in DTYPES and not rest:
            pass
        case _:
            raise ValueError("expected the dtype, shape and base64 of an array")
    if not all(type(each) is int and each >= 0 for each in shape):
        raise ValueError(f"{shape} is no shape")
    dtype = np.dtype(name).newbyteorder("<")
    size = math.prod(shape) * dtype.itemsize
    if len(text) != 4 * ((size + 2) // 3):
        raise ValueError(f"{name} of shape {shape} takes {size} bytes, not {len(text)} letters of base64")
    data = bytearray(binascii.a2b_base64(text, strict_mode=True))  # a bytearray: the array can be written to
    if len(data) != size:
        raise ValueError(f"{name} of shape {shape} takes {size} bytes, not {len(data)}")
    if name == "bool" and data.translate(None, b"\0\1"):
        raise ValueError("a bool is 0 or 1")
    return np.frombuffer(data, dtype).reshape(shape).astype(np.dtype(name), copy=False)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# --- the messages that there are ------------------------------------------------------------------------------------


def as_arrays(reply: Reply) -> Reply:
    """The reply with NumPy's scalars in its traces as arrays, so that they keep their dtype."""

    def arrays(trace: Mapping[str, Any]) -> Arrays:
        return {name: np.asarray(each) if isinstance(each, np.generic) else each for name, each in trace.items()}

    predict = None if reply.predict is None else arrays(reply.predict)
    return replace(reply, train=[arrays(trace) for trace in reply.train], predict=predict)


def to_task(value: Any) -> Task:
    """The task in a message; raises `ValueError`."""
    task = _fields(Task, value)
    train = task["train"]
    if train is not None:
        train = _fields(Train, train)
        for part in ("loss", "optimizer"):
            train[part] = None if train[part] is None else Part(**_fields(Part, train[part]))
        train = Train(**train)
    return Task(**{**task, "train": train})


def to_answer(value: Any) -> Answer:
    """The answer in a message; raises `ValueError` unless each field is of its kind."""
    answer = _fields(Answer, value)
    reply = _fields(Reply, answer["reply"])
    if not isinstance(reply["parameters"], dict) or not isinstance(reply["train"], list):
        raise ValueError("parameters must be an object, and train a list")
    for name in ("unsupported", "untrained"):
        if not isinstance(reply[name], str | None):
            raise ValueError(f"{name} must be a text")
    for trace in [*reply["train"], {} if reply["predict"] is None else reply["predict"]]:
        if not isinstance(trace, dict) or not all(isinstance(each, np.ndarray) for each in trace.values()):
            raise ValueError("a trace must hold arrays by name")
    raised = reply["raised"]
    if raised is not None:
        match _fields(Raised, raised):
            case {"phase": "train" | "predict", "step": int(), "kind": str(), "message": str()}:
                reply["raised"] = Raised(**raised)
            case _:
                raise ValueError("raised must tell phase, step, kind and message")
    return Answer(Reply(**reply), _seconds(answer["seconds"]))


def to_hello(value: Any) -> Hello:
    """The greeting in a message; raises `ValueError` unless each field is of its kind."""
    hello = _fields(Hello, value)
    for name in ("versions", "switches"):
        if not isinstance(hello[name], dict) or not all(isinstance(each, str) for each in hello[name].values()):
            raise ValueError(f"{name} must be texts by name")
    for name in ("precisions", "modes", "operations"):
        if not isinstance(hello[name], tuple) or not all(isinstance(text, str) for text in hello[name]):
            raise ValueError(f"{name} must be texts")
    if not hello["modes"]:
        raise ValueError("there must be a mode")
    if not isinstance(hello["device"], str):
        raise ValueError("device must be a text")
    _seconds(hello["seconds"])
    return Hello(**hello)


def _seconds(value: Any) -> float:
    if type(value) is not float or not value >= 0:
        raise ValueError("seconds must be a number from 0 up")
    return value


def _fields(kind: type[Any], value: Any) -> dict[str, Any]:
    names = [each.name for each in fields(kind)]
    if not isinstance(value, dict) or set(value) != set(names):
        raise ValueError(f"{kind.__name__} must have exactly {', '.join(names)}")
    return dict(value)
