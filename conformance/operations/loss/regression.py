"""Losses of a number and its true value."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import SUBGRADIENT, Settings, absolute
from conformance.operations.loss.reducing import DIVISION, REDUCTION, reduce, reduction_parameter, sample_weight_input

FACTOR = Knob("factor", {1.0: "the square", 0.5: "half the square"}, default=1.0)
PERCENT = Knob("factor", {100.0: "in percent", 1.0: "as a fraction"}, default=100.0)
DIVIDED = Knob(
    "divided",
    {False: "half the square near 0 (Huber)", True: "all of that divided by the threshold (smooth L1)"},
    default=False,
)
LEAST = Knob(
    "clip",
    {"none": "prediction and target as they are", "least": "both are at least 1e-7"},
    default="none",
)
LOGARITHM = Knob(
    "logarithm",
    {
        "direct": "the logarithm of 1 + x is log1p(x), exact near 0",
        "composed": "1 + x, or its like, is rounded first, then its logarithm taken",
    },
    default="direct",
    algorithmic=True,
)


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} (\hat{y}_{i} - y_{i})^2",
    source="https://www.deeplearningbook.org/contents/ml.html",
    results=("loss",),
    example=Example({"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 1], [1, 1, 0]]}, {"loss": 22 / 6}),
    knobs=(REDUCTION, FACTOR, DIVISION),
)
def mean_squared_error(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    sample_weight: Array = sample_weight_input(),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the squared differences. Goodfellow, Bengio and Courville 2016, equation 5.4."""
    difference = prediction - target
    return {"loss": reduce(difference * difference * float(dialect["factor"]), dialect, sample_weight)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} |\hat{y}_{i} - y_{i}|",
    source="https://doi.org/10.3354/cr030079",
    results=("loss",),
    example=Example({"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 4], [1, 1, 0]]}, {"loss": 11 / 6}),
    knobs=(REDUCTION, DIVISION, SUBGRADIENT.without(0, 0.5, "both").published("neither")),
)
def mean_absolute_error(
    prediction: Array = input("*shape"),
    target: Array = input("*target", differentiable=False),
    sample_weight: Array = sample_weight_input(),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the absolute differences. Willmott and Matsuura 2005, equation 2.

    A prediction and a target of different shapes have no differences, element by element.
    """
    if prediction.shape != target.shape:
        raise Undefined(f"a prediction of the shape {list(prediction.shape)}, a target of {list(target.shape)}")
    return {"loss": reduce(absolute(prediction - target, dialect), dialect, sample_weight)}


@operation(
    formula=r"L = \frac{100}{n} \sum_{i} \left| \frac{\hat{y}_{i} - y_{i}}{\max(|y_{i}|, \epsilon)} \right|",
    source="https://doi.org/10.1016/j.ijforecast.2006.03.001",
    results=("loss",),
    example=Example({"prediction": [[1, 2, 3], [3, 5, 1]], "target": [[2, 2, 4], [1, 4, -1]]}, {"loss": 1000 / 12}),
    knobs=(REDUCTION, PERCENT),
)
def mean_absolute_percentage_error(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    epsilon: float = parameter(0.0, "the least that is divided by", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the differences in percent of the target. Hyndman and Koehler 2006, section 2.2."""
    divisor = np.maximum(absolute(target), epsilon)
    return {"loss": reduce(float(dialect["factor"]) * (absolute(prediction - target) / divisor), dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \left( \log(1 + \hat{y}_{i}) - \log(1 + y_{i}) \right)^2",
    source="https://scikit-learn.org/stable/modules/model_evaluation.html",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, 3], [0, 7, 1]], "target": [[1, 2, 1], [0, 1, 3]]}, {"loss": math.log(2) ** 2}
    ),
    knobs=(REDUCTION, LEAST, LOGARITHM),
)
def mean_squared_logarithmic_error(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The mean of the squared differences of logarithms. scikit-learn's user guide, section 3.4.6.4."""
    if dialect["clip"] == "least":
        prediction, target = (np.where(each <= 1e-7, 1e-7, each) for each in (prediction, target))
    if dialect["logarithm"] == "direct":
        difference = np.log1p(prediction) - np.log1p(target)
    else:
        difference = np.log(1.0 + prediction) - np.log(1.0 + target)
    return {"loss": reduce(difference * difference, dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \begin{cases} \frac{1}{2} e_{i}^2 & |e_{i}| \le \delta \\"
    r" \delta (|e_{i}| - \frac{1}{2} \delta) & \text{otherwise} \end{cases}, \quad e_{i} = \hat{y}_{i} - y_{i}",
    source="https://doi.org/10.1214/aoms/1177703732",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 4], [1, 1, 1]]}, {"loss": 12.5 / 6}, {"delta": 2.0}
    ),
    knobs=(REDUCTION, DIVIDED, DIVISION),
)
def huber(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    sample_weight: Array = sample_weight_input(),
    *,
    delta: float = parameter(1.0, "where the square passes into a straight line", minimum=0),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """Half the square near 0, a straight line beyond. Huber 1964, section 4."""
    losses = _square_then_line(prediction - target, delta)
    return {"loss": reduce(losses / delta if dialect["divided"] else losses, dialect, sample_weight)}


def _square_then_line(difference: Array, threshold: Array) -> Array:
    size = absolute(difference)
    near = size <= threshold
    inside = np.where(near, difference, 0.0)  # so that no square overflows that is not taken
    return np.where(near, 0.5 * (inside * inside), threshold * (size - 0.5 * threshold))


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \begin{cases} \frac{1}{2 \beta} e_{i}^2 & |e_{i}| < \beta \\"
    r" |e_{i}| - \frac{1}{2} \beta & \text{otherwise} \end{cases}, \quad e_{i} = \hat{y}_{i} - y_{i}",
    source="https://arxiv.org/abs/1504.08083",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 4], [1, 1, 1]]}, {"loss": 6.25 / 6}, {"beta": 2.0}
    ),
    knobs=(REDUCTION, DIVIDED.published(True)),
)
def smooth_l1(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    beta: float = parameter(1.0, "where the square passes into a straight line; 0 for the line alone", minimum=0),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The square near 0, a straight line of slope 1 beyond. Girshick 2015, equation 3, where beta is 1."""
    if beta == 0 and dialect["divided"]:
        return {"loss": reduce(absolute(prediction - target), dialect)}
    losses = _square_then_line(prediction - target, beta)
    return {"loss": reduce(losses / beta if dialect["divided"] else losses, dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \log \cosh (\hat{y}_{i} - y_{i})",
    source="https://arxiv.org/abs/2208.04564",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, 3], [3, 5, 1]], "target": [[1, 66, -61], [3, 69, 1]]}, {"loss": 32 - math.log(2) / 2}
    ),
    knobs=(REDUCTION, LOGARITHM),
)
def log_cosh(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The logarithm of the hyperbolic cosine of the difference. Saleh and Saleh 2022, equation 1."""
    size = absolute(prediction - target)
    if dialect["logarithm"] == "composed":
        return {"loss": reduce(size + np.log1p(np.exp(-2.0 * size)) - math.log(2.0), dialect)}
    near = size < 1
    grown = np.expm1(0.5 * np.where(near, size, 0.0))
    sinh = 0.5 * (grown + grown / (1.0 + grown))  # of half the difference: cosh x = 1 + 2 sinh(x/2)^2
    far = np.where(near, 1.0, size)
    return {
        "loss": reduce(
            np.where(near, np.log1p(2.0 * (sinh * sinh)), far + (np.log1p(np.exp(-2.0 * far)) - math.log(2.0))), dialect
        )
    }
