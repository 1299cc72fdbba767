"""PyTorch under Keras as the library that differentiates and compiles: autograd and torch.compile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from conformance.adapter import Task, lazy
from conformance.adapters._functions import Backend, eagerly
from conformance.adapters.torch import Torch
from conformance.spelling import Call, Local

if TYPE_CHECKING:
    import keras
    import torch
else:
    keras, torch = lazy("keras"), lazy("torch")


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def build_step(forward: Any, weights: Any, loss: Any, optimizer: Any, compiled: Any) -> Any:
    trained = [each for each in weights.values() if each.trainable]

    def step(inputs: Any, target: Any) -> Any:
        y = forward(*inputs, **weights)
        several = y if isinstance(y, (list, tuple)) else [y]
        value = sum(each.sum() for each in several) if loss is None else loss(target, y)
        real = [each for each in inputs if each.requires_grad]
        found = torch.autograd.grad(value, [*real, *(each.value for each in trained)], allow_unused=True)
        if optimizer is not None:
            with torch.no_grad():
                optimizer.apply(found[len(real) :], trained)
        of_inputs = iter(found)
        gradients = [next(of_inputs) if each.requires_grad else None for each in inputs]
        results = [each.detach() for each in several]
        return results if len(results) > 1 else results[0], value.detach(), [*gradients, *found[len(real) :]]

    compiled_step = compiled(step)

    def differentiable(each: Any) -> Any:
        return each.detach().requires_grad_() if each.is_floating_point() else each

    return lambda inputs, target: compiled_step([differentiable(each) for each in inputs], target)


def build_predict(forward: Any, weights: Any, compiled: Any) -> Any:
    def predict(*inputs: Any) -> Any:
        with torch.no_grad():
            return forward(*inputs, **weights)

    return compiled(predict)


def build_update(optimizer: Any, variable: Any, compiled: Any) -> Any:
    def update(gradient: Any) -> None:
        with torch.no_grad():
            optimizer.apply([gradient], [variable])

    return compiled(update)


def build_model(layer: Any, shape: Any, dtype: str, learns: bool) -> Any:
    """A model of one layer, with the training step of the Keras guide, which also hands out what it saw."""

    class Model(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            x, target, _ = keras.utils.unpack_x_y_sample_weight(data)
            x = x.detach().requires_grad_() if x.is_floating_point() else x
            self.zero_grad()
            y = self(x, training=True)
            loss = y.sum() if target is None else self.compute_loss(x=x, y=target, y_pred=y)
            loss.backward()
            gradients = [each.value.grad for each in self.trainable_variables]
            if learns:
                with torch.no_grad():
                    self.optimizer.apply(gradients, self.trainable_variables)
            return {"seen": (y.detach(), loss.detach(), [x.grad, *gradients])}

    return Model([keras.Input(batch_shape=shape, dtype=dtype), layer])


# --- the backend ----------------------------------------------------------------------------------------------------


class OnTorch(Backend):
    """PyTorch, with the tensors and variables of Keras, pinned as the adapter `torch` pins it."""

    name = "torch"
    imports = ("import torch",)
    modes = {"eager": Local(eagerly), "graph": Call("torch.compile")}  # noqa: RUF012
    compiling = {"eager": {"run_eagerly": True}, "graph": {"jit_compile": True}}  # noqa: RUF012
    build_step = staticmethod(build_step)
    build_predict = staticmethod(build_predict)
    build_update = staticmethod(build_update)
    build_model = staticmethod(build_model)

    def start(self, threads: int) -> None:
        os.environ["KERAS_TORCH_DEVICE"] = "cpu"
        Torch().load(threads)

    def begin(self, task: Task) -> None:
        if task.mode == "graph":
            torch.compiler.reset()  # it gives up compiling a function that was compiled too often

    def switches(self) -> dict[str, str]:
        return {"seed": "0", **Torch().switches()}
