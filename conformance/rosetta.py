"""How each framework writes each operation: which call, and what becomes of our parameters, names and layouts.

Nobody keeps this by hand.  An adapter is asked how it writes a task, then how it writes it with another value of one
parameter: what differs between the two calls is where that parameter goes, and how it is converted.  No framework
computes anything for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from conformance.adapter import Task
from conformance.case import Case, TensorSpec
from conformance.errors import Unsupported
from conformance.operation import Operation
from conformance.results import to_json
from conformance.smoke import smoke_tasks
from conformance.spelling import Written
from conformance.task import task_of

Ask: TypeAlias = Callable[[Task], Written]
"""How a task is written; raises `Unsupported`, `Untold` or `GaveUp`."""

MOST_BASES = 12
"""So many parameters of an operation are tried before an adapter is taken to have no call for it."""
MOST_VALUES = 8
"""So many other values of a parameter are tried."""


class Untold(Exception):
    """The adapter failed over a task, whose tensors may not suit the parameters."""


class GaveUp(Exception):
    """The adapter cannot be asked any more."""


# --- asking ---------------------------------------------------------------------------------------------------------


def spellings(
    ask: Ask, operations: Collection[str], cases: Sequence[Case], precision: str, mode: str
) -> dict[str, dict[str, Any]]:
    """What the header of a run says of how an adapter writes the operations of these cases, as plain JSON.

    ``operations`` are those that it has.
    """
    by_operation: dict[str, list[Case]] = {}
    for case in cases:
        by_operation.setdefault(case.operation.name, []).append(case)
    found: dict[str, dict[str, Any]] = {}
    try:
        for name in (each for each in by_operation if each in operations):
            for task in _bases(by_operation[name], precision, mode):
                try:
                    written = ask(task)
                except (Unsupported, Untold):
                    continue
                probe = _Probe(ask, by_operation[name], task, written)
                found[name] = to_json(probe.told())
                break
    except GaveUp:
        pass
    return found


def _bases(cases: Sequence[Case], precision: str, mode: str) -> Iterator[Task]:
    """Tasks with different parameters, those first that say least; the example is the last."""
    known: set[str] = set()
    for case in sorted(cases, key=lambda each: (-len(each.defaults), len(each.parameters))):
        parameters = repr(sorted(case.parameters.items()))
        if parameters not in known and len(known) < MOST_BASES:
            known.add(parameters)
            yield task_of(_outline(case), precision, mode)
    yield from smoke_tasks(cases[0].operation, precision, mode)


def _outline(case: Case) -> Case:
    """A case whose tensors have their shapes but no numbers, and at most one step."""

    def empty(tensors: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
        return {name: TensorSpec.full(each.shape, 0.0, each.place) for name, each in tensors.items()}

    train, predict = case.train, case.predict
    if train:
        train = replace(train, inputs=(empty(train.inputs[0]),), targets=None, steps=1)
    if predict:
        predict = replace(predict, inputs=empty(predict.inputs))
    return replace(case, tensors=empty(case.tensors), train=train, predict=predict)


def _ranks(case: Case) -> dict[str, int]:
    """How many axes each input has: a list of strides or axes suits only inputs of that kind."""
    inputs = case.train.inputs[0] if case.train else case.predict.inputs if case.predict else {}
    return {name: len(each.shape) for name, each in inputs.items()}


@dataclass(frozen=True)
class _Probe:
    """An operation's first task that an adapter can write, to be asked again with other parameters."""

    ask: Ask
    cases: Sequence[Case]
    task: Task
    written: Written

    def told(self) -> dict[str, Any]:
        """What is found out."""
        tensors = dict(self.written.tensors)
        parameters = {}
        for name in self.cases[0].operation.parameters:
            seen, refused = self._tried(name)
            for _, each in seen:
                tensors = {**each.tensors, **tensors}
            if seen:
                parameters[name] = self._effect(name, seen)
            elif refused:
                parameters[name] = {"refused": refused[0]}
        return {
            "call": self.written.call,
            **({"training": self.written.training} if self.written.training else {}),
            "tensors": tensors,
            **({"functions": self.written.functions} if self.written.functions else {}),
            "parameters": parameters,
        }

    def _tried(self, name: str) -> tuple[list[tuple[Any, Written]], list[str]]:
        """How it is written with other values of a parameter, and why it is not."""
        seen, refused = [], []
        for value in self._others(name):
            try:
                seen.append((value, self.ask(_with(self.task, self.cases[0].operation, name, value))))
            except Unsupported as reason:
                refused.append(str(reason))
            except Untold:
                continue
        return seen, refused

    def _others(self, name: str) -> list[Any]:
        """Other values of a parameter: of its kind, and those that cases give it."""
        parameter = self.cases[0].operation.parameters[name]
        given = name in self.task.parameters
        start = self.task.parameters.get(name, parameter.default)
        values = [] if given else [start]
        if parameter.kind is bool:
            values.append(not start)
        elif parameter.kind is float and type(start) in (int, float) and math.isfinite(start):
            values.append(start / 2 or 0.5)
        values += parameter.choices
        ranks = {name: each.ndim for name, each in self.task.inputs.items()}
        values += [case.parameters[name] for case in self.cases if name in case.parameters and _ranks(case) == ranks]
        if parameter.per_step:
            values = [each for each in values if not isinstance(each, (list, tuple))]
        other: list[Any] = []
        for value in values:
            if not (given and equal(value, start)) and not any(equal(value, each) for each in other):
                other.append(value)
        return other[:MOST_VALUES]

    def _effect(self, name: str, seen: Sequence[tuple[Any, Written]]) -> dict[str, Any]:
        """Which arguments change with a parameter, from our values to theirs."""
        base, views = _view(self.written), [_view(each) for _, each in seen]
        changed = [
            key
            for key in dict.fromkeys(key for view in (base, *views) for key in view)
            if any(not equal(view.get(key), base.get(key)) for view in views)
        ]
        if not changed and any(each.call != self.written.call for _, each in seen):
            changed, (base, *views) = _presence([self.written, *(each for _, each in seen)])
        pairs = [(value, view) for (value, _), view in zip(seen, views, strict=True)]
        if name in self.task.parameters:
            pairs.insert(0, (self.task.parameters[name], base))
        argument, values = ", ".join(changed), [[ours, _theirs(view, changed)] for ours, view in pairs]
        place = _place(values) if len(changed) == 1 else None
        if place is not None:
            argument, values = f"{argument}[{place}]", [[ours, theirs[place]] for ours, theirs in values]
        return {"argument": argument, "values": values if changed else []}


