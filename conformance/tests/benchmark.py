"""What the harness costs: ``tox -e benchmark``, or ``python -m conformance.tests.benchmark --adapter torch``.

Two programs put the same tasks to the same framework, in turns, in one run:

- the harness: a worker in a process of its own, formulas with error bounds, dialects, declarations, verdicts;
- a plain script, as one would write it by hand: it calls the framework in its own process and compares each tensor
  with numbers made beforehand, by `numpy.testing.assert_allclose`.

A check is one tensor of one step in one precision.  A tensor that the plain script cannot compare, because the
framework deviates there, it leaves out, in a warm-up round that is not measured.

``python -m conformance.tests.benchmark messages`` measures what it costs to send arrays to a worker and back,
``memory`` what the parent of a run takes, ``report [RUN]`` what the page of a large run costs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from conformance.adapter import Reply
from conformance.arithmetic.precision import PRECISIONS
from conformance.asked import Asked
from conformance.discovery import get_adapter
from conformance.replay import Replay
from conformance.task import load_valid, task_of
from conformance.tests import benchmark_memory, benchmark_messages, benchmark_report
from conformance.timing import Spent

TOLERANCE = 1e-3
"""Relative and absolute: the kind of number that a plain script picks by hand."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ADAM = "cases/optimizer/adam.yaml"


@dataclass(frozen=True)
class Round:
    """Seconds of one round: in the framework, and in everything else."""

    framework: float
    own: float

    @property
    def total(self) -> float:
        return self.framework + self.own


# --- the plain script -----------------------------------------------------------------------------------------------


def tensors(reply: Reply) -> list[tuple[int, str, Any]]:
    """What a plain script compares: each tensor of each step (0: prediction)."""
    traces = [*enumerate(reply.train, 1), *([(0, reply.predict)] if reply.predict else [])]
    return [(step, name, each) for step, trace in traces for name, each in trace.items()]


def plain_script(name: str, paths: Sequence[str], say: Callable[[Any], None]) -> None:
    """Answer every line of standard input with a round."""
    cases = [case for case in load_valid(paths) if not case.observed]
    tasks = [task_of(case, precision) for case in cases for precision in case.precisions]
    begin = time.perf_counter()
    adapter = get_adapter(name)
    adapter.load(1)
    start = time.perf_counter() - begin
    expected = []
    checks = 0
    for task in tasks:
        reply = adapter.run(task)
        known = {}
        replay = Replay(task, reply)
        for step, tensor, actual in tensors(reply):
            checks += 1
            reference = replay.reference(step, {}, PRECISIONS[task.precision].unit).get(tensor)
            try:
                np.testing.assert_allclose(actual, reference.value, rtol=TOLERANCE, atol=TOLERANCE)
                known[step, tensor] = reference.value
            except (AssertionError, AttributeError):
                pass
        expected.append(known)
    say({"start": start, "checks": checks, "compared": sum(map(len, expected))})
    for _ in sys.stdin:
        framework = own = 0.0
        for task, known in zip(tasks, expected, strict=True):
            begin = time.perf_counter()
            reply = adapter.run(task)
            framework += time.perf_counter() - begin
            begin = time.perf_counter()
            for step, tensor, actual in tensors(reply):
                if (step, tensor) in known:
                    np.testing.assert_allclose(actual, known[step, tensor], rtol=TOLERANCE, atol=TOLERANCE)
            own += time.perf_counter() - begin
        say({"framework": framework, "own": own})


# --- side by side ---------------------------------------------------------------------------------------------------


def measure(name: str, paths: Sequence[str], rounds: int) -> None:
    """Put the cases to one framework both ways, in turns, and print what it took."""
    command = [sys.executable, "-m", "conformance.tests.benchmark", "--plain", name, *paths]
    asked = Asked(name)
    asked.start()
    if asked.missing:
        print(f"{name}: {asked.missing}")
        return
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ONE_THREAD},
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        about = json.loads(script.stdout.readline())
        harness_round(asked, paths)  # the warm-up; the plain script has had its own
        plain, harness = [], []
        for _ in range(rounds):
            script.stdin.write("\n")
            script.stdin.flush()
            plain.append(Round(**json.loads(script.stdout.readline())))
            harness.append(harness_round(asked, paths))
        script.stdin.close()
    asked.close()
    tell(name, about, asked.spent.load, plain, harness)


def harness_round(asked: Asked, paths: Sequence[str]) -> Round:
    """One round, of cases read anew: what the harness remembers of a case must not help the next round."""
    cases = [case for case in load_valid(paths) if not case.observed]
    asked.spent = Spent()
    for case in cases:
        asked.run(case)
    return Round(asked.spent.framework, asked.spent.harness)


def tell(name: str, about: dict[str, Any], start: float, plain: Sequence[Round], harness: Sequence[Round]) -> None:
    checks = about["checks"]
    print(f"\n{name}: {checks} checks, {about['compared']} of which the plain script can make; {len(plain)} rounds")
    print(f"  {'':14} {'checks/s':>10} {'framework':>10} {'the rest':>10} {'start':>8}   seconds, medians")
    for who, rounds, started in (("plain script", plain, about["start"]), ("harness", harness, start)):
        total, framework, own = (median(getattr(each, of) for each in rounds) for of in ("total", "framework", "own"))
        print(f"  {who:14} {checks / total:10.0f} {framework:10.3f} {own:10.3f} {started:8.2f}")
    pairs = list(zip(plain, harness, strict=True))
    overhead = median(1e3 * (theirs.total - mine.total) / checks for mine, theirs in pairs)
    share = median(100 * each.own / each.framework for each in harness)
    print(f"  overhead {overhead:.3f} ms per check; harness time {share:.0f}% of framework time, start-up aside")


def start_up(repeats: int) -> None:
    """Print how long the commands take that need no framework."""
    print(f"\nstart-up, seconds, median (least) of {repeats}")
    program = str(Path(sys.executable).with_name("conformance"))
    for command in ([sys.executable, "-c", "pass"], [program, "--help"], [program, "check", ADAM]):
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds.append(time.perf_counter() - begin)
        shown = " ".join([Path(command[0]).name, *command[1:]])
        print(f"  {shown:44} {median(seconds):.3f} ({min(seconds):.3f})")


def main() -> None:
    """Measure, or be the plain script that is measured."""
    if sys.argv[1:2] == ["report"]:
        benchmark_report.main(sys.argv[2:])  # which has options of its own
        return
    parser = argparse.ArgumentParser(prog="benchmark", description="What the harness costs.")
    parser.add_argument(
        "paths", nargs="*", default=["cases"], help="case files or folders, or: messages, memory, report"
    )
    parser.add_argument("--adapter", action="append", help="torch and keras by default; repeatable")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", metavar="NAME", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what a framework prints is not an answer
        plain_script(given.plain, given.paths, lambda said: print(json.dumps(said), file=out))
        return
    print(f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}")
    if given.paths == ["messages"]:
        benchmark_messages.measure()
        return
    if given.paths == ["memory"]:
        benchmark_memory.measure()
        return
    for name in given.adapter or ["torch", "keras"]:
        measure(name, given.paths, given.rounds)
    start_up(10)


if __name__ == "__main__":
    main()
