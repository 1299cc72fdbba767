"""SciPy's functions: a whole adapter, the example of CONTRIBUTING.md."""

from __future__ import annotations

import importlib
from typing import Any

from conformance.adapter import Adapter, Arrays, Session, Task
from conformance.errors import Unsupported
from conformance.script import Script
from conformance.spelling import Call, Parameters, Spellings

spellings = Spellings()


@spellings
def softmax(p: Parameters, shapes: Any) -> Call:
    return Call("scipy.special.softmax", axis=p["axis"])


@spellings
def relu(p: Parameters, shapes: Any) -> Call:
    return Call("numpy.maximum", 0)


class _Function(Session):
    def __init__(self, task: Task) -> None:
        self.call: Call = spellings.spell(task.operation, task.parameters)
        self.task, self.parameters = task, {}

    def step(self, number: int) -> Arrays:
        raise Unsupported("SciPy has no gradients")

    def predict(self) -> Arrays:
        return {"y": self.call(*(self.task.predict or {}).values())}


class SciPy(Adapter):
    """SciPy: functions, which predict and cannot be trained."""

    distributions = ("scipy", "numpy")
    spellings = spellings

    def load(self, threads: int) -> None:
        importlib.import_module("scipy.special")

    def open(self, task: Task) -> Session:
        return _Function(task)

    def script(self, task: Task) -> str:
        script = Script(task, self.name, ["import numpy", "import numpy as np", "import scipy"])
        script.arrays(task.predict or {})
        script.line(f"print({spellings.spell(task.operation, task.parameters).text(*task.predict or {})})")
        return str(script)
