"""How keras.ops spells normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spellings, argument, default, refuse_others

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings(make=Function, reader=argument)


def epsilon(call: Call) -> Any:
    """The epsilon of a call, or that of Keras' configuration, which None stands for."""
    return call.arguments.get("epsilon", keras.config.epsilon())


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Function:
    if not p["track_statistics"]:
        raise Unsupported("keras.ops.batch_normalization takes the statistics that it is given")
    chosen = {"axis": p["axis"], "epsilon": p.get("epsilon")}
    return Function(
        Local(normalize, **chosen),
        train=None
        if p["statistics"] == "frozen"
        else Local(normalize_in_training, [default_momentum], **chosen, momentum=p.get("momentum")),
        states=("moving_mean", "moving_variance"),
        reads={
            "epsilon": lambda call: call.arguments.get("epsilon", default(keras.ops.batch_normalization, "epsilon")),
            "momentum": lambda call: call.arguments.get("momentum", default_momentum()),
        },
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Local(
            normalize_features,
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            rms_scaling=True if p["centering"] == "none" else None,
        ),
        reads={"epsilon": epsilon},
    )


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Local(normalize_by_root_mean_square, axis=p["axis"], epsilon=p.get("epsilon")), reads={"epsilon": epsilon}
    )


@spellings
def l2_normalization(p: Parameters, shapes: Shapes) -> Function:
    return _normalize(p, 2)


@spellings
def unit_normalization(p: Parameters, shapes: Shapes) -> Function:
    return _normalize(p, p["order"])


def _normalize(p: Parameters, order: int) -> Function:
    return Function(
        Call("keras.ops.normalize", axis=p.get("axis"), order=order, epsilon=p.get("epsilon")),
        reads={"axis": argument("axis"), "epsilon": epsilon},
    )


@spellings
def moments(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "keras.ops.moments", {"axis", "keepdims"}, {"variance_correction": 0})
    return Function(
        Call("keras.ops.moments", axes=p["axis"], keepdims=p["keepdims"]),
        reads={"variance_correction": lambda call: 0},
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


def normalize_by_root_mean_square(x: Any, gamma: Any = None, **options: Any) -> Any:
    return keras.ops.rms_normalization(x, gamma, **options)
