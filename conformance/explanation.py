"""Which formula is behind these numbers? The answer to ``conformance explain``, for observed numbers and adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.adapter import Reply
from conformance.arithmetic.precision import PRECISIONS
from conformance.asked import connect
from conformance.case import Case
from conformance.connection import Connection
from conformance.discovery import Reference
from conformance.errors import Undefined, WorkerError
from conformance.outcome import together
from conformance.replay import Replay
from conformance.search import Fit
from conformance.task import phases, task_of
from conformance.verdict import describe, judge

EXACT = 2.0**-10
"""Printed digits that leave less than this part of float32's rounding open were computed in float64."""


@dataclass(frozen=True)
class Explained:
    """One answer: ``dialect`` is ``{}`` for the formula itself, None where nothing that we know gives these numbers,
    or where there are none because the adapter has no such thing (``unsupported``).
    """

    case: str
    adapter: str
    phase: str
    dialect: dict[str, Any] | None
    error_ratio: float | None = None
    rivals: tuple[Fit, ...] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    unsupported: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The fields that ``--format json`` promises, and the message."""
        return {
            "case": self.case,
            "adapter": self.adapter,
            "phase": self.phase,
            "dialect": self.dialect,
            "error_ratio": self.error_ratio,
            "rivals": [fit.as_dict() for fit in self.rivals],
            "message": self.message,
        }

    def text(self) -> str:
        """The answer in words."""
        if self.unsupported:
            return f"{self.case}  {self.adapter}  {self.phase}: {self.message}"
        named = "unexplained" if self.dialect is None else describe(self.dialect)
        ratio = "" if self.error_ratio is None else f"  (error ratio {self.error_ratio:.3g})"
        lines = [f"{self.case}  {self.adapter}  {self.phase}: {named}{ratio}"]
        lines += [f"    {setting}: {meaning}" for setting, meaning in self.meanings.items()]
        lines += [f"    {self.message}"] if self.message else []
        if self.rivals:
            lines.append("  runners-up, with how many times its own rounding error each is off:")
            lines += [f"    {describe(fit.dialect)}  {fit.error_ratio:.3g}" for fit in self.rivals]
        return "\n".join(lines)


def explain_cases(cases: Sequence[Case], adapters: Sequence[str], mode: str = "", **options: Any) -> list[Explained]:
    """Explain the observed numbers of the cases that hold some, and the adapters' numbers of the others."""
    found = [explain_observed(case) for case in cases if case.observed]
    asked = [case for case in cases if not case.observed]
    for name in adapters if asked else ():
        with connect(Reference.of(name), **options) as connection:
            try:
                precisions = connection.start().precisions
            except WorkerError as reason:
                found.append(Explained("*", name, "", None, message=str(reason)))
                continue
            for case in asked:
                found += _measured(case, name, mode, connection, precisions)
    return found


def _measured(
    case: Case, name: str, mode: str, connection: Connection, precisions: Sequence[str]
) -> Iterator[Explained]:
    replays = []
    for precision in case.precisions:
        if precision in precisions:
            task = task_of(case, precision, mode)
            try:
                reply = connection.run(task).reply
            except WorkerError as failure:
                yield Explained(case.id, name, "", None, message=str(failure))
                return
            if reply.raised:
                message = f"raised {reply.raised.kind}: {reply.raised.message}"
                yield Explained(case.id, name, reply.raised.phase, None, message=message)
                return
            replays.append(Replay(task, reply))
    for phase in phases(case):
        able = [each for each in replays if not each.reply.lacking(phase)]
        if able:
            yield _explained(case, name, phase, able)
        else:
            reason = next((each.reply.lacking(phase) for each in replays), f"it has {', '.join(precisions)} alone")
            yield Explained(case.id, name, phase, None, message=f"unsupported: {reason}", unsupported=True)


def explain_observed(case: Case) -> Explained:
    """Numbers that somebody saw: held to the digits printed, in the precision that these digits speak of."""
    (phase,) = phases(case)
    exact = all(
        np.all(each.margin <= EXACT * PRECISIONS["float32"].unit * np.abs(each.values))
        for each in case.observed.values()
    )
    task = task_of(case, "float64" if exact else "float32")
    arrays = {name: each.values.astype(task.precision) for name, each in case.observed.items()}
    margins = {name: each.margin for name, each in case.observed.items()}
    own = {name: each.default for name, each in case.operation.parameters.items() if name not in task.parameters}
    reply = Reply(own, [arrays], None) if phase == "train" else Reply(own, [], arrays)
    return _explained(case, "observed", phase, [Replay(task, reply, margins)])


def _explained(case: Case, adapter: str, phase: str, replays: Sequence[Replay]) -> Explained:
    try:
        judgements = judge(replays, phase, thorough=True)
    except Undefined as reason:
        return Explained(case.id, adapter, phase, None, message=f"the formula is undefined: {reason}")
    dialect = together(judgements)
    return Explained(
        case=case.id,
        adapter=adapter,
        phase=phase,
        dialect=dialect,
        error_ratio=max((each.error_ratio for each in judgements), default=None) if dialect is not None else None,
        rivals=next((each.rivals for each in judgements if each.rivals), ()),
        meanings=_meanings(case, dialect or {}),
        message="; ".join(dict.fromkeys(each.message for each in judgements if each.message)),
    )


def _meanings(case: Case, dialect: Mapping[str, Any]) -> dict[str, str]:
    knobs = case.operation.knobs
    return {f"{name}={value}": knobs[name].values[value] for name, value in dialect.items() if name in knobs}
