"""TensorFlow: tf.nn and friends, gradients by GradientTape, the optimizers of tf.compat.v1.train.

TensorFlow 2 leaves optimizers to Keras: those of tf.compat.v1.train are what is its own.  The modes are eager (the
default: to trace every task costs more than the task), graph (the step in ``tf.function``) and xla (in
``tf.function(jit_compile=True)``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import Adapter, Arrays, Part, Session, Task, lazy
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters._function_scripts import NO_OPTIMIZER, WrittenOptimizer
from conformance.adapters._on_tensorflow import OnTensorFlow
from conformance.errors import Unsupported
from conformance.script import Script
from conformance.spelling import Call, Written, functions_of, per_step, spellings_of

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = spellings_of(__name__)


NO_KERNEL = re.compile(r"Value for attr 'T' of \w+ is not in the list of allowed values.*")


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


class Trained(functions.Trained):
    """A function, whose operation may lack a kernel for the format under test."""

    def step(self, number: int) -> Arrays:
        return _with_kernel(partial(super().step, number))

    def predict(self) -> Arrays:
        return _with_kernel(super().predict)


def _with_kernel(made: Callable[[], Arrays]) -> Arrays:
    try:
        return made()
    except Exception as error:  # of several kinds, by the mode
        lacking = NO_KERNEL.search(str(error))
        if lacking is None:
            raise
        raise Unsupported(f"no kernel: {lacking[0]}") from None


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

    def arranged(self, task: Task) -> Sequence[str]:
        return list(functions.ordered(task, task.inputs))

    def written(self, task: Task) -> Written:
        found, rate = super().written(task), task.parameters.get("learning_rate")
        if task.kind == "optimizer" and rate is not None:  # passed as a variable
            call: Call = self.spelled(task).call
            found = replace(
                found, call=call.text("learning_rate"), arguments={"learning_rate": rate, **found.arguments}
            )
        short = {name: getattr(found, name).replace("tensorflow.", "tf.", 1) for name in ("call", "training")}
        return replace(found, **short)

    def open(self, task: Task) -> Session:
        if task.kind != "optimizer":
            loss, part = functions.parts(task)
            optimizer = _optimizer(part, task.precision)
            return Trained(task, self.backend, _spelled(task), _loss(loss), optimizer)
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
    script.functions(*(functions_of(loss) if loss else []))
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
