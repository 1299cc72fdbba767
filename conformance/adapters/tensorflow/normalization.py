"""How TensorFlow spells normalizations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import (
    Call,
    Function,
    Local,
    Parameters,
    Shapes,
    Spellings,
    argument,
    refuse_others,
)

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings(make=Function, reader=argument)


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    if not p["track_statistics"]:
        raise Unsupported("tf.nn.batch_normalization takes the statistics that it is given")
    chosen = {"axis": p["axis"] % len(shapes["x"]), "epsilon": _epsilon(p)}
    return Function(
        Local(normalize, **chosen),
        train=None
        if p["statistics"] == "frozen"
        else Local(normalize_in_training, [normalize], **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        untrained=""
        if "momentum" in p or p["statistics"] == "frozen"
        else "tf.nn keeps no moving statistics, so it has no default momentum",
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    if p["centering"] == "none":
        raise Unsupported("tf.nn.batch_normalization takes off a mean")
    rank = len(shapes["x"])
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(Local(normalize_features, axes=sorted(axis % rank for axis in axes), epsilon=_epsilon(p)))


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(
        Local(normalize_by_root_mean_square, axes=sorted(axis % rank for axis in axes), epsilon=_epsilon(p))
    )


@spellings
def l2_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("tensorflow.nn.l2_normalize", axis=p.get("axis"), epsilon=p.get("epsilon")),
        reads={
            "axis": lambda call: call.arguments.get("axis", list(range(len(shapes["x"])))),  # None: all of them
            "epsilon": argument("epsilon"),
        },
    )


@spellings
def unit_normalization(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "tf.linalg.normalize", {"axis", "order"}, {"epsilon": 0.0})
    if "axis" not in p:
        raise Unsupported("tf.linalg.normalize takes the norm of the whole tensor by default")
    return Function(Local(normalize_to_unit, axis=p["axis"], order=p["order"]), reads={"epsilon": lambda call: 0.0})


@spellings
def moments(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "tf.nn.moments", {"axis", "keepdims"}, {"variance_correction": 0})
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(
        Call("tensorflow.nn.moments", axes=axes, keepdims=p["keepdims"]),
        reads={"variance_correction": lambda call: 0},
    )


LAST_THREE = [-3, -2, -1]


@spellings
def mean_variance_normalization(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "tf.image.per_image_standardization", ("axis",), {})
    if p.get("axis", LAST_THREE) not in (LAST_THREE, tuple(LAST_THREE)):
        raise Unsupported("tf.image.per_image_standardization has no axes other than the last three")
    if len(shapes["x"]) < 3:
        raise Unsupported("tf.image.per_image_standardization takes 3 axes or more")
    size = math.prod(shapes["x"][-3:])
    return Function(
        Call("tensorflow.image.per_image_standardization"),
        reads={"axis": lambda call: LAST_THREE, "epsilon": lambda call: 1 / math.sqrt(size)},
    )


@spellings
def local_response_normalization(p: Parameters, shapes: Shapes) -> Function:
    if len(shapes["x"]) != 4:
        raise Unsupported("tf.nn.local_response_normalization takes 4 axes")
    if "size" in p and p["size"] % 2 == 0:
        raise Unsupported("tf.nn.local_response_normalization has a depth_radius, so no window of even size")
    return Function(
        Call(
            "tensorflow.nn.local_response_normalization",
            depth_radius=p["size"] // 2 if "size" in p else None,
            bias=p.get("k"),
            alpha=p.get("alpha"),
            beta=p.get("beta"),
        ),
        reads={
            "size": lambda call: 2 * call.argument("depth_radius") + 1,
            "k": lambda call: float(call.argument("bias")),
            "alpha": lambda call: float(call.argument("alpha")),
            "beta": argument("beta"),
        },
    )


def _epsilon(p: Parameters) -> Any:
    if "epsilon" not in p:
        raise Unsupported("tf.nn.batch_normalization has no default epsilon")
    return p["epsilon"]


def normalize(
    x: Any, moving_mean: Any, moving_variance: Any, gamma: Any = None, beta: Any = None, *, axis: int, epsilon: float
) -> Any:
    shape = [-1 if each == axis else 1 for each in range(len(x.shape))]
    mean, variance = tf.reshape(moving_mean, shape), tf.reshape(moving_variance, shape)
    scale = None if gamma is None else tf.reshape(gamma, shape)
    offset = None if beta is None else tf.reshape(beta, shape)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)


def normalize_in_training(
    x: Any,
    moving_mean: Any,
    moving_variance: Any,
    gamma: Any = None,
    beta: Any = None,
    *,
    axis: int,
    epsilon: float,
    momentum: float,
) -> Any:
    mean, variance = tf.nn.moments(x, [each for each in range(len(x.shape)) if each != axis])
    moving_mean.assign(momentum * moving_mean + (1 - momentum) * mean)
    moving_variance.assign(momentum * moving_variance + (1 - momentum) * variance)
    return normalize(x, mean, variance, gamma, beta, axis=axis, epsilon=epsilon)


def normalize_features(x: Any, gamma: Any = None, beta: Any = None, *, axes: list[int], epsilon: float) -> Any:
    shape = [x.shape[each] if each in axes else 1 for each in range(len(x.shape))]
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    scale = None if gamma is None else tf.reshape(gamma, shape)
    offset = None if beta is None else tf.reshape(beta, shape)
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)


def normalize_by_root_mean_square(x: Any, gamma: Any = None, *, axes: list[int], epsilon: float) -> Any:
    y = x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axes, keepdims=True) + epsilon)
    return (
        y
        if gamma is None
        else y * tf.reshape(gamma, [x.shape[each] if each in axes else 1 for each in range(len(x.shape))])
    )


def normalize_to_unit(x: Any, *, axis: int, order: int) -> Any:
    return tf.linalg.normalize(x, order, axis)[0]
