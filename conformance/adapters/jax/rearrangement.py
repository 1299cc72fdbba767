"""How JAX spells rearrangement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters._windows import each, given, spatial
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import jax
else:
    jax = lazy("jax")

spellings = Spellings()


@spellings
def unfold(p: Parameters, shapes: Shapes) -> Function:
    if "strides" not in p:
        raise Unsupported("jax.lax.conv_general_dilated_patches has no default strides")
    rank = spatial(shapes)
    pads = tuple((pad, pad) for pad in each(p["pads"], rank))
    return Function(
        Local(
            patches,
            filter_shape=each(p["kernel_size"], rank),
            window_strides=each(p["strides"], rank),
            rhs_dilation=each(p["dilation"], rank),
            padding=pads if given(p, "pads") else p["padding"].upper(),
            dimension_numbers={1: ("NWC", "WIO", "NWC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")}[
                rank
            ],
        )
    )


def patches(x: Any, **options: Any) -> Any:
    y = jax.lax.conv_general_dilated_patches(x, **options)
    return y.reshape(y.shape[0], -1, y.shape[-1])
