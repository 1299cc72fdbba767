"""Adaptive optimizers: a step of its own for every element, by the gradients it has seen."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import ADAM_EPSILON, CORRECTION


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
    r"w \leftarrow w - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}",
    source="https://arxiv.org/abs/1412.6980",
    example=Example(  # the first step, without epsilon, is the learning rate in the direction of the gradient
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0},
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
    knobs=(ADAM_EPSILON, CORRECTION, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def adam(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Steps scaled by running moments of the gradient. Kingma and Ba 2014, algorithm 1."""
    if weight_decay and dialect["weight_decay"] == "l2":
        gradient = gradient + weight_decay * variable
    elif weight_decay:
        variable = variable - learning_rate * weight_decay * variable
    first_moment = beta_1 * first_moment + (1 - beta_1) * gradient
    second_moment = beta_2 * second_moment + (1 - beta_2) * (gradient * gradient)
    counted = step - 1 if dialect["correction"] == "late" else step
    first, second = (1 - beta_1**counted, 1 - beta_2**counted) if counted else (1.0, 1.0)
    match dialect["epsilon"]:
        case "after_correction":
            update = (first_moment / first) / (np.sqrt(second_moment / second) + epsilon)
        case "hat":
            update = (np.sqrt(second) / first) * first_moment / (np.sqrt(second_moment) + epsilon)
        case _:
            update = (first_moment / first) / np.sqrt(second_moment / second + epsilon)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "second_moment": second_moment}
