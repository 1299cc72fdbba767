"""One adapter of a run: its workers, what it says of itself, and the outcome of a case on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from conformance import rosetta
from conformance.adapter import Reply, Task
from conformance.case import Case
from conformance.connection import Connection, HarnessError, Hello
from conformance.discovery import Reference, built_in, get_adapter
from conformance.errors import Unsupported, WorkerError, WorkerMissing
from conformance.outcome import Trial, outcomes
from conformance.results import Outcome
from conformance.spelling import Written
from conformance.stability import Answered, changes
from conformance.task import task_of
from conformance.timing import Spent, judging

PATIENCE = 10.0
"""Seconds for what is told beside the numbers: a script, or all spellings."""
SILENT = ("conforms", "imprecise", "unsupported")
"""The verdicts that need no script to be believed, if they are as declared: no other formula, only other roundings."""


def connect(reference: Reference, **options: Any) -> Connection:
    """A worker for an adapter, with the interpreter that the reference names, if it names one."""
    return Connection(reference.name, python=reference.python or sys.executable, **options)


def script_of(reference: Reference, task: Task) -> str:
    """An adapter's reproduction script; of one from outside in a process of its own: its module may do anything."""
    if reference.name in built_in():
        return get_adapter(reference.name).script(task)
    with connect(reference) as connection:
        return connection.script(task)


class Asked:
    """One adapter that cases are put to, as the command line names it (`conformance.discovery.Reference`).

    With ``repeat`` of 2 or more, as many workers are asked the same, each a run of its own: what they do not answer
    alike is unstable.  ``mode`` is one of `conformance.adapter.MODES`, by default the adapter's own; the other options
    are those of a `Connection`.  An adapter whose framework is missing says so in ``missing``.
    """

    def __init__(self, name: str, *, mode: str = "", repeat: int = 1, **options: Any) -> None:
        self.name, self.mode = name, mode
        self.reference = Reference.of(name)
        self.connections = [connect(self.reference, **options) for _ in range(repeat)]
        self.hello: Hello | None = None
        self.missing = ""
        self.spent = Spent()
        self.spellings: dict[str, Any] = {}
        self._writes = True

    def start(self) -> None:
        """Start the workers, unless they run."""
        begin = time.perf_counter()
        try:
            self.hello, *_ = [each.start() for each in self.connections]
            self.mode = self.mode or self.hello.modes[0]
        except WorkerMissing as reason:
            self.missing = str(reason)
        finally:
            self.spent.load += time.perf_counter() - begin

    def run(self, case: Case, timeout: float | None = None) -> list[Outcome]:
        """Put a case in each of its precisions, and judge the answers."""
        assert self.hello is not None
        trials: list[Trial] = []
        for precision in case.precisions:
            if precision in self.hello.precisions:
                with judging(self.spent):
                    task = task_of(case, precision, self.mode)
                trials.append(self._trial(task, timeout))
                if trials[-1].failure:
                    break
        if not trials:
            lacks = f"no precision {' or '.join(case.precisions)}; it has {', '.join(self.hello.precisions)}"
            trials = [Trial(task_of(case, case.precisions[0], self.mode), Reply(unsupported=lacks))]
        with judging(self.spent):
            found = outcomes(case, self.name, trials, self.hello.versions, self.hello.narrows)
            return self._with_script(found, [each.task for each in trials])

    def _with_script(self, found: list[Outcome], tasks: Sequence[Task]) -> list[Outcome]:
        """The outcomes of a case, the first one that somebody will want to see for himself with its script."""
        told = next((each for each in found if each.verdict not in SILENT or not each.as_declared), None)
        if told is None:
            return found
        precision = told.worst.dtype if told.worst else "float32"
        task = next((each for each in tasks if each.precision == precision), tasks[0])
        return [replace(each, script=self._script(task)) if each is told else each for each in found]

    def _script(self, task: Task) -> str:
        """The reproduction script of a task, empty if there is none: it is an extra, and costs no run."""
        try:
            if self.reference.name in built_in():
                return get_adapter(self.reference.name).script(task)
            return self._script_from_outside(task)
        except Unsupported:
            return ""

    def _script_from_outside(self, task: Task) -> str:
        """The script of somebody else's adapter, by the worker at hand, as long as that survives it."""
        connection = self.connections[0]
        if not (connection.runs and self._writes):
            return ""
        try:
            return connection.script(task, PATIENCE)
        except WorkerError:
            self._writes = connection.runs  # one that hangs or ends with its script is not asked for another
            return ""

    def spell(self, cases: Sequence[Case]) -> None:
        """Find out how it writes the operations of these cases; as far as it tells."""
        assert self.hello is not None
        end = time.monotonic() + PATIENCE

        def ask(task: Task) -> Written:
            if not self.connections[0].runs or time.monotonic() > end:
                raise rosetta.GaveUp
            try:
                return self.connections[0].written(task, max(end - time.monotonic(), 0.1))
            except (WorkerError, HarnessError) as fault:
                raise rosetta.Untold from fault

        with judging(self.spent):
            found = rosetta.spellings(ask, self.hello.operations, cases, self.hello.precisions[0], self.mode)
            self.spellings = {**self.spellings, **found}

    def _trial(self, task: Task, timeout: float | None) -> Trial:
        answers = [self._ask(each, task, timeout) for each in self.connections]
        first, unstable = answers[0], changes(task, answers) if len(answers) > 1 else None
        if isinstance(first, WorkerError):
            return Trial(task, failure=first, unstable=unstable)
        return Trial(task, first, unstable=unstable)

    def _ask(self, connection: Connection, task: Task, timeout: float | None) -> Answered:
        begin = time.perf_counter()
        try:
            answer = connection.run(task, timeout)
        except WorkerError as failure:
            self.spent.framework += time.perf_counter() - begin
            return failure
        self.spent.framework += answer.seconds
        return answer.reply

    def describe(self) -> dict[str, Any]:
        """What the header of a run says of this adapter."""
        if self.hello is None:
            return {"missing": self.missing or "not started"}
        return {
            "versions": dict(self.hello.versions),
            "device": self.hello.device,
            "precisions": list(self.hello.precisions),
            "mode": self.mode,
            "switches": dict(self.hello.switches),
            **({"spellings": self.spellings} if self.spellings else {}),
        }

    def kill(self) -> None:
        """End the workers at once and for good, from any thread."""
        for each in self.connections:
            each.kill()

    def close(self) -> None:
        """End the workers."""
        for each in self.connections:
            each.close()
