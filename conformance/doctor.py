"""Is an adapter in order? The answer to ``conformance doctor``: what is broken is told apart from what deviates.

An adapter is *broken* if it does not keep to its contract in tasks that leave no room for opinion
(`conformance.smoke`): it crashes, raises, shows tensors of the wrong name, shape or format, forgets the optimizer, or
answers the same task differently the second time.  If it keeps to the contract and the numbers are others all the
same, the *framework* deviates, provided that the adapter's reproduction script, which runs without the harness, shows
these numbers too.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.adapter import Reply, Task
from conformance.asked import connect
from conformance.connection import Connection, HarnessError, Hello
from conformance.discovery import Reference
from conformance.errors import Undefined, WorkerError, WorkerMissing
from conformance.operation import Operation, get_operation, operations
from conformance.replay import Replay
from conformance.smoke import RATE, smoke_tasks
from conformance.stability import changes
from conformance.verdict import describe, judge

STATES = ("healthy", "deviates", "broken", "missing")


@dataclass(frozen=True)
class Finding:
    """What is the matter with an operation: ``broken`` or ``deviates``; ``unsupported``, altogether, in its training
    (``untrained``) or in a precision (``partly``).
    """

    operation: str
    state: str
    message: str


@dataclass(frozen=True)
class Diagnosis:
    """One adapter: its state, what it says of itself, and what was found."""

    adapter: str
    state: str
    message: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    answered: int = 0
    findings: tuple[Finding, ...] = ()

    def text(self) -> str:
        """The diagnosis for a terminal."""
        if self.state == "missing":
            return f"{self.adapter}: missing: {self.message}"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        first = f"{self.adapter}: {self.state}; {self.answered} of {len(operations())} operations answer"
        lines = [f"{first}; started in {self.seconds:.1f} s; {versions}"]
        return "\n".join([*lines, *(f"    {each.operation}: {each.state}: {each.message}" for each in self.findings)])


def examine(name: str, mode: str = "", **options: Any) -> Diagnosis:
    """Put the smoke tasks to an adapter, each twice; the options are those of a `Connection`."""
    begin = time.perf_counter()
    with connect(Reference.of(name), **options) as connection:
        try:
            hello = connection.start()
        except WorkerMissing as reason:
            return Diagnosis(name, "missing", str(reason))
        seconds = time.perf_counter() - begin
        findings = [finding for each in operations().values() for finding in _examine(each, connection, hello, mode)]
    silent = {each.operation for each in findings if each.state == "unsupported"}
    state = max((each.state for each in findings if each.state in STATES), key=STATES.index, default="healthy")
    return Diagnosis(name, state, "", hello.versions, seconds, len(operations()) - len(silent), tuple(findings))


def _examine(operation: Operation, connection: Connection, hello: Hello, mode: str) -> Iterator[Finding]:
    """The first thing that is the matter with an operation, if anything is."""
    for same in zip(*(smoke_tasks(operation, precision, mode) for precision in hello.precisions), strict=True):
        replays: list[Replay] = []
        for task in same:
            try:
                replies = [connection.run(task).reply for _ in range(2)]
                state, message = _contract(task, replies, connection)
            except (WorkerError, HarnessError) as failure:
                state, message = "broken", str(failure).strip().splitlines()[-1]
            if state == "unsupported" and replays:
                yield Finding(operation.name, "partly", f"{task.precision}: {message}")
            elif state != "healthy":
                told = message if state in ("unsupported", "untrained") else f"{task.precision}: {message}"
                yield Finding(operation.name, state, told)
                return
            else:
                replays.append(Replay(task, replies[0]))
        try:
            state, message = _numbers(replays, connection)
        except (WorkerError, HarnessError) as failure:
            state, message = "broken", str(failure).strip().splitlines()[-1]
        if state != "healthy":
            yield Finding(operation.name, state, message)
            return


def _phase(task: Task) -> str:
    return "train" if task.train else "predict"


def _contract(task: Task, replies: Sequence[Reply], connection: Connection) -> tuple[str, str]:
    """Whether an adapter keeps to its contract, whatever its framework computes."""
    reply = replies[0]
    if reply.unsupported:
        return "unsupported" if task.predict or task.kind == "optimizer" else "untrained", reply.unsupported
    if reply.raised:
        return "broken", f"it raised {reply.raised.kind}: {reply.raised.message}"
    if fault := _fault(task, reply):
        return "deviates" if fault.arguable and _script_agrees(task, reply, connection) else "broken", fault.message
    if change := changes(task, replies).get(_phase(task)):
        return "broken", f"the same task has another answer the second time: {change}"
    return "healthy", ""


def _numbers(replays: Sequence[Replay], connection: Connection) -> tuple[str, str]:
    """Whether the numbers are those of the formula; if not, whether they are the framework's own."""
    judgements = judge(replays, _phase(replays[0].task))
    others = [each for each in judgements if each.verdict != "conforms"]
    if not others:
        return "healthy", ""
    told = "; ".join(f"{each.name}: {describe(each.dialect) if each.dialect else each.verdict}" for each in others)
    named = all(each.dialect for each in others)
    if named or all(_script_agrees(each.task, each.reply, connection) for each in replays):
        return "deviates", told
    return "broken", f"{told}; and its own script, which runs without the harness, shows other numbers"


