"""TensorFlow: tf.nn and friends, gradients by GradientTape, the optimizers of tf.compat.v1.train.

TensorFlow 2 leaves optimizers to Keras: those of tf.compat.v1.train are what is its own.  The modes are eager (the
default: to trace every task costs more than the task), graph (the step in ``tf.function``) and xla (in
``tf.function(jit_compile=True)``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import (
    Adapter,
    Arrays,
    Call,
    Name,
    Parameters,
    Part,
    Session,
    Spelling,
    Spellings,
    Task,
    lazy,
    per_step,
)
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters._function_scripts import NO_OPTIMIZER, WrittenOptimizer
from conformance.adapters._functions import Function, Local, Shapes
from conformance.adapters._on_tensorflow import OnTensorFlow
from conformance.errors import Unsupported
from conformance.script import Script

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


# --- how TensorFlow spells each operation ---------------------------------------------------------------------------


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    chosen = {"axis": p["axis"] % len(shapes["x"]), "epsilon": _epsilon(p)}
    return Function(
        Local(normalize, **chosen),
        train=Local(normalize_in_training, **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        helpers=(normalize,),
        untrained="" if "momentum" in p else "tf.nn keeps no moving statistics, so it has no default momentum",
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(Local(normalize_features, axes=sorted(axis % rank for axis in axes), epsilon=_epsilon(p)))


def _epsilon(p: Parameters) -> Any:
    if "epsilon" not in p:
        raise Unsupported("tf.nn.batch_normalization has no default epsilon")
    return p["epsilon"]


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    if len(shapes["x"]) < 2:
        raise Unsupported("tf.matmul takes 2 axes or more")
    return Function(Local(multiply))


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve, strides=p["strides"], padding=p["padding"].upper(), dilations=p["dilation"]))


@spellings
def relu(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("tensorflow.nn.relu"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Function:
    asked = p.get("approximate")
    return Function(
        Call("tensorflow.nn.gelu", approximate=None if asked is None else asked == "tanh"),
        reads={
            "approximate": lambda call: (
                "tanh" if call.arguments.get("approximate", functions.default(tf.nn.gelu, "approximate")) else "none"
            )
        },
    )


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("tensorflow.nn.softmax", axis=p["axis"]))


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(squared_error, reduction=p["reduction"]))


@spellings
def sgd(p: Parameters, shapes: Shapes) -> Spelling:
    for name in ("dampening", "weight_decay"):
        if p[name]:
            raise Unsupported(f"the optimizers of tf.compat.v1.train have no {name}")
    if "learning_rate" not in p:
        raise Unsupported("tf.compat.v1.train.GradientDescentOptimizer has no default learning rate")
    if not p["momentum"]:
        return Spelling(Call("tensorflow.compat.v1.train.GradientDescentOptimizer"))
    return Spelling(
        Call("tensorflow.compat.v1.train.MomentumOptimizer", momentum=p["momentum"], use_nesterov=p["nesterov"]),
        tensors={"velocity": Name("momentum")},
    )


@spellings
def adam(p: Parameters, shapes: Shapes) -> Spelling:
    if p["weight_decay"]:
        raise Unsupported("the optimizers of tf.compat.v1.train have no weight_decay")
    call = Call(
        "tensorflow.compat.v1.train.AdamOptimizer",
        beta1=p.get("beta_1"),
        beta2=p.get("beta_2"),
        epsilon=p.get("epsilon"),
    )
    return Spelling(
        call,
        tensors={"first_moment": Name("m"), "second_moment": Name("v")},
        reads={
            "learning_rate": _adam("learning_rate"),
            "beta_1": _adam("beta1"),
            "beta_2": _adam("beta2"),
            "epsilon": _adam("epsilon"),
        },
    )


def _adam(name: str) -> Callable[[Any], Any]:
    return lambda call: call.arguments.get(name, functions.default(tf.compat.v1.train.AdamOptimizer, name))


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def normalize(
    x: Any, moving_mean: Any, moving_variance: Any, gamma: Any = None, beta: Any = None, *, axis: int, epsilon: float
) -> Any:
    shape = [-1 if each == axis else 1 for each in range(len(x.shape))]
    mean, variance = tf.reshape(moving_mean, shape), tf.reshape(moving_variance, shape)
    scale = None if gamma is None else tf.reshape(gamma, shape)
    offset = None if beta is None else tf.reshape(beta, shape)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)


def normalize_in_training(
    x: Any,
    moving_mean: Any,
    moving_variance: Any,
    gamma: Any = None,
    beta: Any = None,
    *,
    axis: int,
    epsilon: float,
    momentum: float,
) -> Any:
    mean, variance = tf.nn.moments(x, [each for each in range(len(x.shape)) if each != axis])
    moving_mean.assign(momentum * moving_mean + (1 - momentum) * mean)
    moving_variance.assign(momentum * moving_variance + (1 - momentum) * variance)
    return normalize(x, mean, variance, gamma, beta, axis=axis, epsilon=epsilon)


def normalize_features(x: Any, gamma: Any = None, beta: Any = None, *, axes: list[int], epsilon: float) -> Any:
    shape = [x.shape[each] if each in axes else 1 for each in range(len(x.shape))]
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    scale = None if gamma is None else tf.reshape(gamma, shape)
    offset = None if beta is None else tf.reshape(beta, shape)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = tf.matmul(x, kernel)
    return y if bias is None else tf.nn.bias_add(y, bias)


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = tf.nn.conv2d(x, kernel, **options)
    return y if bias is None else tf.nn.bias_add(y, bias)


def squared_error(target: Any, prediction: Any, reduction: str) -> Any:
    squares = tf.math.squared_difference(prediction, target)
    if reduction == "none":
        return squares
    return tf.reduce_mean(squares) if reduction == "mean" else tf.reduce_sum(squares)


# --- the adapter ----------------------------------------------------------------------------------------------------


class Backend(OnTensorFlow):
    """TensorFlow, with its own tensors and variables."""

    tensor = Call("tensorflow.constant")

    def variable(self, dtype: str, name: str, trained: bool) -> Call:
        return Call("tensorflow.Variable", name=name, trainable=trained)


class Optimizer(functions.Optimizer):
    """One of tf.compat.v1.train. Its learning rate is a variable, so that it can change."""

    learning_rate: Any

    def make(self) -> Any:
        if self.rates is None:
            return self.spelling.call()
        self.learning_rate = tf.Variable(per_step(self.rates, 1), dtype=self.precision, trainable=False)
        return self.spelling.call(self.learning_rate)

    def set_rate(self, rate: float) -> None:
        self.learning_rate.assign(rate)

    def prepare(self, variables: Sequence[Any]) -> None:
        pass

    def set_slots(self, variable: Any, slots: Arrays) -> None:
        if any(np.any(each) for each in slots.values()):
            raise Unsupported("the optimizers of tf.compat.v1.train begin with slots of zeros")

    def slot(self, variable: Any, name: str) -> Any:
        return self.made.get_slot(variable, name)


def _spelled(task: Task) -> Any:
    return spellings.spell(task.operation, task.parameters, functions.shapes(task))


def _loss(part: Part | None) -> Call | None:
    return spellings.spell(part.operation, part.parameters).call if part else None


def _optimizer(part: Part | None, precision: str) -> Optimizer | None:
    return Optimizer(spellings.spell(part.operation, part.parameters), part, precision) if part else None


class TensorFlow(Adapter):
    """TensorFlow: tf.nn and friends, gradients by GradientTape, the optimizers of tf.compat.v1.train."""

    backend = Backend()
    distributions = ("tensorflow",)
    seconds_to_start = 3.0
    modes = tuple(backend.modes)
    spellings = spellings

    def load(self, threads: int) -> None:
        self.backend.start(threads)

    def switches(self) -> dict[str, str]:
        return self.backend.switches()

    def open(self, task: Task) -> Session:
        if task.kind != "optimizer":
            loss, part = functions.parts(task)
            optimizer = _optimizer(part, task.precision)
            return functions.Trained(task, self.backend, _spelled(task), _loss(loss), optimizer)
        optimizer = _optimizer(Part(task.operation, task.parameters), task.precision)
        assert optimizer is not None
        return functions.Applied(task, self.backend, optimizer, optimizer.spelling.call)

    def script(self, task: Task) -> str:
        imports = ["from functools import partial", "", "import numpy as np", "import tensorflow as tf"]
        script = Script(task, self.name, imports)
        (_optimizer_script if task.kind == "optimizer" else _function_script)(script, self.backend, task)
        return str(script)


# --- scripts --------------------------------------------------------------------------------------------------------


def _function_script(script: Script, backend: Backend, task: Task) -> None:
    part, optimizer = functions.parts(task)
    loss = _loss(part)
    if isinstance(loss, Local):
        script.functions(loss.function)
    made = write.partial(loss) if loss else "None"
    write.trained_script(script, backend, task, _spelled(task), made, _optimizer_text(optimizer, task.precision))


def _optimizer_script(script: Script, backend: Backend, task: Task) -> None:
    slots = [each.name for each in _spelled(task).tensors.values()]
    shown = f"{{name: optimizer.get_slot(variable, name).numpy() for name in {slots}}}"
    made = _optimizer_text(Part(task.operation, task.parameters), task.precision)
    write.applied_script(script, backend, task, made, shown)


def _optimizer_text(part: Part | None, precision: str) -> WrittenOptimizer:
    if part is None:
        return NO_OPTIMIZER
    call = spellings.spell(part.operation, part.parameters).call
    if "learning_rate" not in part.parameters:
        return WrittenOptimizer(write.written(call))
    rate = f"tf.Variable({per_step(part.parameters['learning_rate'], 1)}, dtype={precision!r}, trainable=False)"
    made = write.written(call, "learning_rate")
    return WrittenOptimizer(made, [f"learning_rate = {rate}"], ["    learning_rate.assign(rate)"])
