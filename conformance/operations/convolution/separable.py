"""Convolution channel by channel, and what mixes the channels afterwards."""

from __future__ import annotations

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, PADDING_SIDE, Settings
from conformance.operations.convolution.correlation import (
    BIAS,
    DILATION,
    PADDING,
    STRIDES,
    Numbers,
    convolved,
    correlated,
    oriented,
)

CHANNEL_ORDER = Knob(
    "channel_order",
    {
        "channel": "all results of one channel stand together: channel * multiplier + m",
        "multiplier": "the first results of all channels stand together: m * channels + channel",
    },
    default="channel",
)


@operation(
    formula=r"y_{hw(c M + m)} = \sum_{i,j} x_{(s h + d i)(s w + d j) c} K_{ijcm} + b_{c M + m}",
    source="https://arxiv.org/abs/1704.04861",
    example=Example(
        {"x": [[[[1, 2], [2, 0], [3, 1]]]]},
        {"y": [[[[21.5, 1, 4, 6, 2, 0], [32.5, 2, 8, 0, 0, 0]]]]},
        tensors={
            "kernel": [[[[1, 1, 4], [3, 1, 0]], [[10, 0, 0], [0, 0, 0]]]],
            "bias": [0.5, 0, 0, 0, 0, 0],
        },
        target=[[[[21.5, 0, 4, 6, 2, 0], [32.5, 2, 8, 0, 0, 1]]]],
    ),
    knobs=(PADDING_SIDE, KERNEL, CHANNEL_ORDER),
)
def depthwise_conv2d(
    x: Array = input("batch height width channel"),
    kernel: Array = weight("kernel_height kernel_width channel multiplier"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", PADDING, choices=("valid", "same")),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Cross-correlate each channel with kernels of its own. Howard et al. 2017 (MobileNets), equation 3."""
    y = _depthwise(x, kernel, strides, padding, dilation, dialect)
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{hwo} = \sum_{c,m} P_{(c M + m) o} \sum_{i,j} x_{(s h + d i)(s w + d j) c} D_{ijcm} + b_{o}",
    source="https://arxiv.org/abs/1704.04861",
    example=Example(
        {"x": [[[[1, 2], [2, 0], [3, 1]]]]},
        {"y": [[[[33.5, 1, 1], [32.5, 2, 1]]]]},
        tensors={
            "depthwise_kernel": [[[[1, 1, 4], [3, 1, 0]], [[10, 0, 0], [0, 0, 0]]]],
            "pointwise_kernel": [[[[1, 0, 0], [0, 1, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0], [0, 0, 1]]]],
            "bias": [0.5, 0, 1],
        },
        target=[[[[33.5, 0, 1], [30.5, 2, 1]]]],
    ),
    knobs=(PADDING_SIDE, KERNEL, CHANNEL_ORDER),
)
def separable_conv2d(
    x: Array = input("batch height width channel"),
    depthwise_kernel: Array = weight("kernel_height kernel_width channel multiplier"),
    pointwise_kernel: Array = weight("point_height point_width product filter"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", PADDING, choices=("valid", "same")),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Filter each channel apart, then mix the channels at each place. Howard et al. 2017 (MobileNets), section 3.1."""
    apart = _depthwise(x, depthwise_kernel, strides, padding, dilation, dialect)
    if pointwise_kernel.shape[:3] != (1, 1, apart.shape[3]):
        raise Undefined(
            f"the pointwise kernel has the shape {list(pointwise_kernel.shape)}, expected [1, 1, {apart.shape[3]}, ...]"
        )
    y = correlated(apart, pointwise_kernel, (1, 1), (1, 1), groups=1)
    return {"y": y + bias if use_bias else y}


def _depthwise(x: Array, kernel: Array, strides: Numbers, padding: str, dilation: Numbers, settings: Settings) -> Array:
    height, width, channels, multiplier = kernel.shape
    grouped = np.reshape(oriented(kernel, settings), (height, width, 1, channels * multiplier))
    y = convolved(x, grouped, strides, padding, dilation, channels, {**settings, "kernel": "given"})
    if settings["channel_order"] == "multiplier":
        y = np.reshape(np.swapaxes(np.reshape(y, (*y.shape[:3], channels, multiplier)), 3, 4), y.shape)
    return y
