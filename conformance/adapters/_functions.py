"""Operations as functions, trained in a loop of one's own: what `tensorflow` and the adapters on keras.ops share.

An operation is spelled as a function of the inputs and, by keyword, of the weights: `Function`.  The loop is written
once for each library that differentiates it: `Backend`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from conformance.adapter import Arrays, Part, Session, Task
from conformance.errors import Unsupported
from conformance.spelling import Array, Call, Function, Shapes, Spelling, built, per_step, taking


def array(tensor: Any) -> Array:
    """A copy of a tensor or variable, in the dtype that the framework gave it."""
    return np.array(tensor)


def shapes(task: Task) -> Shapes:
    """The shapes of a task's tensors."""
    return {name: each.shape for name, each in {**task.inputs, **task.tensors}.items()}


def parts(task: Task) -> tuple[Part | None, Part | None]:
    """The loss and the optimizer of the train phase, if there are any."""
    return (task.train.loss, task.train.optimizer) if task.train else (None, None)


# --- the library that differentiates --------------------------------------------------------------------------------


XLA_FLAGS = "--xla_cpu_enable_fast_math=false"


def eagerly(function: Any) -> Any:
    return function


class Backend(ABC):
    """A library that differentiates and compiles: how a training loop is written with it, and in which modes it runs.

    The functions ``build_...`` are what a user writes, and stand in the reproduction script as they are.  Each is
    given ``compiled``, one of ``modes``: what the mode wraps a step in.
    """

    name: ClassVar[str]
    imports: ClassVar[Sequence[str]]
    """How a script imports it."""

    environment: ClassVar[Mapping[str, str]] = {}
    """What it finds in the environment when it is imported."""

    modes: ClassVar[Mapping[str, Call]]
    """The modes of a function, the default first, and the wrapper of each."""

    compiling: ClassVar[Mapping[str, Mapping[str, bool]]]
    """The same modes of a Keras model: what its ``compile`` is told."""

    tensor: ClassVar[Call] = Call("keras.ops.convert_to_tensor")
    """What makes a tensor of an array."""

    build_step: Callable[[Any, Any, Any, Any, Any], Any]
    """A step of training, from the function, its weights, loss, optimizer and ``compiled``: a function of the inputs
    and the target, which returns the results, the loss, and the gradients of the inputs and of the trained weights."""

    build_predict: Callable[[Any, Any, Any], Any]
    """The prediction, from the function, its weights and ``compiled``: a function of the inputs."""

    build_update: Callable[[Any, Any, Any], Any]
    """A step of an optimizer, from the optimizer, its variable and ``compiled``: a function of the gradient."""

    build_model: Callable[[Any, Any, Any, Any], Any]
    """A Keras model, from its one layer, the shape and format of the input and whether it learns; its logs hand out,
    as "seen", what a step of ``build_step`` returns."""

    @abstractmethod
    def start(self, threads: int) -> None:
        """Import it on the CPU, with that many threads, and pin what results may depend on."""

    def begin(self, task: Task) -> None:  # noqa: B027 most have nothing to forget
        """Forget what was compiled for earlier tasks, where that would count for this one."""

    @abstractmethod
    def switches(self) -> dict[str, str]:
        """What `start` has pinned, as the library holds it."""

    def variable(self, dtype: str, name: str, trained: bool) -> Call:
        """What makes a variable of an array."""
        return Call("keras.Variable", dtype=dtype, name=name, trainable=trained)

    def compiled(self, task: Task) -> Call:
        """The wrapper of the task's mode."""
        return self.modes[self.mode_of(task)]

    def mode_of(self, task: Task) -> str:
        """The task's mode, the default if it says none."""
        return task.mode or next(iter(self.modes))


# --- optimizers -----------------------------------------------------------------------------------------------------


class Optimizer(ABC):
    """An optimizer at work. ``made`` is the framework's own."""

    def __init__(self, spelling: Spelling, part: Part, precision: str) -> None:
        self.spelling, self.precision = spelling, precision
        self.rates = part.parameters.get("learning_rate")
        self.made: Any = self.make()

    @abstractmethod
    def make(self) -> Any:
        """The framework's optimizer."""

    @abstractmethod
    def set_rate(self, rate: float) -> None:
        """Change the learning rate."""

    @abstractmethod
    def prepare(self, variables: Sequence[Any]) -> None:
        """Make the slots of some variables, where the framework does not do so at the first step."""

    @abstractmethod
    def set_slots(self, variable: Any, slots: Arrays) -> None:
        """Give the slots of a variable, by their canonical names, the values from which a case starts."""

    @abstractmethod
    def slot(self, variable: Any, name: str) -> Any:
        """A slot of a variable by the framework's name, or None."""

    def begin(self, number: int) -> None:
        """Before a step: set its learning rate, if the case says one."""
        rate = per_step(self.rates, number)
        if rate is not None:
            self.set_rate(float(rate))

    def slots(self, variable: Any) -> Arrays:
        """The slots of a variable by their canonical names."""
        held = {name: self.slot(variable, theirs.name) for name, theirs in self.spelling.tensors.items()}
        return {name: array(each) for name, each in held.items() if each is not None}


