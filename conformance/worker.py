"""The process that holds one framework: ``python -m conformance.worker torch 3 4 5``.

The numbers are descriptors that `conformance.connection` passes on: questions are read from the first, answers
written to the second, and the third, on which nothing is ever sent, tells that the parent has ended.  All that the
framework prints goes to standard error.

It imports NumPy, the framework and the adapter side of this package, nothing more.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import fcntl
import importlib.metadata
import os
import platform
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance import messages, wire
from conformance.adapter import Adapter, Task
from conformance.discovery import get_adapter
from conformance.errors import Unsupported, UsageError


class _Worker:
    def __init__(self, name: str) -> None:
        self.name = name
        self.adapter: Adapter | None = None

    def answer(self, question: Any) -> dict[str, Any]:
        """Answer a question. Whatever it raises is a fault of ours, not an observation of the framework."""
        if "hello" in question:
            return self._load(**question["hello"])
        if self.adapter is None:
            raise RuntimeError("a task came before the framework was loaded")
        if "script" in question:
            return {"script": self.adapter.script(messages.to_task(question["script"]))}
        if "written" in question:
            return _written(self.adapter, messages.to_task(question["written"]))
        return _run(self.adapter, messages.to_task(question["task"]))

    def _load(self, threads: int) -> dict[str, Any]:
        try:
            adapter = get_adapter(self.name)
            try:
                versions = {"python": platform.python_version(), "numpy": np.__version__, **adapter.versions()}
            except importlib.metadata.PackageNotFoundError as error:
                return {"missing": f"{error.name} is not installed: {adapter.install(error.name)}"}
            start = time.perf_counter()
            adapter.load(threads)
            seconds = time.perf_counter() - start
            self.adapter = adapter
            return {
                "hello": messages.Hello(
                    versions=versions,
                    device=adapter.device(),
                    precisions=tuple(adapter.precisions),
                    modes=tuple(adapter.modes),
                    operations=tuple(sorted(adapter.spellings)),
                    switches={"threads": str(threads), **adapter.switches()},
                    seconds=seconds,
                    narrows=dict(adapter.narrows),
                )
            }
        except UsageError as error:
            return {"missing": str(error)}
        except Exception as error:
            traceback.print_exc()
            last = traceback.format_exception_only(error)[-1].strip().splitlines()[-1]
            return {"missing": f"{self.name} cannot be loaded: {last}"}


def _run(adapter: Adapter, task: Task) -> dict[str, Any]:
    start = time.perf_counter()
    reply = adapter.run(task)
    seconds = time.perf_counter() - start
    return {"answer": messages.Answer(messages.as_arrays(reply), seconds)}


def _written(adapter: Adapter, task: Task) -> dict[str, Any]:
    try:
        return {"written": adapter.written(task)}
    except Unsupported as reason:
        return {"unsupported": str(reason)}


def serve(worker: _Worker, questions: int, answers: int) -> None:
    """Answer questions until there are no more."""
    while question := wire.receive(questions):
        number = question["id"]
        try:
            answer = wire.Outgoing({"id": number, **worker.answer(question)})
        except Exception:
            answer = wire.Outgoing({"id": number, "fault": traceback.format_exc()})
        wire.send(answers, answer)


# --- being a good process -------------------------------------------------------------------------------------------


def _point_standard_output_at_standard_error() -> None:
    os.dup2(2, 1)
    with contextlib.suppress(Exception):  # line by line in C too, or what is printed before a crash is lost
        libc = ctypes.CDLL(None)
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, 0)


def _end_with_the_parent(lifeline: int) -> None:
    """Have this process and its children killed when the other end of the lifeline closes.

    The kernel sends the signal, so it does not matter if a framework hangs and holds the GIL.  (PR_SET_PDEATHSIG
    would do so too early: when the parent's *thread* ends that started the worker.)
    """
    leader = os.getpgrp() == os.getpid()
    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid() if leader else os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    except (AttributeError, OSError):  # only Linux has it; the next best is a thread, which needs the GIL
        threading.Thread(target=_watch, args=(lifeline, leader), daemon=True).start()
    poll = select.poll()
    poll.register(lifeline)
    if poll.poll(0):  # it closed before we listened
        raise SystemExit("the parent has ended")


def _watch(lifeline: int, leader: bool) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL) if leader else os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Serve one adapter: its name, and the descriptors of questions, answers and lifeline."""
    name, *numbers = arguments
    descriptors = questions, answers, lifeline = [int(each) for each in numbers]
    for each in descriptors:
        os.set_inheritable(each, False)  # a child that the framework starts must not keep the conversation open
    _end_with_the_parent(lifeline)
    _point_standard_output_at_standard_error()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide on
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    faulthandler.enable(all_threads=False)
    try:
        serve(_Worker(name), questions, answers)
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: end at once, whatever else still runs
        traceback.print_exc()
        code = (error.code or 0) if isinstance(error, SystemExit) else 1
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
