"""Adafactor: the squares of a matrix of gradients remembered by their means along rows and columns alone."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings

EPSILON = Knob(
    "epsilon",
    {
        "inside": "added to the squares of the gradient",
        "clamp": "not added: a lower limit of the mean that divides the row moments, and its square one of the "
        "estimated squares",
    },
    default="inside",
)
RELATIVE_STEP = Knob(
    "relative_step",
    {
        True: "in step t no more than 1 / sqrt(t), times the size of the variable",
        False: "learning_rate times the size of the variable",
    },
    default=True,
)
DECAY = Knob(
    WEIGHT_DECAY.name,
    {
        "decoupled": "the variable shrinks by learning_rate * weight_decay * variable, its size for the step is taken "
        "before",
        "first": "the variable shrinks by learning_rate * weight_decay * variable before its size is taken",
        "unscaled": "the variable shrinks by weight_decay * variable, whatever learning_rate is",
    },
    default="decoupled",
)
KNOBS = (EPSILON, RELATIVE_STEP, DECAY)

# what both forms share: the parameters of algorithms 4 and 5
RATE = parameter(0.01, "how far a step goes at most", minimum=0, per_step=True, own_default=True)
BETA_2_DECAY = parameter(-0.8, "the power of t that is the share of the new squares", own_default=True)
EPSILON_1 = parameter(1e-30, "keeps the squares from 0", minimum=0, own_default=True)
EPSILON_2 = parameter(0.001, "the least size of the variable", minimum=0, own_default=True)
CLIP_THRESHOLD = parameter(1.0, "the largest size of a step before the learning rate", minimum=0, own_default=True)
SLOWING = parameter(True, "step t is no longer than 1 / sqrt(t)", own_default=True)
WEIGHT = parameter(0.0, "how much the variable is drawn to 0", minimum=0)


@operation(
    formula=r"\beta_{2t} = 1 - t^{\tau}, \quad R \leftarrow \beta_{2t} R + (1 - \beta_{2t}) "
    r"\operatorname{mean}_{col}(g^2 + \epsilon_1), \quad C \leftarrow \beta_{2t} C + (1 - \beta_{2t}) "
    r"\operatorname{mean}_{row}(g^2 + \epsilon_1), \quad U = \frac{g}{\sqrt{R C / \operatorname{mean}(R)}}, \quad "
    r"w \leftarrow w - \max(\epsilon_2, \mathrm{RMS}(w)) \min\!\left(\eta, \tfrac{1}{\sqrt{t}}\right) "
    r"\frac{U}{\max(1, \mathrm{RMS}(U) / d)}",
    source="https://arxiv.org/abs/1804.04235",
    example=Example(  # the estimate is the square of the gradient, whose signs remain; the variable's size is 4
        {"gradient": [[1, -2, 4], [-2, 4, -8]]},
        {"variable": [[3.5, 4.5, -4.5], [4.5, -4.5, 4.5]]},
        {"learning_rate": 0.125},
        {"variable": [[4, 4, -4], [4, -4, 4]], "row_moment": [0, 0], "column_moment": [0, 0, 0]},
    ),
    knobs=KNOBS,
    differentiable=False,
    results=(),
)
def adafactor(
    variable: Array = state("row column"),
    gradient: Array = input("row column", differentiable=False),
    row_moment: Array = state("row", initial=0),
    column_moment: Array = state("column", initial=0),
    *,
    learning_rate: Array = RATE,
    beta_2_decay: Array = BETA_2_DECAY,
    epsilon_1: Array = EPSILON_1,
    epsilon_2: Array = EPSILON_2,
    clip_threshold: Array = CLIP_THRESHOLD,
    relative_step: bool = SLOWING,
    weight_decay: Array = WEIGHT,
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adafactor for a matrix. Shazeer and Stern 2018, algorithm 4, with means for the sums along rows and columns.

    The paper's learning rate is 1/100 and it has no weight decay.
    """
    squares = gradient * gradient
    if dialect["epsilon"] == "inside":
        squares = squares + epsilon_1
    rows, columns = gradient.shape
    row_moment = _mixed(row_moment, np.sum(squares, axis=1) / columns, beta_2_decay, step)
    column_moment = _mixed(column_moment, np.sum(squares, axis=0) / rows, beta_2_decay, step)
    scale = np.sum(row_moment) / rows
    if dialect["epsilon"] == "clamp":
        scale = np.maximum(scale, epsilon_1)
    estimate = row_moment[:, None] * column_moment[None, :] / scale
    update = _update(gradient, estimate, epsilon_1, clip_threshold, dialect)
    variable = _stepped(variable, update, learning_rate, epsilon_2, weight_decay, step, dialect)
    return {"variable": variable, "row_moment": row_moment, "column_moment": column_moment}