# --- the sessions ---------------------------------------------------------------------------------------------------


def ordered(task: Task, inputs: Arrays) -> Arrays:
    """The inputs as TensorFlow and Keras take them: of a loss, the target first; those by keyword last."""
    return {name: inputs[name] for name in sorted(inputs, key=lambda name: (name in task.keywords, name != "target"))}


class Trained(Session):
    """A function, with its loss and optimizer if it is trained. ``loss`` is called with the target and the result."""

    def __init__(
        self, task: Task, backend: Backend, spelling: Function, loss: Any = None, optimizer: Optimizer | None = None
    ) -> None:
        if task.train and spelling.untrained:
            raise Unsupported(spelling.untrained)
        self.task, self.backend, self.spelling, self.loss = task, backend, spelling, loss
        self.parameters = {name: read(spelling.training) for name, read in spelling.reads.items()}
        self.weights = {
            name: backend.variable(str(value.dtype), name, name not in spelling.states)(value)
            for name, value in task.tensors.items()
        }
        self.trained = [name for name in self.weights if name not in spelling.states]
        self.optimizer = optimizer if self.trained else None
        if self.optimizer:
            self.optimizer.prepare([self.weights[name] for name in self.trained])
        self.train_step = backend.build_step(
            built(taking(spelling.training if task.train else spelling.call, task.keywords)),
            self.weights,
            loss,
            self.optimizer and self.optimizer.made,
            backend.compiled(task),
        )

    def _results(self, y: Any) -> Arrays:
        return {name: array(each) for name, each in self.task.named(y).items()}

    def step(self, number: int) -> Arrays:
        train = self.task.train
        assert train is not None
        batch = ordered(self.task, train.batches[number - 1])
        target = self.backend.tensor(train.targets[number - 1]) if train.targets else None
        if self.optimizer:
            self.optimizer.begin(number)
        y, value, gradients = self.train_step([self.backend.tensor(each) for each in batch.values()], target)
        trace = self._results(y)
        if self.loss is not None:
            trace["loss"] = array(value)
        for name, gradient in zip([*batch, *self.trained], gradients, strict=True):
            if gradient is not None and (name in self.trained or name in self.task.differentiated):
                trace[f"{name}.gradient"] = array(gradient)
        for name, weight in self.weights.items():
            trace[name] = array(weight)
            if self.optimizer and name in self.trained:
                trace |= {f"{name}.{slot}": each for slot, each in self.optimizer.slots(weight).items()}
        return trace

    def predict(self) -> Arrays:
        inputs = [self.backend.tensor(each) for each in ordered(self.task, self.task.predict or {}).values()]
        forward = built(taking(self.spelling.call, self.task.keywords))
        predict = self.backend.build_predict(forward, self.weights, self.backend.compiled(self.task))
        return self._results(predict(*inputs))


class Applied(Session):
    """An optimizer, applied to gradients that the case gives."""

    def __init__(self, task: Task, backend: Backend, optimizer: Optimizer, held: Any) -> None:
        """``held`` is the object that the spelling reads the parameters from."""
        self.task, self.backend, self.optimizer = task, backend, optimizer
        reads = optimizer.spelling.reads
        self.parameters = {name: read(held) for name, read in reads.items() if name not in given_rate(task)}
        value = task.tensors["variable"]
        self.variable = backend.variable(str(value.dtype), "variable", True)(value)
        self.names = [name for name in optimizer.spelling.tensors if name in task.tensors]
        optimizer.prepare([self.variable])
        optimizer.set_slots(self.variable, given_slots(task, optimizer.spelling))
        self.update = backend.build_update(optimizer.made, self.variable, backend.compiled(task))

    def step(self, number: int) -> Arrays:
        assert self.task.train is not None
        self.optimizer.begin(number)
        self.update(self.backend.tensor(self.task.train.batches[number - 1]["gradient"]))
        slots = self.optimizer.slots(self.variable)
        return {"variable": array(self.variable)} | {name: slots[name] for name in self.names if name in slots}

    def predict(self) -> Arrays:
        raise Unsupported("an optimizer has no predict phase")


def given_slots(task: Task, spelling: Spelling) -> Arrays:
    """The slots that a case gives. Zeros are left to the framework, which may begin with something else."""
    return {name: task.tensors[name] for name in spelling.tensors if np.any(task.tensors.get(name, 0))}


def given_rate(task: Task) -> set[str]:
    """The learning rate, if the case gives it: it may change from step to step, so no single value is held."""
    return {"learning_rate"} & set(task.parameters)
