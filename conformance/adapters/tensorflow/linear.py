"""How TensorFlow spells linear maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def dense(p: Parameters, shapes: Shapes) -> Function:
    if len(shapes["x"]) < 2:
        raise Unsupported("tf.matmul takes 2 axes or more")
    return Function(Local(multiply))


def multiply(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = tf.matmul(x, kernel)
    return y if bias is None else tf.nn.bias_add(y, bias)


@spellings
def einsum_dense(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_axes, equation=p["equation"]))


def multiply_axes(x: Any, kernel: Any, bias: Any = None, *, equation: str) -> Any:
    y = tf.einsum(equation, x, kernel)
    return y if bias is None else y + bias


@spellings
def bilinear(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(multiply_both))


def multiply_both(x: Any, other: Any, kernel: Any, bias: Any = None) -> Any:
    y = tf.einsum("...i,ijo,...j->...o", x, kernel, other)
    return y if bias is None else y + bias


@spellings
def embedding(p: Parameters, shapes: Shapes) -> Function:
    others = {"padding_index": -1, "out_of_range": "raise", "negative_index": "outside"}
    refuse_others(p, "tf.nn.embedding_lookup", ["max_norm"], others)
    return Function(Local(look_up, max_norm=p["max_norm"] or None))


def look_up(x: Any, embeddings: Any, **options: Any) -> Any:
    return tf.nn.embedding_lookup(embeddings, x, **options)


@spellings
def embedding_bag(p: Parameters, shapes: Shapes) -> Function:
    if p.get("mode") == "max":
        raise Unsupported("tf.nn.embedding_lookup_sparse has no combiner max")
    call = Local(look_up_bags, [bags], combiner=p.get("mode"), padding=p["padding_index"])
    return Function(call, reads={"mode": lambda call: call.arguments.get("combiner", "mean")})  # no signature shows it


def bags(x: Any, offsets: Any, padding: int) -> Any:
    """Rows of indices of different lengths; what stands for nothing is left out."""
    rows = tf.RaggedTensor.from_tensor(x) if offsets is None else tf.RaggedTensor.from_row_starts(x, offsets)
    return tf.ragged.boolean_mask(rows, rows != padding)


def look_up_bags(x: Any, embeddings: Any, offsets: Any = None, *, padding: int, **combiner: str) -> Any:
    return tf.nn.embedding_lookup_sparse(embeddings, bags(x, offsets, padding), None, **combiner)
