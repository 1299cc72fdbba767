"""Rearrangement: the elements of an image in another order, or several times, or summed where they overlap."""

from __future__ import annotations

import math

import autograd.numpy as np
import numpy

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import PADDING_SIDE, Settings
from conformance.operations.windows import Reach, gathered, inside, per_axis, sliding

CHANNEL_ORDER = Knob(
    "channel_order",
    {
        "channel_first": "a row holds the whole patch of the first channel, then that of the next",
        "channel_last": "a row holds all channels of the patch's first element, then those of the next",
    },
    default="channel_first",
)
BLOCK_ORDER = Knob(
    "order",
    {
        "DCR": "depth, column, row: the block is the major part of a channel's number",
        "CRD": "column, row, depth: the block is its minor part",
    },
    default="DCR",
)

KERNEL_SIZE = parameter(2, "how far a patch reaches, one number or one per spatial axis", minimum=1, many=True)
PATCH_PADS = parameter(
    0, "how many zeros stand on either side, one number or one per spatial axis", minimum=0, many=True
)
PATCH_DILATION = parameter(
    1, "the step between two elements of a patch, one number or one per spatial axis", minimum=1, many=True
)
BLOCK_SIZE = parameter(2, "the height and width of a block", minimum=1)
ORDER = parameter("DCR", "how blocks and channels share the input's channels", choices=("DCR", "CRD"), own_default=True)


@operation(
    formula=r"Y_{(h w)(c i j)} = x_{(s h + d i - p)(s w + d j - p) c}",
    source="https://inria.hal.science/inria-00112631",
    example=Example(
        {"x": [[[[1], [2], [3], [4]], [[5], [6], [7], [8]]]]},
        {"y": [[[1, 2, 5, 6], [2, 3, 6, 7], [3, 4, 7, 8]]]},
        {"strides": 1},
    ),
    knobs=(CHANNEL_ORDER, PADDING_SIDE),
)
def unfold(
    x: Array = input("batch *space channel"),
    *,
    kernel_size: int = KERNEL_SIZE,
    strides: int = parameter(
        1, "the step between two patches, one number or one per spatial axis", minimum=1, many=True, own_default=True
    ),
    padding: str = parameter(
        "valid", "valid: none; same: as many patches as inputs / strides", choices=("valid", "same")
    ),
    pads: int = PATCH_PADS,
    dilation: int = PATCH_DILATION,
    dialect: Settings,
) -> dict[str, Array]:
    """Every patch that a kernel would see, as a row of a matrix (im2col). Chellapilla, Puri and Simard 2006, figure 2.

    The result is ``[batch, place, channel and tap]``, the places in row-major order.
    """
    reaches = _reaches(x.shape[1:-1], kernel_size, strides, pads, dilation, padding, dialect)
    patches = np.where(inside(reaches), gathered(x, reaches), 0.0)
    *places, taps, channel = patches.shape[1:]
    patches = np.reshape(patches, (x.shape[0], math.prod(places), taps, channel))
    if dialect["channel_order"] == "channel_first":
        patches = np.swapaxes(patches, 2, 3)
    return {"y": np.reshape(patches, (x.shape[0], math.prod(places), taps * channel))}


@operation(
    formula=r"y_{abc} = \sum_{s h + d i - p = a, \; s w + d j - p = b} X_{(h w)(c i j)}",
    source="https://onnx.ai/onnx/operators/onnx__Col2Im.html",
    example=Example(
        {"x": [[[1, 2, 3, 4], [10, 20, 30, 40], [0, 1, 0, 1]]]},
        {"y": [[[[1], [12], [20], [1]], [[3], [34], [40], [1]]]]},
        {"output_size": [2, 4], "strides": 1},
    ),
    knobs=(CHANNEL_ORDER,),
)
def fold(
    x: Array = input("batch place depth"),
    *,
    output_size: int = parameter(1, "the spatial sizes of the result", minimum=1, many=True),
    kernel_size: int = KERNEL_SIZE,
    strides: int = parameter(
        1, "the step between two patches, one number or one per spatial axis", minimum=1, many=True
    ),
    pads: int = PATCH_PADS,
    dilation: int = PATCH_DILATION,
    dialect: Settings,
) -> dict[str, Array]:
    """The sum of all patches, each at its place (col2im). ONNX operator Col2Im: the transpose of `unfold`."""
    sizes = (output_size,) if isinstance(output_size, int) else tuple(output_size)
    reaches = _reaches(sizes, kernel_size, strides, pads, dilation, "valid", {"padding_side": "right"})
    places = [each.positions.shape[0] for each in reaches]
    taps = [each.positions.shape[1] for each in reaches]
    batch, rows, depth = x.shape
    if rows != math.prod(places) or depth % math.prod(taps):
        raise Undefined(f"{rows} rows of {depth} do not fit {math.prod(places)} places of {math.prod(taps)} elements")
    channel, rank = depth // math.prod(taps), len(sizes)
    if dialect["channel_order"] == "channel_first":
        x = np.swapaxes(np.reshape(x, (batch, rows, channel, math.prod(taps))), 2, 3)
    x = np.reshape(x, (batch, *places, *taps, channel))
    pairs = [axis for each in range(rank) for axis in (1 + each, 1 + rank + each)]  # each place beside its taps
    x = np.transpose(x, (0, *pairs, 1 + 2 * rank))
    x = np.reshape(x, (batch, *(place * tap for place, tap in zip(places, taps, strict=True)), channel))
    met = [_meeting(each) for each in reaches]
    return {"y": np.sum(np.where(inside(met), gathered(x, met), 0.0), axis=-2)}


