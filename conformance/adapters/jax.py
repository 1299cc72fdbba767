"""JAX: jax.nn, the modules of flax.linen, gradients by jax.value_and_grad, the optimizers of optax."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from conformance.adapter import Adapter, Call, Name, Parameters, Session, Spelling, Task, lazy
from conformance.adapters._functions import XLA_FLAGS, Local, Shapes, default
from conformance.adapters._jax import Applied, Composed, Layer, Trained, applied_script, spellings, trained_script
from conformance.errors import Unsupported
from conformance.script import Script

if TYPE_CHECKING:
    import jax
    import optax
else:
    jax, optax = lazy("jax"), lazy("optax")


# --- how JAX spells each operation ----------------------------------------------------------------------------------


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Layer:
    def module(predicting: bool) -> Call:
        return Call(
            "flax.linen.BatchNorm",
            use_running_average=predicting,
            axis=p["axis"],
            momentum=p.get("momentum"),
            epsilon=p.get("epsilon"),
            use_bias=p["center"],
            use_scale=p["scale"],
        )

    return Layer(
        module(predicting=True),
        train=module(predicting=False),
        tensors={
            "gamma": Name("scale"),
            "beta": Name("bias"),
            "moving_mean": Name("mean"),
            "moving_variance": Name("var"),
        },
        states=("moving_mean", "moving_variance"),
        reads={"epsilon": lambda module: module.epsilon, "momentum": lambda module: module.momentum},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(
        Call(
            "flax.linen.LayerNorm",
            epsilon=p.get("epsilon"),
            use_bias=p["center"],
            use_scale=p["scale"],
            reduction_axes=_hashable(p["axis"]),
            feature_axes=_hashable(p["axis"]),
        ),
        tensors={"gamma": Name("scale"), "beta": Name("bias")},
        reads={"epsilon": lambda module: module.epsilon},
    )


def _hashable(one_or_many: Any) -> Any:
    return one_or_many if isinstance(one_or_many, int) else tuple(one_or_many)


AFFINE = {"kernel": Name("kernel"), "bias": Name("bias")}


@spellings
def dense(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(Call("flax.linen.Dense", shapes["kernel"][1], use_bias=p["use_bias"]), tensors=AFFINE)


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(
        Call(
            "flax.linen.Conv",
            shapes["kernel"][3],
            shapes["kernel"][:2],
            strides=_hashable(p["strides"]),
            padding=p["padding"].upper(),
            kernel_dilation=_hashable(p["dilation"]),
            feature_group_count=p["groups"],
            use_bias=p["use_bias"],
        ),
        tensors=AFFINE,
    )


@spellings
def relu(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("jax.nn.relu"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Spelling:
    asked = p.get("approximate")
    call = Call("jax.nn.gelu", approximate=None if asked is None else asked == "tanh")
    return Spelling(
        call,
        reads={
            "approximate": lambda call: (
                "tanh" if call.arguments.get("approximate", default(jax.nn.gelu, "approximate")) else "none"
            )
        },
    )


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("jax.nn.softmax", axis=p["axis"]))


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Local(squared_error, reduction=p["reduction"]))


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    if p["dampening"]:
        raise Unsupported("optax.sgd has no dampening")
    call = Composed(
        "optax.sgd", _learning_rate(p, "optax.sgd"), momentum=p["momentum"] or None, nesterov=p["nesterov"] or None
    )
    return Spelling(_decayed(call, p), tensors={"velocity": Name("trace")} if p["momentum"] else {})


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    call = Composed(
        "optax.adam", _learning_rate(p, "optax.adam"), b1=p.get("beta_1"), b2=p.get("beta_2"), eps=p.get("epsilon")
    )
    return Spelling(
        _decayed(call, p),
        tensors={"first_moment": Name("mu"), "second_moment": Name("nu")},
        reads={"beta_1": _adam(call, "b1"), "beta_2": _adam(call, "b2"), "epsilon": _adam(call, "eps")},
    )


def _adam(call: Call, name: str) -> Callable[[Any], Any]:
    return lambda _: call.arguments.get(name, default(optax.adam, name))


def _learning_rate(p: Parameters, name: str) -> Any:
    """The learning rate, or a schedule of it."""
    if "learning_rate" not in p:
        raise Unsupported(f"{name} has no default learning rate")
    rates = p["learning_rate"]
    if not isinstance(rates, (list, tuple)):
        return rates
    stretches = [(rate, len(list(same))) for rate, same in groupby(rates)]
    ends = [sum(length for _, length in stretches[:number]) for number in range(1, len(stretches))]
    return Composed(
        "optax.join_schedules", [Composed("optax.constant_schedule", rate) for rate, _ in stretches], boundaries=ends
    )


def _decayed(call: Composed, p: Parameters) -> Composed:
    """The optimizer behind a decay of the weights, as optax adds one to an optimizer that has none."""
    if not p["weight_decay"]:
        return call
    return Composed("optax.chain", Composed("optax.add_decayed_weights", p["weight_decay"]), call)


# --- what a user writes; this function stands in the reproduction script as it is -----------------------------------


def squared_error(prediction: Any, target: Any, reduction: str) -> Any:
    squares = optax.losses.squared_error(prediction, target)
    if reduction == "none":
        return squares
    return squares.mean() if reduction == "mean" else squares.sum()


# --- the adapter ----------------------------------------------------------------------------------------------------


CONFIGURATION = {"jax_platforms": "cpu", "jax_enable_x64": True, "jax_default_matmul_precision": "highest"}


class Jax(Adapter):
    """JAX: jax.nn, the modules of flax.linen, gradients by jax.value_and_grad, the optimizers of optax.

    Mode xla is jax.jit of a whole train step, and of a whole prediction; eager is the same functions without jax.jit:
    XLA then compiles one operation after the other, and as a whole only what JAX itself has under jax.jit, such as
    jax.nn.relu.  The default is xla: it is what users do, and over the catalogue it takes less than half the time,
    since eager compiles six times as many functions.
    """

    distributions = ("jax", "jaxlib", "flax", "optax")
    seconds_to_start = 2.0
    modes = ("xla", "eager")
    spellings = spellings

    def load(self, threads: int) -> None:
        os.environ["XLA_FLAGS"] = XLA_FLAGS
        os.environ["NPROC"] = str(threads)  # XLA has no setting for it: it makes a thread for each processor
        for name, value in CONFIGURATION.items():
            jax.config.update(name, value)
        jax.jit(jax.nn.relu)(0.0).block_until_ready()

    def switches(self) -> dict[str, str]:
        held = {name: str(getattr(jax.config, name)) for name in CONFIGURATION}
        return held | {"XLA_FLAGS": os.environ["XLA_FLAGS"]}

    def _compiles(self, task: Task) -> bool:
        return (task.mode or self.modes[0]) == "xla"

    def open(self, task: Task) -> Session:
        run = jax.jit if self._compiles(task) else lambda function: function
        return Applied(task, run) if task.kind == "optimizer" else Trained(task, run)

    def script(self, task: Task) -> str:
        script = Script(
            task,
            self.name,
            [
                "import os",
                "from functools import partial",
                "",
                f'os.environ["XLA_FLAGS"] = "{XLA_FLAGS}"',
                "",
                "import flax.linen",
                "import jax",
                "import numpy as np",
                "import optax",
            ],
        )
        script.line(*(f"jax.config.update({name!r}, {value!r})" for name, value in CONFIGURATION.items()))
        run = "jax.jit" if self._compiles(task) else ""
        (applied_script if task.kind == "optimizer" else trained_script)(script, task, run)
        return str(script)
