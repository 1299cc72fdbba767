"""Several runs of the same, one after another: what changed between two, and the trend of many.

To merge runs of different adapters or cases is another thing: see `conformance.merging`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias, get_args

from conformance.merging import hold_comparable, merge
from conformance.results import SEVERITY, Header, Outcome, Run

__all__ = [
    "Change",
    "Finding",
    "Gap",
    "Trend",
    "changes",
    "gaps",
    "hold_comparable",
    "merge",
    "trend",
    "versions",
    "worse_count",
]

WOBBLE = 10.0
"""Error ratios of one verdict that differ by less than this factor are the same finding."""


Kind: TypeAlias = Literal["worse", "gone", "changed", "new", "better"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Finding:
    """What one run says of an outcome; ``error_ratio`` is the worst of its tensors, from the published formula."""

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


# --- what follows from another set of adapters or cases -------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """Outcomes that are new or gone for one reason, which is told once instead of outcome by outcome."""

    kind: Literal["gone", "new"]
    count: int
    reason: str


def gaps(found: Iterable[Change], old: Run, new: Run) -> tuple[list[Change], list[Gap]]:
    """Apart from each other: the changes that are findings, and those that follow from what was run.

    What is new and not as declared is a finding all the same.
    """
    sides = {"gone": _Side(new, old, "new"), "new": _Side(old, new, "old")}
    rest: list[Change] = []
    counts: Counter[tuple[Literal["gone", "new"], str]] = Counter()
    for change in found:
        telling = change.kind == "new" and change.new is not None and not change.new.as_declared
        reason = None if telling or change.kind not in ("gone", "new") else sides[change.kind].lacks(change)
        if reason is None:
            rest.append(change)
        else:
            counts["gone" if change.kind == "gone" else "new", reason] += 1
    return rest, [Gap(kind, count, reason) for (kind, reason), count in counts.items()]


class _Side:
    """The run that lacks outcomes which another one has."""

    def __init__(self, run: Run, other: Run, name: str) -> None:
        self._name, self._header = name, run.header
        self._adapters = {each.adapter for each in run.outcomes}
        self._cases = {each.case for each in run.outcomes}
        lacking = {each.case for each in other.outcomes} - self._cases
        self._told = f"the {name} run does not have {_counted(lacking)}"

    def lacks(self, change: Change) -> str | None:
        """Why it has no such outcome, if that is no finding of its own."""
        if change.adapter not in self._adapters:
            why = self._header.adapters.get(change.adapter, {}).get("missing")
            return f"the {self._name} run does not have the adapter {change.adapter}" + (f": {why}" if why else "")
        if change.case not in self._cases:
            return self._told
        return f"the {self._name} run is partial" if self._header.partial else None


def _counted(cases: set[str]) -> str:
    shown = sorted(cases)[:3]
    named = ", ".join(shown) + (" ..." if len(cases) > 3 else "")
    return f"{len(cases):,} case{'' if len(cases) == 1 else 's'} ({named})"


def versions(old: Header, new: Header) -> list[tuple[str, str, str, str]]:
    """The versions that differ: adapter, distribution, the old version and the new one, "" where there is none."""
    found = []
    for adapter in sorted({*old.adapters, *new.adapters}):
        before, after = (header.adapters.get(adapter, {}).get("versions", {}) for header in (old, new))
        for name in sorted({*before, *after}):
            pair = str(before.get(name, "")), str(after.get(name, ""))
            if pair[0] != pair[1]:
                found.append((adapter, name, *pair))
    return found


# --- many runs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trend:
    """One outcome through several runs, the oldest first; None is a gap: that run has no such outcome."""

    case: str
    adapter: str
    phase: str
    findings: tuple[Finding | None, ...]

    @property
    def kind(self) -> Kind | None:
        """What the newest run changed, against the last one before it that has this outcome."""
        *earlier, newest = self.findings
        known = [each for each in earlier if each is not None]
        if newest is None:
            return "gone" if earlier and earlier[-1] is not None else None
        return _kind(known[-1] if known else None, newest)

    @property
    def gappy(self) -> bool:
        """Whether it is the same in all runs that have it."""
        known = [each for each in self.findings if each is not None]
        return not any(_kind(one, other) for one, other in pairwise(known))

    @property
    def changed(self) -> bool:
        """Whether it is not the same in all runs."""
        first = self.findings[0]
        against_first = any(
            (each is None) != (first is None) or (each and _kind(first, each)) for each in self.findings
        )
        return against_first or any(one and other and _kind(one, other) for one, other in pairwise(self.findings))


def trend(runs: Sequence[Run]) -> list[Trend]:
    """The outcomes that are not the same in all runs, those first which the newest run made worst."""
    found: dict[tuple[str, str, str], list[Finding | None]] = {}
    for number, run in enumerate(runs):
        for outcome in run.outcomes:
            found.setdefault(outcome.key, [None] * len(runs))[number] = Finding.of(outcome)
    made = [Trend(*key, tuple(findings)) for key, findings in found.items()]
    return sorted(filter(lambda each: each.changed, made), key=_weight)


def _weight(each: Trend) -> tuple[int, int, str, str, str]:
    kind, newest = each.kind, each.findings[-1]
    gravity = -SEVERITY[newest.verdict] if newest else 0
    return KINDS.index(kind) if kind else len(KINDS), gravity, each.case, each.adapter, each.phase
