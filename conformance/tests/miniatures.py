"""Adapters that are wrong on purpose, each in one way, for the task whose case is called "bad"."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np

from conformance import messages, wire
from conformance.adapter import Adapter, Arrays, Reply, Session, Task
from conformance.spelling import Array, Spellings

LINE = b"0123456789abcdef" * 4 + b"\n"
ANSWERS = int(sys.argv[-2]) if sys.argv[-2:-1] and sys.argv[-2].isdigit() else -1
"""The worker's private descriptor: anybody in the process can find it."""


class Doubling(Session):
    def __init__(self, task: Task) -> None:
        self.task, self.parameters = task, dict(task.parameters)

    def step(self, number: int) -> Arrays:
        assert self.task.train is not None
        return {name: 2 * each for name, each in self.task.train.batches[number - 1].items()}

    def predict(self) -> Arrays:
        return {name: 2 * each for name, each in (self.task.predict or {}).items()}


class Echo(Adapter):
    """Gives back the parameters, and everything else doubled."""

    distributions = ("numpy",)
    spellings = Spellings({"double": lambda parameters, shapes: None})

    def load(self, threads: int) -> None:
        self.threads = threads

    def open(self, task: Task) -> Session:
        if task.case == "bad":
            self.misbehave(task)
        return Doubling(task)

    def script(self, task: Task) -> str:
        return ""

    def misbehave(self, task: Task) -> None:
        """What the classes below do before they answer."""


class Whichever(Echo):
    """Does what the class does that the case is named after: one process for many miniatures."""

    def open(self, task: Task) -> Session:
        name = task.case.rpartition("/")[2]
        if name in globals():
            globals()[name]().misbehave(task)
        return Doubling(task)


def number() -> int:
    """The number of the question, from the worker's own variables."""
    frame = sys._getframe()
    while "number" not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    return int(frame.f_locals["number"])


def say(data: bytes) -> None:
    while data:
        data = data[os.write(ANSWERS, data) :]


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def ending(number: int) -> bytes:
    return line({"end": number})


def answer(number: int) -> bytes:
    """A whole answer, as the wire has it."""
    reader, writer = os.pipe()
    reply = Reply(predict={"x": np.zeros(1)})
    wire.send(writer, wire.Outgoing({"id": number, "answer": messages.Answer(reply, 0.0)}))
    os.close(writer)
    with open(reader, "rb") as file:
        return file.read()


# --- those that end -------------------------------------------------------------------------------------------------


class ExitsAtOnce(Echo):
    def misbehave(self, task: Task) -> None:
        os.write(2, b"\n".join(b"line %d" % each for each in range(100)))
        os._exit(3)


class Exits(Echo):
    def misbehave(self, task: Task) -> None:
        sys.exit(4)


class Interrupts(Echo):
    def misbehave(self, task: Task) -> None:
        raise KeyboardInterrupt


class Aborts(Echo):
    def misbehave(self, task: Task) -> None:
        os.abort()


class ReadsNull(Echo):
    def misbehave(self, task: Task) -> None:
        print("before the end")
        ctypes.string_at(0)


class HangsUp(Echo):
    def misbehave(self, task: Task) -> None:
        os.close(ANSWERS)
        time.sleep(1000)


class DiesLater(Echo):
    """Dies between two tasks; its answer has been given."""

    def misbehave(self, task: Task) -> None:
        subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -9 {os.getpid()}"])


class ForksAndDies(Echo):
    """Its child keeps the descriptors open."""

    def misbehave(self, task: Task) -> None:
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(5)


class AnswersAndDies(Echo):
    """With nothing between the last byte and the end, and a child that keeps the pipe open."""

    def misbehave(self, task: Task) -> None:
        if os.fork() == 0:
            time.sleep(1000)
        print("a last word", flush=True)
        say(answer(number()))
        os.kill(os.getpid(), signal.SIGKILL)


# --- those that take memory -----------------------------------------------------------------------------------------

MOST = 1 << 30
"""None takes more, so that a limit that is not kept harms the test alone."""


def take(size: int) -> list[Array]:
    """Memory that is used, some at a time."""
    return [np.ones(4 << 20, np.uint8) for _ in range(size >> 22)]


class TakesMemory(Echo):
    def misbehave(self, task: Task) -> None:
        print("before the feast", flush=True)
        self.taken = take(MOST)
        time.sleep(1000)


