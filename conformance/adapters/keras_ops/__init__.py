"""Keras ops on TensorFlow: the functions of keras.ops (what keras.backend has become), gradients by GradientTape.

The modes are eager (the default, for to trace every task costs more than the task), graph (the step in
``tf.function``) and xla (in ``tf.function(jit_compile=True)``).
"""

from __future__ import annotations

from typing import ClassVar

from conformance.adapter import Session, Task
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters import _keras as base
from conformance.adapters._functions import Backend
from conformance.adapters._on_tensorflow import OnTensorFlow
from conformance.spelling import Function, spellings_of


class KerasOps(base.OnBackend):
    """Keras ops on TensorFlow: the functions of keras.ops, gradients by GradientTape."""

    backend: ClassVar[Backend] = OnTensorFlow()
    distributions = ("keras", "tensorflow")
    seconds_to_start = 4.0
    modes = tuple(backend.modes)
    spellings = spellings_of(__name__)

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
