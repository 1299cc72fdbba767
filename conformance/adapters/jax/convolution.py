"""How JAX and flax spell convolutions."""

from __future__ import annotations

from conformance.adapters.jax._spelling import AFFINE, Layer, hashable
from conformance.spelling import Call, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(
        Call(
            "flax.linen.Conv",
            shapes["kernel"][3],
            shapes["kernel"][:2],
            strides=hashable(p["strides"]),
            padding=p["padding"].upper(),
            kernel_dilation=hashable(p["dilation"]),
            feature_group_count=p["groups"],
            use_bias=p["use_bias"],
        ),
        tensors=AFFINE,
    )
