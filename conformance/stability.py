"""What changes from run to run: the replies of several processes to one task, held against each other bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapter import Arrays, Reply, Task
from conformance.errors import WorkerError

Answered = Reply | WorkerError


@dataclass(frozen=True)
class Change:
    """What is not the same in two runs; ``of_numbers`` if both gave an answer, with other numbers in it."""

    text: str
    of_numbers: bool

    def __str__(self) -> str:
        return self.text


def changes(task: Task, answers: Sequence[Answered]) -> dict[str, Change]:
    """What is not the same in all runs, by phase, with the values of two runs; empty if nothing is."""
    first, *others = answers
    for number, other in enumerate(others, 2):
        if found := _changes(task, first, other, number):
            return found
    return {}


def _changes(task: Task, first: Answered, other: Answered, number: int) -> dict[str, Change]:
    phases = [name for name, phase in (("train", task.train), ("predict", task.predict)) if phase is not None]
    one, two = _said(first), _said(other)
    if one != two:
        return dict.fromkeys(phases, Change(f"{one} in run 1, {two} in run {number}", of_numbers=False))
    if not isinstance(first, Reply) or not isinstance(other, Reply):
        return {}
    traces = {
        "train": [*zip(range(1, len(first.train) + 1), first.train, other.train, strict=False)],
        "predict": [(0, first.predict or {}, other.predict or {})],
    }
    found = {}
    for phase in phases:
        differences = (_difference(task, step, one, two, number) for step, one, two in traces[phase])
        if first_difference := next(filter(None, differences), ""):
            found[phase] = Change(first_difference, of_numbers=True)
    return found


def _said(answer: Answered) -> str:
    """An answer without its numbers."""
    if isinstance(answer, WorkerError):
        return str(answer)
    if answer.raised:
        step = f" at step {answer.raised.step}" if answer.raised.step else ""
        return f"it raised {answer.raised.kind} in {answer.raised.phase}{step} ({answer.raised.message})"
    if answer.unsupported:
        return f"unsupported ({answer.unsupported})"
    shown = [{name: each.shape for name, each in trace.items()} for trace in (*answer.train, answer.predict or {})]
    return f"an answer with the parameters {answer.parameters} and the tensors {shown}"


def _difference(task: Task, step: int, one: Arrays, two: Arrays, number: int) -> str:
    for name, value in one.items():
        apart = _apart(value, two[name])
        if np.any(apart):
            at = tuple(int(each) for each in np.argwhere(apart)[0])
            place = f"{name}, {f'step {step}, ' if step else ''}{task.precision}, index {list(at)}"
            return f"{place}: {_digits(value[at])} in run 1, {_digits(two[name][at])} in run {number}"
    return ""


def _apart(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where two arrays are not the same; NaN is NaN, and -0 is not +0."""
    if one.dtype.kind != "f" or one.dtype != two.dtype:
        return np.asarray(one != two)
    same = (one == two) & (np.signbit(one) == np.signbit(two)) | (np.isnan(one) & np.isnan(two))
    return np.asarray(~same)


def _digits(value: Any) -> str:
    return f"{value:.{9 if value.dtype == np.float32 else 17}g}"
