"""From a case and one adapter's replies to outcomes: what the run file records of each phase."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapter import Raised, Reply, Task, same_in_every_run
from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import Case, Declaration, Printed
from conformance.compare import scale_of
from conformance.discovery import Reference
from conformance.errors import Undefined, WorkerError, WorkerTimeout
from conformance.evidence import curves, rows
from conformance.replay import Replay
from conformance.results import VERDICTS, Outcome
from conformance.stability import Change
from conformance.task import phases
from conformance.verdict import Judgement, judge

EMPTY: Mapping[str, str] = {}
LARGEST_SHOWN = 64
"""Learned tensors of up to this many elements are recorded."""


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
        tensors=tuple(row for each in judgements for row in rows(case, each, as_declared=not faults)),
        rivals=tuple(fit.as_dict() for fit in next((each.rivals for each in judgements if each.rivals), ())),
        parameters={name: value for name, value in parameters.items() if name in case.operation.parameters},
        defaults=tuple(name for name in case.defaults if name in parameters),
        learned={
            name: learned[name].tolist()
            for name in case.tensors
            if isinstance(learned.get(name), np.ndarray) and learned[name].size <= LARGEST_SHOWN
        },
        curves=curves(case, min(replays, key=lambda each: each.precision.unit)) if phase == "train" else (),
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
