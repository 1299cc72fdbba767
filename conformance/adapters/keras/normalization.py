"""How Keras spells normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import (
    Call,
    Function,
    Local,
    Name,
    Parameters,
    Reshaped,
    Shapes,
    Spelling,
    Spellings,
    refuse_others,
)

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    if not p["track_statistics"]:
        raise Unsupported("keras.layers.BatchNormalization always keeps moving statistics")
    return Spelling(
        Call(
            "keras.layers.BatchNormalization",
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            momentum=p.get("momentum"),
            center=p["center"],
            scale=p["scale"],
            trainable=False if p["statistics"] == "frozen" else None,
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
            rms_scaling=True if p["centering"] == "none" else None,
        ),
        reads={"epsilon": lambda layer: layer.epsilon},
    )


spellings.call(
    "rms_normalization",
    "keras.layers.RMSNormalization",
    {"scale": True},
    axis="axis",
    epsilon="epsilon",
    options={"tensors": {"gamma": Name("scale")}},
)
spellings.call(
    "group_normalization",
    "keras.layers.GroupNormalization",
    groups="groups",
    epsilon="epsilon",
    center="center",
    scale="scale",
)
spellings.call(  # as its documentation says: a group for each channel
    "instance_normalization",
    Call("keras.layers.GroupNormalization", groups=-1),
    {"track_statistics": False},
    epsilon="epsilon",
    center="center",
    scale="scale",
)


@spellings
def unit_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    refuse_others(p, "keras.layers.UnitNormalization", {"axis"}, {"order": 2})
    return Spelling(
        Call("keras.layers.UnitNormalization", axis=p.get("axis")),
        reads={"axis": lambda layer: layer.axis, "epsilon": lambda layer: UNIT_EPSILON},
    )


UNIT_EPSILON = 1e-12
"""What the layer passes on to keras.ops.normalize, unasked."""


@spellings
def feature_normalization(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "keras.layers.Normalization", {"axis", "invert"}, {})
    return Function(
        Local(normalize_features, axis=p["axis"], invert=p["invert"]),
        states=("mean", "variance"),
        reads={"epsilon": lambda call: keras.config.epsilon()},
    )


@spellings
def spectral_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    refuse_others(p, "keras.layers.SpectralNormalization", {"power_iterations", "use_bias"}, {"store_v": False})
    _, units = shapes["kernel"]
    return Spelling(
        Local(spectral_dense, units=units, **{each: p[each] for each in ("use_bias", "power_iterations")}),
        tensors={"bias": Name("layer.bias"), "u": Name("vector_u", Reshaped(before=(units,), after=(1, units)))},
        reads={"epsilon": lambda layer: keras.config.epsilon()},
    )


def normalize_features(x: Any, mean: Any, variance: Any, *, axis: Any, invert: bool) -> Any:
    return keras.layers.Normalization(axis, mean, variance, invert)(x)


def spectral_dense(units: int, use_bias: bool, power_iterations: int) -> Any:
    dense = keras.layers.Dense(units, use_bias=use_bias)
    return keras.layers.SpectralNormalization(dense, power_iterations)
