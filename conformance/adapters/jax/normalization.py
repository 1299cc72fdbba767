"""How JAX and flax spell normalizations."""

from __future__ import annotations

from conformance.adapters.jax._spelling import Layer, hashable
from conformance.spelling import Call, Name, Parameters, Shapes, Spellings

spellings = Spellings()


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Layer:
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
        train=module(predicting=False),
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
