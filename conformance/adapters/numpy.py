"""The oracle itself: the formulas, run in NumPy's own float32 or float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.adapter import Adapter, Arrays, Session, Task
from conformance.operation import get_operation, operations
from conformance.oracle import Oracle, plain
from conformance.script import Script, literal
from conformance.spelling import Spellings, Written


class _Run(Session):
    def __init__(self, task: Task) -> None:
        operation = get_operation(task.operation)
        own = {name: each.default for name, each in operation.parameters.items() if each.own_default}
        self.parameters = {name: value for name, value in own.items() if name not in task.parameters}
        self.task = task
        self.oracle = Oracle(task, {**self.parameters, **task.parameters}, plain(task.precision))
        self.state: dict[str, Any] = dict(task.tensors)

    def step(self, number: int) -> Arrays:
        trace = self._shown(self.oracle.step(number, self.state))
        self.state.update(trace)
        return trace

    def predict(self) -> Arrays:
        return self._shown(self.oracle.predict(self.state))

    def _shown(self, trace: dict[str, Any]) -> Arrays:
        """Results in the precision, though a formula may have divided by a count, which NumPy holds in float64."""
        return {name: np.array(each, dtype=self.task.precision) for name, each in trace.items()}


class NumPy(Adapter):
    """The oracle itself: the formulas, run in NumPy's own float32 or float64."""

    distributions = ("numpy",)

    @property
    def spellings(self) -> Spellings:  # type: ignore[override]
        """Every operation has its formula."""
        return Spellings({name: lambda parameters, shapes: None for name in operations()})

    def load(self, threads: int) -> None:
        np.seterr(all="ignore")

    def open(self, task: Task) -> Session:
        return _Run(task)

    def written(self, task: Task) -> Written:
        tensors = ", ".join(f"{name!r}: {name}" for name in {**task.inputs, **task.tensors})
        options = [f"{dict(task.parameters)!r}"] if task.parameters else []
        call = f"conformance.evaluate({', '.join([repr(task.operation), f'{{{tensors}}}', *options])})"
        return Written(call, arguments=dict(task.parameters), tensors={name: name for name in task.tensors})

    def script(self, task: Task) -> str:
        script = Script(task, self.name, ["import numpy as np", "", "from conformance import evaluate"])
        phase, inputs = ("predict", task.predict) if task.predict else ("train", task.inputs)
        script.line("results = evaluate(", f"    {task.operation!r},", "    {")
        script.line(
            *(f"        {name!r}: {literal(each)}," for name, each in {**task.tensors, **(inputs or {})}.items())
        )
        script.line("    },", f"    {dict(task.parameters)!r},", f"    phase={phase!r},", ")")
        script.line("for name, each in results.items():", "    print(name, each, sep='\\n')")
        return str(script)
