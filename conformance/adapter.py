"""What an adapter is: how it is asked, and how it answers.

An adapter gets a `Task`, drives its framework through it as a user would, and gives back a `Reply` with the traces
of both phases.  How it spells each operation: `conformance.spelling`.

Nothing here imports a framework, or anything but NumPy: a worker in somebody else's environment needs no more.
"""

from __future__ import annotations

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeAlias

from conformance.errors import Unsupported
from conformance.spelling import Array, Parameters, Spellings, Written
from conformance.writing import written

Arrays: TypeAlias = dict[str, Array]


MODES = {
    "eager": "one operation after the other, as they are written",
    "graph": "traced or exported as a whole, and run by the framework's own executor or compiler",
    "xla": "compiled by XLA",
}
"""The ways in which a framework may run the same calls."""


# --- the question and the answer ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A loss or an optimizer that a train phase uses, with its canonical parameters."""

    operation: str
    parameters: Parameters


@dataclass(frozen=True)
class Train:
    """The train phase: one batch of inputs (and a target, for what has a loss) per step."""

    batches: Sequence[Arrays]
    targets: Sequence[Array] | None = None
    loss: Part | None = None
    optimizer: Part | None = None


@dataclass(frozen=True)
class Task:
    """What an adapter is asked: canonical names and layouts, every array in the precision under test."""

    case: str
    operation: str
    kind: str
    """``layer``, ``loss`` or ``optimizer``."""
    precision: str
    parameters: Parameters
    tensors: Arrays = field(default_factory=dict)
    train: Train | None = None
    predict: Arrays | None = None
    differentiated: tuple[str, ...] = ()
    """The inputs whose gradient is wanted."""
    mode: str = ""
    """How the framework is to run its calls, one of `MODES`; empty for the adapter's default."""
    results: tuple[str, ...] = ("y",)
    """The names of what a prediction gives."""
    optional: tuple[str, ...] = ()
    """The inputs that may be left out: they come behind the others, and a function takes them by keyword."""

    @property
    def inputs(self) -> Arrays:
        """The inputs of the first step, whichever phase comes first: what shapes are read from."""
        return self.train.batches[0] if self.train else self.predict or {}

    @property
    def keywords(self) -> tuple[str, ...]:
        """The inputs that are given and that a function takes by keyword, in their order."""
        return tuple(name for name in self.inputs if name in self.optional)

    def named(self, results: Any) -> dict[str, Any]:
        """What a framework gives, a tuple if it is several, under the names of the results."""
        several = results if isinstance(results, (list, tuple)) else (results,)
        return dict(zip(self.results, several, strict=True))


@dataclass(frozen=True)
class Raised:
    """An exception that the framework raised; ``step`` counts from 1, 0 is before the first."""

    phase: str
    step: int
    kind: str
    message: str


