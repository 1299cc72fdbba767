"""One adapter's run of a task beside the formula: every tensor it produced, and what it should have been.

Each step and phase starts from the framework's *own* weights, states and slots.  What a framework does not show is
carried on by the formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from conformance.adapter import Arrays, Reply, Task
from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.precision import PRECISIONS, Precision
from conformance.compare import Deviation, compare
from conformance.operation import Dialect, Setting, get_operation
from conformance.oracle import Oracle, Trace, bounded, plain
from conformance.timing import in_oracle

Key = tuple[tuple[str, Setting], ...]


@dataclass(frozen=True)
class Cell:
    """One tensor that an adapter produced: ``step`` counts from 1, 0 is prediction."""

    replay: Replay
    phase: str
    step: int
    name: str
    actual: np.ndarray[Any, Any]

    def reference(self, dialect: Dialect) -> Bounded | None:
        """What the formula with this dialect gives; None if it has no such tensor."""
        trace = self.replay.reference(self.step, dialect, name=self.name)
        found: Bounded | None = trace.get(self.name)
        margin = self.replay.margins.get(self.name)
        if found is None or margin is None or found.shape != np.shape(margin):
            return found
        return Bounded(found.value, found.unit, found.error + margin / self.replay.precision.limit)

    def deviation(self, dialect: Dialect) -> Deviation:
        """How far the adapter lies from the formula with this dialect; raises `Undefined`."""
        key = (self.step, self.name, tuple(sorted(dialect.items())))
        known = self.replay.deviations
        if key not in known:
            known[key] = self._deviation(dialect)
        return known[key]

    def _deviation(self, dialect: Dialect) -> Deviation:
        reference = self.reference(dialect)
        if reference is None:
            missing = np.inf
            return Deviation(
                missing, missing, missing, missing, 0.0, (), np.nan, np.nan, "the formula has no such tensor"
            )
        return compare(self.actual, reference, self.replay.precision)


@dataclass(frozen=True)
class OwnRun:
    """The formula's own run of a task: its last step, its prediction, and the course of some tensors.

    ``courses`` are those of a training of two steps or more: arrays whose first axis is the step.
    """

    last: Trace
    prediction: Trace | None
    courses: Mapping[str, np.ndarray[Any, Any]]

    @cached_property
    def nbytes(self) -> int:
        """How much memory it takes."""
        arrays = [*self.last.values(), *(self.prediction or {}).values(), *self.courses.values()]
        return sum(np.asarray(each).nbytes for each in arrays)


@dataclass
class Replay:
    """A task in one precision, an adapter's reply, and the formula at hand for every step of it.

    ``margins`` are granted beside rounding: half a unit of the last digit of numbers that somebody printed.
    """

    task: Task
    reply: Reply
    margins: Mapping[str, Any] = field(default_factory=dict)
    deviations: dict[tuple[int, str, Key], Deviation] = field(default_factory=dict, repr=False)
    _references: dict[tuple[int, Key, float, str], Trace] = field(default_factory=dict)
    _before: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.reply.untrained:  # the framework was given the task without its train phase
            self.task = replace(self.task, train=None)

    @property
    def precision(self) -> Precision:
        return PRECISIONS[self.task.precision]

    @property
    def parameters(self) -> dict[str, Any]:
        """The operation's parameters as the framework holds them.

        A parameter that the case gives is taken from the framework only where it differs by the rounding of a
        narrower format: anything else is for the comparison to find.
        """
        held = dict(self.task.parameters)
        for name, value in self.reply.parameters.items():
            if name not in held or (isinstance(value, float) and np.float32(held[name]) == np.float32(value)):
                held[name] = value
        return held

    def as_asked(self) -> Replay:
        """The same run, held to the parameters just as the case gives them."""
        own = {name: value for name, value in self.reply.parameters.items() if name not in self.task.parameters}
        return Replay(self.task, replace(self.reply, parameters=own), self.margins)

    def oracle(self, unit: float | None = None) -> Oracle:
        """The formula of this task, with the bounds of an implementation at ``unit``."""
        return Oracle(self.task, self.parameters, bounded(unit or self.precision.unit))

    def before(self, step: int) -> dict[str, Any]:
        """The weights, states and slots that a step (0: prediction) starts from: the framework's own."""
        number = step or len(self.reply.train) + 1
        if number not in self._before:
            if number == 1:
                self._before[1] = dict(self.task.tensors)
            else:
                last = self.before(number - 1)
                shown = _own(self.reply.train[number - 2], last)
                self._before[number] = {**last, **self.reference(number - 1, {}), **shown}
        return self._before[number]

    def reference(self, step: int, dialect: Dialect, unit: float | None = None, name: str = "") -> Trace:
        """The formula's trace of a step (0: prediction), with a dialect; raises `Undefined`.

        If only one tensor is wanted, by its ``name``, and it needs no gradient, none is taken.
        """
        wanted = self._stage(name) if step and dialect else "all"
        key = (step, tuple(sorted(dialect.items())), unit or self.precision.unit, wanted)
        if key not in self._references:
            oracle, before = self.oracle(unit), self.before(step)
            with np.errstate(all="ignore"), in_oracle():
                if not step:
                    self._references[key] = oracle.predict(before, dialect)
                elif wanted == "results":
                    self._references[key] = oracle.results(step, before, dialect)
                elif wanted == "loss":
                    self._references[key] = oracle.loss(step, before, self.reply.train[step - 1], dialect)
                else:
                    self._references[key] = oracle.step(step, before, self.reply.train[step - 1], dialect)
        return self._references[key]

    def _stage(self, name: str) -> str:
        """How far a train step must be evaluated for a tensor: its results, their loss, or all of it."""
        if not name or "." in name or name in self.weights():
            return "all"
        return "loss" if name == "loss" and "loss" in self.supporting() else "results"

    def cells(self, phase: str) -> Iterator[Cell]:
        """Every tensor that the adapter produced in a phase."""
        traces: list[tuple[int, Arrays]] = (
            list(enumerate(self.reply.train, 1)) if phase == "train" else [(0, self.reply.predict or {})]
        )
        for step, trace in traces:
            for name, actual in trace.items():
                yield Cell(self, phase, step, name, np.asarray(actual))

    def undefined(self, phase: str) -> None:
        """Raise `Undefined` if the formula gives no answer in this phase, whatever the framework did."""
        with np.errstate(all="ignore"):
            if phase == "train":
                self.oracle().step(1, self.task.tensors)
            else:
                self.oracle().predict(self.task.tensors)

    def own_run(self) -> OwnRun:
        """The formula's own run in float64, with these parameters."""
        with np.errstate(all="ignore"), in_oracle():
            steps, prediction = Oracle(self.task, self.parameters, plain("float64")).run()
        kept = [name for name in steps[0] if self.is_kept(name)] if len(steps) > 1 else []
        courses = {name: np.stack([np.asarray(step[name], "float64") for step in steps]) for name in kept}
        return OwnRun(steps[-1] if steps else {}, prediction, courses)

    def is_kept(self, name: str) -> bool:
        """Whether a tensor tells how a training goes: the loss, and what one step hands on to the next."""
        if "." in name:
            return not name.endswith(".gradient")
        return name == "loss" or name in get_operation(self.task.operation).of_role("weight", "state")

    def supporting(self) -> dict[str, str]:
        """The loss and the optimizer that the task uses, by what they do."""
        train = self.task.train
        parts = {"loss": train.loss, "optimizer": train.optimizer} if train else {}
        return {role: part.operation for role, part in parts.items() if part}

    def weights(self) -> list[str]:
        return [name for name in get_operation(self.task.operation).of_role("weight") if name in self.task.tensors]


def _own(trace: Arrays, last: Mapping[str, Any]) -> dict[str, Any]:
    """A framework's tensors that can stand in for ours: those of the right shape."""
    return {name: each for name, each in trace.items() if name not in last or np.shape(each) == np.shape(last[name])}
