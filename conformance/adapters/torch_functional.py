"""PyTorch: torch.nn.functional on plain tensors, autograd, the fused optimizers of torch.optim."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from conformance.adapter import (
    Adapter,
    Call,
    Layout,
    Name,
    Parameters,
    Session,
    Spelling,
    Spellings,
    Task,
    complement,
    lazy,
)
from conformance.adapters import _torch as shared
from conformance.adapters import _torch_modes as modes
from conformance.adapters import _torch_script as scripts
from conformance.adapters._torch import Shapes, learn
from conformance.script import Script, literal

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings(shared.optimizers(fused=True))


# --- spelling -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Function(Spelling):
    """A spelling by a function of the inputs and, by keyword, of the weights.

    ``train`` is the call in training, if it is another one; ``states`` are the tensors that it updates itself.
    """

    train: Call | None = None
    states: Sequence[str] = ()


def _function(call: Call) -> Any:
    return partial(attrgetter(call.name.removeprefix("torch."))(torch), **call.arguments)


def _written(call: Call) -> str:
    arguments = [f"{name}={value!r}" for name, value in call.arguments.items()]
    return f"partial({', '.join([call.name, *arguments])})"


def _held(name: str) -> Callable[[partial[Any]], Any]:
    """Reads an argument off a function: the one that is bound, or the function's own default."""
    return lambda bound: bound.keywords.get(name, inspect.signature(bound.func).parameters[name].default)


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    name, eps, momentum = "torch.nn.functional.batch_norm", p.get("epsilon"), complement(p.get("momentum"))
    return Function(
        Call(name, eps=eps),
        train=Call(name, training=True, momentum=momentum, eps=eps),
        tensors={
            "gamma": Name("weight"),
            "beta": Name("bias"),
            "moving_mean": Name("running_mean"),
            "moving_variance": Name("running_var"),
        },
        states=("moving_mean", "moving_variance"),
        layout=Layout.moving([p["axis"] % rank], 1, rank),
        reads={"epsilon": _held("eps"), "momentum": lambda bound: complement(_held("momentum")(bound))},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    features = shared.features(p, rank)
    shape = tuple(shapes["x"][axis] for axis in features)
    return Function(
        Call("torch.nn.functional.layer_norm", normalized_shape=shape, eps=p.get("epsilon")),
        tensors={"gamma": Name("weight"), "beta": Name("bias")},
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": _held("eps")},
    )


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.linear"),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    name = "torch.nn.functional.conv2d"
    return Function(
        Call(name, **shared.convolving(p, name)),
        tensors={"kernel": Name("weight", Layout.of("hwio->oihw")), "bias": Name("bias")},
        layout=Layout.of("bhwc->bchw"),
    )


@spellings
def relu(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("torch.nn.functional.relu"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("torch.nn.functional.gelu", approximate=p.get("approximate")),
        reads={"approximate": lambda bound: bound.keywords.get("approximate", _default_of_gelu())},
    )


def _default_of_gelu() -> str:
    """A function written in C++ has no signature in Python; its operator has a schema."""
    (own,) = [each for each in torch.ops.aten.gelu.default._schema.arguments if each.name == "approximate"]
    return str(own.default_value)


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("torch.nn.functional.softmax", dim=p["axis"]))


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("torch.nn.functional.mse_loss", reduction=p["reduction"]))


spellings_in_graph = Spellings(spellings | shared.optimizers(foreach=True))


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def train_step(function: Any, weights: Any, inputs: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """One step of training: the results, and the loss."""
    for each in weights.values():
        each.grad = None
    return learn(function(*inputs, **weights), loss, target, optimizer)


def predict(function: Any, weights: Any, inputs: Any) -> Any:
    with torch.no_grad():
        return function(*inputs, **weights)


# --- the adapter ----------------------------------------------------------------------------------------------------


class Functional(shared.Trained):
    """A function, one for training and one for prediction, and its weights by the function's names."""

    spelling: Function

    def build(self) -> dict[str, Any]:
        training, predicting = _function(self.spelling.train or self.spelling.call), _function(self.spelling.call)
        self.parameters = shared.read(self.spelling, training)
        self.training, self.predicting = (modes.in_mode(self.task, each) for each in (training, predicting))
        weights = {}
        for name, value in self.task.tensors.items():
            given = torch.tensor(self.spelling.tensors[name].layout.theirs(value))
            weights[name] = given.requires_grad_(name not in self.spelling.states)
        self.arguments = {self.spelling.tensors[name].name: each for name, each in weights.items()}
        return weights

    def function(self, call: Call) -> Any:
        return _function(call)

    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        return train_step(self.training, self.arguments, inputs, self.loss, target, self.optimizer)

    def infer(self, inputs: list[Any]) -> Any:
        return predict(self.predicting, self.arguments, inputs)


class TorchFunctional(Adapter):
    """PyTorch: torch.nn.functional on plain tensors, autograd, the fused optimizers of torch.optim.

    Modes as of `torch`.  Of the optimizers, ``fused=True`` is another kernel, while ``foreach=True`` makes on a CPU the
    same calls as the loop of the adapter `torch`.  But torch.compile leaves the fused ones alone: in a graph, it gets
    ``foreach=True``.  (The functions behind the classes, torch.optim.sgd.sgd, no user can name: the package deletes its
    modules' names.)
    """

    distributions = ("torch",)
    seconds_to_start = 2.0
    modes = modes.MODES
    spellings = spellings

    def load(self, threads: int) -> None:
        modes.load(threads)

    def switches(self) -> dict[str, str]:
        return modes.switches()

    def open(self, task: Task) -> Session:
        modes.begin(task)
        return (shared.Optimizer if task.kind == "optimizer" else Functional)(task, _in_mode(task))

    def script(self, task: Task) -> str:
        script = Script(task, self.name, ["from functools import partial", "", "import numpy as np", "import torch"])
        if task.kind == "optimizer":
            scripts.optimizer_script(script, task, _in_mode(task))
        else:
            _function_script(script, task)
        return str(script)


def _in_mode(task: Task) -> Spellings:
    return spellings_in_graph if task.mode == "graph" else spellings


def _function_script(script: Script, task: Task) -> None:
    spelling: Function = shared.spelled(task, spellings)
    if task.train:
        script.functions(learn, train_step)
    if task.predict:
        script.functions(predict)
    script.line("weights = {")
    for name, value in task.tensors.items():
        spelled = spelling.tensors[name]
        given = f"torch.tensor({literal(spelled.layout.theirs(value))}, requires_grad={name not in spelling.states})"
        script.line(f"    {spelled.name!r}: {given},")
    script.line("}")
    if task.train:
        script.line(f"training = {modes.in_mode_text(task, _written(spelling.train or spelling.call))}")
        loss = task.train.loss
        written = scripts.Written(
            called="training, weights",
            trained="weights.values()",
            tensors="weights",
            loss=_written(spellings.spell(loss.operation, loss.parameters).call) if loss else "None",
        )
        scripts.training_script(script, task, _in_mode(task), written)
    if task.predict:
        script.line(f"predicting = {modes.in_mode_text(task, _written(spelling.call))}")
        scripts.prediction_script(script, task, spelling, "predicting, weights")
