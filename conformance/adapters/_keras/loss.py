"""How Keras spells losses."""

from __future__ import annotations

from conformance.spelling import Call, Parameters, Shapes, Spelling, Spellings

spellings = Spellings()


REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("keras.losses.MeanSquaredError", reduction=REDUCTIONS[p["reduction"]]))
