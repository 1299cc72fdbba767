"""What the parent and a worker say to each other: a greeting, and answers to tasks.

What comes in over `conformance.wire` is plain; it becomes one of these only if every field is there and of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from conformance.adapter import MODES, Adapter, Arrays, Part, Raised, Reply, Task, Train
from conformance.errors import Unsupported
from conformance.spelling import Written, is_plain


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
    narrows: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """An adapter's reply to a task, and the seconds that it spent on it."""

    reply: Reply
    seconds: float


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
    for name in ("versions", "switches", "narrows"):
        if not isinstance(hello[name], dict) or not all(isinstance(each, str) for each in hello[name].values()):
            raise ValueError(f"{name} must be texts by name")
    for name in ("precisions", "modes", "operations"):
        if not isinstance(hello[name], tuple) or not all(isinstance(text, str) for text in hello[name]):
            raise ValueError(f"{name} must be texts")
    for name, known in (("precisions", Adapter.precisions), ("modes", MODES)):
        if not hello[name] or not set(hello[name]) <= set(known):
            raise ValueError(f"{name} must be some of {', '.join(known)}, not {', '.join(hello[name]) or 'none'}")
    if not isinstance(hello["device"], str):
        raise ValueError("device must be a text")
    _seconds(hello["seconds"])
    return Hello(**hello)


def to_script(value: Any) -> str:
    """The script in a message; raises `ValueError`."""
    if not isinstance(value, str):
        raise ValueError("a script must be a text")
    return value


def to_written(value: Any) -> Written:
    """What a message says of how a task is written; raises `ValueError` unless each field is of its kind."""
    written = _fields(Written, value)
    for name in ("call", "training", "functions"):
        if not isinstance(written[name], str):
            raise ValueError(f"{name} must be a text")
    if not isinstance(written["tensors"], dict) or not all(
        isinstance(each, str) for each in written["tensors"].values()
    ):
        raise ValueError("tensors must be texts by name")
    if not isinstance(written["arguments"], dict) or not all(map(is_plain, written["arguments"].values())):
        raise ValueError("arguments must be numbers, texts, or lists of them, by name")
    return Written(**written)


def to_unsupported(value: Any) -> Unsupported:
    """The reason in a message; raises `ValueError`."""
    if not isinstance(value, str):
        raise ValueError("a reason must be a text")
    return Unsupported(value)


def _seconds(value: Any) -> float:
    if type(value) is not float or not 0 <= value < math.inf:
        raise ValueError("seconds must be a number from 0 up")
    return value


def _fields(kind: type[Any], value: Any) -> dict[str, Any]:
    names = [each.name for each in fields(kind)]
    if not isinstance(value, dict) or set(value) != set(names):
        raise ValueError(f"{kind.__name__} must have exactly {', '.join(names)}")
    return dict(value)
