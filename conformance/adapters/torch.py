"""PyTorch: modules in train() and eval(), autograd, torch.optim."""

from __future__ import annotations

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
from conformance.errors import Unsupported
from conformance.script import Script, literal

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings(shared.optimizers())


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    if not 2 <= rank <= 5:
        raise Unsupported(f"torch.nn.BatchNorm takes 2 to 5 axes, not {rank}")
    channel = p["axis"] % rank
    return Spelling(
        Call(
            f"torch.nn.BatchNorm{max(rank - 2, 1)}d",
            shapes["x"][channel],
            eps=p.get("epsilon"),
            momentum=complement(p.get("momentum")),
            affine=p["scale"] or p["center"],
        ),
        tensors={
            "gamma": Name("weight"),
            "beta": Name("bias"),
            "moving_mean": Name("running_mean"),
            "moving_variance": Name("running_var"),
        },
        layout=Layout.moving([channel], 1, rank),
        reads={"epsilon": lambda module: module.eps, "momentum": lambda module: complement(module.momentum)},
        fixed=_inert(p),
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    rank = len(shapes["x"])
    features = shared.features(p, rank)
    return Spelling(
        Call(
            "torch.nn.LayerNorm",
            tuple(shapes["x"][axis] for axis in features),
            eps=p.get("epsilon"),
            elementwise_affine=p["scale"] or p["center"],
        ),
        tensors={"gamma": Name("weight"), "beta": Name("bias")},
        layout=Layout.moving(features, rank - len(features), rank),
        reads={"epsilon": lambda module: module.eps},
        fixed=_inert(p),
    )


def _inert(p: Parameters) -> dict[str, float]:
    """``affine`` brings weight and bias together: the one that the case leaves out is held at its neutral value."""
    if p["scale"] == p["center"]:
        return {}
    return {"beta": 0.0} if p["scale"] else {"gamma": 1.0}


@spellings
def dense(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.Linear", *shapes["kernel"], bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("io->oi")), "bias": Name("bias")},
    )


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    height, width, _, filters = shapes["kernel"]
    options = shared.convolving(p, "torch.nn.Conv2d")
    return Spelling(
        Call("torch.nn.Conv2d", shapes["x"][3], filters, (height, width), **options, bias=p["use_bias"]),
        tensors={"kernel": Name("weight", Layout.of("hwio->oihw")), "bias": Name("bias")},
        layout=Layout.of("bhwc->bchw"),
    )


@spellings
def relu(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("torch.nn.ReLU"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call("torch.nn.GELU", approximate=p.get("approximate")),
        reads={"approximate": lambda module: module.approximate},
    )


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("torch.nn.Softmax", dim=p["axis"]))


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("torch.nn.MSELoss", reduction=p["reduction"]))


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def train_step(module: Any, inputs: Any, loss: Any, target: Any, optimizer: Any) -> tuple[Any, Any]:
    """One step of training: the results, and the loss."""
    module.train()
    module.zero_grad()
    return learn(module(*inputs), loss, target, optimizer)


def predict(module: Any, inputs: Any) -> Any:
    module.eval()
    with torch.no_grad():
        return module(*inputs)


# --- the adapter ----------------------------------------------------------------------------------------------------


class Module(shared.Trained):
    """A module with its weights."""

    def build(self) -> dict[str, Any]:
        module = self.spelling.call().to(getattr(torch, self.task.precision))
        self.parameters = shared.read(self.spelling, module)
        with torch.no_grad():
            for name, value in self.task.tensors.items():
                spelled = self.spelling.tensors[name]
                getattr(module, spelled.name).copy_(torch.tensor(spelled.layout.theirs(value)))
            for name, number in self.spelling.fixed.items():
                inert = getattr(module, self.spelling.tensors[name].name)
                inert.fill_(number).requires_grad_(False)
        self.module = modes.in_mode(self.task, module)
        return {name: getattr(module, self.spelling.tensors[name].name) for name in self.task.tensors}

    def function(self, call: Call) -> Any:
        return call()

    def train(self, inputs: list[Any], target: Any) -> tuple[Any, Any]:
        return train_step(self.module, inputs, self.loss, target, self.optimizer)

    def infer(self, inputs: list[Any]) -> Any:
        return predict(self.module, inputs)


class Torch(Adapter):
    """PyTorch: modules in train() and eval(), autograd, torch.optim.

    Mode eager, the default and PyTorch's own: each operation runs when it is called.  Mode graph: the module, the loss
    and the optimizer's step are each compiled by torch.compile, with its default backend inductor, forwards and
    backwards.
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
        return shared.Optimizer(task, spellings) if task.kind == "optimizer" else Module(task, spellings)

    def script(self, task: Task) -> str:
        script = Script(task, self.name, ["import numpy as np", "import torch"])
        if task.kind == "optimizer":
            scripts.optimizer_script(script, task, spellings)
        else:
            _module_script(script, task)
        return str(script)


def _module_script(script: Script, task: Task) -> None:
    spelling: Spelling = shared.spelled(task, spellings)
    if task.train:
        script.functions(learn, train_step)
    if task.predict:
        script.functions(predict)
    script.line(f"module = {spelling.call}.to(torch.{task.precision})", "with torch.no_grad():")
    for name, value in task.tensors.items():
        spelled = spelling.tensors[name]
        script.line(f"    module.{spelled.name}.copy_(torch.tensor({literal(spelled.layout.theirs(value))}))")
    for name, number in spelling.fixed.items():
        script.line(f"    module.{spelling.tensors[name].name}.fill_({number}).requires_grad_(False)")
    if not task.tensors:
        script.line("    pass")
    if task.mode == "graph":
        script.line("module = torch.compile(module)")
    if task.train:
        loss = task.train.loss
        written = scripts.Written(
            called="module",
            trained="module.parameters()",
            tensors="module.state_dict(keep_vars=True)",
            loss=str(spellings.spell(loss.operation, loss.parameters).call) if loss else "None",
        )
        scripts.training_script(script, task, spellings, written)
    if task.predict:
        scripts.prediction_script(script, task, spelling, "module")
