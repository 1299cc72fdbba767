"""The evidence beside a verdict: numbers of each tensor, its worst elements, and how a training went step by step."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.case import Case
from conformance.compare import Deviation, error_ratios, magnitudes
from conformance.replay import Cell, OwnRun, Replay
from conformance.results import Curve, Element, TensorResult
from conformance.verdict import Judgement

LARGEST_MAP = 4096
"""Of tensors of up to this many elements, the error ratio of each is recorded."""
MOST_ELEMENTS = 10
"""So many of the worst elements of a tensor are recorded."""


def rows(case: Case, judgement: Judgement, as_declared: bool) -> list[TensorResult]:
    """A row per precision: the step with the largest error ratio."""
    found = []
    for precision, (cell, deviation) in judgement.worst.items():
        notes = tuple(filter(None, (deviation.mismatch, deviation.narrower))) + deviation.notes
        fine = judgement.verdict == "conforms"
        errors, elements = _elements(cell, deviation, judgement.formula, fine, shown=not (fine and as_declared))
        found.append(
            TensorResult(
                name=judgement.name,
                step=cell.step,
                dtype=precision,
                verdict=judgement.verdict,
                dialect=judgement.dialect,
                max_abs=deviation.max_abs,
                max_rel=deviation.max_rel,
                max_ulp=deviation.max_ulp,
                error_ratio=deviation.error_ratio,
                tolerance=deviation.tolerance,
                index=deviation.index,
                expected=deviation.expected,
                actual=deviation.actual,
                notes=notes,
                held_to=dict(judgement.held_to),
                published=judgement.published.get(precision),
                drift=_drift(case, cell.replay, judgement.name, cell.phase),
                shape=cell.actual.shape,
                errors=errors,
                elements=elements,
            )
        )
    return found


def _elements(
    cell: Cell, deviation: Deviation, formula: Mapping[str, Any], fine: bool, shown: bool
) -> tuple[tuple[float, ...], tuple[Element, ...]]:
    """The error ratio of every element, unless they are too many, and, if they are to be ``shown``, the worst ones."""
    if not deviation.by_element or not (shown or cell.actual.size <= LARGEST_MAP):
        return (), ()
    reference = cell.reference(formula)
    assert reference is not None
    ratios, scale = error_ratios(cell.actual, reference, cell.replay.precision)
    digits = ".2g" if fine else ".3g"
    errors = [float(format(each, digits)) for each in ratios.ravel().tolist()] if ratios.size <= LARGEST_MAP else []
    return tuple(errors), _worst_elements(cell, reference.value, magnitudes(ratios), scale) if shown else ()


def _worst_elements(cell: Cell, expected: Any, sizes: Any, scale: Any) -> tuple[Element, ...]:
    """The elements with the largest error ratios, the worst first."""
    places = np.argsort(-sizes, axis=None, kind="stable")[:MOST_ELEMENTS]
    found = [tuple(int(each) for each in np.unravel_index(place, sizes.shape)) for place in places]
    return tuple(
        Element(index, float(expected[index]), float(cell.actual[index]), float(scale[index]))
        for index in found
        if sizes[index] > 0
    )


_own_runs: dict[tuple[Case, str, str, str | None], OwnRun] = {}
"""The formula's own runs, by precision and parameters, which are the same for every adapter."""
_own_runs_lock = threading.Lock()
MOST_OWN_RUNS = 256
"""How many of them are kept: adapters go through the cases side by side, some faster than others."""
LARGEST_OWN_RUNS = 1 << 26
"""How many bytes they may take together."""


def _own_run(case: Case, replay: Replay) -> OwnRun:
    key = (case, replay.task.precision, repr(sorted(replay.parameters.items())), replay.reply.untrained)
    known = _own_runs.get(key)
    if known is None:
        known = replay.own_run()
        with _own_runs_lock:
            _own_runs[key] = known
            taken = sum(each.nbytes for each in _own_runs.values())
            while len(_own_runs) > 1 and (len(_own_runs) > MOST_OWN_RUNS or taken > LARGEST_OWN_RUNS):
                taken -= _own_runs.pop(next(iter(_own_runs))).nbytes
    return known


def curves(case: Case, replay: Replay) -> tuple[Curve, ...]:
    """The course of each tensor that tells how a training of two steps or more goes."""
    if len(replay.reply.train) < 2:
        return ()
    courses = _own_run(case, replay).courses
    names = [name for name in replay.reply.train[-1] if name in courses]
    found = (_curve(name, courses[name], [step.get(name) for step in replay.reply.train]) for name in names)
    return tuple(each for each in found if each)


def _curve(name: str, ours: Any, theirs: Sequence[Any]) -> Curve | None:
    """The course of the element that ends farthest from the formula's own run; None if it is not shown in each step."""
    if len(ours) != len(theirs) or not ours.size or any(np.shape(each) != ours.shape[1:] for each in theirs):
        return None
    end, goal = theirs[-1].astype(np.float64), ours[-1]
    with np.errstate(all="ignore"):
        agree = (end == goal) | (np.isnan(end) & np.isnan(goal))
        apart = np.where(agree, 0.0, magnitudes(end - goal))
    index = tuple(int(each) for each in np.unravel_index(int(np.argmax(apart)), apart.shape))
    return Curve(name, index, _digits(each[index] for each in ours), _digits(each[index] for each in theirs))


def _digits(values: Iterable[Any]) -> tuple[float, ...]:
    """Numbers as a curve needs them."""
    return tuple(float(format(float(each), ".6g")) for each in values)


def _drift(case: Case, replay: Replay, name: str, phase: str) -> float | None:
    """How far the framework's last value lies from the formula's own run from the start; None if there is none."""
    own = _own_run(case, replay)
    ours, theirs = (own.prediction, replay.reply.predict) if phase == "predict" else (own.last, replay.reply.train[-1])
    if (
        not ours
        or not theirs
        or name not in ours
        or np.shape(ours[name]) != theirs[name].shape
        or not theirs[name].size
    ):
        return None
    with np.errstate(all="ignore"):
        return float(np.max(np.abs(np.asarray(ours[name]) - theirs[name].astype(np.float64))))
