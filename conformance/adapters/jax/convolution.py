"""How JAX and flax spell convolutions."""

from __future__ import annotations

from typing import Any

from conformance.adapters.jax._spelling import AFFINE, Layer, hashable
from conformance.errors import Unsupported
from conformance.spelling import Call, Layout, Name, Parameters, Reshaped, Shapes, Spellings

spellings = Spellings()


def _options(p: Parameters) -> dict[str, Any]:
    return {
        "strides": hashable(p["strides"]),
        "padding": p["padding"].upper(),
        "kernel_dilation": hashable(p["dilation"]),
        "use_bias": p["use_bias"],
    }


def _convolution(p: Parameters, shapes: Shapes) -> Layer:
    *taps, _, filters = shapes["kernel"]
    return Layer(
        Call("flax.linen.Conv", filters, tuple(taps), **_options(p), feature_group_count=p["groups"]), tensors=AFFINE
    )


def _transposed(p: Parameters, shapes: Shapes) -> Layer:
    if p["groups"] != 1:
        raise Unsupported("flax.linen.ConvTranspose has no groups")
    if p["output_padding"] >= 0:
        raise Unsupported("flax.linen.ConvTranspose has no output_padding")
    *taps, filters, _ = shapes["kernel"]
    spatial = "hw"[: len(taps)]
    kernel = Name("kernel", Layout.of(f"{spatial}oi->{spatial}io"))
    return Layer(
        Call("flax.linen.ConvTranspose", filters, tuple(taps), **_options(p)), tensors={**AFFINE, "kernel": kernel}
    )


spellings.update({f"conv{axes}d": _convolution for axes in (1, 2, 3)})
spellings.update({f"conv_transpose{axes}d": _transposed for axes in (1, 2)})


@spellings
def depthwise_conv2d(p: Parameters, shapes: Shapes) -> Layer:
    height, width, channels, multiplier = shape = shapes["kernel"]
    filters = channels * multiplier
    kernel = Name("kernel", Reshaped(before=shape, after=(height, width, 1, filters)))
    return Layer(
        Call("flax.linen.Conv", filters, (height, width), **_options(p), feature_group_count=channels),
        tensors={**AFFINE, "kernel": kernel},
    )
