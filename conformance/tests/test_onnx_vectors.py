"""The formulas against the numbers that ONNX publishes with its operators: those of pooling are in `test_pooling`.

A translation says which of our operations a vector is about, in our names and layouts; None is one that our parameters
cannot express, and each operator says how many of those it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from conformance import evaluate
from conformance.arithmetic.precision import PRECISIONS
from conformance.tests.onnx_vectors import Vector, vectors

Translation = tuple[str, dict[str, Any], dict[str, Any]] | None
LIMIT = PRECISIONS["float32"].limit


def elementwise(name: str, **renamed: str) -> Callable[[Vector], Translation]:
    """An operator of one input and, by our names, some attributes."""

    def translate(vector: Vector) -> Translation:
        (x,) = vector.inputs.values()
        return name, {"x": x}, {ours: vector.attributes[theirs] for ours, theirs in renamed.items()}

    return translate


def selu(vector: Vector) -> Translation:
    published = not vector.given  # other constants than the paper's are no selu of ours
    return ("selu", {"x": vector.inputs["X"]}, {}) if published else None


def hard_sigmoid(vector: Vector) -> Translation:
    """ONNX's default is another slope than the published one: a dialect of ours."""
    return None if vector.given else ("hard_sigmoid", {"x": vector.inputs["X"]}, {})


def shrink(vector: Vector) -> Translation:
    bias, threshold = vector.attributes["bias"], vector.attributes["lambd"]
    if bias not in (0, threshold):
        return None
    return "soft_shrink" if bias else "hard_shrink", {"x": vector.inputs["input"]}, {"threshold": threshold}


def prelu(vector: Vector) -> Translation:
    x, slope = vector.inputs["X"], vector.inputs["slope"]
    return ("prelu", {"x": x, "alpha": slope}, {}) if slope.shape == x.shape[-1:] else None


def layer(vector: Vector) -> Translation:
    x, axis = vector.inputs["X"], vector.attributes["axis"]
    tensors = {"x": x, "gamma": vector.inputs["Scale"], "beta": vector.inputs["B"]}
    axes = tuple(range(axis % x.ndim, x.ndim))
    return "layer_normalization", tensors, {"axis": axes, "epsilon": vector.attributes["epsilon"]}


def root_mean_square(vector: Vector) -> Translation:
    x, axis = vector.inputs["X"], vector.attributes["axis"]
    axes = tuple(range(axis % x.ndim, x.ndim))
    tensors = {"x": x, "gamma": vector.inputs["scale"]}
    return "rms_normalization", tensors, {"axis": axes, "epsilon": vector.attributes["epsilon"]}


def batch(vector: Vector) -> Translation:
    if vector.attributes["training_mode"]:
        return None  # ours has the running statistics under other names: see the adapters
    names = {"X": "x", "scale": "gamma", "B": "beta", "input_mean": "moving_mean", "input_var": "moving_variance"}
    tensors = {ours: vector.inputs[theirs] for theirs, ours in names.items()}
    return "batch_normalization", tensors, {"axis": 1, "epsilon": vector.attributes["epsilon"]}


def last(x: Any) -> Any:
    """Channels last."""
    return np.moveaxis(x, 1, -1)


def instance(vector: Vector) -> Translation:
    tensors = {"x": last(vector.inputs["input"]), "gamma": vector.inputs["scale"], "beta": vector.inputs["B"]}
    return "instance_normalization", tensors, {"epsilon": vector.attributes["epsilon"]}


def group(vector: Vector) -> Translation:
    tensors = {"x": last(vector.inputs["X"]), "gamma": vector.inputs["scale"], "beta": vector.inputs["bias"]}
    parameters = {"groups": vector.attributes["num_groups"], "epsilon": vector.attributes["epsilon"]}
    return "group_normalization", tensors, parameters


def local_response(vector: Vector) -> Translation:
    """ONNX divides alpha by the size, the paper does not."""
    attributes = vector.attributes
    given = {"size": attributes["size"], "alpha": attributes["alpha"] / attributes["size"]}
    given |= {"beta": attributes["beta"], "k": attributes["bias"]}
    return "local_response_normalization", {"x": last(vector.inputs["X"])}, given