@operation(
    formula=r"\beta_{2t} = 1 - t^{\tau}, \quad v \leftarrow \beta_{2t} v + (1 - \beta_{2t}) (g^2 + \epsilon_1), \quad "
    r"U = \frac{g}{\sqrt{v}}, \quad w \leftarrow w - \max(\epsilon_2, \mathrm{RMS}(w)) "
    r"\min\!\left(\eta, \tfrac{1}{\sqrt{t}}\right) \frac{U}{\max(1, \mathrm{RMS}(U) / d)}",
    source="https://arxiv.org/abs/1804.04235",
    example=Example(  # the signs of the gradient; the size of the variable is 4
        {"gradient": [1, -2, 4]},
        {"variable": [3.5, 4.5, -4.5]},
        {"learning_rate": 0.125},
        {"variable": [4, 4, -4], "second_moment": [0, 0, 0]},
    ),
    knobs=KNOBS,
    differentiable=False,
    results=(),
)
def adafactor_vector(
    variable: Array = state("element"),
    gradient: Array = input("element", differentiable=False),
    second_moment: Array = state("element", initial=0),
    *,
    learning_rate: Array = RATE,
    beta_2_decay: Array = BETA_2_DECAY,
    epsilon_1: Array = EPSILON_1,
    epsilon_2: Array = EPSILON_2,
    clip_threshold: Array = CLIP_THRESHOLD,
    relative_step: bool = SLOWING,
    weight_decay: Array = WEIGHT,
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adafactor for a vector, whose squares are remembered whole. Shazeer and Stern 2018, algorithm 5."""
    squares = gradient * gradient
    if dialect["epsilon"] == "inside":
        squares = squares + epsilon_1
    second_moment = _mixed(second_moment, squares, beta_2_decay, step)
    update = _update(gradient, second_moment, epsilon_1, clip_threshold, dialect)
    variable = _stepped(variable, update, learning_rate, epsilon_2, weight_decay, step, dialect)
    return {"variable": variable, "second_moment": second_moment}


def _mixed(moment: Array, new: Array, beta_2_decay: Array, step: int) -> Array:
    """A moment with its share of the new squares; in the first step they are all of it."""
    if step == 1:
        return new
    share = np.power(float(step), beta_2_decay)
    return (1 - share) * moment + share * new


def _update(gradient: Array, estimate: Array, epsilon_1: Array, clip_threshold: Array, settings: Settings) -> Array:
    """The gradient by the root of its estimated squares, no larger than the threshold."""
    if settings["epsilon"] == "clamp":
        estimate = np.maximum(estimate, epsilon_1 * epsilon_1)
    update = gradient / np.sqrt(estimate)
    return update / np.maximum(1.0, _size(update) / clip_threshold)


def _stepped(
    variable: Array,
    update: Array,
    learning_rate: Array,
    epsilon_2: Array,
    weight_decay: Array,
    step: int,
    settings: Settings,
) -> Array:
    """The variable after a step in proportion to its size; obeys RELATIVE_STEP and DECAY."""
    rate = np.minimum(learning_rate, 1 / np.sqrt(float(step))) if settings["relative_step"] else learning_rate
    shrunk = variable
    if weight_decay:
        unscaled = settings["weight_decay"] == "unscaled"
        shrunk = variable - (weight_decay if unscaled else learning_rate * weight_decay) * variable
    measured = shrunk if settings["weight_decay"] == "first" else variable
    return shrunk - np.maximum(epsilon_2, _size(measured)) * rate * update


def _size(x: Array) -> Array:
    """The root of the mean square."""
    return np.sqrt(np.sum(x * x) / x.size)
