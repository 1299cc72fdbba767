"""How the outcomes of a run are arranged: the matrix, what is not as declared, and what lies behind it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from conformance.report.words import FLAG, GLYPHS, QUIET, computed, plural
from conformance.results import Outcome, Run

WEIGHT = {
    verdict: weight
    for weight, verdict in enumerate(
        ("unsupported", "conforms", "imprecise", "dialect", "deviates", "unstable", "error", "crash", "timeout")
    )
}
"""Which verdict stands for several: what a framework lacks never hides what it computes."""


def operation_of(run: Run, case: str) -> str:
    """The operation that a case is about."""
    return str(run.header.cases.get(case, {}).get("operation") or case.partition("/")[0])


def family_of(run: Run, case: str) -> str:
    """The family of a case's operation."""
    return str(run.header.cases.get(case, {}).get("family") or "other")


@dataclass(frozen=True)
class Cell:
    """Some outcomes as one: of an operation on an adapter, or of a case."""

    outcomes: tuple[Outcome, ...]

    @cached_property
    def leading(self) -> Outcome:
        """The outcome to look at first."""
        return max(self.outcomes, key=_gravity)

    @property
    def verdict(self) -> str:
        return self.leading.verdict

    @property
    def glyph(self) -> str:
        return GLYPHS[self.verdict]

    @cached_property
    def undeclared(self) -> int:
        """How many are not as declared."""
        return sum(not outcome.as_declared for outcome in self.outcomes)

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many outcomes there are of each verdict, the gravest first."""
        found = Counter(outcome.verdict for outcome in self.outcomes)
        return {verdict: found[verdict] for verdict in sorted(found, key=WEIGHT.__getitem__, reverse=True)}

    @property
    def signs(self) -> str:
        """The counts in signs: ``◆2 ✓8 ⚑1``."""
        flag = [f"{FLAG}{self.undeclared}"] if self.undeclared else []
        return " ".join([*(f"{GLYPHS[verdict]}{count}" for verdict, count in self.counts.items()), *flag])

    @property
    def words(self) -> str:
        """The counts in words: ``2 dialect, 8 conforms; 1 not as declared``."""
        counts = ", ".join(f"{count:,} {verdict}" for verdict, count in self.counts.items())
        return counts + (f"; {self.undeclared:,} not as declared" if self.undeclared else "; all as declared")


def _gravity(outcome: Outcome) -> tuple[bool, int, float]:
    ratio = outcome.error_ratio
    return not outcome.as_declared, WEIGHT[outcome.verdict], -1.0 if ratio is None else ratio


@dataclass(frozen=True)
class Matrix:
    """Operations by adapters and phases. A cell that no case is about is absent."""

    adapters: tuple[str, ...]
    phases: tuple[str, ...]
    families: Mapping[str, tuple[str, ...]]
    cells: Mapping[tuple[str, str, str], Cell] = field(repr=False)

    @classmethod
    def of(cls, run: Run) -> Matrix:
        groups: dict[tuple[str, str, str], list[Outcome]] = {}
        families: dict[str, str] = {}
        for outcome in run.outcomes:
            operation = operation_of(run, outcome.case)
            families.setdefault(operation, family_of(run, outcome.case))
            groups.setdefault((operation, outcome.adapter, outcome.phase), []).append(outcome)
        return cls(
            adapters=tuple(sorted({adapter for _, adapter, _ in groups})),
            phases=tuple(sorted({phase for _, _, phase in groups}, reverse=True)),  # train, then predict
            families={
                family: tuple(sorted(operation for operation in families if families[operation] == family))
                for family in sorted(set(families.values()))
            },
            cells={key: Cell(tuple(outcomes)) for key, outcomes in groups.items()},
        )

    def cell(self, operation: str, adapter: str, phase: str) -> Cell | None:
        return self.cells.get((operation, adapter, phase))

    def row(self, operation: str) -> list[Cell | None]:
        """A cell per adapter, all phases in one."""
        return [self._all_phases(operation, adapter) for adapter in self.adapters]

    def _all_phases(self, operation: str, adapter: str) -> Cell | None:
        found = [self.cell(operation, adapter, phase) for phase in self.phases]
        outcomes = tuple(outcome for cell in found if cell for outcome in cell.outcomes)
        return Cell(outcomes) if outcomes else None

    def operations(self) -> Iterator[str]:
        for operations in self.families.values():
            yield from operations


@dataclass(frozen=True)
class Cause:
    """What explains a group of outcomes that are not the published formula."""

    verdict: str
    name: str
    outcomes: tuple[Outcome, ...] = field(repr=False)
    operations: tuple[str, ...] = ()

    @cached_property
    def adapters(self) -> tuple[str, ...]:
        return tuple(sorted({outcome.adapter for outcome in self.outcomes}))

    @cached_property
    def cases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(outcome.case for outcome in self.outcomes))

    @property
    def summary(self) -> str:
        """``variance_correction=1: torch, 14 cases``."""
        return f"{self.name}: {', '.join(self.adapters)}, {plural(len(self.cases), 'case')}"


def causes(run: Run) -> list[Cause]:
    """The outcomes that do not conform, by what explains them: the gravest first, then the most frequent."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in run.outcomes:
        if outcome.verdict != "conforms":
            groups.setdefault((outcome.verdict, _reason(outcome)), []).append(outcome)
    found = [
        Cause(verdict, name, tuple(outcomes), tuple(dict.fromkeys(operation_of(run, each.case) for each in outcomes)))
        for (verdict, name), outcomes in groups.items()
    ]
    return sorted(found, key=lambda cause: (-WEIGHT[cause.verdict], -len(cause.cases), cause.name))


_PRECISION = re.compile(r"(^|; )float\d+: ")


def _reason(outcome: Outcome) -> str:
    """The formula, or the first line of what was said in place of an answer, in the first precision that says it."""
    said = _PRECISION.sub(r"\1", outcome.message.strip().partition("\n")[0])
    first, _, rest = said.partition("; ")
    said = first if rest.startswith(first) else said
    return computed(outcome.verdict, outcome.dialect) or said[:200] or outcome.verdict


def undeclared(run: Run) -> list[Outcome]:
    """What is not as declared, the gravest first."""
    return sorted((each for each in run.outcomes if not each.as_declared), key=_gravity, reverse=True)


def tally(run: Run) -> str:
    """The run in one sentence."""
    if not run.outcomes:
        return "Nothing was measured."
    cases = len({outcome.case for outcome in run.outcomes})
    adapters = len({outcome.adapter for outcome in run.outcomes})
    return f"{plural(len(run.outcomes), 'outcome')} of {plural(cases, 'case')} on {plural(adapters, 'adapter')}: " + (
        Cell(run.outcomes).words + "."
    )


def disagreement(outcomes: Iterable[Outcome]) -> int:
    """How many adapters deviate from the formula in a case, or are not as declared."""
    return len({each.adapter for each in outcomes if each.verdict not in QUIET or not each.as_declared})
