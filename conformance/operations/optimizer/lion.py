"""Lion: the step is the sign of a momentum, of one size for every element."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import decayed

NAN = Knob(
    "nan",
    {"propagate": "the sign of NaN is NaN", "zero": "it is 0, and the element takes no step"},
    default="propagate",
)


@operation(
    formula=r"w \leftarrow w - \eta \left( \operatorname{sign}(\beta_1 m + (1 - \beta_1) g) + \lambda w \right), \quad "
    r"m \leftarrow \beta_2 m + (1 - \beta_2) g",
    source="https://arxiv.org/abs/2302.06675",
    example=Example(  # the last element: a quarter of the moment outweighs three quarters of the gradient
        {"gradient": [2, -4, 0, 1]},
        {"variable": [0.5, -1.5, 8, 4.5], "first_moment": [1, -2, 0, -2]},
        {"learning_rate": 0.5, "beta_1": 0.25, "beta_2": 0.5, "weight_decay": 0.0},
        {"variable": [1, -2, 8, 4], "first_moment": [0, 0, 0, -5]},
    ),
    knobs=(WEIGHT_DECAY.published("decoupled"), NAN),
    differentiable=False,
    results=(),
)
def lion(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.0001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the share of the moment in the step", minimum=0, own_default=True),
    beta_2: Array = parameter(0.99, "the decay of the moment", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0, own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """The sign of an interpolated momentum. Chen et al. 2023, algorithm 2.

    The step is taken from one mean of moment and gradient, the next moment is another.
    """
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    direction = beta_1 * first_moment + (1 - beta_1) * gradient
    sign = np.sign(direction)
    if dialect["nan"] == "zero":
        sign = np.where(np.isnan(direction), 0.0, sign)
    return {
        "variable": variable - learning_rate * sign,
        "first_moment": beta_2 * first_moment + (1 - beta_2) * gradient,
    }
