"""How JAX and flax spell linear maps."""

from __future__ import annotations

from conformance.adapters.jax._spelling import AFFINE, Layer
from conformance.spelling import Call, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(Call("flax.linen.Dense", shapes["kernel"][1], use_bias=p["use_bias"]), tensors=AFFINE)
