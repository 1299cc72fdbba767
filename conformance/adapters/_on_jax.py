"""JAX under Keras as the library that differentiates and compiles: value_and_grad of a pure function, and jit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._functions import Backend, eagerly
from conformance.adapters.jax import XLA_FLAGS, Jax
from conformance.spelling import Call, Local

if TYPE_CHECKING:
    import jax
    import keras
else:
    jax, keras = lazy("jax"), lazy("keras")


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def build_step(forward: Any, weights: Any, loss: Any, optimizer: Any, compiled: Any) -> Any:
    trained = [each for each in weights.values() if each.trainable]
    states = [each for each in weights.values() if not each.trainable]
    slots = optimizer.variables if optimizer is not None else []

    def objective(inputs: Any, values: Any, held: Any, target: Any) -> Any:
        mapping = zip([*trained, *states], [*values, *held], strict=True)
        with keras.StatelessScope(state_mapping=mapping) as scope:
            y = forward(*inputs, **weights)
            several = y if isinstance(y, (list, tuple)) else [y]
            value = sum(each.sum() for each in several) if loss is None else loss(target, y)
        return value, (y, [scope.get_current_value(each) for each in states])

    def stateless_step(values: Any, held: Any, kept: Any, inputs: Any, target: Any) -> Any:
        gradient = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True, allow_int=True)
        (value, (y, held)), (of_inputs, of_values) = gradient(inputs, values, held, target)
        if optimizer is not None:
            values, kept = optimizer.stateless_apply(kept, of_values, values)
        return (y, value, [*of_inputs, *of_values]), [*values, *held, *kept]

    compiled_step = compiled(stateless_step)

    def step(inputs: Any, target: Any) -> Any:
        values, held, kept = ([each.value for each in group] for group in (trained, states, slots))
        seen, updated = compiled_step(values, held, kept, inputs, target)
        for each, value in zip([*trained, *states, *slots], updated, strict=True):
            each.assign(value)
        return seen

    return step


def build_predict(forward: Any, weights: Any, compiled: Any) -> Any:
    def stateless_predict(values: Any, *inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=zip(weights.values(), values, strict=True)):
            return forward(*inputs, **weights)

    predict = compiled(stateless_predict)
    return lambda *inputs: predict([each.value for each in weights.values()], *inputs)


def build_update(optimizer: Any, variable: Any, compiled: Any) -> Any:
    stateless_apply = compiled(optimizer.stateless_apply)

    def update(gradient: Any) -> None:
        kept = [each.value for each in optimizer.variables]
        (value,), kept = stateless_apply(kept, [gradient], [variable.value])
        for each, new in zip([variable, *optimizer.variables], [value, *kept], strict=True):
            each.assign(new)

    return update


def build_model(layer: Any, shape: Any, dtype: str, learns: bool) -> Any:
    """A model of one layer, with the training step of the Keras guide, which also hands out what it saw."""

    class Model(keras.Sequential):  # type: ignore[misc]
        def compute_loss_and_updates(self, trained: Any, states: Any, x: Any, target: Any) -> Any:
            y, states = self.stateless_call(trained, states, x, training=True)
            loss = y.sum() if target is None else self.compute_loss(x=x, y=target, y_pred=y)
            return loss, (y, states)

        def train_step(self, state: Any, data: Any) -> Any:
            trained, states, slots, metrics = state
            x, target, _ = keras.utils.unpack_x_y_sample_weight(data)
            objective = self.compute_loss_and_updates
            gradient = jax.value_and_grad(objective, argnums=(2, 0), has_aux=True, allow_int=True)
            (loss, (y, states)), (of_x, gradients) = gradient(trained, states, x, target)
            if learns:
                trained, slots = self.optimizer.stateless_apply(slots, gradients, trained)
            return {"seen": (y, loss, [of_x, *gradients])}, (trained, states, slots, metrics)

    return Model([keras.Input(batch_shape=shape, dtype=dtype), layer])


# --- the backend ----------------------------------------------------------------------------------------------------


class OnJax(Backend):
    """JAX, with the tensors and variables of Keras, pinned as the adapter `jax` pins it; XLA is Keras' own choice."""

    name = "jax"
    imports = ("import jax", "", 'jax.config.update("jax_enable_x64", True)')
    environment = {"XLA_FLAGS": XLA_FLAGS}  # noqa: RUF012
    modes = {"xla": Call("jax.jit"), "eager": Local(eagerly)}  # noqa: RUF012
    compiling = {"xla": {"jit_compile": True}, "eager": {"run_eagerly": True}}  # noqa: RUF012
    build_step = staticmethod(build_step)
    build_predict = staticmethod(build_predict)
    build_update = staticmethod(build_update)
    build_model = staticmethod(build_model)

    def start(self, threads: int) -> None:
        Jax().load(threads)

    def switches(self) -> dict[str, str]:
        return {"seed": "0", **Jax().switches()}
