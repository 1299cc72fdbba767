"""The process that a worker is, as the parent holds it: its pipes, what it prints, its memory and its end.

Whatever happens, the kernel can end it and its children: they are a group, whose number stays taken until then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from io import FileIO
from typing import Any

import conformance
from conformance import memory
from conformance.wire import Incoming, Outgoing

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
_CHUNK = 1 << 20
_LOOK, _MOMENT = 0.05, 0.005
_LAST_BYTES, _LAST_LINES = 1 << 16, 20
_FATAL, _FRAMES = "Fatal Python error: ", 3


class Process:
    """One worker process: an answer may have ``largest`` bytes, and what it holds of memory ``limit``."""

    def __init__(self, adapter: str, python: str, threads: int, largest: int, limit: int | None) -> None:
        self._largest, self._limit = largest, limit
        self._last = bytearray()
        self._reaping = threading.RLock()
        self.epitaph = ""
        """How it ended, once it has."""
        with contextlib.ExitStack() as held:
            self._selector = held.enter_context(selectors.DefaultSelector())
            questions, self._questions = _pipe(held)
            self._answers, answers = _pipe(held)
            lifeline, _ = _pipe(held)
            theirs = [questions.fileno(), answers.fileno(), lifeline.fileno()]
            self._process = subprocess.Popen(
                [python, "-P", "-u", "-X", "utf8", "-c", _START, conformance.__file__, adapter, *map(str, theirs)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=theirs,  # and no others: all that Python opens is closed on exec
                env={**os.environ, **dict.fromkeys(_THREADS, str(threads)), "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
            self.pid = self._process.pid
            assert isinstance(self._process.stdout, FileIO)
            self._output = held.enter_context(self._process.stdout)
            for each in (questions, answers, lifeline):
                each.close()
            self._held = held.pop_all()
        for ours in (self._questions, self._answers, self._output):
            os.set_blocking(ours.fileno(), False)
            with contextlib.suppress(OSError):  # the system may refuse
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _CHUNK)
        for ours in (self._answers, self._output):
            self._selector.register(ours, selectors.EVENT_READ)

    def is_waiting(self) -> bool:
        """Whether it lives and has said nothing out of turn."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._answers.fileno(), 1)
            return False
        return not self._has_ended()

    def converse(self, question: Outgoing, deadline: float) -> dict[str, Any]:
        """Send a question and return the answer.

        Raises `TimeoutError` at the deadline, `EOFError` when the process ends, `ValueError` for what is no answer.
        """
        self._drain()
        self._last.clear()
        answer = Incoming(self._largest, question.number)
        now = time.monotonic()
        look = now + _LOOK
        self._selector.register(self._questions, selectors.EVENT_WRITE)
        while True:
            self._selector.select(min(deadline - now, _LOOK))
            self._hear()
            if not question.complete:
                self._send(question)
            self._receive(answer)
            if answer.complete:
                break
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if now >= look:
                self._look()
                look = now + _LOOK
        if not question.complete:
            raise ValueError("it came before the whole question was read")
        message: dict[str, Any] = answer.message
        return message

    def printed(self) -> str:
        """The last lines that it wrote since the last question; of a fatal error, where it happened."""
        lines = self._last.decode("utf-8", "replace").splitlines()
        fatal = [number for number, line in enumerate(lines) if line.startswith(_FATAL)]
        if fatal:  # what follows is the whole stack, from the innermost call, and every extension module
            stack = [line for line in lines[fatal[-1] + 1 :] if line.startswith("  File ")]
            lines = [*lines[: fatal[-1] + 1], *stack[:_FRAMES]]
        return "\n".join(lines[-_LAST_LINES:])

    def kill(self) -> None:
        """Have the kernel end it with all that descend from it, also those that have left its group."""
        with self._reaping:
            if self._process.returncode is None:
                descendants = memory.family(self.pid)[1:]
                for kill, number in ((os.killpg, self.pid), *((os.kill, each) for each in descendants)):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        kill(number, signal.SIGKILL)

    def end(self, patience: float) -> None:
        """End the process and its children: by asking, and after so many seconds by force."""
        self._questions.close()  # there are no more
        try:
            end = time.monotonic() + patience
            while not self._has_ended() and time.monotonic() < end:
                time.sleep(_MOMENT)
        finally:
            ended = self._has_ended()
            self.kill()
            with self._reaping, contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._drain()
            self._held.close()
        self.epitaph = self.epitaph or (
            _epitaph(self._process.returncode) if ended else "the worker hung up without ending"
        )

    def _has_ended(self) -> bool:
        """Whether it has; until `end`, its number stays taken, so that no other process is killed in its stead."""
        try:
            return bool(os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        except ChildProcessError:  # the parent does not care for its children, and the kernel forgets them
            return True

    def _look(self) -> None:
        if self._limit is not None and memory.exceeds(self.pid, self._limit):
            self.kill()
            self.epitaph = f"it took more than {memory.shown(self._limit)} of memory"
            raise EOFError

    def _send(self, question: Outgoing) -> None:
        try:
            question.write(self._questions.fileno())
        except BlockingIOError:
            return
        except BrokenPipeError:  # it has ended, or will not listen
            raise EOFError from None
        if question.complete:
            self._selector.unregister(self._questions)

    def _receive(self, answer: Incoming) -> None:
        ended = self._has_ended()  # asked before: what it said until then can be read now
        try:
            over = not answer.read(self._answers.fileno())
        except BlockingIOError:
            over = ended  # a child that it forked may hold the pipe open
        if over:
            raise EOFError

    def _hear(self) -> bool:
        """Read some of what it printed; False when there is nothing."""
        try:
            chunk = os.read(self._output.fileno(), _CHUNK)
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


def _pipe(held: contextlib.ExitStack) -> list[FileIO]:
    """Both ends, above the numbers of standard input, output and error: those that are free here the worker needs."""
    ends = []
    for low, mode in zip(os.pipe(), ("rb", "wb"), strict=True):
        ends.append(held.enter_context(FileIO(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 3), mode)))
        os.close(low)
    return ends


def _epitaph(code: int) -> str:
    if code < 0:
        return f"the process was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"the process ended with exit code {code}"
