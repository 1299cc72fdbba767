"""What the two adapters on PyTorch share: spellings, optimizers, and how something is trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import Arrays, Call, Name, Parameters, Part, Session, Spelling, Spellings, Task, lazy, per_step
from conformance.adapters._torch_modes import in_mode
from conformance.errors import Unsupported

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

Shapes = Mapping[str, tuple[int, ...]]


# --- spelling -------------------------------------------------------------------------------------------------------


def shapes(task: Task) -> Shapes:
    """The shapes of a task's tensors."""
    return {name: each.shape for name, each in {**task.inputs, **task.tensors}.items()}


def spelled(task: Task, spellings: Spellings) -> Any:
    return spellings.spell(task.operation, task.parameters, shapes(task))


def features(p: Parameters, rank: int) -> list[int]:
    """The axes that a layer normalization is over, in their order."""
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return sorted(axis % rank for axis in axes)


def convolving(p: Parameters, name: str) -> dict[str, Any]:
    """The arguments of a convolution."""
    if p["padding"] == "same" and p["strides"] not in (1, [1, 1], (1, 1)):
        raise Unsupported(f"{name} has no padding='same' with strides other than 1")
    return {
        "stride": _pair(p["strides"]),
        "padding": p["padding"],
        "dilation": _pair(p["dilation"]),
        "groups": p["groups"],
    }


def _pair(one_or_two: Any) -> Any:
    return one_or_two if isinstance(one_or_two, int) else tuple(one_or_two)


def optimizers(**form: bool) -> Spellings:
    """The optimizers; PyTorch has each in three forms, a loop, ``foreach`` and ``fused``, and the loop by default."""
    spellings = Spellings()

    @spellings
    def sgd(p: Parameters, shapes: Shapes) -> Spelling:
        return Spelling(
            Call(
                "torch.optim.SGD",
                lr=per_step(p.get("learning_rate"), 1),
                momentum=p["momentum"],
                nesterov=p["nesterov"],
                dampening=p["dampening"],
                weight_decay=p["weight_decay"],
                **form,
            ),
            tensors={"velocity": Name("momentum_buffer")},
            reads={"learning_rate": lambda optimizer: optimizer.defaults["lr"]},
        )

    @spellings
    def adam(p: Parameters, shapes: Shapes) -> Spelling:
        betas = None
        if "beta_1" in p or "beta_2" in p:
            betas = (p.get("beta_1", 0.9), p.get("beta_2", 0.999))
        return Spelling(
            Call(
                "torch.optim.Adam",
                lr=per_step(p.get("learning_rate"), 1),
                betas=betas,
                eps=p.get("epsilon"),
                weight_decay=p["weight_decay"],
                **form,
            ),
            tensors={"first_moment": Name("exp_avg"), "second_moment": Name("exp_avg_sq")},
            reads={
                "learning_rate": lambda optimizer: optimizer.defaults["lr"],
                "beta_1": lambda optimizer: optimizer.defaults["betas"][0],
                "beta_2": lambda optimizer: optimizer.defaults["betas"][1],
                "epsilon": lambda optimizer: optimizer.defaults["eps"],
            },
        )

    return spellings


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def learn(y: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """The gradients and the step of the optimizer; returns the results and the loss (without one, the results)."""
    value = y if loss is None else loss(y, target)
    value.backward(torch.ones_like(value))
    if optimizer is not None:
        optimizer.step()
    return y.detach(), value.detach()


def update(optimizer: Any, variable: Any, gradient: Any, learning_rate: Any) -> None:
    """One step of an optimizer on a gradient that is given."""
    if learning_rate is not None:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
    variable.grad = gradient
    optimizer.step()


# --- the sessions ---------------------------------------------------------------------------------------------------


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
    """A layer, an activation or a loss, with its loss and optimizer if it is trained.

    What is a module in one adapter is a function in the other: they build it, and call it.
    """

    def __init__(self, task: Task, spellings: Spellings) -> None:
        self.task = task
        self.spelling = spelled(task, spellings)
        self.weights = self.build()
        self.loss: Any = None
        self.slots: Spelling | None = None
        self.optimizer: Any = None
        train = task.train
        if train and train.loss:
            self.loss = in_mode(task, self.function(spellings.spell(train.loss.operation, train.loss.parameters).call))
        trained = [each for each in self.weights.values() if each.requires_grad]
        if train and train.optimizer and trained:
            self.slots = spellings.spell(train.optimizer.operation, train.optimizer.parameters)
            self.optimizer = _optimizer(task, self.slots, trained)

    @abstractmethod
    def build(self) -> dict[str, Any]:
        """Build what is called, set ``parameters``, and return the weights and states by their canonical names."""

    @abstractmethod
    def function(self, call: Call) -> Any:
        """A loss, as something that is called with the result and the target."""

    @abstractmethod
    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        """One step of training: the results, and the loss."""

    @abstractmethod
    def infer(self, inputs: list[Any]) -> Any:
        """The results in prediction."""

    def _tensors(self, inputs: Arrays) -> list[Any]:
        return [torch.tensor(self.spelling.layout.theirs(each)) for each in inputs.values()]

    def _results(self, y: Any) -> Arrays:
        array = y.detach().numpy()
        if self.task.kind == "loss":
            return {"loss": array.copy()}
        return {"y": self.spelling.layout.ours(array).copy()}

    def step(self, number: int) -> Arrays:
        train = self.task.train
        assert train is not None
        batch = train.batches[number - 1]
        inputs = self._tensors(batch)
        for name, each in zip(batch, inputs, strict=True):
            each.requires_grad_(name in self.task.differentiated)
        target = torch.tensor(self.spelling.layout.theirs(train.targets[number - 1])) if train.targets else None
        rate = rate_of(train.optimizer, number)
        for group in self.optimizer.param_groups if self.optimizer and rate is not None else []:
            group["lr"] = rate
        y, value = self.train(inputs, target)
        trace = self._results(y)
        if self.loss is not None:
            trace["loss"] = value.numpy().copy()
        for name, each in zip(batch, inputs, strict=True):
            if each.grad is not None:
                trace[f"{name}.gradient"] = self.spelling.layout.ours(each.grad.numpy()).copy()
        for name, tensor in self.weights.items():
            self._record(trace, name, tensor)
        return trace

    def _record(self, trace: Arrays, name: str, tensor: Any) -> None:
        ours = self.spelling.tensors[name].layout.ours
        trace[name] = ours(tensor.detach().numpy()).copy()
        if tensor.grad is not None:
            trace[f"{name}.gradient"] = ours(tensor.grad.numpy()).copy()
        for slot, their in self.slots.tensors.items() if self.slots else ():
            held = self.optimizer.state.get(tensor, {}).get(their.name)
            if held is not None:
                trace[f"{name}.{slot}"] = ours(held.numpy()).copy()

    def predict(self) -> Arrays:
        return self._results(self.infer(self._tensors(self.task.predict or {})))


def start_of(task: Task, spelling: Spelling) -> Arrays:
    """The state from which an optimizer starts, if the case gives one: zeros PyTorch makes itself at the first step."""
    slots = {each.name: task.tensors[name] for name, each in spelling.tensors.items() if name in task.tensors}
    if not any(np.any(each) for each in slots.values()):
        return {}
    return slots | ({"step": np.zeros((), "float32")} if task.operation == "adam" else {})


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
                trace[name] = state[spelled.name].numpy().copy()
        return trace

    def predict(self) -> Arrays:
        raise Unsupported("an optimizer has no predict phase")
