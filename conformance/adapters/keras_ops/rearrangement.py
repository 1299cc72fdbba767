"""How keras.ops spells rearrangement.

Its patches come from two functions: `unfold` takes pads, and channels first; `image.extract_patches` takes 'same', and
channels last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._windows import each, refuse
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def unfold(p: Parameters, shapes: Shapes) -> Function:
    if p["padding"] == "same":
        return patches(p, shapes)
    if len(shapes["x"]) != 4:
        raise Unsupported("keras.ops.unfold takes 4 axes")
    strides = each(p["strides"], 2) if "strides" in p else None
    return Function(
        Local(unfold_last, **_window(p), stride=strides),
        reads={"strides": lambda call: Call("keras.ops.unfold", **call.arguments).argument("stride")},
    )


def patches(p: Parameters, shapes: Shapes) -> Function:
    """As the function does it that is made for images."""
    name = "keras.ops.image.extract_patches"
    refuse(p, name, pads=0)
    if len(shapes["x"]) != 4:
        raise Unsupported(f"{name} takes 4 axes")
    options = {"size": each(p["kernel_size"], 2), "padding": p["padding"], "dilation_rate": p["dilation"]}
    strides = each(p["strides"], 2) if "strides" in p else None
    return Function(
        Local(extract, **options, strides=strides),
        reads={"strides": lambda call: call.arguments.get("strides", options["size"])},
    )


def _window(p: Parameters) -> dict[str, Any]:
    return {
        "kernel_size": each(p["kernel_size"], 2),
        "dilation": each(p["dilation"], 2),
        "padding": each(p["pads"], 2),
    }


def unfold_last(x: Any, **options: Any) -> Any:
    y = keras.ops.unfold(keras.ops.transpose(x, (0, 3, 1, 2)), **options)
    return keras.ops.transpose(y, (0, 2, 1))


def extract(x: Any, **options: Any) -> Any:
    y = keras.ops.image.extract_patches(x, **options)
    return keras.ops.reshape(y, (y.shape[0], -1, y.shape[-1]))


@spellings
def fold(p: Parameters, shapes: Shapes) -> Function:
    sizes = p["output_size"]
    if isinstance(sizes, int) or len(sizes) != 2:
        raise Unsupported("keras.ops.fold folds to 2 spatial axes")
    return Function(Local(fold_last, output_size=each(sizes, 2), **_window(p), stride=each(p["strides"], 2)))


def fold_last(x: Any, **options: Any) -> Any:
    y = keras.ops.fold(keras.ops.transpose(x, (0, 2, 1)), **options)
    return keras.ops.transpose(y, (0, 2, 3, 1))


@spellings
def pixel_shuffle(p: Parameters, shapes: Shapes) -> Function:
    return _blocks(p, "keras.ops.depth_to_space")


@spellings
def pixel_unshuffle(p: Parameters, shapes: Shapes) -> Function:
    return _blocks(p, "keras.ops.space_to_depth")


def _blocks(p: Parameters, name: str) -> Function:
    refuse(p, name, order="DCR")
    return Function(Call(name, block_size=p["block_size"]), reads={"order": lambda call: "DCR"})
