"""The report for a terminal or a log: plain text, without colour codes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from conformance.history import Change, Finding, Gap
from conformance.report import comparison
from conformance.report.overview import Cell, Matrix, tally, undeclared
from conformance.report.words import (
    FLAG,
    GLYPHS,
    computed,
    declaration,
    dialect_name,
    exact,
    inline,
    number,
    power,
    printable,
    reproduction,
)
from conformance.results import Header, Outcome, Run, TensorResult, whole


def matrix(run: Run) -> str:
    """Operations by adapters: in each cell the number of outcomes with each verdict."""
    arranged = Matrix.of(run)
    rows = [["", *map(inline, arranged.adapters)]]
    for operation in arranged.operations():
        rows.append([inline(operation), *(cell.signs if cell else "" for cell in arranged.row(operation))])
    parts = [_aligned(rows), "", _legend(Cell(run.outcomes).counts)] if run.outcomes else []
    return "\n".join([*parts, tally(run)]) + "\n"


def _legend(verdicts: Collection[str]) -> str:
    signs = (f"{GLYPHS[verdict]} {verdict}" for verdict in GLYPHS if verdict in verdicts)
    return "   ".join([*signs, f"{FLAG} not as declared"])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(entry.ljust(width) for entry, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def failures(run: Run) -> str:
    """Every outcome that is not as declared, in full."""
    return "\n".join(map(failure, undeclared(run)))


def failure(outcome: Outcome) -> str:
    """One outcome: what was expected and found, and how to see it for oneself."""
    formula = computed(outcome.verdict, outcome.dialect)
    verdict = f"{outcome.verdict} ({inline(formula)})" if formula else outcome.verdict
    where = ", ".join(map(inline, outcome.key))
    outcome = whole(outcome)
    lines = [f"{GLYPHS[outcome.verdict]} {where}: {verdict}"]
    if outcome.worst:
        lines += _tensor(outcome.worst)
    lines += [f"  declared: {inline(declaration(entry))}" for entry in outcome.declared]
    lines += [f"  {line}" for line in printable(outcome.message).splitlines() if line.strip()]
    lines.append(f"  to see it: {inline(reproduction(outcome))}")
    return "\n".join(lines) + "\n"


def _tensor(tensor: TensorResult) -> list[str]:
    formula = f" (by {inline(dialect_name(tensor.held_to))})" if tensor.held_to else ""
    place = f"step {tensor.step}, " if tensor.step else ""
    return [
        f"  tensor {inline(tensor.name)}, {place}{inline(tensor.dtype)}, index {list(tensor.index)}: {tensor.verdict}",
        f"  expected{formula} {exact(tensor.expected, tensor.dtype)}, actual {exact(tensor.actual, tensor.dtype)}",
        f"  deviation {number(abs(tensor.actual - tensor.expected))}, tolerance {number(tensor.tolerance)}, "
        f"error ratio {number(tensor.error_ratio)}",
        *(
            [f"  error ratio from the published formula {number(tensor.published)}"]
            if tensor.published is not None
            else []
        ),
        *(f"  note: {inline(note)}" for note in tensor.notes),
    ]


def change(found: Change) -> str:
    """One change between two runs, on one line."""
    where = ", ".join(map(inline, (found.case, found.adapter, found.phase)))
    sides = [_finding(side) for side in (found.old, found.new) if side]
    return f"{found.kind}: {where}: {' -> '.join(sides)}"


def _finding(side: Finding) -> str:
    formula = inline(computed(side.verdict, side.dialect)) if side.dialect else ""
    details = [part for part in (formula, power(side.error_ratio)) if part]
    return side.verdict + (f" ({'; '.join(details)})" if details else "") + ("" if side.as_declared else f" {FLAG}")


def versions(old: Header, new: Header) -> list[str]:
    """The versions that differ, a line each."""
    return [f"version: {inline(line)}" for line in comparison.version_lines(old, new)]


def gap(found: Gap) -> str:
    """What follows from another set of adapters or cases, on one line."""
    return inline(comparison.gap_line(found))


MOST_TRENDS = 40


def trend(runs: Sequence[tuple[str, Run]]) -> str:
    """Outcomes through several runs: a column per run, "·" where there is none."""
    found, told = comparison.trend([run for _, run in runs])
    if not found:
        return told
    rows = [["trend", *(inline(name) for name, _ in runs)]]
    for each in found[:MOST_TRENDS]:
        where = ", ".join(map(inline, (each.case, each.adapter, each.phase)))
        rows.append([where, *map(comparison.sign, each.findings)])
    rest = len(found) - MOST_TRENDS
    return "\n".join([_aligned(rows), *([f"and {rest:,} more"] if rest > 0 else []), told])
