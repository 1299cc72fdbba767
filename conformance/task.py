"""From a case to the task that it puts to an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conformance.adapter import Part, Task, Train
from conformance.case import Case
from conformance.errors import CaseError, CaseErrors, Undefined
from conformance.operation import Operation, get_operation
from conformance.reading import load


def structural(operation: Operation) -> dict[str, Any]:
    """The defaults of the parameters for which frameworks have none of their own."""
    return {name: each.default for name, each in operation.parameters.items() if not each.own_default}


def differentiated(operation: Operation) -> tuple[str, ...]:
    """The inputs whose gradient is wanted in training."""
    inputs = operation.of_role("input") if operation.differentiable else ()
    return tuple(name for name in inputs if operation.tensors[name].differentiable)


def supporting(operation: str, **parameters: Any) -> Part:
    """A loss or optimizer that only supports a case is not under test: its defaults are the formula's, everywhere."""
    defaults = {name: each.default for name, each in get_operation(operation).parameters.items()}
    return Part(operation, {**defaults, **parameters})


def phases(case: Case) -> list[str]:
    """The phases of a case, in the order in which they run."""
    return [name for name, phase in (("train", case.train), ("predict", case.predict)) if phase is not None]


def task_of(case: Case, precision: str, mode: str = "") -> Task:
    """The question that a case puts to an adapter, every tensor rounded to the precision under test."""
    operation = case.operation

    def rounded(spec: Any, name: str = "") -> Any:
        return spec.values().astype(operation.tensors[name].dtype(precision) if name else precision)

    train = None
    if case.train is not None:
        made = {id(batch): {name: rounded(spec, name) for name, spec in batch.items()} for batch in case.train.inputs}
        targets = {id(spec): rounded(spec) for spec in case.train.targets or ()}
        train = Train(
            [made[id(batch)] for batch in case.train.inputs],
            [targets[id(spec)] for spec in case.train.targets] if case.train.targets else None,
            _complete(case.train.loss),
            _complete(case.train.optimizer),
        )
    return Task(
        case=case.id,
        operation=operation.name,
        kind=operation.kind,
        results=operation.results,
        optional=operation.optional_inputs,
        precision=precision,
        parameters={**structural(operation), **case.parameters},
        tensors={name: rounded(spec, name) for name, spec in case.tensors.items()},
        train=train,
        predict={name: rounded(spec, name) for name, spec in case.predict.inputs.items()} if case.predict else None,
        differentiated=differentiated(operation),
        mode=mode,
    )


def _complete(part: Part | None) -> Part | None:
    if part is None:
        return None
    return supporting(part.operation, **part.parameters)


def load_valid(paths: Sequence[str]) -> list[Case]:
    """The cases of some files, each tried on its formula: what a target must look like, only the formula knows.

    Raises `CaseErrors` with all faults.
    """
    cases = load(paths)
    faults = [fault for case in cases if (fault := _misfit(case))]
    if faults:
        raise CaseErrors(faults)
    return cases


def _misfit(case: Case) -> CaseError | None:
    """A target whose shape is not that of the formula's result."""
    if case.train is None or not case.train.targets or case.train.loss is None:
        return None
    operation = case.operation
    arrays = {
        name: np.zeros(spec.shape, operation.tensors[name].dtype("float64"))
        for name, spec in {**case.tensors, **case.train.inputs[0]}.items()
    }
    try:
        with np.errstate(all="ignore"):
            shape = operation(arrays, case.parameters, training=True)["y"].shape
    except Undefined:
        return None
    target = case.train.targets[0]
    if target.shape == shape:
        return None
    message = f"the target has the shape {list(target.shape)}, expected that of the result, {list(shape)}"
    return CaseError(target.place, f"{case.id}: train.target", message)