@dataclass(frozen=True)
class Reply:
    """What an adapter answers.

    ``train`` has one trace per step: the results of the formula, ``loss``, the gradients (``x.gradient``), and the
    weights, states and optimizer slots (``kernel``, ``kernel.velocity``) as they are after the step.  ``predict``
    is one trace.  ``parameters`` are those of the operation as the framework holds them, defaults included.

    ``unsupported`` says why nothing came of the task, ``untrained`` why nothing came of its train phase alone:
    ``predict`` is then what the framework predicts from the weights that the case gives.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    train: list[Arrays] = field(default_factory=list)
    predict: Arrays | None = None
    raised: Raised | None = None
    unsupported: str | None = None
    untrained: str | None = None

    def lacking(self, phase: str) -> str | None:
        """Why nothing came of a phase, if the framework lacks something for it."""
        return (self.untrained if phase == "train" else None) or self.unsupported


# --- the adapter ----------------------------------------------------------------------------------------------------


_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # some frameworks colour their messages
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


def same_in_every_run(text: str) -> str:
    """What somebody printed, without colours and addresses in memory."""
    return _ADDRESS.sub("0x...", _ANSI.sub("", text)).strip()


class Session(ABC):
    """One task under way. The framework keeps its own state from step to step and into prediction."""

    parameters: dict[str, Any]

    @abstractmethod
    def step(self, number: int) -> Arrays:
        """Train one step (from 1) and return its trace."""

    @abstractmethod
    def predict(self) -> Arrays:
        """Predict with the state as it is and return the trace."""


class Adapter(ABC):
    """Drives one framework. Its name is its module's; its docstring's first line says what it drives."""

    distributions: ClassVar[Sequence[str]]
    """The installed distributions that it needs, the framework's first: their versions are reported."""

    extra: ClassVar[str] = ""
    """The extra of this package that installs them; by default of the framework's own name."""

    seconds_to_start: ClassVar[float] = 1.0
    """How long loading its framework takes, roughly: in a run, the slowest start first."""

    precisions: ClassVar[Sequence[str]] = ("float32", "float64")
    modes: ClassVar[Sequence[str]] = ("eager",)
    """The `MODES` that it has, the default first."""

    spellings: ClassVar[Spellings]

    narrows: ClassVar[Mapping[str, str]] = {}
    """The ``reason`` and the ``reference`` if its framework computes in float32 what it is asked for in float64, here
    and there and in every operation: such results are imprecise, as declared once and for all."""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def load(self, threads: int) -> None:
        """Import the framework and pin what results may depend on: threads, seeds, fast-math switches."""

    def device(self) -> str:
        """The device that it runs on."""
        return "cpu"

    def switches(self) -> dict[str, str]:
        """What `load` has pinned because results may depend on it, as the framework holds it: for the run's header."""
        return {}

    def install(self, missing: str) -> str:
        """The command that installs a distribution of its framework that is missing."""
        built_in = type(self).__module__.startswith("conformance.adapters.")
        return (
            f"pip install 'conformance[{self.extra or self.distributions[0]}]'"
            if built_in
            else f"pip install {missing}"
        )

    @abstractmethod
    def open(self, task: Task) -> Session:
        """Build what the task describes; raises `Unsupported`."""

    @abstractmethod
    def script(self, task: Task) -> str:
        """A script with this framework and NumPy only, which makes the same calls and prints the same numbers."""

    def written(self, task: Task) -> Written:
        """How a task is written in this framework; raises `Unsupported`. Nothing is made or computed for it."""
        inputs = {name: name if name in task.keywords else "" for name in self.arranged(task)}
        return written(self.spelled(task), inputs, list(task.tensors), task.kind == "optimizer")

    def spelled(self, task: Task) -> Any:
        """What its speller gives for a task; raises `Unsupported`."""
        shapes = {name: each.shape for name, each in {**task.inputs, **task.tensors}.items()}
        return self.spellings.spell(task.operation, task.parameters, shapes)

    def arranged(self, task: Task) -> Sequence[str]:
        """The inputs of a task in the order in which a function takes them: those by keyword last."""
        return sorted(task.inputs, key=task.keywords.__contains__)

    def versions(self) -> dict[str, str]:
        """The installed versions; raises `importlib.metadata.PackageNotFoundError` for one that is missing."""
        from importlib.metadata import version  # it takes as long to load as a tenth of NumPy

        return {each: version(each) for each in self.distributions}

    def run(self, task: Task) -> Reply:
        """Carry out a task; of one that cannot be trained, the prediction alone, from the weights that it gives."""
        if task.mode and task.mode not in self.modes:
            return Reply(unsupported=f"no mode {task.mode}; it has {', '.join(self.modes)}")
        reply = self._carry_out(task)
        if reply.unsupported is None or task.train is None or task.predict is None:
            return reply
        return replace(self._carry_out(replace(task, train=None)), untrained=reply.unsupported)

    def _carry_out(self, task: Task) -> Reply:
        """Train and predict. What the framework raises becomes part of the reply."""
        phase, step = ("train" if task.train else "predict"), 0
        parameters: dict[str, Any] = {}
        steps: list[Arrays] = []
        try:
            session = self.open(task)
            parameters = session.parameters
            for step in range(1, len(task.train.batches) + 1 if task.train else 1):
                steps.append(session.step(step))
            phase, step = "predict", 0
            predicted = session.predict() if task.predict is not None else None
        except Unsupported as reason:
            return Reply(unsupported=str(reason))
        except Exception as error:  # whatever a framework raises is an observation, not our failure
            raised = Raised(phase, step, type(error).__name__, same_in_every_run(str(error))[:2000])
            return Reply(parameters, steps, raised=raised)
        return Reply(parameters, steps, predicted)


class _LazyModule:
    """A module that is imported when it is first used: the parent reads spellings and never needs a framework."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy(name: str) -> Any:
    """The module of that name, imported at its first use."""
    return _LazyModule(name)
