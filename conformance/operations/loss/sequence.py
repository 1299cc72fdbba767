"""Losses of a sequence whose alignment is not known."""

from __future__ import annotations

import math

import autograd.numpy as np
import numpy

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import Settings, constant, shift
from conformance.operations.loss.classification import FROM_LOGITS, log_softmax
from conformance.operations.loss.reducing import SAMPLE_REDUCTION, reduce, reduction_parameter

CTC_REDUCTION = Knob(
    "reduction",
    {
        **SAMPLE_REDUCTION.values,
        "target_length": "the mean over the samples, each divided by the length of its target",
    },
    default="mean",
)


@operation(
    formula=r"L = -\frac{1}{n} \sum_{i} \log \sum_{\pi \in \mathcal{B}^{-1}(y_{i})} \prod_{t}"
    r" \frac{e^{x_{i t \pi_{t}}}}{\sum_{c} e^{x_{i t c}}}",
    source="https://www.cs.toronto.edu/~graves/icml_2006.pdf",
    results=("loss",),
    example=Example(
        {
            "prediction": [[[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2]], [[0, 0, 0, 0], [3, 3, 3, 3], [1, 1, 1, 1]]],
            "target": [[1, 2], [3, 0]],
            "prediction_length": [3, 2],
            "target_length": [2, 1],
        },
        {"loss": [-math.log(5 / 64), -math.log(3 / 16)]},
        {"reduction": "none"},
    ),
    knobs=(CTC_REDUCTION, FROM_LOGITS),
)
def ctc(
    prediction: Array = input("batch time class"),
    target: Array = input("batch label", integer=True),
    prediction_length: Array = input("batch", integer=True, optional=True),
    target_length: Array = input("batch", integer=True, optional=True),
    *,
    blank: int = parameter(0, "the class that stands for no label", minimum=0),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """Connectionist temporal classification. Graves and others 2006, equations 5 to 8.

    The forward variables are logarithms.  One whose probability is 0 is held as 0 and marked as out of reach, for
    infinities cannot be added up.  Without lengths, predictions and targets are as long as their arrays.
    """
    samples, times, _ = prediction.shape
    spans = np.full(samples, times) if prediction_length is None else prediction_length
    lengths = np.full(samples, target.shape[1]) if target_length is None else target_length
    _refuse(target, spans, lengths, prediction.shape, blank)
    emitted = log_softmax(prediction) if dialect["from_logits"] else prediction

    labels = numpy.full((samples, 2 * target.shape[1] + 1), blank)  # a blank before, between and behind the labels
    labels[:, 1::2] = numpy.where(numpy.arange(target.shape[1]) < lengths[:, None], target, blank)
    rows, places = numpy.arange(samples)[:, None], numpy.arange(labels.shape[1])[None, :]
    inside = places <= 2 * lengths[:, None]
    before = [numpy.maximum(places - step, 0) for step in (0, 1, 2)]
    allowed = [inside, inside & (places >= 1), inside & (places >= 2) & (labels != blank)]
    allowed[2] = allowed[2] & (labels != labels[rows, before[2]])  # the same label twice needs a blank between

    emission = emitted[rows, 0, labels]
    reached = inside & (places <= 1) & (constant(emission) > -math.inf) & (spans[:, None] > 0)
    score = np.where(reached, emission, 0.0)
    for time in range(1, times):
        ways = [may & reached[rows, origin] for may, origin in zip(allowed, before, strict=True)]
        emission = emitted[rows, time, labels]
        possible = (ways[0] | ways[1] | ways[2]) & (constant(emission) > -math.inf)
        arrived = _log_sum([score[rows, origin] for origin in before], ways) + np.where(possible, emission, 0.0)
        running = time < spans[:, None]
        score = np.where(running, np.where(possible, arrived, 0.0), score)
        reached = numpy.where(running, possible, reached)

    last, row = 2 * lengths, numpy.arange(samples)
    ends = [last, numpy.maximum(last - 1, 0)]
    ways = [reached[row, ends[0]], reached[row, ends[1]] & (last > 0)]
    losses = np.where(ways[0] | ways[1], -_log_sum([score[row, end] for end in ends], ways), math.inf)
    if dialect["reduction"] == "target_length":
        return {"loss": np.sum(losses / numpy.maximum(lengths, 1)) / samples}
    return {"loss": reduce(losses, dialect)}


def _log_sum(scores: list[Array], ways: list[Array]) -> Array:
    """log of the sum of e^score over the ways that there are; 0 where there is none."""
    top = np.where(ways[0], shift(scores[0]), -math.inf)
    for score, way in zip(scores[1:], ways[1:], strict=True):
        top = np.maximum(top, np.where(way, shift(score), -math.inf))
    top = np.where(top == -math.inf, 0.0, top)
    total = 0.0
    for score, way in zip(scores, ways, strict=True):
        total = total + np.where(way, np.exp(np.where(way, score - top, 0.0)), 0.0)
    return top + np.log(np.where(total == 0, 1.0, total))


def _refuse(target: Array, spans: Array, lengths: Array, shape: tuple[int, ...], blank: int) -> None:
    if blank >= shape[2]:
        raise Undefined(f"the blank {blank} is none of {shape[2]} classes")
    if np.any(spans < 0) or np.any(spans > shape[1]) or np.any(lengths < 0) or np.any(lengths > target.shape[1]):
        raise Undefined("a length is negative, or larger than the array")
    used = numpy.arange(target.shape[1]) < lengths[:, None]
    if np.any(used & ((target < 0) | (target >= shape[2]) | (target == blank))):
        raise Undefined("a label is the blank, or no class")
