"""Choices that several optimizers share, with the code that obeys them."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Knob
from conformance.operations.choices import Settings

LEARNING_RATE = Knob(
    "learning_rate",
    {
        "inside": "the velocity collects learning_rate * gradient",
        "outside": "the velocity collects the gradient, and the step multiplies it by learning_rate: "
        "the same until the learning rate changes",
    },
    default="inside",
)
EPSILON = Knob(
    "epsilon",
    {"inside": "added to the squares, inside the root", "outside": "added to the root"},
    default="inside",
)
ADAM_EPSILON = Knob(
    "epsilon",
    {
        "after_correction": "added to the root of the corrected second moment",
        "hat": "added to the root of the uncorrected second moment (the paper's epsilon-hat)",
        "inside": "added to the corrected second moment, inside the root",
    },
    default="after_correction",
)
CORRECTION = Knob(
    "correction",
    {
        "every_step": "the bias of the moments is corrected for as many steps as were taken, this one included",
        "late": "for the steps before this one: not at all in the first step, and one step late from then on",
        "before_maximum": "every step, and the second moment before its maximum is taken",
        "after_epsilon": "every step, and the second moment after epsilon was added to its root (epsilon-hat)",
        "none": "the moments are used as they are",
    },
    default="every_step",
)


def decayed(
    variable: Array, gradient: Array, learning_rate: Array, weight_decay: Array, settings: Settings
) -> tuple[Array, Array]:
    """The variable and the gradient that a step starts from; obeys WEIGHT_DECAY."""
    if not weight_decay:
        return variable, gradient
    match settings["weight_decay"]:
        case "l2":
            return variable, gradient + weight_decay * variable
        case "decoupled":
            return variable - learning_rate * weight_decay * variable, gradient
        case _:
            return variable - weight_decay * variable, gradient


def root(squares: Array, epsilon: Array, settings: Settings) -> Array:
    """What a gradient is divided by; obeys EPSILON."""
    return np.sqrt(squares + epsilon) if settings["epsilon"] == "inside" else np.sqrt(squares) + epsilon


def moments(
    first_moment: Array, second_moment: Array, gradient: Array, beta_1: Array, beta_2: Array
) -> tuple[Array, Array]:
    """The running means of the gradient and of its square, one step on."""
    return (
        beta_1 * first_moment + (1 - beta_1) * gradient,
        beta_2 * second_moment + (1 - beta_2) * (gradient * gradient),
    )


def direction(
    first_moment: Array, second_moment: Array, first: Array, second: Array, epsilon: Array, settings: Settings
) -> Array:
    """Adam's step before the learning rate, ``first`` and ``second`` being what corrects the moments' bias; obeys
    ADAM_EPSILON.
    """
    match settings["epsilon"]:
        case "after_correction":
            return (first_moment / first) / (np.sqrt(second_moment / second) + epsilon)
        case "hat":
            return (np.sqrt(second) / first) * first_moment / (np.sqrt(second_moment) + epsilon)
        case _:
            return (first_moment / first) / np.sqrt(second_moment / second + epsilon)
