"""The conversation with a worker, as the parent holds it: deadline, end and restart.

A worker that hangs, dies or talks nonsense costs the case at hand: its whole process group is killed, and the next
task gets a fresh one.  Several connections may be used at once, each by one thread at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import conformance
from conformance import wire
from conformance.adapter import Task
from conformance.errors import WorkerCrashed, WorkerError, WorkerMissing, WorkerNonsense, WorkerTimeout
from conformance.wire import Answer, Hello

__all__ = ["Answer", "Connection", "HarnessError", "Hello"]

# This very package, wherever the other interpreter's path or the working folder would find another or none.
_START = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("conformance", sys.argv[1])
sys.modules["conformance"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from conformance.worker import main
main(sys.argv[2:])
"""
_THREADS = [
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
]
_T = TypeVar("_T")
_Readers: TypeAlias = Mapping[str, Callable[[Any], _T | Exception]]
_CHUNK = 1 << 20
_LAST_BYTES, _LAST_LINES = 1 << 14, 20


class HarnessError(RuntimeError):
    """The adapter or the worker failed outside of the framework. Not a `WorkerError`: it is a fault of the harness,
    and no verdict follows from it. The message is the worker's traceback.
    """


class Connection:
    """One framework in a process of its own, started when it is first needed and kept.

    ``adapter`` is a built-in adapter's name, ``path/to/file.py:Class`` or ``package.module:Class``. ``timeout`` is a
    task's deadline and ``start_timeout`` that of importing the framework, both in seconds; ``restarts`` is how often
    a process that failed is replaced, and ``largest`` the most bytes that an answer may have.
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
        self.timeout, self.start_timeout, self.restarts, self.largest = timeout, start_timeout, restarts, largest
        self._process: _Process | None = None
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
        `WorkerMissing` as `start` does, and `HarnessError` for a fault of the harness.
        """
        self.start()
        return self._ask({"task": task}, {"answer": wire.to_answer}, self.timeout if timeout is None else timeout)

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
        readers: _Readers[Hello] = {"hello": wire.to_hello, "missing": WorkerMissing}
        try:
            self._process = _Process(self.adapter, self.python, self.threads, self.largest)
        except OSError as error:
            raise WorkerMissing(f"{self.adapter}: cannot run {self.python}: {error.strerror}") from None
        if self._killed.is_set():  # meanwhile
            self._process.kill()
        try:
            return self._ask({"hello": {"threads": self.threads}}, readers, self.start_timeout)
        except WorkerMissing:
            raise
        except WorkerError as error:
            last = error.printed.splitlines()[-1:]
            reason = ": ".join([f"{self.adapter} cannot be loaded", str(error), *last])
            raise WorkerMissing(reason, error.printed) from None

    def _ask(self, question: dict[str, Any], readers: _Readers[_T], timeout: float) -> _T:
        """The answer to a question, read by what its kind asks for; what breaks the conversation ends the process."""
        process = self._process
        assert process is not None
        self._asked += 1
        line = wire.encode({"id": self._asked, **question})
        try:
            said = process.converse(line, time.monotonic() + timeout)
            answer = self._read(said, {**readers, "fault": HarnessError})
        except TimeoutError:
            self._end()
            raise WorkerTimeout(f"no answer within {timeout:g} s", process.printed()) from None
        except EOFError:
            reason = _epitaph(self._end(patience=1.0))
            raise WorkerCrashed(reason, process.printed()) from None
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

    def _read(self, said: bytes, readers: _Readers[_T]) -> _T | Exception:
        cut = said.index(b"\n") + 1
        message = wire.decode(memoryview(said)[:cut])
        if not isinstance(message, dict) or message.get("id") != self._asked:
            raise ValueError("it is not to the question that was asked")
        kinds = [kind for kind in message if kind in readers]
        if len(message) != 2 or len(kinds) != 1:
            raise ValueError(f"expected {' or '.join(readers)}")
        answer = readers[kinds[0]](message[kinds[0]])
        if said[cut:] != wire.ending(self._asked):
            raise ValueError("there is more than one")
        return answer

    def _end(self, patience: float = 0.0) -> int | None:
        process, self._process = self._process, None
        return process.end(patience) if process else None


