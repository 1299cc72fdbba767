"""What all adapters on Keras share: how it is started, its losses and its optimizers, on whatever backend."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from conformance.adapter import Adapter, Arrays, Part, Task, lazy
from conformance.adapters import _functions as functions
from conformance.adapters._function_scripts import NO_OPTIMIZER, WrittenOptimizer
from conformance.adapters._functions import Backend
from conformance.errors import Unsupported
from conformance.script import Script
from conformance.spelling import Call, Function, Parameters, Spelling, spellings_of

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = spellings_of(__name__)
"""The losses and optimizers."""


NARROWS = {
    "reason": "float32 on its way: result_type makes float32 of float64 on every backend but TensorFlow",
    "reference": "https://github.com/keras-team/keras/issues/23704",
}


class OnBackend(Adapter):
    """An adapter on Keras. Its backend is a parameter: a class for each of them says which, and nothing more."""

    backend: ClassVar[Backend]

    def load(self, threads: int) -> None:
        os.environ["KERAS_BACKEND"] = self.backend.name
        self.backend.start(threads)
        keras.utils.set_random_seed(0)

    def switches(self) -> dict[str, str]:
        return self.backend.switches()

    def arranged(self, task: Task) -> Sequence[str]:
        return list(functions.ordered(task, task.inputs))


def begin(task: Task, backend: Backend) -> None:
    """Forget the models of earlier tasks, and work in the task's precision."""
    backend.begin(task)
    keras.utils.clear_session(free_memory=False)
    keras.config.set_floatx(task.precision)
    keras.config.set_dtype_policy(task.precision)


def refuse_strided_dilation(p: Parameters, name: str) -> None:
    """What both Keras' layer and its function refuse."""
    if np.max(p["strides"]) > 1 and np.max(p["dilation"]) > 1:
        raise Unsupported(f"{name} has no strides > 1 together with dilation_rate > 1")


def output_padding(p: Parameters) -> int | None:
    """That of a transposed convolution: Keras says None where we say -1."""
    return None if p["output_padding"] < 0 else p["output_padding"]


# --- optimizers -------------------------------------------------------------------------------------------------------


class Optimizer(functions.Optimizer):
    """One of keras.optimizers. Its slots are variables named after the weight and the slot.

    Some are named after the weight alone: they are told by their place among these, as "[0]".
    """

    def make(self) -> Any:
        return self.spelling.call()

    def set_rate(self, rate: float) -> None:
        self.made.learning_rate = rate

    def prepare(self, variables: Sequence[Any]) -> None:
        self.made.build(variables)

    def set_slots(self, variable: Any, slots: Arrays) -> None:
        for name, value in slots.items():
            self.slot(variable, self.spelling.tensors[name].name).assign(value)

    def slot(self, variable: Any, name: str) -> Any:
        if name.startswith("["):
            nameless = [each for each in self.made.variables if each.name == variable.name]
            return nameless[int(name.strip("[]"))]
        whole = f"{variable.path.replace('/', '_')}_{name}"
        return next((each for each in self.made.variables if each.name == whole), None)


def loss_of(part: Part | None) -> Call | None:
    """The loss of a train phase: the call that makes it."""
    if part is None:
        return None
    spelling: Spelling = spellings.spell(part.operation, part.parameters)
    if isinstance(spelling, Function):
        raise Unsupported(f"Keras has no object for the loss {part.operation}")
    return spelling.call


def optimizer_of(part: Part | None, precision: str) -> Optimizer | None:
    """The optimizer of a train phase."""
    return Optimizer(spellings.spell(part.operation, part.parameters), part, precision) if part else None


# --- scripts --------------------------------------------------------------------------------------------------------


def begun_script(task: Task, adapter: OnBackend) -> Script:
    """A script that has done what `OnBackend.load` and `begin` do."""
    first = [
        "import os",
        "from functools import partial",
        "",
        f'os.environ["KERAS_BACKEND"] = "{adapter.backend.name}"',
        *(f'os.environ["{name}"] = "{value}"' for name, value in adapter.backend.environment.items()),
    ]
    script = Script(task, adapter.name, [*first, "", "import keras", "import numpy as np", *adapter.backend.imports])
    script.line(f'keras.config.set_floatx("{task.precision}")', f'keras.config.set_dtype_policy("{task.precision}")')
    return script


def optimizer_text(part: Part | None, name: str = "optimizer") -> WrittenOptimizer:
    """An optimizer as a script writes it, and where it is found there."""
    if part is None:
        return NO_OPTIMIZER
    made = spellings.spell(part.operation, part.parameters).call
    rate = [f"    {name}.learning_rate = rate"] if "learning_rate" in part.parameters else []
    return WrittenOptimizer(str(made), in_loop=rate, prepared="optimizer.build({variables})")