@dataclass(frozen=True)
class _Fault:
    """How a reply breaks the contract; ``arguable`` if its framework may be to blame."""

    message: str
    arguable: bool = False


def _fault(task: Task, reply: Reply) -> _Fault | None:
    """How a reply breaks the contract, if it does."""
    replay = Replay(task, reply)
    try:
        expected = replay.reference(1 if task.train else 0, {})
    except Undefined as reason:
        return _Fault(str(reason))
    trace = reply.train[0] if reply.train else reply.predict or {}
    missing = [name for name in expected if "." not in name and name not in trace]
    if missing:
        return _Fault(f"it does not show {', '.join(missing)}")
    for name, actual in trace.items():
        if name not in expected and name.partition(".")[0] not in task.tensors:  # a slot may have any name
            return _Fault(f"it shows a tensor {name!r}, which there is not; known: {', '.join(sorted(expected))}")
        if actual.dtype not in (task.precision, "float32"):  # a framework may compute in float32 what it is asked for
            return _Fault(f"{name} is in {actual.dtype}, expected {task.precision}")
        if name in expected and actual.shape != expected[name].shape:
            message = f"{name} has the shape {list(actual.shape)}, expected {list(expected[name].shape)}"
            return _Fault(message, arguable=actual.size != expected[name].size)  # else a layout was not turned back
    return _forgotten(task, trace)


def _forgotten(task: Task, trace: dict[str, Any]) -> _Fault | None:
    """A weight that gradient descent did not move, though its gradient is not 0."""
    if task.train is None or task.train.optimizer is None:
        return None
    for name in get_operation(task.operation).of_role("weight"):
        gradient = trace.get(f"{name}.gradient")
        if gradient is not None and np.any(gradient) and np.array_equal(trace[name], task.tensors[name]):
            return _Fault(f"{name} is not trained: it stays as it is, with a learning rate of {RATE} and a gradient")
    return None


_PATIENCE = 300
"""The seconds that a script has, which loads its framework first."""
_RUN = """
import numpy, sys
numpy.set_printoptions(floatmode="unique", precision=17, threshold=sys.maxsize)
exec(compile(sys.stdin.read(), "script", "exec", dont_inherit=True), {"__name__": "__main__"})
"""
"""Runs a script so that it prints every number with all its digits."""
_NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf)|nan")


def _script_agrees(task: Task, reply: Reply, connection: Connection) -> bool:
    """Whether the reproduction script prints the very numbers that the adapter showed."""
    script = connection.script(task).encode(errors="replace")
    try:
        command = [connection.python, "-c", _RUN]
        done = subprocess.run(command, input=script, capture_output=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return False
    printed = np.array([float(each) for each in _NUMBER.findall(done.stdout.decode(errors="replace"))])
    shown = {**(reply.train[-1] if reply.train else {}), **(reply.predict or {})}
    return all(
        _spelled(array) <= _spelled(printed.astype(array.dtype)) for name, array in shown.items() if "." not in name
    )


def _spelled(numbers: Any) -> set[str]:
    return {float(each).hex() for each in np.ravel(numbers)}
