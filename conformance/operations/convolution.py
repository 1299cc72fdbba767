"""Convolution: one small kernel, applied at every place of an image."""

from __future__ import annotations

import autograd.numpy as np

from conformance.arithmetic.gradient import contract
from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, Settings

PADDING_SIDE = Knob(
    "padding_side",
    {
        "right": "'same' padding that cannot be split evenly goes to the end (SAME_UPPER)",
        "left": "it goes to the beginning (SAME_LOWER)",
        "symmetric": "dilation * (kernel - 1) // 2 on either side, whatever the strides: the usual port",
    },
    default="right",
)


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
    strides: int = parameter(1, "the step between two places of the kernel, one number or two", minimum=1, many=True),
    padding: str = parameter(
        "valid", "valid: none; same: as many outputs as inputs / strides", choices=("valid", "same")
    ),
    dilation: int = parameter(1, "the step between two taps of the kernel, one number or two", minimum=1, many=True),
    groups: int = parameter(1, "how many groups of channels are convolved apart", minimum=1),
    use_bias: bool = parameter(True, "add the bias"),
    dialect: Settings,
) -> dict[str, Array]:
    """Cross-correlate each sample with every filter. Goodfellow, Bengio and Courville 2016, equation 9.6.

    'same' pads so that ceil(input / strides) outputs result, an odd one at the end (TensorFlow's SAME).
    """
    kernel = _kernel(kernel, str(dialect["kernel"]))
    taps, channels, filters = kernel.shape[:2], kernel.shape[2], kernel.shape[3]
    if x.shape[3] != channels * groups or filters % groups:
        raise Undefined(
            f"{x.shape[3]} channels and {filters} filters do not fit {groups} groups of {channels} channels"
        )
    steps, spread = _two(strides), _two(dilation)
    reach = [(tap - 1) * gap + 1 for tap, gap in zip(taps, spread, strict=True)]
    if padding == "same":
        around = [
            _same(size, width, step, str(dialect["padding_side"]))
            for size, width, step in zip(x.shape[1:3], reach, steps, strict=True)
        ]
        x = np.pad(x, [(0, 0), *around, (0, 0)], mode="constant")
    places = [(size - width) // step + 1 for size, width, step in zip(x.shape[1:3], reach, steps, strict=True)]
    if min(places) < 1:
        raise Undefined(f"the kernel reaches over {reach}, more than its input of {list(x.shape[1:3])}")
    rows, columns = (
        step * np.arange(place)[:, None] + gap * np.arange(tap)[None, :]
        for place, tap, step, gap in zip(places, taps, steps, spread, strict=True)
    )
    windows = x[:, rows[:, None, :, None], columns[None, :, None, :], :]  # batch, place, place, tap, tap, channel
    windows = np.reshape(windows, (*windows.shape[:5], groups, channels))
    kernel = np.reshape(kernel, (*kernel.shape[:3], groups, filters // groups))
    y = contract("bhwijgc,ijcgo->bhwgo", windows, kernel)
    y = np.reshape(y, (*y.shape[:3], filters))
    return {"y": y + bias if use_bias else y}


def _two(one_or_two: int | tuple[int, ...]) -> tuple[int, int]:
    one, *rest = (one_or_two,) if isinstance(one_or_two, int) else one_or_two
    return one, (rest[0] if rest else one)


def _kernel(kernel: Array, setting: str) -> Array:
    if setting == "flipped":
        return kernel[::-1, ::-1]
    if setting == "transposed":
        if kernel.shape[0] != kernel.shape[1]:
            raise Undefined("only a square kernel can be used transposed")
        return np.swapaxes(kernel, 0, 1)
    return kernel


def _same(size: int, reach: int, step: int, side: str) -> tuple[int, int]:
    if side == "symmetric":
        return (reach - 1) // 2, (reach - 1) // 2
    total = max((-(-size // step) - 1) * step + reach - size, 0)
    less, more = total // 2, total - total // 2
    return (less, more) if side == "right" else (more, less)
