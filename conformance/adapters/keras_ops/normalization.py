"""How keras.ops spells normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, default

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    chosen = {"axis": p["axis"], "epsilon": p.get("epsilon")}
    return Function(
        Local(normalize, **chosen),
        train=Local(normalize_in_training, [default_momentum], **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        reads={
            "epsilon": lambda call: call.arguments.get("epsilon", default(keras.ops.batch_normalization, "epsilon")),
            "momentum": lambda call: call.arguments.get("momentum", default_momentum()),
        },
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Local(normalize_features, axis=p["axis"], epsilon=p.get("epsilon")),
        reads={"epsilon": lambda call: call.arguments.get("epsilon", keras.config.epsilon())},
    )


def normalize(
    x: Any, moving_mean: Any, moving_variance: Any, gamma: Any = None, beta: Any = None, *, axis: int, **epsilon: float
) -> Any:
    return keras.ops.batch_normalization(x, moving_mean, moving_variance, axis, offset=beta, scale=gamma, **epsilon)


def normalize_in_training(
    x: Any,
    moving_mean: Any,
    moving_variance: Any,
    gamma: Any = None,
    beta: Any = None,
    *,
    axis: int,
    momentum: float | None = None,
    **epsilon: float,
) -> Any:
    momentum = default_momentum() if momentum is None else momentum
    mean, variance = keras.ops.moments(x, [each for each in range(len(x.shape)) if each != axis % len(x.shape)])
    moving_mean.assign(momentum * moving_mean + (1 - momentum) * mean)
    moving_variance.assign(momentum * moving_variance + (1 - momentum) * variance)
    return keras.ops.batch_normalization(x, mean, variance, axis, offset=beta, scale=gamma, **epsilon)


def default_momentum() -> Any:
    """keras.ops keeps no moving statistics: the user's own code does, and takes over the layer's default."""
    return keras.layers.BatchNormalization().momentum


def normalize_features(x: Any, gamma: Any = None, beta: Any = None, **options: Any) -> Any:
    return keras.ops.layer_normalization(x, gamma, beta, **options)
