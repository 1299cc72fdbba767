"""TensorFlow as the library that differentiates and compiles: GradientTape and tf.function."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._functions import XLA_FLAGS, Backend, eagerly
from conformance.spelling import Call, Local

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
else:
    keras, tf = lazy("keras"), lazy("tensorflow")


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def build_step(forward: Any, weights: Any, loss: Any, optimizer: Any, compiled: Any) -> Any:
    trained = [each for each in weights.values() if each.trainable]

    def step(inputs: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([each for each in inputs if each.dtype.is_floating])
            y = forward(*inputs, **weights)
            value = y if loss is None else loss(target, y)
        gradients = tape.gradient(value, [*inputs, *trained])
        if optimizer is not None:
            optimizer.apply_gradients(zip(gradients[len(inputs) :], trained, strict=True))
        return y, value, [None if each is None else tf.convert_to_tensor(each) for each in gradients]  # rows gathered

    return compiled(step)


def build_predict(forward: Any, weights: Any, compiled: Any) -> Any:
    return compiled(lambda *inputs: forward(*inputs, **weights))


def build_update(optimizer: Any, variable: Any, compiled: Any) -> Any:
    def update(gradient: Any) -> None:
        optimizer.apply_gradients([(gradient, variable)])

    return compiled(update)


def build_model(layer: Any, shape: Any, dtype: str, learns: bool) -> Any:
    """A model of one layer, with the training step of the Keras guide, which also hands out what it saw."""

    class Model(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            x, target, _ = keras.utils.unpack_x_y_sample_weight(data)
            with tf.GradientTape() as tape:
                if x.dtype.is_floating:
                    tape.watch(x)
                y = self(x, training=True)
                loss = y if target is None else self.compute_loss(x=x, y=target, y_pred=y)
            gradients = tape.gradient(loss, [x, *self.trainable_variables])
            if learns:
                self.optimizer.apply(gradients[1:], self.trainable_variables)
            whole = [None if each is None else tf.convert_to_tensor(each) for each in gradients]  # rows gathered
            return {"seen": (y, loss, whole)}

    return Model([keras.Input(batch_shape=shape, dtype=dtype), layer])


# --- the backend ----------------------------------------------------------------------------------------------------


class OnTensorFlow(Backend):
    """TensorFlow, with the tensors and variables of Keras."""

    name = "tensorflow"
    imports = ("import tensorflow as tf",)
    modes = {  # noqa: RUF012
        "eager": Local(eagerly),
        "graph": Call("tensorflow.function"),
        "xla": Call("tensorflow.function", jit_compile=True),
    }
    compiling = {  # noqa: RUF012
        "eager": {"run_eagerly": True},
        "graph": {"run_eagerly": False, "jit_compile": False},
        "xla": {"jit_compile": True},
    }
    build_step = staticmethod(build_step)
    build_predict = staticmethod(build_predict)
    build_update = staticmethod(build_update)
    build_model = staticmethod(build_model)

    def start(self, threads: int) -> None:
        """Import TensorFlow quietly; oneDNN stays as users get it."""
        os.environ["XLA_FLAGS"] = XLA_FLAGS
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.set_visible_devices([], "GPU")
        tf.config.experimental.enable_tensor_float_32_execution(False)
        tf.random.set_seed(0)

    def switches(self) -> dict[str, str]:
        tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
        return {
            "seed": "0",
            "tf32": "on" if tf32 else "off",
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "as users get it"),
            "XLA_FLAGS": os.environ["XLA_FLAGS"],
        }
