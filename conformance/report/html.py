"""The page that people read: one file, which needs nothing from anywhere and shows its findings without scripts too.

What one reads first, the overview and the page of each operation, is written here.  The rest, the numbers of every
case, is data that the page's scripts decode when it is asked for: see `summary`, `details` and ``scripts/``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import history
from conformance.arithmetic.precision import PRECISIONS
from conformance.history import KINDS, Change, Gap, Trend
from conformance.operation import Operation, operations
from conformance.report import assets, comparison, pieces, words
from conformance.report.details import Details
from conformance.report.overview import (
    Cell,
    Matrix,
    causes,
    disagreement,
    family_of,
    operation_of,
    tally,
    undeclared,
)
from conformance.report.stone import Stone, stone
from conformance.report.summary import summary
from conformance.results import Outcome, Run, values_of

if TYPE_CHECKING:
    from markupsafe import Markup

LIMITS = {name: precision.limit for name, precision in PRECISIONS.items()}
"""The error ratio up to which a tensor conforms, by format."""

MOST_LISTED = 200
"""How many outcomes that are not as declared, and changes of a kind, are listed; the page's query finds the rest."""


FORMULAS = ("deviates", "dialect", "imprecise")
"""The verdicts on an answer; the others are on what came in place of one."""

MOST_NAMED = 8
"""How many operations of a cause are named."""


def render(run: Run, earlier: Sequence[tuple[str, Run]] = ()) -> str:
    """The page of a run."""
    return "".join(parts(run, earlier))


def parts(run: Run, earlier: Sequence[tuple[str, Run]] = ()) -> Iterator[str]:
    """The page of a run, piece by piece, so that it need not be in memory as a whole.

    ``earlier`` are runs to compare it with, and what they are called, the oldest first.
    """
    found = causes(run)
    seen, details = Cell(run.outcomes).counts, Details()
    stream = (
        pieces.environment()
        .get_template("page.html")
        .stream(
            run=run,
            tally=tally(run),
            warnings=words.warnings(run),
            undeclared=undeclared(run),
            most_listed=MOST_LISTED,
            most_named=MOST_NAMED,
            matrix=Matrix.of(run),
            causes=[cause for cause in found if cause.verdict in FORMULAS],
            failures=[cause for cause in found if cause.verdict not in (*FORMULAS, "unsupported")],
            lacking=seen.get("unsupported", 0),
            past=Past.of([*earlier, ("this run", run)]) if earlier else None,
            sections=_sections(run, details),
            texts=lambda: pieces.block("page-texts", details.texts()),
            summary=pieces.block("page-summary", summary(run, LIMITS)),
            verdicts=[verdict for verdict in words.GLYPHS if verdict in seen],
            limits={name: words.power(limit) for name, limit in LIMITS.items()},
            policy=assets.policy(),
            style=pieces.trusted(assets.style()),
            early=pieces.trusted(assets.EARLY),
            script=pieces.trusted(assets.script()),
        )
    )
    stream.enable_buffering(1000)
    return iter(stream)


# --- what the templates are given -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A case with its outcomes on all adapters."""

    name: str
    cell: Cell

    def within(self, operation: str) -> str:
        """The name among the cases of an operation."""
        return self.name.removeprefix(f"{operation}/")

    @property
    def loud(self) -> dict[str, list[str]]:
        """The adapters that do not simply conform, by the gravest verdict of each."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.cell.outcomes:
            groups.setdefault(outcome.adapter, []).append(outcome)
        found: dict[str, list[str]] = {}
        for adapter in sorted(groups):
            if disagreement(groups[adapter]):
                found.setdefault(Cell(tuple(groups[adapter])).verdict, []).append(adapter)
        return found


@dataclass(frozen=True)
class Section:
    """An operation with its cases, those first in which most adapters disagree with the formula."""

    name: str
    family: str
    operation: Operation | None
    stone: Stone
    cases: Sequence[Case]
    block: Markup = field(repr=False)


def _sections(run: Run, details: Details) -> Iterator[Section]:
    families: dict[str, str] = {}
    groups: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in run.outcomes:
        name = operation_of(run, outcome.case)
        families.setdefault(name, family_of(run, outcome.case))
        groups.setdefault(name, {}).setdefault(outcome.case, []).append(outcome)
    for name in sorted(groups, key=lambda name: (families[name], name)):
        yield _section(run, details, families[name], name, groups[name])


def _section(run: Run, details: Details, family: str, name: str, cases: Mapping[str, Sequence[Outcome]]) -> Section:
    operation = operations().get(name)
    values = {case: [values_of(outcome) for outcome in found] for case, found in cases.items()}
    told = stone(run, name, operation, [each for found in values.values() for each in found])
    latex = operation.formula if operation else ""
    listed = [Case(case, Cell(tuple(found))) for case, found in cases.items()]
    listed.sort(key=lambda case: (not case.cell.undeclared, -disagreement(case.cell.outcomes), case.name))
    others = {"ports": details.ports(told), "knobs": _knobs(run, operation, cases) if operation else []}
    block = pieces.block(words.anchor(name, "data"), details.of(name, run.header.cases, values, latex=latex, **others))
    return Section(name, family, operation, told, listed, block)


def _knobs(run: Run, operation: Operation, cases: Iterable[str]) -> list[dict[str, Any]]:
    """The formulas that were looked for: of each setting what it means, and how many cases would fail with it."""
    sees = Counter(setting for case in cases for setting in run.header.cases.get(case, {}).get("sees") or ())
    return [
        {
            "name": f"{knob.name}={value}",
            "meaning": meaning,
            "published": value == knob.default,
            "cases": sees[f"{knob.name}={value}"],
        }
        for knob in operation.knobs.values()
        for value, meaning in knob.values.items()
    ]


@dataclass(frozen=True)
class Past:
    """A run beside earlier ones: what changed since the last of them, and the trend of all."""

    names: Sequence[str]
    summary: str
    updates: Sequence[str]
    gaps: Sequence[Gap]
    changes: Mapping[str, Sequence[Change]]
    trend: Sequence[Trend]
    rest: str

    @classmethod
    def of(cls, runs: Sequence[tuple[str, Run]]) -> Past:
        (_, old), (_, new) = runs[-2:]
        found = history.changes(old, new)
        changes, gaps = history.gaps(found, old, new)
        through = [run for _, run in runs]
        telling, rest = comparison.trend(through) if len(runs) > 2 else ([], "")
        gappy = [each for each in history.trend(through) if each.gappy] if len(runs) > 2 else []
        return cls(
            names=[name for name, _ in runs],
            summary=comparison.summary(found),
            updates=comparison.version_lines(old.header, new.header),
            gaps=gaps,
            changes={kind: [each for each in changes if each.kind == kind] for kind in KINDS},
            trend=[*telling, *gappy],
            rest=rest,
        )
