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


@spellings
def einsum_dense(p: Parameters, shapes: Shapes) -> Spelling:
    inputs, result = p["equation"].split("->")
    sizes = dict(zip(inputs.replace(",", ""), (*shapes["x"], *shapes["kernel"]), strict=True))
    shape = tuple(sizes[letter] for letter in result[1:])
    return Spelling(Call("keras.layers.EinsumDense", p["equation"], shape, bias_axes=p["bias_axes"] or None))


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Spelling:
    if p["padding_index"] > 0:
        raise Unsupported("keras.layers.Embedding has a mask for index 0 only")
    if p["max_norm"]:
        raise Unsupported("keras.layers.Embedding shortens rows by a constraint after an update only")
    if p["out_of_range"] != "raise":
        raise Unsupported("keras.layers.Embedding has no mode for indices out of range")
    return Spelling(Call("keras.layers.Embedding", *shapes["embeddings"], mask_zero=p["padding_index"] == 0 or None))
