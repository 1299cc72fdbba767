"""LAMB: Adam's step, made as long as the variable is large."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import ADAM_EPSILON, decayed, direction, moments

DECAY_IN_STEP = Knob(
    WEIGHT_DECAY.name,
    {"in_step": "the step grows by weight_decay * variable before its norm is taken", **WEIGHT_DECAY.values},
    default="in_step",
)


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
    r"r = \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} + \lambda w, \quad "
    r"w \leftarrow w - \eta \frac{\lVert w \rVert}{\lVert r \rVert} r",
    source="https://arxiv.org/abs/1904.00962",
    example=Example(  # the first step has the norm 2; the variable's is 10
        {"gradient": [[2, -4, 1, -3]]},
        {"variable": [[-1.5, 1.5, 4.5, 9.5]]},
        {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0},
        {"variable": [[1, -1, 7, 7]], "first_moment": [[0, 0, 0, 0]], "second_moment": [[0, 0, 0, 0]]},
    ),
    knobs=(ADAM_EPSILON, DECAY_IN_STEP),
    differentiable=False,
    results=(),
)
def lamb(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-6, "keeps the denominator from 0", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam's step scaled by the norm of the variable. You et al. 2019, algorithm 2, with the norm itself for phi.

    Where the variable or the step is all zeros, it keeps the length that it has.
    """
    in_step = dialect["weight_decay"] == "in_step"
    if not in_step:
        variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment, second_moment = moments(first_moment, second_moment, gradient, beta_1, beta_2)
    update = direction(first_moment, second_moment, 1 - beta_1**step, 1 - beta_2**step, epsilon, dialect)
    if in_step and weight_decay:
        update = update + weight_decay * variable
    own, length = _norm(variable), _norm(update)
    ratio = np.where((own > 0) & (length > 0), own / length, 1.0)
    return {
        "variable": variable - learning_rate * (ratio * update),
        "first_moment": first_moment,
        "second_moment": second_moment,
    }


def _norm(x: Array) -> Array:
    return np.sqrt(np.sum(x * x))
