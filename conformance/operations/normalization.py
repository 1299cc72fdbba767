"""Normalization: an array less its mean, divided by its standard deviation."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter, state, weight
from conformance.operations.choices import (
    EPSILON,
    VARIANCE,
    VARIANCE_CORRECTION,
    Settings,
    deviation,
    moments,
)

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


@operation(
    formula=r"y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta",
    source="https://arxiv.org/abs/1502.03167",
    example=Example(  # these statistics divide by 1, 2 and 0.5
        {"x": [[1, 2, 0], [3, 6, 4]]},
        {"y": [[1, 0, 0], [5, 2, 8]]},
        {"epsilon": 0.25, "momentum": 0.5},
        {"gamma": [2, 1, 1], "beta": [1, 0, 0], "moving_mean": [1, 2, 0], "moving_variance": [0.75, 3.75, 0]},
    ),
    knobs=(STATISTICS, VARIANCE_CORRECTION, EPSILON, MOMENTUM, VARIANCE, EVALUATION),
)
def batch_normalization(
    x: Array = input("channel@axis"),
    gamma: Array = weight("channel", initial=1, when="scale"),
    beta: Array = weight("channel", initial=0, when="center"),
    moving_mean: Array = state("channel", initial=0),
    moving_variance: Array = state("channel", initial=1),
    *,
    axis: int = parameter(-1, "the axis that keeps statistics of its own"),
    epsilon: Array = parameter(1e-3, "added to the variance", minimum=0, own_default=True),
    momentum: Array = parameter(0.99, "the weight of the old moving statistics", minimum=0, own_default=True),
    center: bool = parameter(True, "add beta"),
    scale: bool = parameter(True, "multiply by gamma"),
    training: bool,
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize each channel by the batch's statistics in training, by learned ones in prediction.

    Ioffe and Szegedy 2015, algorithms 1 and 2.  The paper's inference uses the unbiased population variance; the
    moving average of the batch's own (biased) variance is what its algorithm 1 defines and what most frameworks
    learn, so ``variance_correction: 0`` is the default here and 1 a dialect.
    """
    (channel,) = chosen_axes(axis, x.ndim)
    others = [each for each in range(x.ndim) if each != channel]
    shape = [-1 if each == channel else 1 for each in range(x.ndim)]

    statistics = dialect["statistics"]
    if statistics == "batch" or (training and statistics == "moving"):
        mean, variance = moments(x, others, dialect)
    else:
        mean, variance = np.reshape(moving_mean, shape), np.reshape(moving_variance, shape)
    factor = 1.0 / deviation(variance, epsilon, dialect)
    if dialect["evaluation"] == "folded":
        factor = factor * np.reshape(gamma, shape) if scale else factor
        shift = (np.reshape(beta, shape) if center else 0.0) - mean * factor
        y = x * factor + shift
    else:
        y = (x - mean) * factor
        y = y * np.reshape(gamma, shape) if scale else y
        y = y + np.reshape(beta, shape) if center else y
    if not training:
        return {"y": y}
    if statistics == "frozen":
        return {"y": y, "moving_mean": moving_mean, "moving_variance": moving_variance}

    def moved(old: Array, new: Array) -> Array:
        new = np.reshape(new, (-1,))
        match dialect["momentum"]:
            case "moving":
                return momentum * old + (1 - momentum) * new
            case "batch":
                return (1 - momentum) * old + momentum * new
            case _:
                return old + (new - old) / step

    return {"y": y, "moving_mean": moved(moving_mean, mean), "moving_variance": moved(moving_variance, variance)}


@operation(
    formula=r"y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta",
    source="https://arxiv.org/abs/1607.06450",
    example=Example(
        {"x": [[1, 7, 1, 7]]},
        {"y": [[-0.75, 1.5, 0.25, 0.75]]},
        {"epsilon": 7.0},
        {"gamma": [1, 2, 1, 1], "beta": [0, 0, 1, 0]},
        target=[[0, 1, 0, 1]],
    ),
    knobs=(CENTERING, VARIANCE_CORRECTION, EPSILON, VARIANCE),
)
def layer_normalization(
    x: Array = input("feature@axis"),
    gamma: Array = weight("feature", initial=1, when="scale"),
    beta: Array = weight("feature", initial=0, when="center"),
    *,
    axis: int = parameter(-1, "the axis, or axes, whose elements are normalized together", many=True),
    epsilon: Array = parameter(1e-3, "added to the variance", minimum=0, own_default=True),
    center: bool = parameter(True, "add beta"),
    scale: bool = parameter(True, "multiply by gamma"),
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize the features of each sample by their own mean and variance, in training and prediction alike.

    Ba, Kiros and Hinton 2016, equation 3; epsilon as in batch normalization.
    """
    features = sorted(chosen_axes(axis, x.ndim))
    shape = [x.shape[each] if each in features else 1 for each in range(x.ndim)]
    mean, variance = moments(x, features, dialect)
    if dialect["centering"] == "none":
        variance = variance + mean * mean
    y = (x - mean if dialect["centering"] == "both" else x) / deviation(variance, epsilon, dialect)
    y = y * np.reshape(gamma, shape) if scale else y
    y = y + np.reshape(beta, shape) if center else y
    return {"y": y}
