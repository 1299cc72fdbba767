"""The report as GitHub Markdown, for a job's summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance import history
from conformance.report.comparison import change_rows, gap_lines
from conformance.report.markup import Markup, Table, document, escape, linked, page_address, source_address
from conformance.report.overview import Cell, Matrix, causes, tally, undeclared
from conformance.report.words import FLAG, GLYPHS, MEANINGS, computed, power, warnings
from conformance.results import Outcome, Run

LIMIT = 2**20 - 1024
"""GitHub shows no summary of more than a mebibyte."""

MOST_ROWS = 500
"""How many outcomes are listed."""


def render(run: Run, earlier: Sequence[tuple[str, Run]] = (), link: str = "", limit: int = LIMIT) -> str:
    """What is not as declared, what is new against the newest of the earlier runs, the matrix, and the causes."""
    return document(_parts(run, earlier, link), limit)


def _parts(run: Run, earlier: Sequence[tuple[str, Run]], link: str) -> Iterator[str | Table]:
    yield "# Conformance"
    yield escape(tally(run)) + (f" {linked('The page', link)}" if link else "")
    yield from (f"> **Note:** {escape(warning)}" for warning in warnings(run))
    failing = undeclared(run)
    if failing:
        yield "## Not as declared"
        yield _failures(run, failing, link)
    if earlier:
        yield from _news(*earlier[-1], run, link)
    if run.outcomes:
        yield "## Operations by adapters"
        yield _matrix(Matrix.of(run))
        yield _legend(run)
    found = causes(run)
    if found:
        yield "## Causes"
        yield Table(
            ["verdict", "cause", "adapters", "cases"],
            [[cause.verdict, cause.name, ", ".join(cause.adapters), str(len(cause.cases))] for cause in found],
        )


def _failures(run: Run, outcomes: Sequence[Outcome], link: str) -> Table:
    head = ["case", "phase", "adapter", "verdict", "computed", "error ratio (power of ten)", "message", "source"]
    rows = [
        [
            linked(outcome.case, page_address(link, *outcome.key)),
            outcome.phase,
            outcome.adapter,
            f"{GLYPHS[outcome.verdict]} {outcome.verdict}",
            computed(outcome.verdict, outcome.dialect),
            power(outcome.error_ratio),
            outcome.message[:300],
            _sources(run, outcome.case),
        ]
        for outcome in outcomes
    ]
    return Table(head, rows, MOST_ROWS)


def _sources(run: Run, case: str) -> str:
    """The case's file, and who published the formula."""
    about = run.header.cases.get(case, {})
    file = str(about.get("file", ""))
    references = (str(each) for each in about.get("references", ()))
    found = [linked(file, source_address(file)), *(linked(each, each) for each in references)]
    return Markup(" ".join(escape(each) for each in found if each))


def _news(name: str, old: Run, run: Run, link: str) -> Iterator[str | Table]:
    yield f"## Changes since {escape(name)}"
    changes, gaps = history.gaps(history.changes(old, run), old, run)
    yield from gap_lines(gaps)
    if changes:
        yield change_rows(changes, link, MOST_ROWS)
    elif not gaps:
        yield "None."


def _matrix(matrix: Matrix) -> Table:
    rows = [
        [operation, *(cell.signs if cell else "" for cell in matrix.row(operation))]
        for operation in matrix.operations()
    ]
    return Table(["operation", *matrix.adapters], rows)


def _legend(run: Run) -> str:
    lines = [f"- {GLYPHS[verdict]} {verdict}: {MEANINGS[verdict]}" for verdict in Cell(run.outcomes).counts]
    return "\n".join([*lines, f"- {FLAG} not as declared in the case file"])