def convolution(vector: Vector) -> Translation:
    x, kernel, bias = (vector.inputs[each] for each in ("X", "W", "B"))
    pads, rank = vector.attributes.get("pads", [0]), x.ndim - 2
    reach = [(k - 1) * d for k, d in zip(kernel.shape[2:], vector.attributes.get("dilations", [1] * rank), strict=True)]
    steps = vector.attributes.get("strides", [1] * rank)
    same = max(steps) == 1 and list(pads) == [each // 2 for each in reach] * 2 and all(each % 2 == 0 for each in reach)
    if (any(pads) and not same) or vector.attributes["auto_pad"] != "NOTSET":
        return None
    tensors = {"x": last(x), "kernel": np.moveaxis(kernel, (0, 1), (-1, -2))}
    parameters = {"strides": tuple(steps), "padding": "same" if any(pads) else "valid", "use_bias": bias is not None}
    return f"conv{rank}d", tensors | ({} if bias is None else {"bias": bias}), parameters


def labels(name: str, scores: str, target: str, weight: str) -> Callable[[Vector], Translation]:
    """A loss of integer labels."""

    def translate(vector: Vector) -> Translation:
        tensors = {"prediction": last(vector.inputs[scores]), "target": vector.inputs[target]}
        if vector.inputs[weight] is not None:
            tensors["class_weight"] = vector.inputs[weight]
        parameters = {"reduction": vector.attributes["reduction"]}
        if "ignore_index" in vector.given:
            parameters["ignore_index"] = vector.attributes["ignore_index"]
        return name, tensors, parameters

    return translate


TRANSLATIONS: dict[str, tuple[Callable[[Vector], Translation], int]] = {
    "Relu": (elementwise("relu"), 0),
    "Elu": (elementwise("elu", alpha="alpha"), 0),
    "Selu": (selu, 2),
    "Celu": (elementwise("celu", alpha="alpha"), 0),
    "LeakyRelu": (elementwise("leaky_relu", negative_slope="alpha"), 0),
    "Softplus": (elementwise("softplus"), 0),
    "Softsign": (elementwise("softsign"), 0),
    "Sigmoid": (elementwise("sigmoid"), 0),
    "Tanh": (elementwise("tanh"), 0),
    "HardSigmoid": (hard_sigmoid, 2),
    "HardSwish": (elementwise("hard_swish"), 0),
    "Mish": (elementwise("mish"), 0),
    "Gelu": (elementwise("gelu", approximate="approximate"), 0),
    "ThresholdedRelu": (elementwise("threshold", threshold="alpha"), 0),
    "PRelu": (prelu, 1),
    "Shrink": (shrink, 0),
    "Softmax": (elementwise("softmax", axis="axis"), 0),
    "LogSoftmax": (elementwise("log_softmax", axis="axis"), 0),
    "LayerNormalization": (layer, 0),
    "RMSNormalization": (root_mean_square, 0),
    "BatchNormalization": (batch, 2),
    "InstanceNormalization": (instance, 0),
    "GroupNormalization": (group, 0),
    "LRN": (local_response, 0),
    "Conv": (convolution, 3),
    "NegativeLogLikelihoodLoss": (labels("negative_log_likelihood", "input", "target", "weight"), 0),
    "SoftmaxCrossEntropyLoss": (
        labels("sparse_categorical_crossentropy_with_logits", "scores", "labels", "weights"), 0,
    ),
}  # fmt: skip
"""How each operator's vectors are put to us, and how many cannot be expressed."""

DIALECTS = {"HardSigmoid": {"slope": 0.2}}
CHANNELS_LAST = ("InstanceNormalization", "GroupNormalization", "LRN", "Conv")


@pytest.mark.parametrize("operator", TRANSLATIONS)
def test_the_formula_gives_the_numbers_of_onnx(operator: str) -> None:
    translate, silent = TRANSLATIONS[operator]
    compared = left_out = 0
    for vector in vectors(operator):
        if any(each is not None and each.dtype.itemsize == 2 for each in vector.inputs.values()):
            continue  # no verdict rests on float16 and bfloat16
        translation = translate(vector)
        if translation is None:
            left_out += 1
            continue
        name, tensors, parameters = translation
        dialect = DIALECTS.get(operator)
        values, bounds = evaluate(name, tensors, parameters, dialect=dialect, bound=True, precision="float32")
        (result,) = values
        expected = next(each for each in vector.outputs.values() if each is not None)
        found, bound = values[result], bounds[result]
        if operator in CHANNELS_LAST:
            expected = last(expected)
        scale = np.maximum(bound, PRECISIONS["float32"].unit * np.abs(found)) + PRECISIONS["float32"].smallest_normal
        assert found.shape == expected.shape, vector.name
        assert np.all(np.abs(found - expected) <= LIMIT * scale), vector.name
        compared += 1
    assert compared
    assert left_out == silent
