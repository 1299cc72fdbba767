"""How TensorFlow spells normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = lazy("tensorflow")

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    chosen = {"axis": p["axis"] % len(shapes["x"]), "epsilon": _epsilon(p)}
    return Function(
        Local(normalize, **chosen),
        train=Local(normalize_in_training, [normalize], **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        untrained="" if "momentum" in p else "tf.nn keeps no moving statistics, so it has no default momentum",
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    rank = len(shapes["x"])
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    return Function(Local(normalize_features, axes=sorted(axis % rank for axis in axes), epsilon=_epsilon(p)))


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
