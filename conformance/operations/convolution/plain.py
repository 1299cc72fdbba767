"""Convolution as deep learning means it: the kernel is not reversed."""

from __future__ import annotations

from conformance.operation import Array, Example, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, PADDING_SIDE, Settings
from conformance.operations.convolution.correlation import BIAS, DILATION, GROUPS, PADDING, STRIDES, convolved

_CAUSAL = f"{PADDING}; causal: all of it at the beginning, so that no output depends on later inputs"


@operation(
    formula=r"y_{to} = \sum_{i,c} x_{(s t + d i) c} K_{ico} + b_{o}",
    source="https://www.deeplearningbook.org/contents/convnets.html",
    example=Example(
        {"x": [[[1], [2], [3]]]},
        {"y": [[[21.5, 1], [32.5, 1]]]},
        tensors={"kernel": [[[1, 0]], [[10, 0]]], "bias": [0.5, 1]},
        target=[[[21.5, 0], [30.5, 1]]],
    ),
    knobs=(PADDING_SIDE, KERNEL.without("transposed")),
)
def conv1d(
    x: Array = input("batch length channel"),
    kernel: Array = weight("kernel_length group_channel filter"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", _CAUSAL, choices=("valid", "same", "causal")),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    groups: int = parameter(1, GROUPS, minimum=1),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Cross-correlate each signal with every filter. Goodfellow, Bengio and Courville 2016, section 9.1.

    'same' as in `conv2d`; 'causal' as in van den Oord et al. 2016 (WaveNet), section 2.1.
    """
    y = convolved(x, kernel, strides, padding, dilation, groups, dialect)
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{hwo} = \sum_{i,j,c} x_{(s h + d i)(s w + d j) c} K_{ijco} + b_{o}",
    source="https://www.deeplearningbook.org/contents/convnets.html",
    example=Example(
        {"x": [[[[1], [2], [3]], [[4], [5], [6]]]]},
        {"y": [[[[21.5, 1], [32.5, 1]], [[54.5, 1], [65.5, 1]]]]},
        tensors={"kernel": [[[[1, 0]], [[10, 0]]]], "bias": [0.5, 1]},
        target=[[[[21.5, 0], [32.5, 1]], [[54.5, 1], [63.5, 1]]]],
    ),
    knobs=(PADDING_SIDE, KERNEL),
)
def conv2d(
    x: Array = input("batch height width channel"),
    kernel: Array = weight("kernel_height kernel_width group_channel filter"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", PADDING, choices=("valid", "same")),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    groups: int = parameter(1, GROUPS, minimum=1),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Cross-correlate each image with every filter. Goodfellow, Bengio and Courville 2016, equation 9.6.

    'same' pads so that ceil(input / strides) outputs result, an odd one at the end (TensorFlow's SAME).
    """
    y = convolved(x, kernel, strides, padding, dilation, groups, dialect)
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{dhwo} = \sum_{i,j,k,c} x_{(s d + r i)(s h + r j)(s w + r k) c} K_{ijkco} + b_{o}",
    source="https://www.deeplearningbook.org/contents/convnets.html",
    example=Example(
        {"x": [[[[[1], [2], [3]]], [[[4], [5], [6]]]]]},
        {"y": [[[[[421.5, 1], [532.5, 1]]]]]},
        tensors={"kernel": [[[[[1, 0]], [[10, 0]]]], [[[[100, 0]], [[0, 0]]]]], "bias": [0.5, 1]},
        target=[[[[[421.5, 0], [530.5, 1]]]]],
    ),
    knobs=(PADDING_SIDE, KERNEL.without("transposed")),
)
def conv3d(
    x: Array = input("batch depth height width channel"),
    kernel: Array = weight("kernel_depth kernel_height kernel_width group_channel filter"),
    bias: Array = weight("filter", initial=0, when="use_bias"),
    *,
    strides: int = parameter(1, STRIDES, minimum=1, many=True),
    padding: str = parameter("valid", PADDING, choices=("valid", "same")),
    dilation: int = parameter(1, DILATION, minimum=1, many=True),
    groups: int = parameter(1, GROUPS, minimum=1),
    use_bias: bool = parameter(True, BIAS),
    dialect: Settings,
) -> dict[str, Array]:
    """Cross-correlate each volume with every filter: `conv2d` with one axis more."""
    y = convolved(x, kernel, strides, padding, dilation, groups, dialect)
    return {"y": y + bias if use_bias else y}
