"""Adapters that compute the formulas in NumPy, and are wrong on purpose, each in one way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from conformance.adapter import Arrays, Reply, Session, Task
from conformance.adapters.numpy import NumPy
from conformance.spelling import Written


class _Changed(Session):
    """A session of another one's, whose predictions pass through a function."""

    def __init__(self, session: Session, change: Callable[[Arrays], Arrays]) -> None:
        self.session, self.parameters = session, session.parameters
        self.change = change

    def step(self, number: int) -> Arrays:
        return self.session.step(number)

    def predict(self) -> Arrays:
        return self.change(self.session.predict())


class Right(NumPy):
    """Right in everything; called by the name of this file."""


class Waits(NumPy):
    """Takes its time, and tells in a file that it has begun."""

    def open(self, task: Task) -> Session:
        time.sleep(float(os.environ.get("CONFORMANCE_TEST_WAIT", "0.2")))
        return super().open(task)


class FirstTimeOnly(NumPy):
    """The first process that loads it is off by one unit in the last place; a file tells which one that was."""

    def load(self, threads: int) -> None:
        super().load(threads)
        file = os.environ["CONFORMANCE_TEST_FILE"]
        self.first = not os.path.exists(file)
        with open(file, "a"):
            pass

    def open(self, task: Task) -> Session:
        def change(trace: Arrays) -> Arrays:
            return {name: np.nextafter(each, np.inf) if self.first else each for name, each in trace.items()}

        return _Changed(super().open(task), change)


class FailsFirst(FirstTimeOnly):
    """The first process that loads it raises, the others do not."""

    def open(self, task: Task) -> Session:
        def change(trace: Arrays) -> Arrays:
            if self.first:
                raise RuntimeError("not this time")
            return trace

        return _Changed(NumPy.open(self, task), change)


class OnlyFloat32(NumPy):
    """Has one precision."""

    precisions = ("float32",)


# --- broken, for the doctor -----------------------------------------------------------------------------------------


class WrongName(NumPy):
    """Shows its prediction under another name."""

    def open(self, task: Task) -> Session:
        return _Changed(
            super().open(task), lambda trace: {"output" if name == "y" else name: trace[name] for name in trace}
        )


class WrongShape(NumPy):
    """Forgets to turn its layout back."""

    def open(self, task: Task) -> Session:
        return _Changed(super().open(task), lambda trace: {name: each.T for name, each in trace.items()})


class WrongFormat(NumPy):
    """Answers in float64, whatever the precision under test."""

    def open(self, task: Task) -> Session:
        return _Changed(
            super().open(task), lambda trace: {name: each.astype("float64") for name, each in trace.items()}
        )


class Aborts(NumPy):
    """Ends with the first softmax."""

    def open(self, task: Task) -> Session:
        if task.operation == "softmax":
            os.abort()
        return super().open(task)


class ForgetsTheOptimizer(NumPy):
    """Trains without the optimizer."""

    def open(self, task: Task) -> Session:
        train = replace(task.train, optimizer=None) if task.train else None
        return super().open(replace(task, train=train))


class Remembers(NumPy):
    """Goes on from the task before: every second answer is another one."""

    times = 0

    def open(self, task: Task) -> Session:
        self.times += 1
        return _Changed(super().open(task), lambda trace: {name: each + self.times % 2 for name, each in trace.items()})


class Different(NumPy):
    """Shows numbers that its own script does not."""

    def open(self, task: Task) -> Session:
        change = (lambda trace: {"y": trace["y"] + 1}) if task.operation == "dense" else (lambda trace: trace)
        return _Changed(super().open(task), change)


class DrivesADeviatingFramework(Different):
    """Shows the numbers of its framework, which adds one to every dense layer; its script shows them too."""

    def script(self, task: Task) -> str:
        return super().script(task).replace("print(name, each", "print(name, each + 1")


class DrivesADialect(NumPy):
    """Its framework's squared error is half the square."""

    def open(self, task: Task) -> Session:
        factor = 0.5 if task.operation == "mean_squared_error" else 1.0
        return _Changed(
            super().open(task), lambda trace: {name: each * each.dtype.type(factor) for name, each in trace.items()}
        )


class WithoutAScript(Different):
    """Its script cannot be written."""

    def script(self, task: Task) -> str:
        raise RuntimeError("no script\ntoday")


# --- faults of the adapter's own code -------------------------------------------------------------------------------


class RunFails(NumPy):
    """Fails outside of its framework."""

    def run(self, task: Task) -> Reply:
        raise RuntimeError(f"nothing was prepared at {object()}")


class GreetsWithAnObject(NumPy):
    """Says of itself what cannot be sent."""

    def versions(self) -> dict[str, str]:
        return {"numpy": object()}  # type: ignore[dict-item]


class UnknownMode(NumPy):
    """Has a mode that nobody knows."""

    modes = ("fast",)


class SaysNoEncoding(NumPy):
    """Its framework's message holds half a character."""

    def open(self, task: Task) -> Session:
        raise ValueError("half \ud800")


class MakesUp(NumPy):
    """Answers where the formula has no answer, each process with numbers of its own."""

    def open(self, task: Task) -> Session:
        return _MadeUp(task)


class _MadeUp(Session):
    def __init__(self, task: Task) -> None:
        self.task, self.parameters = task, {}

    def step(self, number: int) -> Arrays:
        return self.predict()

    def predict(self) -> Arrays:
        return {"y": np.full((1, 1), os.getpid(), self.task.precision)}


# --- what is told beside the numbers --------------------------------------------------------------------------------


class HangsOverItsScript(Different):
    """Never finishes a script, nor how it writes a task."""

    def script(self, task: Task) -> str:
        time.sleep(600)
        return ""

    def written(self, task: Task) -> Written:
        time.sleep(600)
        return super().written(task)


class EndsWithItsScript(Different):
    """Ends with a script, and with how it writes a task."""

    def script(self, task: Task) -> str:
        os.abort()

    def written(self, task: Task) -> Written:
        os.abort()


class CannotSayHow(NumPy):
    """Fails over how it writes a task."""

    def written(self, task: Task) -> Written:
        raise KeyError(task.operation)


class SaysNonsense(NumPy):
    """Says of how it writes a task what is no answer."""

    def written(self, task: Task) -> Written:
        return Written("relu(x)", arguments={"x": {"not": "plain"}})


class SaysNothing(NumPy):
    """Answers with nothing of the kind."""

    def written(self, task: Task) -> Written:
        return None  # type: ignore[return-value]
