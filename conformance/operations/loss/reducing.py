"""What becomes of the losses of single elements: one choice, shared by all losses."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Knob, input, parameter
from conformance.operations.choices import Settings

REDUCTION = Knob(
    "reduction",
    {
        "mean": "the mean over all elements",
        "sum": "the sum over all elements",
        "none": "no reduction: one loss per element",
        "batch": "the sum over all elements, divided by the size of the batch",
        "last_axis": "the mean over the last axis: one loss per sample",
        "sum_of_means": "the sum over all samples of the mean over the last axis",
    },
    default="mean",
)
SAMPLE_REDUCTION = REDUCTION.without("batch", "last_axis", "sum_of_means")
"""The choice of a loss whose formula gives one number per sample: "mean" is the mean over the samples."""

DIVISION = Knob(
    "division",
    {
        "weights": "a weighted mean is divided by the sum of the weights",
        "all": "it is divided by the number of losses, whatever their weights",
        "nonzero": "it is divided by the number of losses whose weight is not 0",
    },
    default="weights",
)


def reduction_parameter(*more: str) -> str:
    """The parameter of every loss."""
    chosen: str = parameter("mean", "what becomes of the elements", choices=("mean", "sum", "none", *more))
    return chosen


def sample_weight_input() -> Array:
    """The weights of the samples, which a loss may be given: a sample is what lies along the last axis."""
    return input("*sample", differentiable=False, optional=True)


def reduce(losses: Array, settings: Settings, weight: Array = None) -> Array:
    """The losses of single elements, or samples, reduced; obeys REDUCTION.

    With the weights of samples it obeys DIVISION too.
    """
    divisor: Array = math.prod(losses.shape)
    if weight is not None:
        if weight.shape != losses.shape[:-1]:
            raise Undefined(f"weights of the shape {list(weight.shape)} for losses of {list(losses.shape)}")
        each = np.reshape(weight, (*weight.shape, 1))
        if settings["division"] != "all":
            counted = weight if settings["division"] == "weights" else np.where(weight != 0, 1.0, weight)
            divisor = np.sum(counted) * losses.shape[-1]
        losses = losses * each
    match settings["reduction"]:
        case "mean":
            return np.sum(losses) / divisor
        case "sum":
            return np.sum(losses)
        case "none":
            return losses
        case "batch":
            return np.sum(losses) / (losses.shape[0] if losses.ndim else 1)
        case _:
            means = np.sum(losses, axis=-1) / losses.shape[-1] if losses.ndim else losses
            return np.sum(means) if settings["reduction"] == "sum_of_means" else means
