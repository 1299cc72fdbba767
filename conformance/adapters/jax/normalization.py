"""How JAX and flax spell normalizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.adapters.jax._spelling import Layer, hashable
from conformance.errors import Unsupported
from conformance.spelling import (
    Call,
    Function,
    Local,
    Name,
    Parameters,
    Reshaped,
    Shapes,
    Spellings,
    argument,
    refuse_others,
)

if TYPE_CHECKING:
    import flax
    import jax
else:
    flax, jax = lazy("flax"), lazy("jax")

spellings = Spellings(make=Function, reader=argument)


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Layer:
    if not p["track_statistics"]:
        raise Unsupported("flax.linen.BatchNorm always keeps moving statistics")

    def module(predicting: bool) -> Call:
        return Call(
            "flax.linen.BatchNorm",
            use_running_average=predicting,
            axis=p["axis"],
            momentum=p.get("momentum"),
            epsilon=p.get("epsilon"),
            use_bias=p["center"],
            use_scale=p["scale"],
        )

    return Layer(
        module(predicting=True),
        train=module(predicting=p["statistics"] == "frozen"),
        tensors={
            "gamma": Name("scale"),
            "beta": Name("bias"),
            "moving_mean": Name("mean"),
            "moving_variance": Name("var"),
        },
        states=("moving_mean", "moving_variance"),
        reads={"epsilon": lambda module: module.epsilon, "momentum": lambda module: module.momentum},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Layer:
    if p["centering"] == "none":
        raise Unsupported("flax.linen.LayerNorm always centres; flax.linen.RMSNorm has no bias")
    return Layer(
        Call(
            "flax.linen.LayerNorm",
            epsilon=p.get("epsilon"),
            use_bias=p["center"],
            use_scale=p["scale"],
            reduction_axes=hashable(p["axis"]),
            feature_axes=hashable(p["axis"]),
        ),
        tensors={"gamma": Name("scale"), "beta": Name("bias")},
        reads={"epsilon": lambda module: module.epsilon},
    )


@spellings
def rms_normalization(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(
        Call(
            "flax.linen.RMSNorm",
            epsilon=p.get("epsilon"),
            use_scale=p["scale"],
            reduction_axes=hashable(p["axis"]),
            feature_axes=hashable(p["axis"]),
        ),
        tensors={"gamma": Name("scale")},
        reads={"epsilon": lambda module: module.epsilon},
    )


@spellings
def group_normalization(p: Parameters, shapes: Shapes) -> Layer:
    return Layer(
        Call(
            "flax.linen.GroupNorm",
            num_groups=p.get("groups"),
            epsilon=p.get("epsilon"),
            use_bias=p["center"],
            use_scale=p["scale"],
        ),
        tensors={"gamma": Name("scale"), "beta": Name("bias")},
        reads={"epsilon": lambda module: module.epsilon, "groups": lambda module: module.num_groups},
    )


@spellings
def instance_normalization(p: Parameters, shapes: Shapes) -> Layer:
    refuse_others(p, "flax.linen.InstanceNorm", {"epsilon", "center", "scale"}, {"track_statistics": False})
    return Layer(
        Call("flax.linen.InstanceNorm", epsilon=p.get("epsilon"), use_bias=p["center"], use_scale=p["scale"]),
        tensors={"gamma": Name("scale"), "beta": Name("bias")},
        reads={"epsilon": lambda module: module.epsilon},
    )


@spellings
def mean_variance_normalization(p: Parameters, shapes: Shapes) -> Function:
    return Function(
        Call("jax.nn.standardize", axis=hashable(p["axis"]) if "axis" in p else None, epsilon=p.get("epsilon")),
        reads={"axis": argument("axis"), "epsilon": argument("epsilon")},
    )


@spellings
def feature_normalization(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "jax.nn.standardize", {"axis", "epsilon"}, {"invert": False})
    axes = [p["axis"]] if isinstance(p["axis"], int) else p["axis"]
    shape = [1] * len(shapes["x"])
    for axis in axes:
        shape[axis] = shapes["x"][axis]
    return Function(
        Local(standardize_by, shape=shape, epsilon=p.get("epsilon")),
        states=("mean", "variance"),
        reads={"epsilon": lambda call: call.arguments.get("epsilon", Call("jax.nn.standardize").argument("epsilon"))},
    )


@spellings
def moments(p: Parameters, shapes: Shapes) -> Function:
    options = {"keepdims": p["keepdims"], "ddof": p.get("variance_correction")}
    return Function(
        Local(mean_and_variance, axis=hashable(p["axis"]), **options),
        reads={"variance_correction": lambda call: call.arguments.get("ddof", Call("jax.numpy.var").argument("ddof"))},
    )


@spellings
def unit_normalization(p: Parameters, shapes: Shapes) -> Function:
    refuse_others(p, "jax.numpy.linalg.norm", {"axis", "order"}, {"epsilon": 0.0})
    if "axis" not in p:
        raise Unsupported("jax.numpy.linalg.norm takes the norm of the whole array by default")
    return Function(Local(divide_by_norm, axis=p["axis"], order=p["order"]), reads={"epsilon": lambda call: 0.0})


@spellings
def weight_normalization(p: Parameters, shapes: Shapes) -> Layer:
    features = 0 if p["axis"] == 0 else None
    return Layer(
        Local(
            weight_normalized,
            [Flat],
            units=shapes["kernel"][1],
            use_bias=p["use_bias"],
            feature_axes=features,
            epsilon=p.get("epsilon"),
        ),
        tensors={
            "kernel": Name("layer_instance.kernel"),
            "bias": Name("layer_instance.bias"),
            "gain": Name("layer_instance/kernel/scale"),
        },
        reads={"epsilon": lambda flat: flat.module.epsilon},
    )


@spellings
def spectral_normalization(p: Parameters, shapes: Shapes) -> Layer:
    refuse_others(p, "flax.linen.SpectralNorm", {"power_iterations", "epsilon", "use_bias"}, {"store_v": False})

    _, units = shapes["kernel"]

    def module(training: bool) -> Call:
        return Local(
            spectrally_normalized,
            [Flat],
            units=units,
            use_bias=p["use_bias"],
            update_stats=training,
            n_steps=p["power_iterations"],
            epsilon=p.get("epsilon"),
        )

    return Layer(
        module(training=False),
        train=module(training=True),
        tensors={
            "kernel": Name("layer_instance.kernel"),
            "bias": Name("layer_instance.bias"),
            "u": Name("layer_instance/kernel/u", Reshaped(before=(units,), after=(1, units))),
        },
        states=("u",),
        reads={"epsilon": lambda flat: flat.module.epsilon},
    )


def standardize_by(x: Any, mean: Any, variance: Any, *, shape: Any, **epsilon: float) -> Any:
    return jax.nn.standardize(x, mean=mean.reshape(shape), variance=variance.reshape(shape), **epsilon)


def mean_and_variance(x: Any, *, axis: Any, keepdims: bool, **ddof: int) -> Any:
    return jax.numpy.mean(x, axis, keepdims=keepdims), jax.numpy.var(x, axis, keepdims=keepdims, **ddof)


def divide_by_norm(x: Any, *, axis: int, order: int) -> Any:
    return x / jax.numpy.linalg.norm(x, order, axis, keepdims=True)


class Flat:
    """A module whose variables go by one name each, however deep they lie; ``own`` are further ones that it wants."""

    def __init__(self, module: Any, own: Any = None, **options: Any) -> None:
        self.module, self.own, self.options = module, own or {}, options

    def apply(self, variables: Any, *inputs: Any, **options: Any) -> Any:
        held = {kind: {**self.own.get(kind, {}), **each} for kind, each in variables.items()}
        nested = {kind: flax.traverse_util.unflatten_dict(each, sep=".") for kind, each in held.items()}
        found = self.module.apply(nested, *inputs, **options, **self.options)
        if "mutable" not in options:
            return found
        y, updated = found
        return y, {kind: flax.traverse_util.flatten_dict(each, sep=".") for kind, each in updated.items()}


def weight_normalized(units: int, use_bias: bool, **options: Any) -> Any:
    return Flat(flax.linen.WeightNorm(flax.linen.Dense(units, use_bias=use_bias), **options))


def spectrally_normalized(units: int, use_bias: bool, update_stats: bool, **options: Any) -> Any:
    dense = flax.linen.Dense(units, use_bias=use_bias)
    sigma = {"batch_stats": {"layer_instance/kernel/sigma": 1.0}}  # stored, and never read
    return Flat(flax.linen.SpectralNorm(dense, **options), sigma, update_stats=update_stats)
