"""What the two adapters on PyTorch share: a module, or a function and its weights, trained as a user does.

Either adapter may spell an operation by a module (`Spelling`) or by a function (`Function`).
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import Arrays, Part, Session, Task, lazy
from conformance.adapters._torch.modes import in_mode
from conformance.errors import Unsupported
from conformance.spelling import AS_IS, Call, Function, Layout, Made, Name, Spelling, Spellings, per_step, taking

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")


# --- spelling -------------------------------------------------------------------------------------------------------


def spelled(task: Task, spellings: Spellings) -> Any:
    """The spelling of a task."""
    shapes = {name: each.shape for name, each in {**task.inputs, **task.tensors}.items()}
    return spellings.spell(task.operation, task.parameters, shapes)


def argument(name: str) -> Callable[[Call], Any]:
    """Reads an argument of a call, or the function's own default; one in C++ has none in Python, but a schema."""

    def read(call: Call) -> Any:
        if name in call.arguments:
            return call.arguments[name]
        try:
            return inspect.signature(call.target()).parameters[name].default
        except (ValueError, KeyError):
            operator = getattr(torch.ops.aten, call.name.rpartition(".")[2]).default
            return next(each.default_value for each in operator._schema.arguments if each.name == name)

    return read


def name_of(spelling: Spelling, name: str) -> Name:
    """A weight as the framework names it: as we do, unless the spelling says otherwise."""
    return spelling.tensors.get(name, Name(name))


def layout_of(spelling: Spelling, name: str) -> Layout:
    """The layout of an input or a result; a loss has lost the axes of its inputs."""
    return spelling.layouts.get(name, AS_IS) if name == "loss" else spelling.layout_of(name)