def _with(task: Task, operation: Operation, name: str, value: Any) -> Task:
    """A task with another value of a parameter, and the tensors that exist with it."""
    parameters = {**task.parameters, name: value}
    active = operation.active(parameters)
    tensors = {name: each for name, each in task.tensors.items() if name in active}
    try:
        sizes = operation.sizes({name: each.shape for name, each in {**task.inputs, **tensors}.items()}, parameters)
    except ValueError:
        sizes = {}
    for new in (each for each in active if active[each].role != "input" and each not in tensors):
        shape = operation.shape(new, sizes, parameters)
        if shape is not None:
            tensors[new] = np.zeros(shape, active[new].dtype(task.precision))
    return replace(task, parameters=parameters, tensors=tensors)


def _view(written: Written) -> dict[str, Any]:
    """What may change with a parameter: the arguments, the layouts, and which function it is."""
    layouts = {f"layout of {name}": each.partition(", ")[2] for name, each in written.tensors.items()}
    return {**written.arguments, **{name: each for name, each in layouts.items() if each}, "call": _called(written)}


def _called(written: Written) -> str:
    return written.call.partition("(")[0]


def _presence(written: Sequence[Written]) -> tuple[list[str], list[dict[str, Any]]]:
    """The tensors that are passed or not, where no argument tells; the whole calls, if it is not even that."""
    names = list(dict.fromkeys(name for each in written for name in each.tensors))
    changed = [name for name in names if len({each.tensors.get(name) for each in written}) > 1]
    if changed:
        return changed, [{name: each.tensors.get(name) for name in changed} for each in written]
    return ["call"], [{"call": each.call} for each in written]


def _theirs(view: Mapping[str, Any], changed: Sequence[str]) -> Any:
    """The value of what changes; of several as a text, unless they are the same."""
    values = [view.get(key) for key in changed]
    if values and all(equal(each, values[0]) for each in values):
        return values[0]
    return ", ".join(f"{key}={view[key]!r}" for key in changed if key in view)


def _place(values: Sequence[Sequence[Any]]) -> int | None:
    """Where in a list of theirs a number of ours stands, if only that one changes."""
    lists = [theirs for _, theirs in values]
    if len(values) < 2 or not all(isinstance(each, (list, tuple)) and len(each) == len(lists[0]) for each in lists):
        return None
    if any(isinstance(ours, (list, tuple)) for ours, _ in values):
        return None
    changed = [
        number for number in range(len(lists[0])) if any(not equal(each[number], lists[0][number]) for each in lists)
    ]
    return changed[0] if len(changed) == 1 else None


# --- conversions ----------------------------------------------------------------------------------------------------


CONVERSIONS: Mapping[str, Callable[[float], float]] = {
    "1 − {}": lambda ours: 1 - ours,
    "−{}": lambda ours: -ours,
    "1/{}": lambda ours: 1 / ours if ours else math.inf,
    "√{}": lambda ours: math.sqrt(ours) if ours >= 0 else math.nan,
}
"""The conversions that have a name, ``{}`` standing for our value."""


def conversion(values: Sequence[Sequence[Any]]) -> str:
    """What becomes of our values in a framework: nothing, a conversion that has a name, or the pairs.

    Only real numbers are converted: among whole ones, -1 and 0 have meanings of their own.

    >>> conversion([[0.5, 0.5], [[1, 2], (1, 2)]])
    ''
    >>> conversion([[0.99, 0.01], [0.75, 0.25]]), conversion([[2.0, 0.5], [1, 1]])
    ('1 − {}', '1/{}')
    >>> conversion([["same", "SAME"], [True, 1], [None, [2, 0.5]]])
    'same → SAME, true → 1, null → [2, 0.5]'
    """
    if all(equal(ours, theirs) for ours, theirs in values):
        return ""
    numbers = [each for pair in values for each in pair]
    if all(map(_is_number, numbers)) and any(isinstance(each, float) for each in numbers):
        for name, convert in CONVERSIONS.items():
            if all(math.isclose(convert(ours), theirs, rel_tol=1e-9, abs_tol=1e-12) for ours, theirs in values):
                return name
    return ", ".join(f"{_shown(ours)} → {_shown(theirs)}" for ours, theirs in values)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same, however they are written: a list is a tuple, but 1 is not true.

    >>> equal((1, 2), [1.0, 2]), equal(True, 1), equal([True], [1]), equal(math.nan, math.nan)
    (True, False, False, True)
    """
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other) or (one != one and other != other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