def _meeting(reach: Reach) -> Reach:
    """Which places and taps meet at each position: the table of the transpose, filled up with what lies outside."""
    flat = numpy.ravel(reach.positions)
    meeting = [numpy.flatnonzero(flat == position) for position in range(reach.size)]
    table = numpy.full((reach.size, max(map(len, meeting))), flat.size)
    for position, each in enumerate(meeting):
        table[position, : len(each)] = each
    return Reach(table, flat.size, flat.size)


def _reaches(
    sizes: tuple[int, ...],
    kernel_size: int,
    strides: int,
    pads: int,
    dilation: int,
    padding: str,
    settings: Settings,
) -> list[Reach]:
    rank = len(sizes)
    if not rank:
        raise Undefined("there is no spatial axis")
    return sliding(
        sizes,
        per_axis("kernel_size", kernel_size, rank),
        per_axis("strides", strides, rank),
        gaps=per_axis("dilation", dilation, rank),
        padding=padding,
        pads=per_axis("pads", pads, rank),
        settings=settings,
    )


@operation(
    formula=r"y_{hwc} = x_{\lfloor h/r \rfloor \lfloor w/r \rfloor (C r (h \bmod r) + C (w \bmod r) + c)}",
    source="https://arxiv.org/abs/1609.05158",
    example=Example(
        {"x": [[[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]]]},
        {"y": [[[[0], [1], [10], [11], [20], [21]], [[2], [3], [12], [13], [22], [23]]]]},
    ),
    knobs=(BLOCK_ORDER,),
)
def pixel_shuffle(
    x: Array = input("batch height width channel"),
    *,
    block_size: int = BLOCK_SIZE,
    order: str = ORDER,
    dialect: Settings,
) -> dict[str, Array]:
    """Each element's channels become a block of pixels (depth to space). Shi et al. 2016, equation 4."""
    batch, height, width, depth = x.shape
    if depth % block_size**2:
        raise Undefined(f"{depth} channels do not fit blocks of {block_size} x {block_size}")
    channel = depth // block_size**2
    if dialect["order"] == "DCR":
        x = np.reshape(x, (batch, height, width, block_size, block_size, channel))
    else:
        x = np.reshape(x, (batch, height, width, channel, block_size, block_size))
        x = np.moveaxis(x, 3, 5)
    return {"y": np.reshape(np.swapaxes(x, 2, 3), (batch, height * block_size, width * block_size, channel))}


@operation(
    formula=r"y_{hw(C r i + C j + c)} = x_{(r h + i)(r w + j) c}",
    source="https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html",
    example=Example(
        {"x": [[[[0], [1], [10], [11], [20], [21]], [[2], [3], [12], [13], [22], [23]]]]},
        {"y": [[[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]]]},
    ),
    knobs=(BLOCK_ORDER,),
)
def pixel_unshuffle(
    x: Array = input("batch height width channel"),
    *,
    block_size: int = BLOCK_SIZE,
    order: str = ORDER,
    dialect: Settings,
) -> dict[str, Array]:
    """Each block of pixels becomes one element's channels (space to depth): the inverse of `pixel_shuffle`."""
    batch, height, width, channel = x.shape
    if height % block_size or width % block_size:
        raise Undefined(f"{height} x {width} pixels do not fit blocks of {block_size} x {block_size}")
    rows, columns = height // block_size, width // block_size
    x = np.swapaxes(np.reshape(x, (batch, rows, block_size, columns, block_size, channel)), 2, 3)
    if dialect["order"] == "CRD":
        x = np.moveaxis(x, 5, 3)
    return {"y": np.reshape(x, (batch, rows, columns, channel * block_size**2))}
