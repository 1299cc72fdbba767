"""What all convolutions share, for any number of axes between batch and channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import autograd.numpy as np

from conformance.arithmetic.gradient import contract
from conformance.errors import Undefined
from conformance.operation import Array
from conformance.operations.choices import Settings, same_padding

Numbers: TypeAlias = int | Sequence[int]

STRIDES = "the step between two places of the kernel, one number or one per axis"
DILATION = "the step between two taps of the kernel, one number or one per axis"
GROUPS = "how many groups of channels are convolved apart"
PADDING = "valid: none; same: as many outputs as inputs / strides"
BIAS = "add the bias"


def convolved(
    x: Array, kernel: Array, strides: Numbers, padding: str, dilation: Numbers, groups: int, settings: Settings
) -> Array:
    """The cross-correlation of an input, padded, with a kernel as KERNEL turns it."""
    kernel = oriented(kernel, settings)
    steps, gaps = per_axis(strides, x.ndim - 2), per_axis(dilation, x.ndim - 2)
    reaches = spans(kernel, gaps)
    if padding == "causal":
        x = extended(x, [(reach - 1, 0) for reach in reaches])
    elif padding == "same":
        sizes = zip(x.shape[1:-1], reaches, steps, strict=True)
        x = extended(x, [same_padding(size, reach, step, settings) for size, reach, step in sizes])
    return correlated(x, kernel, steps, gaps, groups)


def correlated(x: Array, kernel: Array, steps: Sequence[int], gaps: Sequence[int], groups: int) -> Array:
    """The sum, at each place of the kernel, of what lies under its taps."""
    taps, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    if x.shape[-1] != channels * groups or filters % groups:
        raise Undefined(
            f"{x.shape[-1]} channels and {filters} filters do not fit {groups} groups of {channels} channels"
        )
    reaches, sizes = spans(kernel, gaps), x.shape[1:-1]
    places = [(size - reach) // step + 1 for size, reach, step in zip(sizes, reaches, steps, strict=True)]
    if min(places) < 1:
        raise Undefined(f"the kernel reaches over {reaches}, more than its input of {list(sizes)}")
    under = []
    for axis, (place, tap, step, gap) in enumerate(zip(places, taps, steps, gaps, strict=True)):
        shape = [1] * (2 * len(taps))
        shape[axis], shape[len(taps) + axis] = place, tap
        under.append(np.reshape(step * np.arange(place)[:, None] + gap * np.arange(tap)[None, :], shape))
    windows = x[(slice(None), *under)]  # batch, a place along each axis, a tap along each axis, channel
    windows = np.reshape(windows, (x.shape[0], math.prod(places), math.prod(taps), groups, channels))
    grouped = np.reshape(kernel, (math.prod(taps), channels, groups, filters // groups))
    return np.reshape(contract("bptgc,tcgo->bpgo", windows, grouped), (x.shape[0], *places, filters))


def per_axis(numbers: Numbers, axes: int) -> list[int]:
    """One number for each axis."""
    given = [numbers] if isinstance(numbers, int) else list(numbers)
    if len(given) not in (1, axes):
        raise Undefined(f"{given} for {axes} axes")
    return given if len(given) == axes else given * axes


def spans(kernel: Array, gaps: Sequence[int]) -> list[int]:
    """How many inputs lie between the first and the last tap along each axis, both included."""
    return [(tap - 1) * gap + 1 for tap, gap in zip(kernel.shape[:-2], gaps, strict=True)]


def oriented(kernel: Array, settings: Settings) -> Array:
    """The kernel as KERNEL turns it."""
    if settings["kernel"] == "flipped":
        return turned(kernel)
    if settings["kernel"] == "transposed":
        if kernel.shape[0] != kernel.shape[1]:
            raise Undefined("only a square kernel can be used transposed")
        return np.swapaxes(kernel, 0, 1)
    return kernel


def turned(kernel: Array) -> Array:
    """Reversed along each spatial axis."""
    return kernel[(slice(None, None, -1),) * (kernel.ndim - 2)]


def extended(x: Array, ends: Sequence[tuple[int, int]]) -> Array:
    """Zeros before and behind each axis but the first and the last."""
    return np.pad(x, [(0, 0), *ends, (0, 0)], mode="constant") if any(map(any, ends)) else x
