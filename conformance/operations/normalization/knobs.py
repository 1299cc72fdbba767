"""Choices that several normalizations share: each knob stands beside the code that obeys it."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Knob
from conformance.operations.choices import Settings, deviation

STATISTICS = Knob(
    "statistics",
    {
        "moving": "the batch's in training, the moving ones in prediction",
        "batch": "the batch's, in prediction too",
        "frozen": "the moving ones, in training too, where they stay as they are",
    },
    default="moving",
)
MOMENTUM = Knob(
    "momentum",
    {
        "moving": "the weight of the old moving value: m * moving + (1 - m) * batch",
        "batch": "the weight of the new batch value: (1 - m) * moving + m * batch",
        "cumulative": "not used: the moving value is the mean over all batches so far",
    },
    default="moving",
)
EVALUATION = Knob(
    "evaluation",
    {
        "direct": "gamma * (x - mean) / sqrt(variance + epsilon) + beta",
        "folded": "x * scale + shift with shift = beta - mean * scale: cancels where |mean| is large",
    },
    default="direct",
    algorithmic=True,
)
CENTERING = Knob(
    "centering",
    {
        "both": "numerator and variance are taken about the mean",
        "variance": "only the variance is: x / sqrt(variance)",
        "none": "neither is: x / sqrt(mean of x^2), root mean square normalization",
    },
    default="both",
)


def scaled(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: Array,
    settings: Settings,
) -> Array:
    """``gamma * (x - mean) / deviation + beta``; a gamma or beta of None is left out; obeys EVALUATION, if there is
    that choice."""
    factor = 1.0 / deviation(variance, epsilon, settings)
    if settings.get("evaluation") == "folded":
        factor = factor if gamma is None else factor * gamma
        return x * factor + ((0.0 if beta is None else beta) - mean * factor)
    y = (x - mean) * factor
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def moved(old: Array, new: Array, momentum: Array, step: int, settings: Settings) -> Array:
    """A moving statistic after a step; obeys MOMENTUM."""
    match settings["momentum"]:
        case "moving":
            return momentum * old + (1 - momentum) * new
        case "batch":
            return (1 - momentum) * old + momentum * new
        case _:
            return old + (new - old) / step


def along(vector: Array | None, shape: list[int]) -> Array | None:
    """A vector of weights in a shape that broadcasts; None stays None."""
    return None if vector is None else np.reshape(vector, shape)