class TakesMemoryInC(Echo):
    """In one call, which holds the GIL until it is done, and then for longer."""

    def misbehave(self, task: Task) -> None:
        libc = ctypes.PyDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        libc.malloc.argtypes = [ctypes.c_size_t]
        libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
        libc.memset(libc.malloc(MOST), 1, MOST)
        libc.sleep(1000)


class TakesMemoryInAChild(Echo):
    """In a grandchild, in a session of its own."""

    def misbehave(self, task: Task) -> None:
        code = f"import os, time; print('pid', os.getpid(), flush=True); taken = b'1' * {MOST}; time.sleep(1000)"
        shell = f'{sys.executable} -c "{code}"; true'
        subprocess.run(["sh", "-c", shell], start_new_session=True, check=False)


class TakesMemoryInLoad(Echo):
    def load(self, threads: int) -> None:
        TakesMemory().misbehave(Task("", "", "", "", {}))


class TakesALittle(Echo):
    """Less than the limit, though its children, who share it, seem to hold as much again."""

    def misbehave(self, task: Task) -> None:
        taken = take(100 << 20)
        if os.fork() == 0:
            time.sleep(1000)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            subprocess.run(["true"], check=True)
        del taken


# --- those that hang ------------------------------------------------------------------------------------------------


class Hangs(Echo):
    def misbehave(self, task: Task) -> None:
        print("so far so good", flush=True)
        time.sleep(1000)


class HangsInC(Echo):
    def misbehave(self, task: Task) -> None:
        ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the GIL


class HangsInAnAnswer(Echo):
    def misbehave(self, task: Task) -> None:
        say(answer(number())[: task.parameters["until"]])
        time.sleep(1000)


class Stops(Echo):
    def misbehave(self, task: Task) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)


class IgnoresTheEnd(Echo):
    """Every signal that can be ignored, and that there are no more questions."""

    def misbehave(self, task: Task) -> None:
        for each in {*signal.Signals} - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(each, signal.SIG_IGN)
        atexit.register(time.sleep, 1000)


class LeavesAChild(Echo):
    """Hangs, or answers if a parameter says so, and has a child that would outlive it."""

    def misbehave(self, task: Task) -> None:
        child = subprocess.Popen(["sleep", "1000"])
        print(f"pids {os.getpid()} {child.pid}", flush=True)
        if task.parameters.get("file"):
            with open(task.parameters["file"] + ".part", "w") as file:
                file.write(f"{os.getpid()} {child.pid}")
            os.rename(task.parameters["file"] + ".part", task.parameters["file"])
        if task.parameters.get("hang", True):
            ctypes.PyDLL(None).sleep(1000)


# --- those that talk nonsense ---------------------------------------------------------------------------------------


class Says(Echo):
    """Writes to the private descriptor, what the parameters name; what is not whole by itself the answer follows."""

    def misbehave(self, task: Task) -> None:
        asked = number()
        good, end = answer(asked), ending(asked)
        head, array = good.split(b"\n", 1)[0] + b"\n", bytes(8)
        reply = vars(Reply())
        dumped = json.dumps(reply).encode()

        def whole(shape: Any, dtype: str = "float64", data: bytes = b"") -> bytes:
            predict = {"x": {"$array": [dtype, shape]}}
            said = {"id": asked, "answer": {"reply": reply | {"predict": predict}, "seconds": 0.0}}
            return line(said) + data + end

        lines = {
            "garbage": b"\x00\xff garbage\n",
            "no newline": b"garbage",
            "empty lines": b"\n\n",
            "twice": good + good,
            "no end": head + array,
            "no array": head + end,
            "too much of an array": head + array + b"\0" + end,
            "another end": head + array + ending(asked + 1),
            "wrong id": answer(asked + 1),
            "id true": head.replace(b'"id": %d' % asked, b'"id": true') + array + end,
            "no object": line([1, 2]) + end,
            "no id": line({"answer": None}) + end,
            "too little": line({"id": asked, "answer": {"reply": {}, "seconds": 0.0}}) + end,
            "too much": line({"id": asked, "answer": None, "more": 1}) + end,
            "wrong kind": line({"id": asked, "hello": {}}) + end,
            "a key twice": b'{"id": %d, "id": %d, "answer": null}\n' % (asked, asked) + end,
            "NaN": line({"id": asked, "answer": float("nan")}) + end,
            "infinite seconds": b'{"id": %d, "answer": {"reply": %s, "seconds": 1e999}}\n' % (asked, dumped) + end,
            "half an array more": whole([2], data=array),
            "a negative size": whole([-1]),
            "an overflow": whole([1 << 32, 1 << 32]),
            "an overflow with nothing in it": whole([0, 1 << 62, 1 << 62]),
            "a size without end": whole([10**4000] * 60),
            "many dimensions": whole([1] * 65),
            "a large array": whole([1 << 20]),
            "large arrays": line({"id": asked, "answer": [{"$array": ["uint8", [1 << 19]]}] * 3}),
            "a bool of 2": whole([1], "bool", b"\2"),
            "an object": whole([1], "object", bytes(8)),
            "deep": b"[" * 100_000 + b"]" * 100_000 + b"\n" + end,
            "deep objects": b'{"a":' * 100_000 + b"0" + b"}" * 100_000 + b"\n" + end,
            "long": b"x" * (4 << 20),
        }
        says = task.parameters["says"]
        say(lines[says])
        if says not in ("no newline", "no end", "no array", "half an array more"):
            time.sleep(1000)  # an answer after it would be nonsense of another kind, were it there in time


