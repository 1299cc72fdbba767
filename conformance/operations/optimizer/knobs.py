"""Choices that several optimizers share."""

from __future__ import annotations

from conformance.operation import Knob

LEARNING_RATE = Knob(
    "learning_rate",
    {
        "inside": "the velocity collects learning_rate * gradient",
        "outside": "the velocity collects the gradient, and the step multiplies it by learning_rate: "
        "the same until the learning rate changes",
    },
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
    },
    default="every_step",
)
