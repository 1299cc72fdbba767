"""Whether the cases can see a wrong formula: every setting of every knob is a mutant that some case must catch.

A setting is seen by a case if it would move some tensor by more than `MARGIN` times the tolerance, in float32 or else
in float64.  An algorithmic setting is seen if its own rounding error exceeds the formula's tolerance by as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapter import Reply
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import Case, Declaration
from conformance.compare import scale_of
from conformance.errors import Place, Undefined
from conformance.operation import Dialect, Knob, Setting
from conformance.oracle import Oracle, plain
from conformance.outcome import expectation_faults
from conformance.replay import Cell, Replay
from conformance.search import MARGIN
from conformance.task import phases, task_of


@dataclass(frozen=True)
class BlindSpot:
    """A setting that no case of its operation can see."""

    operation: str
    knob: str
    setting: Setting

    def __str__(self) -> str:
        return f"{self.operation}: no case sees {self.knob}={self.setting}"


def rehearsal(case: Case, precision: str = "float32") -> Replay | None:
    """The formula's own run of a case in one precision, as if a framework had made it; None where it is undefined."""
    task = task_of(case, precision)
    own = {name: each.default for name, each in case.operation.parameters.items() if name not in task.parameters}
    oracle = Oracle(task, {**own, **task.parameters}, plain(precision))
    try:
        with np.errstate(all="ignore"):
            steps, predicted = oracle.run()
    except Undefined:
        return None
    arrays = [{name: np.asarray(each) for name, each in trace.items()} for trace in steps]
    prediction = {name: np.asarray(each) for name, each in predicted.items()} if predicted is not None else None
    return Replay(task, Reply(own, arrays, prediction))


def blind_spots(cases: Sequence[Case]) -> list[BlindSpot]:
    """The settings of the knobs of these cases' operations that no case sees."""
    spots = []
    for operation in dict.fromkeys(case.operation.name for case in cases):
        mine = sorted((each for each in cases if each.operation.name == operation and not each.observed), key=_cost)
        rehearsals: dict[tuple[str, str], Replay | None] = {}
        for knob in mine[0].operation.knobs.values() if mine else ():
            for setting in knob.values:
                if not any(_sees(case, knob, setting, each, rehearsals) for each in PRECISIONS for case in mine):
                    spots.append(BlindSpot(operation, knob.name, setting))
    return spots


def seen(case: Case) -> list[str]:
    """The settings of the knobs of a case's operation that it sees in some precision, as ``knob=setting``."""
    rehearsals: dict[tuple[str, str], Replay | None] = {}
    published = case.operation.settings(case.parameters)
    return [
        f"{knob.name}={setting}"
        for knob in case.operation.knobs.values()
        for setting in knob.values
        if setting != published[knob.name]
        and any(_sees(case, knob, setting, each, rehearsals) for each in case.precisions)
    ]


def _cost(case: Case) -> int:
    steps = case.train.steps if case.train else 0
    return steps * 1000 + sum(int(np.prod(spec.shape)) for spec in case.tensors.values())


def _sees(
    case: Case, knob: Knob, setting: Setting, precision: str, rehearsals: dict[tuple[str, str], Replay | None]
) -> bool:
    published = case.operation.settings(case.parameters)[knob.name]
    if setting == published:
        return setting == knob.default  # nothing is planted: only the published setting needs no case
    if precision not in case.precisions:
        return False
    if (case.id, precision) not in rehearsals:
        rehearsals[case.id, precision] = rehearsal(case, precision)
    replay = rehearsals[case.id, precision]
    return replay is not None and any(
        _moved(cell, {knob.name: setting}, knob.algorithmic) for cell in _cells(case, replay)
    )


def _cells(case: Case, replay: Replay) -> Iterator[Cell]:
    for phase in reversed(phases(case)):
        yield from replay.cells(phase)


def _moved(cell: Cell, dialect: Dialect, algorithmic: bool = False) -> bool:
    """Whether a dialect moves a tensor by more than the margin over the tolerance."""
    try:
        one, other = cell.reference({}), cell.reference(dialect)
    except Undefined:
        return False
    if one is None or other is None or one.shape != other.shape:
        return True
    precision = cell.replay.precision
    tolerance: Any = MARGIN * precision.limit * scale_of(one, precision)
    with np.errstate(all="ignore"):
        apart = other.error if algorithmic else np.abs(one.value - other.value)
        nan = np.isnan(one.value) != np.isnan(other.value)
        return bool(np.any(nan | (np.isfinite(tolerance) & (apart > tolerance))))


def stale(cases: Sequence[Case]) -> list[tuple[Declaration, str]]:
    """Declared dialects that none of their cases can see, with what is wrong."""
    scopes: dict[Place, tuple[Declaration, list[Case]]] = {}
    for case in cases:
        for declaration in case.declarations:
            scopes.setdefault(declaration.place, (declaration, []))[1].append(case)
    found = []
    for declaration, scope in scopes.values():
        if declaration.dialect is not None and not any(_shows(declaration, case) for case in sorted(scope, key=_cost)):
            found.append((declaration, "no case of its scope can tell this dialect from the formula"))
    return found


def _shows(declaration: Declaration, case: Case) -> bool:
    replay = rehearsal(case, "float64" if "float64" in case.precisions else "float32")
    if replay is None or declaration.dialect is None:
        return False
    return any(
        declaration.covers(cell.name) and _seen_by(cell, declaration.dialect)
        for phase in phases(case)
        if declaration.phase in (None, phase)
        for cell in replay.cells(phase)
    )


def _seen_by(cell: Cell, dialect: Dialect) -> bool:
    return _moved(cell, dialect) or _moved(cell, dialect, algorithmic=True)


def broken_expectations(cases: Sequence[Case]) -> list[str]:
    """What cases expect and the formula does not give."""
    faults = []
    for case in cases:
        replays = [each for each in (rehearsal(case, precision) for precision in case.precisions) if each]
        for phase in phases(case) if replays else ():
            faults += [f"{case.id}: {fault}" for fault in expectation_faults(case, phase, replays)]
    return faults


__all__ = ["PRECISIONS", "BlindSpot", "blind_spots", "broken_expectations", "rehearsal", "stale"]
