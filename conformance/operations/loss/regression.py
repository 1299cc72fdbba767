"""Losses of a number and its true value."""

from __future__ import annotations

from conformance.operation import Array, Example, Knob, input, operation
from conformance.operations.choices import Settings
from conformance.operations.loss.reducing import REDUCTION, reduce, reduction_parameter

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
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the squared differences. Goodfellow, Bengio and Courville 2016, equation 5.4."""
    difference = prediction - target
    return {"loss": reduce(difference * difference * float(dialect["factor"]), dialect)}
