"""Statistics themselves, and normalization by statistics that are given."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter, state
from conformance.operations.choices import NORM_EPSILON, VARIANCE, VARIANCE_CORRECTION, Settings, deviation
from conformance.operations.choices import moments as mean_and_variance


@operation(
    formula=r"\mu = \frac{1}{n} \sum_{i} x_{i}, \quad \sigma^2 = \frac{1}{n - d} \sum_{i} (x_{i} - \mu)^2",
    source="https://www.itl.nist.gov/div898/handbook/eda/section3/eda356.htm",
    example=Example(
        {"x": [[1, 7], [0, 2], [5, 5]]},
        {"mean": [4, 1, 5], "variance": [9, 1, 0]},
        {"axis": 1, "variance_correction": 0},
    ),
    knobs=(VARIANCE_CORRECTION, VARIANCE),
    results=("mean", "variance"),
)
def moments(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis, or axes, over which they are taken", many=True),
    keepdims: bool = parameter(False, "these axes stay, with size 1"),
    variance_correction: int = parameter(0, "what is taken off the number of values", choices=(0, 1), own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean and the variance. NIST/SEMATECH 2012, Engineering Statistics Handbook, section 1.3.5.6."""
    axes = chosen_axes(axis, x.ndim)
    mean, variance = mean_and_variance(x, axes, dialect)
    if not keepdims:
        kept = tuple(size for each, size in enumerate(x.shape) if each not in axes)
        mean, variance = np.reshape(mean, kept), np.reshape(variance, kept)
    return {"mean": mean, "variance": variance}


DIVISOR = Knob(
    "divisor",
    {"deviation": "the square root of the variance", "variance": "the variance itself"},
    default="deviation",
)


@operation(
    formula=r"y = \frac{x - \mu}{\max(\sigma, \epsilon)}",
    source="https://keras.io/api/layers/preprocessing_layers/numerical/normalization/",
    example=Example(
        {"x": [[1, 5, 3], [3, 1, 0]]},
        {"y": [[0, 2, 1.5], [1, -2, 0]]},
        tensors={"mean": [1, 3, 0], "variance": [4, 1, 4]},
    ),
    knobs=(NORM_EPSILON.without("floor_inside"), DIVISOR),
)
def feature_normalization(
    x: Array = input("feature@axis"),
    mean: Array = state("feature"),
    variance: Array = state("feature"),
    *,
    axis: int = parameter(-1, "the axis, or axes, with statistics of their own", many=True),
    epsilon: Array = parameter(1e-7, "the least divisor", minimum=0, own_default=True),
    invert: bool = parameter(False, "the way back: multiply, then add the mean"),
    training: bool,
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize each feature by a mean and a variance that are given. Keras, the layer Normalization.

    A feature that never varies is divided by epsilon, not by 0.
    """
    features = chosen_axes(axis, x.ndim)
    shape = [x.shape[each] if each in features else 1 for each in range(x.ndim)]
    squared = variance * variance if dialect["divisor"] == "variance" else variance
    average, divisor = np.reshape(mean, shape), np.reshape(deviation(squared, epsilon, dialect), shape)
    results = {"y": x * divisor + average if invert else (x - average) / divisor}
    return {**results, "mean": mean, "variance": variance} if training else results
