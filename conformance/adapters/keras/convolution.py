"""How Keras spells convolutions."""

from __future__ import annotations

from conformance.adapters import _keras as base
from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    height, width, _, filters = shapes["kernel"]
    base.refuse_strided_dilation(p, "keras.layers.Conv2D")
    return Spelling(
        Call(
            "keras.layers.Conv2D",
            filters,
            (height, width),
            strides=p["strides"],
            padding=p["padding"],
            dilation_rate=p["dilation"],
            groups=p["groups"],
            use_bias=p["use_bias"],
        )
    )
