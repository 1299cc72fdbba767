"""Cases x adapters -> outcomes: who is asked what, at the same time as whom, and what happens on Ctrl-C."""

from __future__ import annotations

import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.asked import Asked
from conformance.case import Case
from conformance.discovery import built_in, get_adapter
from conformance.errors import UsageError
from conformance.power import seen
from conformance.results import SCHEMA_VERSION, Header, Outcome, Run, measured_with
from conformance.runfile import Journal
from conformance.task import phases
from conformance.timing import told

Progress = Callable[[str, str, int, int], None]
"""Called with an adapter, what it does now, how many of its cases are done, and how many there are."""


class Runner:
    """A run under way.

    ``mode``, ``repeat`` and the other options are those of `Asked`; ``jobs`` is how many adapters work at once; random
    inputs are drawn with ``seed`` added to their own seeds; ``shards`` says of which part of a run these cases are.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        adapters: Sequence[str],
        *,
        jobs: int = 0,
        repeat: int = 1,
        seed: int = 0,
        shards: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.cases = [case.reseeded(seed) for case in cases if not case.observed]
        self.adapters = [Asked(name, repeat=repeat, **options) for name in adapters]
        self.partial = False
        self._shards = shards
        self._repeat, self._seed, self._jobs = repeat, seed, jobs or len(os.sched_getaffinity(0))
        self._digests = {file: _digest(file) for file in dict.fromkeys(case.file for case in self.cases)}
        self._earlier: Header | None = None
        self._seen: dict[str, list[str]] = {}
        self._begin = time.perf_counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def run(self, journal: Journal, progress: Progress | None = None) -> Run:
        """Run every case on every adapter, except for what the journal holds from an earlier run of the same.

        On Ctrl-C, what was measured stays, and the run is partial.  Raises `UsageError` if no adapter could be
        started: the run file of an earlier run stays.
        """
        self._take_up(journal)
        slowest_first = sorted(self.adapters, key=lambda each: -_seconds_to_start(each))
        pool = ThreadPoolExecutor(self._jobs, thread_name_prefix="adapter")
        futures: list[Future[None]] = []
        try:  # from here on: Ctrl-C may come as soon as the first has started
            futures += (pool.submit(self._run_adapter, each, journal, progress) for each in slowest_first)
            pending = set(futures)
            for case in self.cases:  # nothing else is to be done here: what does each case see?
                self._seen[case.id] = seen(case)
                if not wait(pending, timeout=0).not_done:
                    break
            while pending:
                _, pending = wait(pending, timeout=0.2)
        except KeyboardInterrupt:
            self.partial = True
            self._stop.set()
            for asked in self.adapters:
                asked.kill()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for asked in self.adapters:
                asked.close()
        if self.partial and not journal.kept:
            journal.discard()
            raise KeyboardInterrupt  # nothing was measured: the run file of an earlier run stays
        if not self.partial:
            for future in futures:
                future.result()  # a fault of the harness surfaces here
            if self.adapters and all(asked.missing for asked in self.adapters) and not journal.kept:
                journal.discard()
                reasons = [f"{asked.name}: missing: {asked.missing}" for asked in self.adapters]
                raise UsageError("\n".join([*reasons, "no adapter could be started"]))
        place = {case.id: index for index, case in enumerate(self.cases)}
        order = {each.name: index for index, each in enumerate(self.adapters)}
        return journal.close(self.header(), lambda key: (place[key[0]], order[key[1]], key[2] == "predict"))

    def _take_up(self, journal: Journal) -> None:
        """Forget what the journal holds of cases that have changed since; refuse to forget what is not asked for."""
        if journal.earlier is None:
            return
        self._earlier = earlier = journal.earlier
        header = self.header()
        self._refuse_less(earlier, journal)
        same = earlier.platform.get("conformance") == __version__
        cases = {name for name, each in header.cases.items() if same and _same(earlier.cases.get(name, {}), each)}
        journal.drop(lambda key: key[0] not in cases)
        journal.begin_again(header)

    def _refuse_less(self, earlier: Header, journal: Journal) -> None:
        """Raise `UsageError` for other arguments, with which something that was measured would be lost."""
        asked, cases = {each.name for each in self.adapters}, {case.id for case in self.cases}
        lacking = sorted(
            {adapter for _, adapter, _ in journal.kept if adapter not in asked}
            | {name for name, _, _ in journal.kept if name not in cases and self._stands(earlier.cases.get(name, {}))}
        )
        if earlier.shards != self._shards and journal.kept:
            told = f"--shard {', '.join(earlier.shards)}" if earlier.shards else "all cases, without --shard"
        elif lacking:
            told = f"{', '.join(lacking[:3])}{' ...' if len(lacking) > 3 else ''}"
        elif earlier.repeat != self._repeat and journal.kept:
            told = f"--repeat {earlier.repeat}"
        elif earlier.seed != self._seed and journal.kept:
            told = f"--seed {earlier.seed}"
        else:
            return
        hint = "--resume goes on with the same arguments; for others, name another --output"
        raise UsageError(f"{journal.path}: the run that broke off was made with {told}: {hint}")

    def _stands(self, about: dict[str, Any]) -> bool:
        """Whether a case still stands in its file, as far as can be told: one whose file has changed may not."""
        digest = self._digests.get(about.get("file", ""))
        return digest is None or digest == about.get("digest")

    def _run_adapter(self, asked: Asked, journal: Journal, progress: Progress | None) -> None:
        tell = progress or (lambda *_: None)
        tell(asked.name, "starts", 0, len(self.cases))
        asked.start()
        if self._stop.is_set():
            asked.missing = ""  # it was ended while it started: nothing is known of it
            return
        with self._lock:
            journal.describe(asked.name, asked.describe())
            if self._earlier:
                earlier = self._earlier.adapters.get(asked.name, {})
                if measured_with(earlier) == asked.describe():
                    asked.spellings = earlier.get("spellings", {})
                else:
                    journal.drop(lambda key: key[1] == asked.name)  # another version, another mode
        if asked.missing:
            tell(asked.name, "missing", 0, len(self.cases))
            return
        for index, case in enumerate(self.cases):
            if all((case.id, asked.name, phase) in journal.kept for phase in phases(case)):
                continue
            if self._stop.is_set():
                return
            tell(asked.name, case.id, index, len(self.cases))
            found = asked.run(case)
            if self._stop.is_set():
                return  # the worker was ended under this case: no verdict on it
            with self._lock:
                for outcome in found:
                    journal.append(outcome)
        asked.spell(self.cases)
        if self._stop.is_set():
            return
        if asked.spellings:
            with self._lock:
                journal.describe(asked.name, asked.describe())
        tell(asked.name, "done", len(self.cases), len(self.cases))
        asked.close()

    def spent(self) -> str:
        """Where the time went: a line per adapter, and their sum."""
        rows = {each.name: each.spent for each in self.adapters if each.hello}
        return told(rows, time.perf_counter() - self._begin)

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
                "conformance": __version__,
            },
            adapters={each.name: self._describe(each) for each in self.adapters},
            cases={case.id: self._about(case) for case in self.cases},
            partial=self.partial,
            repeat=self._repeat,
            seed=self._seed,
            shards=self._shards,
        )

    def _describe(self, asked: Asked) -> dict[str, Any]:
        if asked.hello is None and not asked.missing and self._earlier:
            return self._earlier.adapters.get(asked.name, asked.describe())
        return asked.describe()

    def _about(self, case: Case) -> dict[str, Any]:
        return {
            "file": case.file,
            "operation": case.operation.name,
            "family": case.operation.family,
            "description": case.description,
            "references": list(case.references),
            "yaml": case.yaml,
            "digest": self._digests[case.file],
            **({"sees": self._seen[case.id]} if case.id in self._seen else {}),
        }


def _same(earlier: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a case is what it was; what it sees is worked out later."""
    return {**earlier, "sees": None} == {**now, "sees": None}


def _digest(file: str) -> str:
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=8).hexdigest()


def _seconds_to_start(asked: Asked) -> float:
    """How long an adapter takes to start, roughly; one from outside may take long."""
    name = asked.reference.name
    return get_adapter(name).seconds_to_start if name in built_in() else float("inf")


def unexpected(found: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes that are not as declared."""
    return [outcome for outcome in found if not outcome.as_declared]
