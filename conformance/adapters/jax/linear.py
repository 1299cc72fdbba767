"""How JAX and flax spell linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters.jax._spelling import AFFINE, Layer
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Name, Parameters, Shapes, Spelling, Spellings, refuse_others

if TYPE_CHECKING:
    import jax
else:
    jax = lazy("jax")

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(Call("flax.linen.Dense", shapes["kernel"][1], use_bias=p["use_bias"]), tensors=AFFINE)


@spellings
def einsum_dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_axes, equation=p["equation"]))


def multiply_axes(x: Any, kernel: Any, bias: Any = None, *, equation: str) -> Any:
    y = jax.numpy.einsum(equation, x, kernel)
    return y if bias is None else y + bias


@spellings
def bilinear(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_both))


def multiply_both(x: Any, other: Any, kernel: Any, bias: Any = None) -> Any:
    y = jax.numpy.einsum("...i,ijo,...j->...o", x, kernel, other)
    return y if bias is None else y + bias


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Spelling:
    refuse_others(p, "flax.linen.Embed", ["out_of_range", "negative_index"], {"padding_index": -1, "max_norm": 0.0})
    match p["out_of_range"]:
        case "clamp" if p["negative_index"] == "wrap":
            raise Unsupported("jax.numpy.take clips negative indices too")
        case "clamp":
            return Function(Local(take_rows, mode="clip"))
        case "zero":
            return Function(Local(take_rows, mode="fill", fill_value=0.0))
        case _:
            return Layer(Call("flax.linen.Embed", *shapes["embeddings"]), tensors={"embeddings": Name("embedding")})


def take_rows(x: Any, embeddings: Any, **options: Any) -> Any:
    return jax.numpy.take(embeddings, x, axis=0, **options)


@spellings
def embedding_bag(p: Parameters, shapes: Shapes) -> Function:
    if "mode" not in p or "offsets" in shapes or p["padding_index"] >= 0:
        raise Unsupported("JAX has no bags: to reduce the rows of some is up to the user")
    return Function(Local(reduce_rows, mode=p["mode"]))


def reduce_rows(x: Any, embeddings: Any, mode: str) -> Any:
    return getattr(jax.numpy, mode)(jax.numpy.take(embeddings, x, axis=0), axis=1)
