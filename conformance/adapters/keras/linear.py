"""How Keras spells linear maps."""

from __future__ import annotations

from conformance.errors import Unsupported
from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Spelling:
    if len(shapes["x"]) < 2:
        raise Unsupported("keras.layers.Dense takes 2 axes or more")
    return Spelling(Call("keras.layers.Dense", shapes["kernel"][1], use_bias=p["use_bias"]))
