"""How TensorFlow spells rearrangement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._windows import each, refuse
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def unfold(p: Parameters, shapes: Shapes) -> Function:
    name = "tf.image.extract_patches"
    refuse(p, name, pads=0)
    if len(shapes["x"]) != 4:
        raise Unsupported(f"{name} takes 4 axes")
    if "strides" not in p:
        raise Unsupported(f"{name} has no default strides")
    sizes, strides, rates = ([1, *each(p[name], 2), 1] for name in ("kernel_size", "strides", "dilation"))
    return Function(Local(extract, sizes=sizes, strides=strides, rates=rates, padding=p["padding"].upper()))


def extract(x: Any, **options: Any) -> Any:
    y = tf.image.extract_patches(x, **options)
    return tf.reshape(y, [y.shape[0], -1, y.shape[-1]])


@spellings
def pixel_shuffle(p: Parameters, shapes: Shapes) -> Function:
    return _blocks(p, "tensorflow.nn.depth_to_space")


@spellings
def pixel_unshuffle(p: Parameters, shapes: Shapes) -> Function:
    return _blocks(p, "tensorflow.nn.space_to_depth")


def _blocks(p: Parameters, name: str) -> Function:
    refuse(p, name, order="DCR")
    return Function(Call(name, block_size=p["block_size"]), reads={"order": lambda call: "DCR"})
