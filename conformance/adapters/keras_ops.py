"""Keras ops on TensorFlow: the functions of keras.ops (what keras.backend has become), gradients by GradientTape.

The modes are eager (the default, for to trace every task costs more than the task), graph (the step in
``tf.function``) and xla (in ``tf.function(jit_compile=True)``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapter import Call, Parameters, Session, Spellings, Task, lazy
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters import _keras as base
from conformance.adapters._functions import Backend, Function, Local, Shapes
from conformance.adapters._on_tensorflow import OnTensorFlow

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


# --- how keras.ops spells each operation ----------------------------------------------------------------------------


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    chosen = {"axis": p["axis"], "epsilon": p.get("epsilon")}
    return Function(
        Local(normalize, **chosen),
        train=Local(normalize_in_training, **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        helpers=() if "momentum" in p else (default_momentum,),
        reads={
            "epsilon": lambda call: call.arguments.get(
                "epsilon", functions.default(keras.ops.batch_normalization, "epsilon")
            ),
            "momentum": lambda call: call.arguments.get("momentum", default_momentum()),
        },
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Local(normalize_features, axis=p["axis"], epsilon=p.get("epsilon")),
        reads={"epsilon": lambda call: call.arguments.get("epsilon", keras.config.epsilon())},
    )


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply))


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Function:
    base.refuse_strided_dilation(p, "keras.ops.conv on TensorFlow")
    return convolution(p, shapes)


def convolution(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(convolve, strides=p["strides"], padding=p["padding"], dilation_rate=p["dilation"]))


@spellings
def relu(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("keras.ops.relu"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Function:
    asked = p.get("approximate")
    return Function(
        Call("keras.ops.gelu", approximate=None if asked is None else asked == "tanh"),
        reads={
            "approximate": lambda call: (
                "tanh"
                if call.arguments.get("approximate", functions.default(keras.ops.gelu, "approximate"))
                else "none"
            )
        },
    )


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Function:
    return Function(Call("keras.ops.softmax", axis=p["axis"]))


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def normalize(
    x: Any, moving_mean: Any, moving_variance: Any, gamma: Any = None, beta: Any = None, *, axis: int, **epsilon: float
) -> Any:
    return keras.ops.batch_normalization(x, moving_mean, moving_variance, axis, offset=beta, scale=gamma, **epsilon)


def normalize_in_training(
    x: Any,
    moving_mean: Any,
    moving_variance: Any,
    gamma: Any = None,
    beta: Any = None,
    *,
    axis: int,
    momentum: float | None = None,
    **epsilon: float,
) -> Any:
    momentum = default_momentum() if momentum is None else momentum
    mean, variance = keras.ops.moments(x, [each for each in range(len(x.shape)) if each != axis % len(x.shape)])
    moving_mean.assign(momentum * moving_mean + (1 - momentum) * mean)
    moving_variance.assign(momentum * moving_variance + (1 - momentum) * variance)
    return keras.ops.batch_normalization(x, mean, variance, axis, offset=beta, scale=gamma, **epsilon)


def default_momentum() -> Any:
    """keras.ops keeps no moving statistics: the user's own code does, and takes over the layer's default."""
    return keras.layers.BatchNormalization().momentum


def normalize_features(x: Any, gamma: Any = None, beta: Any = None, **options: Any) -> Any:
    return keras.ops.layer_normalization(x, gamma, beta, **options)


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = keras.ops.matmul(x, kernel)
    return y if bias is None else keras.ops.add(y, bias)


def convolve(x: Any, kernel: Any, bias: Any = None, **options: Any) -> Any:
    y = keras.ops.conv(x, kernel, **options)
    return y if bias is None else keras.ops.add(y, bias)


# --- the adapter ----------------------------------------------------------------------------------------------------


class KerasOps(base.OnBackend):
    """Keras ops on TensorFlow: the functions of keras.ops, gradients by GradientTape."""

    backend: ClassVar[Backend] = OnTensorFlow()
    distributions = ("keras", "tensorflow")
    seconds_to_start = 4.0
    modes = tuple(backend.modes)
    spellings = spellings

    def open(self, task: Task) -> Session:
        base.begin(task, self.backend)
        loss, optimizer = functions.parts(task)
        made = base.loss_of(loss)
        used = base.optimizer_of(optimizer, task.precision)
        return functions.Trained(task, self.backend, self._spelled(task), made and made(), used)

    def script(self, task: Task) -> str:
        script, (loss, optimizer) = base.begun_script(task, self), functions.parts(task)
        made, used = str(base.loss_of(loss)), base.optimizer_text(optimizer)
        write.trained_script(script, self.backend, task, self._spelled(task), made, used)
        return str(script)

    def _spelled(self, task: Task) -> Function:
        spelling: Function = self.spellings.spell(task.operation, task.parameters, functions.shapes(task))
        return spelling
