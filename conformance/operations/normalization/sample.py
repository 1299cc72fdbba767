"""Normalization of each sample by statistics of its own."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter, state, weight
from conformance.operations.choices import (
    EPSILON,
    NORM_EPSILON,
    VARIANCE,
    VARIANCE_CORRECTION,
    Settings,
    deviation,
    mean,
    moments,
)
from conformance.operations.normalization.knobs import CENTERING, MOMENTUM, along, moved, scaled

MEAN_VARIANCE_EPSILON = NORM_EPSILON.without("floor_inside", "zero").published("inside")


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
    centering: str = parameter("both", "none: by the root mean square, as is", choices=("both", "none")),
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize the features of each sample by their own mean and variance, in training and prediction alike.

    Ba, Kiros and Hinton 2016, equation 3; epsilon as in batch normalization.  With ``centering: none`` it is the root
    mean square normalization of Zhang and Sennrich 2019, for those who write it as an option of this one.
    """
    features = sorted(chosen_axes(axis, x.ndim))
    shape = [x.shape[each] if each in features else 1 for each in range(x.ndim)]
    average, variance = moments(x, features, dialect)
    if dialect["centering"] == "none":
        variance = variance + average * average
    y = (x - average if dialect["centering"] == "both" else x) / deviation(variance, epsilon, dialect)
    y = y * np.reshape(gamma, shape) if scale else y
    y = y + np.reshape(beta, shape) if center else y
    return {"y": y}


GAMMA = Knob(
    "gamma",
    {"factor": "y is multiplied by gamma", "excess": "by 1 + gamma: weights that start at 0 (Gemma)"},
    default="factor",
)


@operation(
    formula=r"y = \gamma \frac{x}{\sqrt{\frac{1}{n} \sum_{i} x_{i}^2 + \epsilon}}",
    source="https://arxiv.org/abs/1910.07467",
    example=Example(  # the mean of the squares is 9
        {"x": [[1, 5, 1, 3], [3, -3, 3, -3]]},
        {"y": [[0.25, 2.5, 0.125, 3], [0.75, -1.5, 0.375, -3]]},
        {"epsilon": 7.0},
        {"gamma": [1, 2, 0.5, 4]},
        target=[[0, 1, 0, 1], [1, 0, 0, 1]],
    ),
    knobs=(CENTERING.published("none"), EPSILON, GAMMA),
)
def rms_normalization(
    x: Array = input("feature@axis"),
    gamma: Array = weight("feature", initial=1, when="scale"),
    *,
    axis: int = parameter(-1, "the axis, or axes, whose elements are normalized together", many=True),
    epsilon: Array = parameter(1e-6, "added to the mean of the squares", minimum=0, own_default=True),
    scale: bool = parameter(True, "multiply by gamma"),
    dialect: Settings,
) -> dict[str, Array]:
    """Divide the features of each sample by their root mean square.

    Zhang and Sennrich 2019, equation 4; epsilon as everyone adds it, to the mean of the squares.
    """
    features = sorted(chosen_axes(axis, x.ndim))
    shape = [x.shape[each] if each in features else 1 for each in range(x.ndim)]
    if dialect["centering"] == "none":
        y = x / deviation(mean(x * x, features), epsilon, dialect)
    else:
        average, variance = moments(x, features, {"variance": "two_pass", "variance_correction": 0})
        y = (x - average if dialect["centering"] == "both" else x) / deviation(variance, epsilon, dialect)
    if not scale:
        return {"y": y}
    return {"y": y * (np.reshape(gamma, shape) + (1.0 if dialect["gamma"] == "excess" else 0.0))}


