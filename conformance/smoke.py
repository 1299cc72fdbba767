"""Tasks so small that their results can be worked out in the head: what `conformance.doctor` puts to an adapter.

Shapes differ along every axis and the numbers are exact in every format, so a layout that is not converted, a weight
under the wrong name or a result in the wrong precision cannot pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.adapter import Arrays, Task, Train
from conformance.operation import get_operation
from conformance.task import differentiated, structural, supporting

Numbers = Mapping[str, Any]


RATE = 0.5
"""The learning rate of a step of training: plain gradient descent, which everyone computes alike."""


@dataclass(frozen=True)
class Smoke:
    """An operation with inputs, and the results that anyone would expect; trained for a step if it has a ``target``."""

    operation: str
    inputs: Numbers
    expected: Numbers
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tensors: Numbers = field(default_factory=dict)
    target: Any = None

    def tasks(self, precision: str, mode: str) -> Iterator[Task]:
        """A prediction (of an optimizer: a step) with the results expected; a step of training if it has a target."""
        inputs = _arrays(self.inputs, precision)
        if get_operation(self.operation).family == "optimizer":
            yield self._task(precision, mode, Train([inputs]), None)
        else:
            yield self._task(precision, mode, None, inputs)
        if self.target is not None:
            target, loss = np.array(self.target, precision), supporting("mean_squared_error")
            descent = supporting("sgd", learning_rate=RATE)
            yield self._task(precision, mode, Train([inputs], [target], loss, descent), None)

    def _task(self, precision: str, mode: str, train: Train | None, predict: Arrays | None) -> Task:
        operation = get_operation(self.operation)
        return Task(
            case=f"{self.operation}/smoke",
            operation=self.operation,
            family=operation.family,
            precision=precision,
            parameters={**structural(operation), **self.parameters},
            tensors=_arrays(self.tensors, precision),
            train=train,
            predict=predict,
            differentiated=differentiated(operation),
            mode=mode,
        )


def _arrays(numbers: Numbers, precision: str) -> Arrays:
    return {name: np.array(each, dtype=precision) for name, each in numbers.items()}


SMOKE = (
    Smoke("relu", {"x": [[-1, 0, 2]]}, {"y": [[0, 0, 2]]}),
    Smoke("gelu", {"x": [[0, 20, 40]]}, {"y": [[0, 20, 40]]}, {"approximate": "none"}),
    Smoke("softmax", {"x": [[5, 5, 5, 5], [0, 0, 0, 0]]}, {"y": [[0.25] * 4] * 2}),
    Smoke(
        "dense",
        {"x": [[1, 2]]},
        {"y": [[10, 12, 14]]},
        tensors={"kernel": [[1, 2, 3], [4, 5, 6]], "bias": [1, 0, -1]},
        target=[[9, 12, 16]],
    ),
    Smoke(
        "conv2d",
        {"x": [[[[1], [2], [3]], [[4], [5], [6]]]]},
        {"y": [[[[21.5, 1], [32.5, 1]], [[54.5, 1], [65.5, 1]]]]},
        tensors={"kernel": [[[[1, 0]], [[10, 0]]]], "bias": [0.5, 1]},
        target=[[[[21.5, 0], [32.5, 1]], [[54.5, 1], [63.5, 1]]]],
    ),
    Smoke(
        "layer_normalization",
        {"x": [[1, 7, 1, 7]]},
        {"y": [[-0.75, 1.5, 0.25, 0.75]]},
        {"epsilon": 7.0},
        {"gamma": [1, 2, 1, 1], "beta": [0, 0, 1, 0]},
        target=[[0, 1, 0, 1]],
    ),
    Smoke(
        "batch_normalization",
        {"x": [[1, 2, 0], [3, 6, 4]]},
        {"y": [[1, 0, 0], [5, 2, 8]]},
        {"epsilon": 0.25, "momentum": 0.5},
        {"gamma": [2, 1, 1], "beta": [1, 0, 0], "moving_mean": [1, 2, 0], "moving_variance": [0.75, 3.75, 0]},
    ),
    Smoke(
        "mean_squared_error", {"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 1], [1, 1, 0]]}, {"loss": 22 / 6}
    ),
    Smoke("sgd", {"gradient": [2, 4, 0]}, {"variable": [0, -4, 8]}, {"learning_rate": 0.5}, {"variable": [1, -2, 8]}),
    Smoke(
        "adam",
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0},
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
)
"""One per operation.  A batch normalization with these statistics divides by 1, 2 and 0.5; the first step of adam,
without epsilon, is the learning rate in the direction of the gradient."""