class NeverEnds(Echo):
    """A line that does not end."""

    def misbehave(self, task: Task) -> None:
        while True:
            say(b'["' + b"x" * (1 << 20))


class SpeaksFirst(Echo):
    """Answers the next question, before it is asked."""

    def misbehave(self, task: Task) -> None:
        following = answer(number() + 1)
        threading.Timer(0.1, say, [following]).start()


# --- those that are odd, and right --------------------------------------------------------------------------------


class Drips(Echo):
    """Answers a byte at a time."""

    def misbehave(self, task: Task) -> None:
        os.writev = lambda descriptor, pieces: os.write(descriptor, pieces[0][:1])


class ClosesItsOutput(Echo):
    def misbehave(self, task: Task) -> None:
        os.close(1)
        os.close(2)


# --- those that print -----------------------------------------------------------------------------------------------


class Floods(Echo):
    def misbehave(self, task: Task) -> None:
        some = LINE * 1000
        for _ in range((50 << 20) // len(some)):
            os.write(1, some)
            os.write(2, some)


class Prints(Echo):
    """From Python and from C, to standard output and error, and answers."""

    def misbehave(self, task: Task) -> None:
        libc = ctypes.CDLL(None)
        print("from Python")
        print("an umlaut: ä")
        os.write(1, b"from the descriptor\n")
        libc.puts(b"from C")
        if task.parameters.get("then") == "exit":
            os._exit(1)


# --- those that fail ------------------------------------------------------------------------------------------------


class Raises(Echo):
    def misbehave(self, task: Task) -> None:
        raise ValueError("the framework says no")


class RepliesWithAnObject(Echo):
    """A fault of the adapter's, not of its framework: what it replies cannot be sent."""

    def run(self, task: Task) -> Reply:
        return Reply(parameters={"x": object()}) if task.case == "bad" else super().run(task)


class RepliesWithScalars(Echo):
    def run(self, task: Task) -> Reply:
        return Reply({"rate": np.float32(0.5)}, train=[{"loss": np.float32(0.1)}])  # type: ignore[dict-item]


class TellsModules(Echo):
    def run(self, task: Task) -> Reply:
        return Reply(
            {
                "modules": sorted(sys.modules),
                "path": sys.path,
                "stdin": os.readlink("/proc/self/fd/0"),
                "pid": os.getpid(),
                "threads": [os.environ["OMP_NUM_THREADS"], os.environ["TF_NUM_INTRAOP_THREADS"], self.threads],
                "hash": hash("a text"),
            }
        )


class FailsToLoad(Echo):
    def load(self, threads: int) -> None:
        raise RuntimeError("first line\nno driver found")


class ExitsInLoad(Echo):
    def load(self, threads: int) -> None:
        print("goodbye")
        sys.exit(7)


class HangsInLoad(Echo):
    def load(self, threads: int) -> None:
        time.sleep(1000)


class FloodsInLoad(Echo):
    def load(self, threads: int) -> None:
        os.write(1, LINE * 100_000)


class NotInstalled(Echo):
    distributions = ("conformance-framework-that-is-nowhere",)


class FailsToLoadAgain(Echo):
    """Loads once: the second process finds the file that the first one left."""

    def load(self, threads: int) -> None:
        path = os.environ["CONFORMANCE_TEST_FILE"]
        if os.path.exists(path):
            raise ImportError("not again")
        with open(path, "w"):
            pass

    def misbehave(self, task: Task) -> None:
        os._exit(1)


class NotAnAdapter:
    pass
