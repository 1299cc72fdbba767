"""FTRL-proximal: the variable that would have been best so far, with a pull to 0 that makes many elements exactly 0."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import Settings

L2 = Knob("l2", {"once": "l2 enters the denominator as it is", "twice": "2 * l2 enters it"}, default="once")


@operation(
    formula=r"\sigma = \frac{\sqrt{n + g^2} - \sqrt{n}}{\alpha}, \quad z \leftarrow z + g - \sigma w, \quad "
    r"n \leftarrow n + g^2, \quad w \leftarrow \begin{cases} 0 & |z| \le \lambda_1 \\ "
    r"-\dfrac{z - \operatorname{sign}(z) \lambda_1}{(\beta + \sqrt{n}) / \alpha + \lambda_2} & \text{otherwise}"
    r"\end{cases}",
    source="https://research.google/pubs/ad-click-prediction-a-view-from-the-trenches/",
    example=Example(  # z is 4, 0.5 and -2: one of them is no more than l1
        {"gradient": [-4, 1, -2]},
        {"variable": [-0.375, 0, 0.25]},
        {"learning_rate": 0.5, "beta": 0.0, "l1": 1.0, "initial_accumulator": 0.0},
        {"variable": [-1, 0.25, 0], "accumulator": [0, 0, 0], "linear": [0, 0, 0]},
    ),
    knobs=(L2,),
    differentiable=False,
    results=(),
)
def ftrl(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    accumulator: Array = state("*shape", initial=0),
    linear: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "the paper's alpha", minimum=0, per_step=True, own_default=True),
    learning_rate_power: Array = parameter(-0.5, "minus the power of the accumulator that slows the steps"),
    beta: Array = parameter(1.0, "slows the first steps", minimum=0, own_default=True),
    l1: Array = parameter(0.0, "up to which sum of gradients an element is 0", minimum=0),
    l2: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    initial_accumulator: Array = parameter(0.0, "the accumulator before the first step", minimum=0, own_default=True),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Follow the regularized leader. McMahan et al. 2013, algorithm 1, whose learning_rate_power is -1/2.

    The accumulator that a case gives comes on top of the initial one.
    """
    before = accumulator + initial_accumulator if step == 1 else accumulator
    after = before + gradient * gradient
    slowed = _power(after, learning_rate_power)
    linear = linear + gradient - (slowed - _power(before, learning_rate_power)) / learning_rate * variable
    pull = 2 * l2 if dialect["l2"] == "twice" else l2
    reached = (np.sign(linear) * l1 - linear) / ((beta + slowed) / learning_rate + pull)
    return {
        "variable": np.where(np.abs(linear) > l1, reached, 0.0),
        "accumulator": after,
        "linear": linear,
    }


def _power(squares: Array, learning_rate_power: Array) -> Array:
    return np.sqrt(squares) if float(learning_rate_power) == -0.5 else np.power(squares, -learning_rate_power)
