"""Several runs together: the shards of one run merged, or an old run compared with a new one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from conformance.errors import RunFileError
from conformance.results import SCHEMA_VERSION, SEVERITY, Header, Outcome, Run, to_json

WOBBLE = 10.0
"""Error ratios of one verdict that differ by less than this factor are the same finding."""


# --- merging --------------------------------------------------------------------------------------------------------


def merge(runs: Sequence[Run], names: Sequence[str] = ()) -> Run:
    """Runs of different cases or adapters as one; raises `RunFileError` if they do not belong together.

    ``names`` are what the runs are called in messages, their files say.
    """
    if not runs:
        raise RunFileError("there is no run to merge")
    names = names or [f"run {number}" for number in range(1, len(runs) + 1)]
    outcomes: dict[tuple[str, str, str], tuple[Outcome, str]] = {}
    for run, name in zip(runs, names, strict=True):
        for outcome in run.outcomes:
            known, origin = outcomes.setdefault(outcome.key, (outcome, name))
            if known is not outcome and known != outcome:
                where = f"{outcome.case}, {outcome.adapter}, {outcome.phase}"
                verdicts = f"{known.verdict} in {origin}, {outcome.verdict} in {name}"
                raise RunFileError(f"these runs do not belong together: {where} has two outcomes: {verdicts}")
    header = _merged_headers([run.header for run in runs], names)
    return Run(header, tuple(outcome for outcome, _ in outcomes.values()))


def _merged_headers(headers: Sequence[Header], names: Sequence[str]) -> Header:
    adapters: dict[str, tuple[dict[str, Any], str]] = {}
    cases: dict[str, tuple[dict[str, Any], str]] = {}
    for header, origin in zip(headers, names, strict=True):
        for name, adapter in header.adapters.items():
            known, first = adapters.setdefault(name, (adapter, origin))
            if "missing" in known:
                adapters[name] = (adapter, origin)
            elif "missing" not in adapter:
                _same(f"the adapter {name}", known, adapter, ("versions", "device", "precisions"), first, origin)
                adapters[name] = (_with_spellings(known, adapter), first)
        for name, case in header.cases.items():
            known, first = cases.setdefault(name, (case, origin))
            _same(f"the case {name}", known, case, ("yaml",), first, origin)
    platforms = [header.platform for header in headers]
    return Header(
        schema=SCHEMA_VERSION,
        time=min(filter(None, (header.time for header in headers)), default=""),
        platform={
            key: ", ".join(dict.fromkeys(each[key] for each in platforms if key in each))
            for key in dict.fromkeys(key for each in platforms for key in each)
        },
        adapters={name: adapter for name, (adapter, _) in adapters.items()},
        cases={name: case for name, (case, _) in cases.items()},
        partial=any(header.partial for header in headers),
        repeat=min(header.repeat for header in headers),  # what was not repeated is not known to be stable
    )


def _with_spellings(known: dict[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of an adapter, with what another part of the run knows of how it writes operations."""
    spellings = {**other.get("spellings", {}), **known.get("spellings", {})}
    return {**known, "spellings": spellings} if spellings else known


def _same(
    what: str, one: Mapping[str, Any], other: Mapping[str, Any], keys: Sequence[str], first: str, second: str
) -> None:
    for key in keys:
        old, new = to_json(one.get(key)), to_json(other.get(key))
        if old != new:
            shown = f": {_brief(old)} in {first}, {_brief(new)} in {second}"
            raise RunFileError(f"these runs do not belong together: {what} has different {key}{shown}")


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- comparing ------------------------------------------------------------------------------------------------------

Kind: TypeAlias = Literal["worse", "gone", "changed", "new", "better"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Finding:
    """What one run says of an outcome; ``error_ratio`` is the worst of its tensors."""

    verdict: str
    dialect: dict[str, Any] | None
    as_declared: bool
    error_ratio: float | None

    @classmethod
    def of(cls, outcome: Outcome) -> Finding:
        return cls(outcome.verdict, outcome.dialect, outcome.as_declared, outcome.error_ratio)


@dataclass(frozen=True)
class Change:
    """What became of an outcome from one run to another; ``old`` is None for a new one, ``new`` for one that is gone.

    ``worse`` is what was as declared and no longer is, or has a worse verdict.
    """

    kind: Kind
    case: str
    adapter: str
    phase: str
    old: Finding | None
    new: Finding | None


def changes(old: Run, new: Run) -> list[Change]:
    """What changed between two runs: the worse first, then what is gone, changed, new and better."""
    before = {outcome.key: Finding.of(outcome) for outcome in old.outcomes}
    after = {outcome.key: Finding.of(outcome) for outcome in new.outcomes}
    found = []
    for key in dict.fromkeys((*after, *before)):
        kind = _kind(before.get(key), after.get(key))
        if kind:
            found.append(Change(kind, *key, before.get(key), after.get(key)))
    return sorted(found, key=lambda change: KINDS.index(change.kind))


def worse_count(found: Iterable[Change]) -> int:
    """How many outcomes became worse."""
    return sum(change.kind == "worse" for change in found)


def _kind(old: Finding | None, new: Finding | None) -> Kind | None:
    if old is None or new is None:
        return "new" if old is None else "gone"
    was, now = SEVERITY[old.verdict], SEVERITY[new.verdict]
    if now > was or (old.as_declared and not new.as_declared):
        return "worse"
    if now < was or (new.as_declared and not old.as_declared):
        return "better"
    if old.dialect != new.dialect or not _close(old, new):
        return "changed"
    return None


def _close(old: Finding, new: Finding) -> bool:
    """Whether two error ratios of one verdict are the same finding."""
    one, other = old.error_ratio, new.error_ratio
    if old.verdict == "conforms" or one == other:
        return True
    if one is None or other is None:
        return False
    low, high = sorted((one, other))
    return math.isfinite(high) and high <= WOBBLE * low
