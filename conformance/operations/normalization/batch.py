"""Normalization by statistics of a batch."""

from __future__ import annotations

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, chosen_axes, input, operation, parameter, state, weight
from conformance.operations.choices import EPSILON, VARIANCE, VARIANCE_CORRECTION, Settings, moments
from conformance.operations.normalization.knobs import EVALUATION, MOMENTUM, STATISTICS, along, moved, scaled


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
    moving_mean: Array = state("channel", initial=0, when="track_statistics"),
    moving_variance: Array = state("channel", initial=1, when="track_statistics"),
    *,
    axis: int = parameter(-1, "the axis that keeps statistics of its own"),
    epsilon: Array = parameter(1e-3, "added to the variance", minimum=0, own_default=True),
    momentum: Array = parameter(0.99, "the weight of the old moving statistics", minimum=0, own_default=True),
    center: bool = parameter(True, "add beta"),
    scale: bool = parameter(True, "multiply by gamma"),
    statistics: str = parameter("moving", "frozen: train with the moving statistics", choices=("moving", "frozen")),
    track_statistics: bool = parameter(True, "keep moving statistics; without, prediction uses the batch's as well"),
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

    whose = dialect["statistics"]
    if not track_statistics:
        if statistics == "frozen":
            raise Undefined("statistics that are not tracked cannot be frozen")
        whose = "batch"
    if whose == "batch" or (training and whose == "moving"):
        mean, variance = moments(x, others, dialect)
    else:
        mean, variance = np.reshape(moving_mean, shape), np.reshape(moving_variance, shape)
    y = scaled(x, mean, variance, along(gamma, shape), along(beta, shape), epsilon, dialect)
    if not training or not track_statistics:
        return {"y": y}
    if whose == "frozen":
        return {"y": y, "moving_mean": moving_mean, "moving_variance": moving_variance}
    mean, variance = np.reshape(mean, (-1,)), np.reshape(variance, (-1,))
    return {
        "y": y,
        "moving_mean": moved(moving_mean, mean, momentum, step, dialect),
        "moving_variance": moved(moving_variance, variance, momentum, step, dialect),
    }
