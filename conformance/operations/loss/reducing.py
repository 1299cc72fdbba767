"""What becomes of the losses of single elements: one choice, shared by all losses."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.operation import Array, Knob, parameter
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


def reduction_parameter() -> str:
    """The parameter of every loss."""
    chosen: str = parameter("mean", "what becomes of the elements", choices=("mean", "sum", "none"))
    return chosen


def reduce(losses: Array, settings: Settings) -> Array:
    """The losses of single elements, or samples, reduced; obeys REDUCTION."""
    match settings["reduction"]:
        case "mean":
            return np.sum(losses) / math.prod(losses.shape)
        case "sum":
            return np.sum(losses)
        case "none":
            return losses
        case "batch":
            return np.sum(losses) / (losses.shape[0] if losses.ndim else 1)
        case _:
            means = np.sum(losses, axis=-1) / losses.shape[-1] if losses.ndim else losses
            return np.sum(means) if settings["reduction"] == "sum_of_means" else means