def _epitaph(code: int | None) -> str:
    if code is None:
        return "the worker hung up without ending"
    if code < 0:
        return f"the process was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"the process ended with exit code {code}"


class _Process:
    """One worker process and its pipes."""

    def __init__(self, adapter: str, python: str, threads: int, largest: int) -> None:
        questions, self._questions = os.pipe()
        self._answers, answers = os.pipe()
        lifeline, self._lifeline = os.pipe()
        theirs, self._ours = [questions, answers, lifeline], [self._answers, self._lifeline, self._questions]
        arguments = [conformance.__file__, adapter, *map(str, theirs)]
        try:
            self._process = subprocess.Popen(
                [python, "-P", "-u", "-X", "utf8", "-c", _START, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=theirs,  # and no others: all that Python opens is closed on exec
                env={**os.environ, **dict.fromkeys(_THREADS, str(threads)), "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
        except BaseException:
            self._close()
            raise
        finally:
            for each in theirs:
                os.close(each)
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        self._largest = largest
        self._last = bytearray()
        self._selector = selectors.DefaultSelector()
        for each in (self._questions, self._answers, self._output):
            os.set_blocking(each, False)
            with contextlib.suppress(AttributeError, OSError):  # Linux only, and the system may refuse
                fcntl.fcntl(each, fcntl.F_SETPIPE_SZ, _CHUNK)
        for each in (self._answers, self._output):
            self._selector.register(each, selectors.EVENT_READ)

    def is_waiting(self) -> bool:
        """Whether it lives and has said nothing out of turn."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._answers, 1)
            return False
        return self._process.poll() is None

    def converse(self, question: bytes, deadline: float) -> bytes:
        """Send a question and return its answer: two lines, or it is none.

        Raises `TimeoutError` at the deadline, `EOFError` when the process ends, `ValueError` for what is no answer.
        """
        self._drain()
        self._last.clear()
        unsent = memoryview(question)
        self._selector.register(self._questions, selectors.EVENT_WRITE)
        chunks: list[bytes] = []
        room, newlines = self._largest, 0
        while newlines < 2:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            ready = {key.fd for key, _ in self._selector.select(min(remaining, 0.5))}
            if self._output in ready:
                self._hear()
            if self._questions in ready:
                unsent = self._send(unsent)
            if self._answers in ready:
                chunk = os.read(self._answers, _CHUNK)
                chunks.append(chunk)
                newlines += chunk.count(b"\n")
                room -= len(chunk)
                over = not chunk
            else:
                over = self._process.poll() is not None  # a child that it forked may hold the pipe open
            if over:
                raise EOFError
            if room < 0:
                raise ValueError("it is too long")
        if unsent:
            raise ValueError("it came before the whole question was read")
        return b"".join(chunks)

    def printed(self) -> str:
        """The last lines that it wrote since the last question."""
        return "\n".join(self._last.decode("utf-8", "replace").splitlines()[-_LAST_LINES:])

    def kill(self) -> None:
        """Have the kernel end the whole process group, whose number stays taken while any of it lives."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self, patience: float) -> int | None:
        """End the process and its children. Returns its exit code, or None if it was still running after that time."""
        os.close(self._ours.pop())  # no more questions
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(patience)
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._drain()
        self._close()
        self._selector.close()
        if self._process.stdout:
            self._process.stdout.close()
        return code

    def _send(self, unsent: memoryview) -> memoryview:
        try:
            unsent = unsent[os.write(self._questions, unsent[:_CHUNK]) :]
        except BrokenPipeError:  # it has ended, or will not listen: its answer will tell
            unsent = unsent[:0]
        if not unsent:
            self._selector.unregister(self._questions)
        return unsent

    def _hear(self) -> bool:
        """Read some of what it printed; False when there is nothing."""
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk and self._output in self._selector.get_map():
            self._selector.unregister(self._output)
        self._last += chunk
        del self._last[:-_LAST_BYTES]
        return bool(chunk)

    def _drain(self) -> None:
        for _ in range(64):  # not forever: it may print faster than we read
            if not self._hear():
                break

    def _close(self) -> None:
        for each in self._ours:
            os.close(each)
        self._ours.clear()
