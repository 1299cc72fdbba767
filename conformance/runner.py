"""Cases x adapters -> outcomes: who is asked what, at the same time as whom, and what happens on Ctrl-C."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from conformance.adapter import adapter_names, get_adapter
from conformance.case import Case
from conformance.connection import Connection, Hello
from conformance.errors import UsageError, WorkerError, WorkerMissing, nearest
from conformance.outcome import Trial, outcomes, task_of
from conformance.results import SCHEMA_VERSION, Header, Outcome

Progress = Callable[[str, str, int, int], None]
"""Called with an adapter, what it does now, how many of its cases are done, and how many there are."""


@dataclass
class Spent:
    """Where the time of one adapter went, in seconds."""

    start: float = 0.0
    framework: float = 0.0
    harness: float = 0.0


@dataclass
class Asked:
    """One adapter of a run: its worker, what is known of it, and why it is missing if it is."""

    name: str
    connection: Connection
    mode: str = ""
    hello: Hello | None = None
    missing: str = ""
    spent: Spent = field(default_factory=Spent)

    def start(self) -> None:
        """Start the worker; an adapter whose framework is missing stays out of the run."""
        begin = time.perf_counter()
        try:
            self.hello = self.connection.start()
            self.mode = self.mode or self.hello.modes[0]
        except WorkerMissing as reason:
            self.missing = str(reason)
        self.spent.start = time.perf_counter() - begin

    def run(self, case: Case, timeout: float | None = None) -> list[Outcome]:
        """Ask for a case in each of its precisions and judge the answers."""
        assert self.hello is not None
        trials = []
        for precision in case.precisions:
            if precision not in self.hello.precisions:
                continue
            begin = time.perf_counter()
            task = task_of(case, precision, self.mode)
            self.spent.harness += time.perf_counter() - begin
            begin = time.perf_counter()
            try:
                answer = self.connection.run(task, timeout)
                trials.append(Trial(task, answer.reply))
                self.spent.framework += answer.seconds
                self.spent.harness += time.perf_counter() - begin - answer.seconds
            except WorkerError as failure:
                self.spent.framework += time.perf_counter() - begin
                trials.append(Trial(task, failure=failure))
                break
        begin = time.perf_counter()
        found = outcomes(case, self.name, trials, self.hello.versions)
        self.spent.harness += time.perf_counter() - begin
        return found

    def describe(self) -> dict[str, Any]:
        """What the header says of this adapter."""
        if self.hello is None:
            return {"missing": self.missing or "not started"}
        return {
            "versions": dict(self.hello.versions),
            "device": self.hello.device,
            "precisions": list(self.hello.precisions),
            "mode": self.mode,
            "switches": dict(self.hello.switches),
        }


def chosen_adapters(patterns: Sequence[str]) -> list[str]:
    """The adapters that some names, or shell patterns (``keras*``), choose; all of them for none.

    A path to a file and a class, ``mine.py:MyAdapter``, is an adapter from outside.
    """
    import fnmatch

    if not patterns:
        return list(adapter_names())
    chosen: list[str] = []
    for pattern in patterns:
        found = [pattern] if ":" in pattern else fnmatch.filter(adapter_names(), pattern)
        if not found:
            raise UsageError(f"there is no adapter {pattern!r}; {nearest(pattern, adapter_names())}")
        chosen += [name for name in found if name not in chosen]
    return chosen


class Runner:
    """A run under way. ``outcomes`` grows as answers come; after `run` they stand in the order of the cases."""

    def __init__(
        self,
        cases: Sequence[Case],
        adapters: Sequence[str],
        *,
        mode: str = "",
        timeout: float = 60.0,
        threads: int = 1,
        jobs: int = 0,
    ) -> None:
        self.cases = [case for case in cases if not case.observed]
        self.adapters = [Asked(name, Connection(name, timeout=timeout, threads=threads), mode) for name in adapters]
        self.outcomes: list[Outcome] = []
        self.partial = False
        self._jobs = jobs or len(os.sched_getaffinity(0))
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def run(self, on_outcome: Callable[[Outcome], None] | None = None, progress: Progress | None = None) -> None:
        """Run every case on every adapter. On Ctrl-C, what was measured stays, and ``partial`` is set."""
        heaviest_first = sorted(self.adapters, key=lambda each: -_weight(each.name))
        pool = ThreadPoolExecutor(self._jobs, thread_name_prefix="adapter")
        futures = [pool.submit(self._run_adapter, each, on_outcome, progress) for each in heaviest_first]
        try:
            pending = set(futures)
            while pending:
                _, pending = wait(pending, timeout=0.2)
        except KeyboardInterrupt:
            self.partial = True
            self._stop.set()
            for asked in self.adapters:
                asked.connection.kill()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for asked in self.adapters:
                asked.connection.close()
        if not self.partial:
            for future in futures:
                future.result()  # a fault of the harness surfaces here
        place = {case.id: index for index, case in enumerate(self.cases)}
        order = {each.name: index for index, each in enumerate(self.adapters)}
        self.outcomes.sort(key=lambda each: (place[each.case], order[each.adapter], each.phase == "predict"))

    def _run_adapter(
        self, asked: Asked, on_outcome: Callable[[Outcome], None] | None, progress: Progress | None
    ) -> None:
        tell = progress or (lambda *_: None)
        tell(asked.name, "starts", 0, len(self.cases))
        asked.start()
        if asked.missing:
            tell(asked.name, "missing", 0, len(self.cases))
            return
        for index, case in enumerate(self.cases):
            if self._stop.is_set():
                return
            tell(asked.name, case.id, index, len(self.cases))
            found = asked.run(case)
            if self._stop.is_set():
                return  # the worker was ended under this case: no verdict on it
            with self._lock:
                self.outcomes += found
                for outcome in found:
                    if on_outcome:
                        on_outcome(outcome)
        tell(asked.name, "done", len(self.cases), len(self.cases))
        asked.connection.close()

    def spent(self) -> str:
        """Where the time went, a line per adapter."""
        return "\n".join(
            f"{each.name}: {each.spent.start:.1f} s to start, {each.spent.framework:.1f} s in the framework, "
            f"{each.spent.harness:.1f} s in the harness"
            for each in self.adapters
            if each.hello
        )

    def header(self) -> Header:
        """What the run was made with."""
        return Header(
            schema=SCHEMA_VERSION,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            platform={
                "system": platform.system(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "processors": str(len(os.sched_getaffinity(0))),
            },
            adapters={each.name: each.describe() for each in self.adapters},
            cases={
                case.id: {
                    "file": case.file,
                    "operation": case.operation.name,
                    "family": case.operation.family,
                    "description": case.description,
                    "references": list(case.references),
                    "yaml": case.yaml,
                }
                for case in self.cases
            },
            partial=self.partial,
        )


def _weight(name: str) -> int:
    """How long an adapter takes to import, roughly: the number of distributions that it brings along."""
    return sys.maxsize if ":" in name else len(get_adapter(name).distributions)


def unexpected(found: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes that are not as declared."""
    return [outcome for outcome in found if not outcome.as_declared]
