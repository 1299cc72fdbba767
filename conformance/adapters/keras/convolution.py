"""How Keras spells convolutions."""

from __future__ import annotations

from typing import Any

from conformance.adapters import _keras as base
from conformance.errors import Unsupported
from conformance.spelling import Call, Parameters, Shapes, Speller, Spelling, Spellings

spellings = Spellings()


def _options(p: Parameters, name: str) -> dict[str, Any]:
    base.refuse_strided_dilation(p, name)
    return {
        "strides": p["strides"],
        "padding": p["padding"],
        "dilation_rate": p["dilation"],
        "use_bias": p["use_bias"],
    }


def _convolution(axes: int) -> Speller:
    name = f"keras.layers.Conv{axes}D"

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        *taps, _, filters = shapes["kernel"]
        return Spelling(Call(name, filters, tuple(taps), **_options(p, name), groups=p["groups"]))

    return speller


def _transposed(axes: int) -> Speller:
    name = f"keras.layers.Conv{axes}DTranspose"

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        if p["groups"] != 1:
            raise Unsupported(f"{name} has no groups")
        *taps, filters, _ = shapes["kernel"]
        padded = base.output_padding(p)
        return Spelling(Call(name, filters, tuple(taps), **_options(p, name), output_padding=padded))

    return speller


spellings.update({f"conv{axes}d": _convolution(axes) for axes in (1, 2, 3)})
spellings.update({f"conv_transpose{axes}d": _transposed(axes) for axes in (1, 2)})


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    name = "keras.layers.DepthwiseConv2D"
    *taps, _, multiplier = shapes["kernel"]
    return Spelling(Call(name, tuple(taps), **_options(p, name), depth_multiplier=multiplier))


@spellings
def separable_conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    name = "keras.layers.SeparableConv2D"
    *taps, _, multiplier = shapes["depthwise_kernel"]
    filters = shapes["pointwise_kernel"][3]
    return Spelling(Call(name, filters, tuple(taps), **_options(p, name), depth_multiplier=multiplier))
