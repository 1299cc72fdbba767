"""Losses: how far a prediction lies from its target."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import Settings

REDUCTION = Knob(
    "reduction",
    {
        "mean": "the mean over all elements",
        "sum": "the sum over all elements",
        "none": "no reduction: one loss per element",
        "batch": "the sum over all elements, divided by the size of the batch",
        "last_axis": "the mean over the last axis: one loss per sample",
        "sum_of_means": "the sum over all samples of the mean over the last axis",
    },
    default="mean",
)
FACTOR = Knob("factor", {1.0: "the square", 0.5: "half the square"}, default=1.0)


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} (\hat{y}_{i} - y_{i})^2",
    source="https://www.deeplearningbook.org/contents/ml.html",
    results=("loss",),
    example=Example({"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 1], [1, 1, 0]]}, {"loss": 22 / 6}),
    knobs=(REDUCTION, FACTOR),
)
def mean_squared_error(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    reduction: str = parameter("mean", "what becomes of the elements", choices=("mean", "sum", "none")),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the squared differences. Goodfellow, Bengio and Courville 2016, equation 5.4."""
    difference = prediction - target
    squares = difference * difference * float(dialect["factor"])
    match dialect["reduction"]:
        case "mean":
            loss = np.sum(squares) / math.prod(squares.shape)
        case "sum":
            loss = np.sum(squares)
        case "none":
            loss = squares
        case "batch":
            loss = np.sum(squares) / (squares.shape[0] if squares.ndim else 1)
        case _:
            loss = np.sum(squares, axis=-1) / squares.shape[-1] if squares.ndim else squares
            loss = np.sum(loss) if dialect["reduction"] == "sum_of_means" else loss
    return {"loss": loss}