@operation(
    formula=r"y_{c} = \gamma_{c} \frac{x_{c} - \mu_{g(c)}}{\sqrt{\sigma_{g(c)}^2 + \epsilon}} + \beta_{c}",
    source="https://arxiv.org/abs/1803.08494",
    example=Example(  # the groups' means are 4 and 0, their variances 9 and 0
        {"x": [[[1, 7, 0, 0], [1, 7, 0, 0], [7, 1, 0, 0]]]},
        {"y": [[[-0.75, 1.5, 1, 0], [-0.75, 1.5, 1, 0], [0.75, -1.5, 1, 0]]]},
        {"epsilon": 7.0, "groups": 2},
        {"gamma": [1, 2, 1, 1], "beta": [0, 0, 1, 0]},
        target=[[[0, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1]]],
    ),
    knobs=(VARIANCE_CORRECTION, EPSILON.without("squared"), VARIANCE),
)
def group_normalization(
    x: Array = input("batch *space channel"),
    gamma: Array = weight("channel", initial=1, when="scale"),
    beta: Array = weight("channel", initial=0, when="center"),
    *,
    groups: int = parameter(32, "how many groups of adjacent channels", minimum=1, own_default=True),
    epsilon: Array = parameter(1e-5, "added to the variance", minimum=0, own_default=True),
    center: bool = parameter(True, "add beta"),
    scale: bool = parameter(True, "multiply by gamma"),
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize the channels of a group, at all places of a sample, by their own mean and variance.

    Wu and He 2018, equations 1, 2, 6 and 7; gamma and beta for each channel.
    """
    channels = x.shape[-1]
    if channels % groups:
        raise Undefined(f"{channels} channels cannot be parted into {groups} equal groups")
    shape = [1, 1, groups, channels // groups]
    parted = np.reshape(x, (x.shape[0], math.prod(x.shape[1:-1]), *shape[2:]))
    average, variance = moments(parted, (1, 3), dialect)
    y = scaled(parted, average, variance, along(gamma, shape), along(beta, shape), epsilon, dialect)
    return {"y": np.reshape(y, x.shape)}


@operation(
    formula=r"y_{nc} = \gamma_{c} \frac{x_{nc} - \mu_{nc}}{\sqrt{\sigma_{nc}^2 + \epsilon}} + \beta_{c}",
    source="https://arxiv.org/abs/1607.08022",
    example=Example(
        {"x": [[[1, 0, 2], [7, 0, 2], [1, 0, 8], [7, 0, 8]]]},
        {"y": [[[-0.75, 1, -1.5], [0.75, 1, -1.5], [-0.75, 1, 1.5], [0.75, 1, 1.5]]]},
        {"epsilon": 7.0},
        {"gamma": [1, 1, 2], "beta": [0, 1, 0]},
        target=[[[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]]],
    ),
    knobs=(VARIANCE_CORRECTION, EPSILON.without("squared"), MOMENTUM.without("cumulative"), VARIANCE),
)
def instance_normalization(
    x: Array = input("batch *space channel"),
    gamma: Array = weight("channel", initial=1, when="scale"),
    beta: Array = weight("channel", initial=0, when="center"),
    moving_mean: Array = state("channel", initial=0, when="track_statistics"),
    moving_variance: Array = state("channel", initial=1, when="track_statistics"),
    *,
    epsilon: Array = parameter(1e-5, "added to the variance", minimum=0, own_default=True),
    momentum: Array = parameter(0.9, "the weight of the old moving statistics", minimum=0, own_default=True),
    center: bool = parameter(True, "add beta"),
    scale: bool = parameter(True, "multiply by gamma"),
    track_statistics: bool = parameter(False, "keep moving statistics, and predict with them"),
    training: bool,
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Normalize each channel of each sample by its own mean and variance over space.

    Ulyanov, Vedaldi and Lempitsky 2016, equation 5.  Moving statistics, for those who ask for them, learn the mean
    over the batch of what the samples were normalized by.
    """
    if x.ndim < 3:
        raise Undefined("instance normalization needs an axis of space between batch and channel")
    space, shape = range(1, x.ndim - 1), [-1 if each == x.ndim - 1 else 1 for each in range(x.ndim)]
    if training or not track_statistics:
        average, variance = moments(x, space, dialect)
    else:
        average, variance = np.reshape(moving_mean, shape), np.reshape(moving_variance, shape)
    y = scaled(x, average, variance, along(gamma, shape), along(beta, shape), epsilon, dialect)
    if not training or not track_statistics:
        return {"y": y}
    batch = range(x.ndim - 1)
    new_mean, new_variance = (np.reshape(mean(each, batch), (-1,)) for each in (average, variance))
    return {
        "y": y,
        "moving_mean": moved(moving_mean, new_mean, momentum, step, dialect),
        "moving_variance": moved(moving_variance, new_variance, momentum, step, dialect),
    }


@operation(
    formula=r"y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}",
    source="https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html",
    example=Example(
        {"x": [[[1, 0, 2], [7, 0, 2]], [[1, 0, 8], [7, 0, 8]]]},
        {"y": [[[-0.75, 0, -0.75], [0.75, 0, -0.75]], [[-0.75, 0, 0.75], [0.75, 0, 0.75]]]},
        {"epsilon": 7.0, "axis": [0, 1]},
    ),
    knobs=(VARIANCE_CORRECTION, MEAN_VARIANCE_EPSILON, VARIANCE),
)
def mean_variance_normalization(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis, or axes, normalized together", many=True, own_default=True),
    epsilon: Array = parameter(1e-5, "added to the variance", minimum=0, own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """Take off the mean and divide by the standard deviation, without weights.

    ONNX MeanVarianceNormalization; epsilon as in batch normalization.
    """
    average, variance = moments(x, chosen_axes(axis, x.ndim), dialect)
    return {"y": (x - average) / deviation(variance, epsilon, dialect)}
