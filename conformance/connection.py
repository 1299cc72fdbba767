"""The conversation with a worker, as the parent holds it: deadline, end and restart.

A worker that hangs, dies or talks nonsense costs the case at hand: its whole process group is killed, and the next
task gets a fresh one.  Several connections may be used at once, each by one thread at a time.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from conformance import messages
from conformance.adapter import Task, same_in_every_run
from conformance.discovery import built_in
from conformance.errors import WorkerCrashed, WorkerError, WorkerMissing, WorkerNonsense, WorkerTimeout
from conformance.messages import Answer, Hello
from conformance.process import Process
from conformance.spelling import Written
from conformance.wire import Outgoing

__all__ = ["Answer", "Connection", "HarnessError", "Hello"]

_T = TypeVar("_T")
_Readers: TypeAlias = Mapping[str, Callable[[Any], _T | Exception]]


class HarnessError(RuntimeError):
    """An adapter of this package or the worker failed outside of the framework. Not a `WorkerError`: it is a fault of
    the harness, and no verdict follows from it. The message is the worker's traceback.
    """


def _fault(adapter: str, traceback: Any) -> Exception:
    """A fault outside of the framework: the harness's own, unless the adapter is somebody else's."""
    text = same_in_every_run(str(traceback))
    if adapter in built_in():
        return HarnessError(text)
    return WorkerNonsense(f"the adapter itself failed: {text.splitlines()[-1]}", text)


class Connection:
    """One framework in a process of its own, started when it is first needed and kept.

    ``adapter`` is a built-in adapter's name, ``path/to/file.py:Class`` or ``package.module:Class``. ``timeout`` is a
    task's deadline and ``start_timeout`` that of importing the framework, both in seconds; ``restarts`` is how often
    a process that failed is replaced, ``largest`` the most bytes that an answer may have, and ``memory`` the most that
    the process and its children may hold (None: no limit), which is looked at while it is waited for.
    """

    def __init__(
        self,
        adapter: str,
        *,
        python: str = sys.executable,
        threads: int = 1,
        timeout: float = 60.0,
        start_timeout: float = 300.0,
        restarts: int = 10,
        largest: int = 1 << 30,
        memory: int | None = None,
    ) -> None:
        self.adapter, self.python, self.threads = adapter, python, threads
        self.timeout, self.start_timeout, self.restarts = timeout, start_timeout, restarts
        self.largest, self.memory = largest, memory
        self._process: Process | None = None
        self._hello: Hello | None = None
        self._missing: WorkerMissing | None = None
        self._killed = threading.Event()
        self._starts = 0
        self._asked = 0

    def start(self) -> Hello:
        """Start the worker unless it runs, and return what it says of itself.

        Raises `WorkerMissing`, with the reason in one line, if the framework is not installed, cannot be imported,
        or was given up after too many restarts; from then on it always does.
        """
        if self._missing:
            raise WorkerMissing(str(self._missing), self._missing.printed)
        if self._hello and self._process and self._process.is_waiting():
            return self._hello
        self._end()
        try:
            self._hello = self._greet()
        except WorkerMissing as error:
            self._missing = error
            self._end()
            raise
        return self._hello

    def run(self, task: Task, timeout: float | None = None) -> Answer:
        """Have the worker carry out a task; it is started, or started again, where it does not run.

        Raises `WorkerCrashed`, `WorkerTimeout` or `WorkerNonsense` if this task ended the conversation,
        `WorkerMissing` as `start` does, and `HarnessError` for a fault of the harness.  A fault of an adapter that is
        not of this package is `WorkerNonsense`.
        """
        self.start()
        return self._ask({"task": task}, {"answer": messages.to_answer}, self.timeout if timeout is None else timeout)

    @property
    def runs(self) -> bool:
        """Whether the worker is there to be asked: what it says beside its tasks is not worth another start."""
        return self._process is not None and self._process.is_waiting()

    def script(self, task: Task, timeout: float | None = None) -> str:
        """The adapter's reproduction script of a task; raises what `run` raises."""
        self.start()
        return self._ask({"script": task}, {"script": messages.to_script}, self.timeout if timeout is None else timeout)

    def written(self, task: Task, timeout: float | None = None) -> Written:
        """How the adapter writes a task; raises `Unsupported` with the reason, or what `run` raises."""
        self.start()
        readers: _Readers[Written] = {"written": messages.to_written, "unsupported": messages.to_unsupported}
        return self._ask({"written": task}, readers, self.timeout if timeout is None else timeout)

    def close(self) -> None:
        """End the worker: politely, and after two seconds by force. A later `run` starts another."""
        self._end(patience=2.0)
        self._starts = 0

    def kill(self) -> None:
        """End the worker at once and for good, from any thread: a task under way raises `WorkerCrashed`."""
        self._killed.set()
        process = self._process
        if process:
            process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _greet(self) -> Hello:
        if self._killed.is_set():
            raise WorkerMissing(f"{self.adapter} was ended")
        if self._starts > self.restarts:
            raise WorkerMissing(f"{self.adapter}: gave up after {self.restarts} restarts")
        self._starts += 1
        readers: _Readers[Hello] = {"hello": messages.to_hello, "missing": WorkerMissing}
        try:
            self._process = Process(self.adapter, self.python, self.threads, self.largest, self.memory)
        except OSError as error:
            raise WorkerMissing(f"{self.adapter}: cannot run {self.python}: {error.strerror}") from None
        if self._killed.is_set():  # meanwhile
            self._process.kill()
        try:
            return self._ask({"hello": {"threads": self.threads}}, readers, self.start_timeout)
        except WorkerMissing:
            raise
        except WorkerError as error:
            last = [line for line in error.printed.splitlines()[-1:] if line not in str(error)]
            reason = ": ".join([f"{self.adapter} cannot be loaded", str(error), *last])
            raise WorkerMissing(reason, error.printed) from None

    def _ask(self, question: dict[str, Any], readers: _Readers[_T], timeout: float) -> _T:
        """The answer to a question, read by what its kind asks for; what breaks the conversation ends the process."""
        process = self._process
        assert process is not None
        self._asked += 1
        outgoing = Outgoing({"id": self._asked, **question})
        try:
            said = process.converse(outgoing, time.monotonic() + timeout)
            heard: _Readers[_T] = {**readers, "fault": partial(_fault, self.adapter)}
            answer = self._read(said, heard)
        except TimeoutError:
            self._end()
            raise WorkerTimeout(f"no answer within {timeout:g} s", process.printed()) from None
        except EOFError:
            self._end(patience=1.0)
            raise WorkerCrashed(process.epitaph, process.printed()) from None
        except ValueError as error:
            self._end()
            raise WorkerNonsense(f"the answer does not follow the protocol: {error}", process.printed()) from None
        except BaseException:  # Ctrl-C: the answer that is still to come must not meet the next question
            self._end()
            raise
        if isinstance(answer, WorkerMissing):
            answer.printed = process.printed()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read(self, said: dict[str, Any], readers: _Readers[_T]) -> _T | Exception:
        kinds = [kind for kind in said if kind in readers]
        if len(said) != 2 or len(kinds) != 1:
            raise ValueError(f"expected {' or '.join(readers)}")
        return readers[kinds[0]](said[kinds[0]])

    def _end(self, patience: float = 0.0) -> None:
        process, self._process = self._process, None
        if process:
            process.end(patience)
