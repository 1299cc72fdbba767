"""From a case and one adapter's replies to outcomes: what the run file records of each phase."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapter import Raised, Reply, Task, same_in_every_run
from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import Case, Declaration, Printed
from conformance.compare import Deviation, error_ratios, magnitudes, scale_of
from conformance.discovery import Reference
from conformance.errors import Undefined, WorkerError, WorkerTimeout
from conformance.replay import Cell, OwnRun, Replay
from conformance.results import VERDICTS, Curve, Element, Outcome, TensorResult
from conformance.stability import Change
from conformance.task import phases
from conformance.verdict import Judgement, judge

EMPTY: Mapping[str, str] = {}
LARGEST_SHOWN = 64
"""Learned tensors of up to this many elements are recorded."""
LARGEST_MAP = 4096
"""Of tensors of up to this many elements, the error ratio of each is recorded."""
MOST_ELEMENTS = 10
"""So many of the worst elements of a tensor are recorded."""


@dataclass(frozen=True)
class Trial:
    """What came of one case on one adapter in one precision: a reply, or how the conversation broke off."""

    task: Task
    reply: Reply | None = None
    failure: WorkerError | None = None
    unstable: Mapping[str, Change] | None = None
    """What changed from run to run, by phase; None if there was one run only."""


def outcomes(
    case: Case, adapter: str, trials: Sequence[Trial], versions: Mapping[str, str], narrows: Mapping[str, str] = EMPTY
) -> list[Outcome]:
    """One outcome per phase of a case, from an adapter's trials in every precision.

    ``narrows`` says why its framework may compute in float32 what it is asked for in float64, if it may.
    """
    replays = [Replay(each.task, each.reply) for each in trials if each.reply]
    name, mode = Reference.of(adapter).declared_as, trials[0].task.mode
    found = []
    for phase in phases(case):
        declared = [each for each in case.declarations if each.applies(name, phase, mode, versions)]
        steady = [each for each in declared if each.verdict != "unstable"]
        outcome = _outcome(case, adapter, phase, trials, replays, steady, narrows)
        shaky = [each for each in declared if each.verdict == "unstable"]
        found.append(_repeated(outcome, [each.unstable for each in trials if each.unstable is not None], shaky))
    return found


def _repeated(outcome: Outcome, changes: Sequence[Mapping[str, Change]], declared: Sequence[Declaration]) -> Outcome:
    """An outcome in the light of what changed from run to run, if there were several.

    Numbers that no verdict rests on, an answer where the formula has none, may be others each time.
    """
    change = next((each[outcome.phase] for each in changes if outcome.phase in each), None)
    if change and change.of_numbers and not outcome.tensors:
        change = None
    known = tuple(each.as_dict() for each in declared)
    if change:
        message = "; ".join(filter(None, (f"unstable: {change}", outcome.message)))
        return replace(
            outcome, verdict="unstable", dialect=None, declared=known, as_declared=bool(known), message=message
        )
    if known and changes:
        message = f"declared as unstable, but the same in all runs; {outcome.message}".removesuffix("; ")
        return replace(outcome, declared=outcome.declared + known, as_declared=False, message=message)
    return outcome


def _outcome(
    case: Case,
    adapter: str,
    phase: str,
    trials: Sequence[Trial],
    replays: Sequence[Replay],
    declared: Sequence[Declaration],
    narrows: Mapping[str, str],
) -> Outcome:
    mode = trials[0].task.mode
    failure = next((each.failure for each in trials if each.failure), None)
    if failure is not None:
        return _plain_outcome(case, adapter, phase, mode, *_broken_off(failure), declared)
    lacking = {each.task.precision: reason for each in replays if (reason := each.reply.lacking(phase))}
    replays = [each for each in replays if each.task.precision not in lacking]
    if not replays:
        return _plain_outcome(case, adapter, phase, mode, "unsupported", _shared_or_each(lacking), ())
    raised = {
        each.task.precision: each.reply.raised
        for each in replays
        if each.reply.raised and not (each.reply.raised.phase == "predict" and phase == "train")
    }
    told = "; ".join(f"{precision}: {_told(each)}" for precision, each in raised.items())
    try:
        if not raised:
            return _judged(case, adapter, phase, replays, lacking, declared, narrows)
        replays[0].undefined(phase)
    except Undefined as reason:
        agrees = len(raised) == len(replays)
        rest = "" if agrees else "the framework gave an answer"
        message = "; ".join(filter(None, (f"the formula is undefined: {reason}", told, rest)))
        return _plain_outcome(case, adapter, phase, mode, "conforms" if agrees else "error", message, declared)
    return _plain_outcome(case, adapter, phase, mode, "error", told, declared)


def _shared_or_each(reasons: Mapping[str, str]) -> str:
    """Reasons by precision in one text."""
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{precision}: {reason}" for precision, reason in reasons.items())


def _told(raised: Raised) -> str:
    step = f" at step {raised.step}" if raised.step else ""
    return f"raised {raised.kind} in {raised.phase}{step}: {raised.message}"


def _broken_off(failure: WorkerError) -> tuple[str, str]:
    verdict = "timeout" if isinstance(failure, WorkerTimeout) else "crash"
    said = same_in_every_run(failure.printed)[-500:]
    printed = f"; it printed: {said}" if said else ""
    return verdict, f"{failure}{printed}"


def _plain_outcome(
    case: Case, adapter: str, phase: str, mode: str, verdict: str, message: str, declared: Sequence[Declaration]
) -> Outcome:
    """An outcome without numbers: as declared if every declared verdict for it is this one."""
    said = [each for each in declared if each.verdict in ("error", "crash", "timeout")]
    fine = (verdict in ("conforms", "unsupported") and not said) or any(each.verdict == verdict for each in said)
    if not fine and said:
        message = f"declared as {said[0].verdict}, but found {verdict}: {message}"
    return Outcome(
        case=case.id,
        adapter=adapter,
        phase=phase,
        mode=mode,
        verdict=verdict,
        dialect={} if verdict == "conforms" else None,
        declared=tuple(each.as_dict() for each in said),
        as_declared=fine,
        message=message,
    )


def _judged(
    case: Case,
    adapter: str,
    phase: str,
    replays: Sequence[Replay],
    lacking: Mapping[str, str],
    declared: Sequence[Declaration],
    narrows: Mapping[str, str],
) -> Outcome:
    judgements = judge(replays, phase, declared, narrows=bool(narrows))
    faults = [each.fault for each in judgements if each.fault]
    faults += [
        f"declared as {each.verdict}, but it gave an answer"
        for each in declared
        if each.verdict in ("error", "crash", "timeout")
    ]
    faults += _missing(replays, phase)
    faults += expectation_faults(
        case, phase, replays, {each.name for each in judgements if each.verdict in ("dialect", "deviates")}
    )
    verdict = max((each.verdict for each in judgements), key=VERDICTS.index, default="deviates")
    if verdict == "conforms" and _missing(replays, phase):
        verdict = "deviates"
    dialect = together(judgements) if verdict in ("conforms", "dialect", "imprecise") else None
    parameters = replays[-1].parameters
    reasons = [f"{each.name}: {each.message}" for each in judgements if each.message]
    own = [
        f"{name}={parameters[name]:g}" if isinstance(parameters[name], float) else f"{name}={parameters[name]}"
        for name in case.defaults
        if name in parameters
    ]
    reasons += [f"with the defaults of {adapter}: {', '.join(own)}"] if own else []
    untrained = dict.fromkeys(each.reply.untrained for each in replays if each.reply.untrained)
    reasons += [f"not trained before: {reason}" for reason in untrained]
    alone = [] if len(replays) > 1 else [f"judged in {replays[0].task.precision} alone"]
    alone += [f"{precision} is unsupported: {reason}" for precision, reason in lacking.items()]
    learned = replays[-1].before(0) if phase == "predict" and replays[-1].task.train else {}
    return Outcome(
        case=case.id,
        adapter=adapter,
        phase=phase,
        mode=replays[0].task.mode,
        verdict=verdict,
        dialect=dialect,
        declared=(
            *(each.as_dict() for each in declared if any(each.covers(j.name) for j in judgements)),
            *({"tensor": each.name, "verdict": "imprecise", **narrows} for each in judgements if each.narrowed),
        ),
        as_declared=not faults,
        message="; ".join([*faults, *reasons, *alone]),
        tensors=tuple(row for each in judgements for row in _rows(case, each, as_declared=not faults)),
        rivals=tuple(fit.as_dict() for fit in next((each.rivals for each in judgements if each.rivals), ())),
        parameters={name: value for name, value in parameters.items() if name in case.operation.parameters},
        defaults=tuple(name for name in case.defaults if name in parameters),
        learned={
            name: learned[name].tolist()
            for name in case.tensors
            if isinstance(learned.get(name), np.ndarray) and learned[name].size <= LARGEST_SHOWN
        },
        curves=_curves(case, min(replays, key=lambda each: each.precision.unit)) if phase == "train" else (),
    )


def together(judgements: Sequence[Judgement]) -> dict[str, Any] | None:
    """The settings of all tensors in one; None where two tensors contradict each other, or one is unexplained."""
    together: dict[str, Any] = {}
    for judgement in judgements:
        if judgement.dialect is None:
            return None
        for name, value in judgement.dialect.items():
            if together.setdefault(name, value) != value:
                return None
    return together


def _rows(case: Case, judgement: Judgement, as_declared: bool) -> list[TensorResult]:
    """A row per precision: the step with the largest error ratio."""
    rows = []
    for precision, (cell, deviation) in judgement.worst.items():
        notes = tuple(filter(None, (deviation.mismatch, deviation.narrower))) + deviation.notes
        fine = judgement.verdict == "conforms"
        errors, elements = _elements(cell, deviation, judgement.formula, fine, shown=not (fine and as_declared))
        rows.append(
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
                drift=_drift(case, cell.replay, judgement.name, cell.phase),
                shape=cell.actual.shape,
                errors=errors,
                elements=elements,
            )
        )
    return rows


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


def _curves(case: Case, replay: Replay) -> tuple[Curve, ...]:
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


def _missing(replays: Sequence[Replay], phase: str) -> list[str]:
    """Results of the formula that the adapter does not show; gradients and slots may stay hidden."""
    faults = []
    for replay in replays:
        for step in range(1, len(replay.reply.train) + 1) if phase == "train" else (0,):
            shown = replay.reply.train[step - 1] if step else (replay.reply.predict or {})
            absent = [name for name in replay.reference(step, {}) if "." not in name and name not in shown]
            faults += [f"{name}: the adapter does not show it" for name in absent]
    return list(dict.fromkeys(faults))


def expectation_faults(case: Case, phase: str, replays: Sequence[Replay], explained: Collection[str] = ()) -> list[str]:
    """What a case says the numbers should be, compared to the digits printed.

    The numbers may come from the coarsest precision of the case, so its rounding error is granted to them, and to
    the framework what it makes that its parameters are rounded.
    """
    expected = (case.train if phase == "train" else case.predict).expect  # type: ignore[union-attr]
    coarsest = max((PRECISIONS[each] for each in case.precisions), key=lambda each: each.unit)
    faults = []
    for replay in replays:
        if replay.reply.untrained:  # the digits were printed after training
            continue
        step = len(replay.reply.train) if phase == "train" else 0
        shown = replay.reply.train[-1] if phase == "train" else replay.reply.predict or {}
        for name, printed in expected.items():
            if name in shown and name not in explained:
                reference: Bounded = replay.reference(step, {}, coarsest.unit)[name]
                asked: Bounded = replay.as_asked().reference(step, {}, coarsest.unit)[name]
                with np.errstate(invalid="ignore"):  # two infinities
                    rounded = np.abs(reference.value - asked.value)
                allowed = printed.margin + 2 * coarsest.limit * scale_of(reference, coarsest) + rounded
                faults += _beside(f"{name} ({replay.task.precision})", shown[name], printed, allowed)
    return faults


def _beside(name: str, actual: Any, printed: Printed, allowed: Any) -> list[str]:
    if actual.shape != printed.values.shape:
        return [f"{name}: expected the shape {list(printed.values.shape)} ({printed.place}), got {list(actual.shape)}"]
    with np.errstate(all="ignore"):
        off = ~(
            (np.abs(actual - printed.values) <= allowed)
            | (np.isnan(actual) & np.isnan(printed.values))
            | (actual == printed.values)
        )
    if not np.any(off):
        return []
    at = tuple(int(each) for each in np.argwhere(off)[0])
    return [f"{name}{list(at)}: expected {printed.values[at]:.10g} ({printed.place}), got {actual[at]:.10g}"]
