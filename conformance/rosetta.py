"""How each framework writes each operation: which call, and what becomes of our parameters, names and layouts.

Nobody keeps this by hand.  An adapter is asked how it writes a task, then how it writes it with another value of one
parameter: what differs between the two calls is where that parameter goes, and how it is converted.  No framework
computes anything for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
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
MOST_OTHERS = 3
"""So many other tasks are tried where a parameter is refused in the first: there another one may stand in its way."""


GIVEN = "given"
"""What stands for the value of an argument that is passed or not, as a tensor is."""
LAYOUT = "layout of "


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
            writable = _writable(ask, _bases(by_operation[name], precision, mode))
            if first := next(writable, None):
                found[name] = to_json(_Probe(ask, by_operation[name], *first, writable).told())
    except GaveUp:
        pass
    return found


def _writable(ask: Ask, tasks: Iterable[Task]) -> Iterator[tuple[Task, Written]]:
    """The tasks that an adapter can write, and how it does."""
    for task in tasks:
        try:
            written = ask(task)
        except (Unsupported, Untold):
            continue
        yield task, written


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
    """A task of an operation that an adapter can write, to be asked again with other parameters.

    ``rest`` are further ones.
    """

    ask: Ask
    cases: Sequence[Case]
    task: Task
    written: Written
    rest: Iterable[tuple[Task, Written]] = ()

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
                parameters[name] = self._seen_elsewhere(name) or {"refused": refused[0]}
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

    @cached_property
    def _elsewhere(self) -> list[_Probe]:
        return [_Probe(self.ask, self.cases, *each) for each in islice(self.rest, MOST_OTHERS)]

    def _seen_elsewhere(self, name: str) -> dict[str, Any]:
        """The effect that a parameter has in the first of the other tasks where it has one; empty if in none."""
        for other in self._elsewhere:
            seen, _ = other._tried(name)
            effect = other._effect(name, seen) if seen else {}
            if effect.get("argument"):
                return effect
        return {}

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
        written = [each for _, each in seen]
        ours = [value for value, _ in seen]
        if name in self.task.parameters:
            written.insert(0, self.written)
            ours.insert(0, self.task.parameters[name])
        views = [_view(each) for each in written]
        changed = _changed(views) or _changed([_view(self.written), *views])
        if not changed and any(each.call != self.written.call for each in written):
            changed, views = _presence(written)
        changed = self._without_sizes(changed, written)
        pairs = list(zip(ours, views, strict=True))
        argument, values = ", ".join(changed), [[ours, _theirs(view, changed)] for ours, view in pairs]
        place = _place(values) if len(changed) == 1 else None
        if place is not None:
            argument, values = f"{argument}[{place}]", [[ours, theirs[place]] for ours, theirs in values]
        return {"argument": argument, "values": values if changed else []}

    def _without_sizes(self, changed: list[str], written: Sequence[Written]) -> list[str]:
        """What a user writes otherwise: beside that, the sizes of this task's own tensors are no part of it."""
        shapes = [each.shape for each in (*self.task.inputs.values(), *self.task.tensors.values())]
        sizes = {size for shape in shapes for size in shape}
        return [key for key in changed if not _is_size(key, written, sizes)] or changed


def _is_size(key: str, written: Sequence[Written], sizes: Collection[int]) -> bool:
    """Whether an argument is passed by its place, and only ever a size."""
    passed = [each for each in written if key in each.arguments]
    return bool(passed) and all(
        f"{key}=" not in f"{each.call} {each.training}"
        and all(type(size) is int and size in sizes for size in _flat(each.arguments[key]))
        for each in passed
    )


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
    layouts = {f"{LAYOUT}{name}": each.partition(", ")[2] for name, each in written.tensors.items()}
    return {**written.arguments, **{name: each for name, each in layouts.items() if each}, "call": _called(written)}


def _called(written: Written) -> str:
    return written.call.partition("(")[0]


def _changed(views: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is not the same in all of them."""
    keys = dict.fromkeys(key for view in views for key in view)
    return [key for key in keys if any(not equal(view.get(key), views[0].get(key)) for view in views)]


def _flat(value: Any) -> list[Any]:
    """A number, or those in a list."""
    return [each for inner in value for each in _flat(inner)] if isinstance(value, (list, tuple)) else [value]


def _presence(written: Sequence[Written]) -> tuple[list[str], list[dict[str, Any]]]:
    """The tensors that are passed or not, by the framework's names; the whole calls, if it is not even that."""
    views = [{name: each.partition(", ")[0] for name, each in one.tensors.items()} for one in written]
    theirs = {name: next(view[name] for view in views if name in view) for name in _changed(views)}
    if not theirs:
        return ["call"], [{"call": each.call} for each in written]
    passed = [
        {key: GIVEN if view[name] == key else view[name] for name, key in theirs.items() if name in view}
        for view in views
    ]
    return list(theirs.values()), passed


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
            if all(np.float32(convert(ours)) == np.float32(theirs) for ours, theirs in values):
                return name  # a framework may hold it in the narrower format
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
