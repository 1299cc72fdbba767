"""How Keras spells normalizations."""

from __future__ import annotations

from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call(
            "keras.layers.BatchNormalization",
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            momentum=p.get("momentum"),
            center=p["center"],
            scale=p["scale"],
        ),
        reads={"epsilon": lambda layer: layer.epsilon, "momentum": lambda layer: layer.momentum},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call(
            "keras.layers.LayerNormalization",
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            center=p["center"],
            scale=p["scale"],
        ),
        reads={"epsilon": lambda layer: layer.epsilon},
    )
