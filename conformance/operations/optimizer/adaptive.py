"""Adaptive optimizers: a step of its own for every element, by the squares of the gradients it has seen."""

from __future__ import annotations

from conformance.operation import Array, Example, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import EPSILON, LEARNING_RATE, decayed, root


@operation(
    formula=r"n \leftarrow \rho n + (1 - \rho) g^2, \quad m \leftarrow \rho m + (1 - \rho) g, \quad "
    r"v \leftarrow \mu v + \eta \frac{g}{\sqrt{n - m^2 + \epsilon}}, \quad w \leftarrow w - v",
    source="https://arxiv.org/abs/1308.0850",
    example=Example(  # the second moment is a quarter of g^2, and its root half of g; 3 leaves one of 9 as it is
        {"gradient": [2, -4, 3]},
        {"variable": [0, 0.5, 7.25]},
        {"learning_rate": 0.25, "rho": 0.75, "epsilon": 0.0, "initial_accumulator": 0.0},
        {"variable": [0.5, 0, 7.5], "second_moment": [0, 0, 9]},
    ),
    knobs=(EPSILON, LEARNING_RATE, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def rmsprop(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    second_moment: Array = state("*shape", initial=0),
    first_moment: Array = state("*shape", initial=0, when="centered"),
    velocity: Array = state("*shape", initial=0, when="momentum"),
    *,
    learning_rate: Array = parameter(0.0001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    rho: Array = parameter(0.95, "the decay of the moments", minimum=0, own_default=True),
    momentum: Array = parameter(0.0, "how much of the last step goes on", minimum=0),
    centered: bool = parameter(False, "divide by the deviation of the gradient, not by the root of its square"),
    epsilon: Array = parameter(0.0001, "keeps the denominator from 0", minimum=0, own_default=True),
    initial_accumulator: Array = parameter(0.0, "the second moment before the first step", own_default=True, minimum=0),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Gradients divided by their running size. Graves 2013, equations 38 to 41; uncentered: Tieleman and Hinton 2012.

    The second moment that a case gives comes on top of the initial one.
    """
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    before = second_moment + initial_accumulator if step == 1 else second_moment
    states = {"second_moment": rho * before + (1 - rho) * (gradient * gradient)}
    squares = states["second_moment"]
    if centered:
        states["first_moment"] = rho * first_moment + (1 - rho) * gradient
        squares = squares - states["first_moment"] * states["first_moment"]
    update = gradient / root(squares, epsilon, dialect)
    if not momentum:
        return {"variable": variable - learning_rate * update, **states}
    if dialect["learning_rate"] == "inside":
        states["velocity"] = momentum * velocity + learning_rate * update
        return {"variable": variable - states["velocity"], **states}
    states["velocity"] = momentum * velocity + update
    return {"variable": variable - learning_rate * states["velocity"], **states}


@operation(
    formula=r"s \leftarrow s + g^2, \qquad w \leftarrow w - \eta \frac{g}{\sqrt{s} + \epsilon}",
    source="https://jmlr.org/papers/v12/duchi11a.html",
    example=Example(  # the root of 7 + 3^2 is 4
        {"gradient": [3, -3, 0]},
        {"variable": [0.5, -1, 8]},
        {"learning_rate": 4.0, "epsilon": 0.0, "initial_accumulator": 7.0},
        {"variable": [3.5, -4, 8], "accumulator": [0, 0, 0]},
    ),
    knobs=(EPSILON.published("outside"), WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def adagrad(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    accumulator: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.01, "how far a step goes", minimum=0, per_step=True, own_default=True),
    learning_rate_decay: Array = parameter(0.0, "the step number t divides by 1 + (t - 1) times this", minimum=0),
    epsilon: Array = parameter(1e-10, "keeps the denominator from 0", minimum=0, own_default=True),
    initial_accumulator: Array = parameter(0.0, "the accumulator before the first step", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Gradients divided by the root of the sum of their squares. Duchi, Hazan and Singer 2011, figure 1, diagonal.

    The accumulator that a case gives comes on top of the initial one.
    """
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    before = accumulator + initial_accumulator if step == 1 else accumulator
    accumulator = before + gradient * gradient
    rate = learning_rate / (1 + (step - 1) * learning_rate_decay) if learning_rate_decay else learning_rate
    return {"variable": variable - rate * gradient / root(accumulator, epsilon, dialect), "accumulator": accumulator}


@operation(
    formula=r"n \leftarrow \rho n + (1 - \rho) g^2, \quad d = \frac{\sqrt{u + \epsilon}}{\sqrt{n + \epsilon}} g, \quad "
    r"u \leftarrow \rho u + (1 - \rho) d^2, \quad w \leftarrow w - \eta d",
    source="https://arxiv.org/abs/1212.5701",
    example=Example(  # the step is the root of 4, by the root of 12 + 4, times the gradient
        {"gradient": [4, -4, 0]},
        {"variable": [0, 1, 8]},
        {"learning_rate": 0.5, "rho": 0.25, "epsilon": 4.0},
        {"variable": [1, 0, 8], "squared_gradient": [0, 0, 0], "squared_step": [0, 0, 0]},
    ),
    knobs=(EPSILON, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def adadelta(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    squared_gradient: Array = state("*shape", initial=0),
    squared_step: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(1.0, "how far a step goes", minimum=0, per_step=True, own_default=True),
    rho: Array = parameter(0.95, "the decay of the running squares", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-6, "keeps the denominator from 0, and starts the steps", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """Steps in the unit of the variable: scaled by those before. Zeiler 2012, algorithm 1, whose learning rate is 1.

    The steps are collected before they are multiplied by the learning rate.
    """
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    squared_gradient = rho * squared_gradient + (1 - rho) * (gradient * gradient)
    update = root(squared_step, epsilon, dialect) / root(squared_gradient, epsilon, dialect) * gradient
    squared_step = rho * squared_step + (1 - rho) * (update * update)
    return {
        "variable": variable - learning_rate * update,
        "squared_gradient": squared_gradient,
        "squared_step": squared_step,
    }