def bound(call: Call) -> Any:
    """A function with its arguments; one that has to be made first, as a loss, is."""
    if isinstance(call, Made):
        return Call(call.name, *call.positional, **call.arguments)()
    if type(call) is Call:
        return partial(call.target(), *call.positional, **call.arguments)
    return partial(call)  # of our own: it puts its arguments in itself


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def learn(y: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """The gradients and the step of the optimizer; returns the results and the loss (without one, the results)."""
    several = y if isinstance(y, tuple) else (y,)
    values = several if loss is None else (loss(y, target),)
    torch.autograd.backward(values, [torch.ones_like(each) for each in values])
    if optimizer is not None:
        optimizer.step()
    results = [each.detach() for each in several]
    return tuple(results) if len(results) > 1 else results[0], values[0].detach()


def train_step(module: Any, inputs: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """One step of training a module: the results, and the loss."""
    module.train()
    module.zero_grad()
    return learn(module(*inputs), loss, target, optimizer)


def predict(module: Any, inputs: Any) -> Any:
    """The results of a module in prediction."""
    module.eval()
    with torch.no_grad():
        return module(*inputs)


def function_step(function: Any, weights: Any, inputs: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """One step of training the weights of a function: the results, and the loss."""
    for each in weights.values():
        each.grad = None
    return learn(function(*inputs, **weights), loss, target, optimizer)


def function_predict(function: Any, weights: Any, inputs: Any) -> Any:
    """The results of a function in prediction."""
    with torch.no_grad():
        return function(*inputs, **weights)


def update(optimizer: Any, variable: Any, gradient: Any, learning_rate: Any) -> None:
    """One step of an optimizer on a gradient that is given."""
    if learning_rate is not None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
    variable.grad = gradient
    optimizer.step()


# --- the sessions ---------------------------------------------------------------------------------------------------


def open_session(task: Task, spellings: Spellings) -> Session:
    """A task under way."""
    if task.kind == "optimizer":
        return Optimizer(task, spellings)
    spelling = spelled(task, spellings)
    return (Functional if isinstance(spelling, Function) else Module)(task, spellings, spelling)


def read(spelling: Spelling, made: Any) -> dict[str, Any]:
    """The parameters that something holds, or a call has."""
    return {name: read(made) for name, read in spelling.reads.items()}


def _optimizer(task: Task, spelling: Spelling, variables: list[Any]) -> Any:
    optimizer = spelling.call(variables)
    optimizer.step = in_mode(task, optimizer.step)
    return optimizer


def rate_of(optimizer: Part | None, number: int) -> Any:
    """The learning rate of a step, if the case says one."""
    return per_step(optimizer.parameters.get("learning_rate"), number) if optimizer else None


class Trained(Session):
    """A layer, an activation or a loss, with its loss and optimizer if it is trained."""

    def __init__(self, task: Task, spellings: Spellings, spelling: Any) -> None:
        self.task, self.spelling = task, spelling
        self.weights = self.build()
        self.loss: Any = None
        self.slots: Spelling | None = None
        self.optimizer: Any = None
        train = task.train
        if train and train.loss:
            made = spellings.spell(train.loss.operation, train.loss.parameters)
            self.loss = in_mode(task, bound(made.call) if isinstance(made, Function) else made.call())
        trained = [each for each in self.weights.values() if each.requires_grad]
        if train and train.optimizer and trained:
            self.slots = spellings.spell(train.optimizer.operation, train.optimizer.parameters)
            self.optimizer = _optimizer(task, self.slots, trained)

    @abstractmethod
    def build(self) -> dict[str, Any]:
        """Build what is called, set ``parameters``, and return the weights and states by their canonical names."""

    @abstractmethod
    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        """One step of training: the results, and the loss."""

    @abstractmethod
    def infer(self, inputs: list[Any]) -> Any:
        """The results in prediction."""

    def _tensors(self, inputs: Arrays) -> list[Any]:
        return [torch.tensor(each) for each in given(self.task, self.spelling, inputs).values()]

    def _results(self, y: Any) -> Arrays:
        return {
            name: layout_of(self.spelling, name).ours(each.detach().numpy()).copy()
            for name, each in self.task.named(y).items()
        }

    def step(self, number: int) -> Arrays:
        train = self.task.train
        assert train is not None
        batch = given(self.task, self.spelling, train.batches[number - 1])
        inputs = [torch.tensor(each).requires_grad_(name in self.task.differentiated) for name, each in batch.items()]
        target = torch.tensor(self.spelling.layout_of("y").theirs(train.targets[number - 1])) if train.targets else None
        rate = rate_of(train.optimizer, number)
        for group in self.optimizer.param_groups if self.optimizer and rate is not None else []:
            group["lr"] = rate
        y, value = self.train(inputs, target)
        trace = self._results(y)
        if self.loss is not None:
            trace["loss"] = value.numpy().copy()
        for name, each in zip(batch, inputs, strict=True):
            if each.grad is not None:
                trace[f"{name}.gradient"] = self.spelling.layout_of(name).ours(each.grad.numpy()).copy()
        for name, tensor in self.weights.items():
            self._record(trace, name, tensor)
        return trace

    def _record(self, trace: Arrays, name: str, tensor: Any) -> None:
        ours = name_of(self.spelling, name).layout.ours
        trace[name] = ours(tensor.detach().numpy()).copy()
        if tensor.grad is not None:
            trace[f"{name}.gradient"] = ours(tensor.grad.numpy()).copy()
        for slot, their in self.slots.tensors.items() if self.slots else ():
            held = self.optimizer.state.get(tensor, {}).get(their.name)
            if held is not None:
                trace[f"{name}.{slot}"] = ours(held.numpy()).copy()

    def predict(self) -> Arrays:
        return self._results(self.infer(self._tensors(self.task.predict or {})))


def given(task: Task, spelling: Spelling, inputs: Arrays) -> Arrays:
    """The inputs in the framework's layouts, those by keyword last."""
    ordered = sorted(inputs, key=task.keywords.__contains__)
    return {name: spelling.layout_of(name).theirs(inputs[name]) for name in ordered}


class Module(Trained):
    """A module with its weights."""

    def build(self) -> dict[str, Any]:
        module = self.spelling.call().to(getattr(torch, self.task.precision))
        self.parameters = read(self.spelling, module)
        names = {name: name_of(self.spelling, name) for name in (*self.task.tensors, *self.spelling.fixed)}
        held = {name: attrgetter(each.name)(module) for name, each in names.items()}
        with torch.no_grad():
            for name, value in self.task.tensors.items():
                held[name].copy_(torch.tensor(names[name].layout.theirs(value)))
            for name, number in self.spelling.fixed.items():
                held[name].fill_(number).requires_grad_(False)
        self.module = in_mode(self.task, module)
        return {name: held[name] for name in self.task.tensors}

    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        return train_step(self.module, inputs, self.loss, target, self.optimizer)

    def infer(self, inputs: list[Any]) -> Any:
        return predict(self.module, inputs)


class Functional(Trained):
    """A function, one for training and one for prediction, and its weights by the function's names."""

    def build(self) -> dict[str, Any]:
        if self.task.train and self.spelling.untrained:
            raise Unsupported(self.spelling.untrained)
        self.parameters = read(self.spelling, self.spelling.training)
        calls = [taking(each, self.task.keywords) for each in (self.spelling.training, self.spelling.call)]
        self.training, self.predicting = (in_mode(self.task, bound(each)) for each in calls)
        weights = {}
        for name, value in self.task.tensors.items():
            held = torch.tensor(name_of(self.spelling, name).layout.theirs(value))
            weights[name] = held.requires_grad_(name not in self.spelling.states)
        self.arguments = {name_of(self.spelling, name).name: each for name, each in weights.items()}
        return weights

    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        return function_step(self.training, self.arguments, inputs, self.loss, target, self.optimizer)

    def infer(self, inputs: list[Any]) -> Any:
        return function_predict(self.predicting, self.arguments, inputs)


def start_of(task: Task, spelling: Spelling) -> Arrays:
    """The state from which an optimizer starts, if the case gives one: zeros PyTorch makes itself at the first step."""
    slots = {
        each.name: each.layout.theirs(task.tensors[name])
        for name, each in spelling.tensors.items()
        if name in task.tensors
    }
    if not any(np.any(each) for each in slots.values()):
        return {}
    return slots | {name: np.array(value, "float32") for name, value in spelling.fixed.items()}


class Optimizer(Session):
    """An optimizer, stepped on gradients that the case gives."""

    def __init__(self, task: Task, spellings: Spellings) -> None:
        self.task = task
        self.spelling: Spelling = spelled(task, spellings)
        self.variable = torch.tensor(task.tensors["variable"], requires_grad=True)
        self.optimizer = _optimizer(task, self.spelling, [self.variable])
        self.parameters = read(self.spelling, self.optimizer)
        if "learning_rate" in task.parameters:
            self.parameters.pop("learning_rate", None)
        slots = start_of(task, self.spelling)
        if slots:
            self.optimizer.state[self.variable] = {name: torch.tensor(each) for name, each in slots.items()}

    def step(self, number: int) -> Arrays:
        assert self.task.train is not None
        gradient = torch.tensor(self.task.train.batches[number - 1]["gradient"])
        update(self.optimizer, self.variable, gradient, per_step(self.task.parameters.get("learning_rate"), number))
        trace = {"variable": self.variable.detach().numpy().copy()}
        state = self.optimizer.state[self.variable]
        for name, spelled in self.spelling.tensors.items():
            if name in self.task.tensors and state.get(spelled.name) is not None:
                trace[name] = spelled.layout.ours(state[spelled.name].numpy()).copy()
        return trace

    def predict(self) -> Arrays:
        raise Unsupported("an optimizer has no predict phase")
