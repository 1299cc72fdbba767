"""Tasks so small that their results can be worked out in the head: what `conformance.doctor` puts to an adapter.

They are the examples that stand beside the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from conformance.adapter import Arrays, Task, Train
from conformance.operation import Operation
from conformance.task import differentiated, structural, supporting

RATE = 0.5
"""The learning rate of a step of training: plain gradient descent, which everyone computes alike."""


def smoke_tasks(operation: Operation, precision: str, mode: str = "") -> Iterator[Task]:
    """A prediction (of an optimizer: a step) of an operation's example; a step of training if it has a target."""
    example = operation.example
    inputs = _arrays(operation, example.inputs, precision)
    if operation.kind == "optimizer":
        yield _task(operation, precision, mode, Train([inputs]), None)
    else:
        yield _task(operation, precision, mode, None, inputs)
    if example.target is not None:
        target, loss = np.array(example.target, precision), supporting("mean_squared_error")
        descent = supporting("sgd", learning_rate=RATE)
        yield _task(operation, precision, mode, Train([inputs], [target], loss, descent), None)


def _task(operation: Operation, precision: str, mode: str, train: Train | None, predict: Arrays | None) -> Task:
    return Task(
        case=f"{operation.name}/smoke",
        operation=operation.name,
        kind=operation.kind,
        results=operation.results,
        optional=operation.optional_inputs,
        precision=precision,
        parameters={**structural(operation), **operation.example.parameters},
        tensors=_arrays(operation, operation.example.tensors, precision),
        train=train,
        predict=predict,
        differentiated=differentiated(operation),
        mode=mode,
    )


def _arrays(operation: Operation, numbers: Mapping[str, Any], precision: str) -> Arrays:
    return {name: np.array(each, operation.tensors[name].dtype(precision)) for name, each in numbers.items()}
