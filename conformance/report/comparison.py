"""What became of a run, as GitHub Markdown: a comment on a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from conformance import history
from conformance.history import KINDS, Change, Finding, Gap, Trend
from conformance.report.markup import Table, document, escape, linked, page_address
from conformance.report.words import FLAG, GLYPHS, computed, listed, plural, power
from conformance.results import Header, Run

LIMIT = 60_000
"""GitHub takes no comment of more than 65,536 characters."""

MOST_ROWS = 100


def render(runs: Sequence[tuple[str, Run]], link: str = "", limit: int = LIMIT) -> str:
    """What changed from the last run but one to the last, and the trend of all if they are more."""
    return document(_parts(runs, link), limit)


def _parts(runs: Sequence[tuple[str, Run]], link: str) -> Iterator[str | Table]:
    (old_name, old), (new_name, new) = runs[-2:]
    found = history.changes(old, new)
    yield "# Conformance: what changed"
    yield f"{escape(summary(found))} From {escape(old_name)} to {escape(new_name)}."
    if updates := version_lines(old.header, new.header):
        yield "\n".join(f"- {escape(line)}" for line in updates)
    changes, gaps = history.gaps(found, old, new)
    yield from gap_lines(gaps)
    for kind in KINDS:
        if rows := [each for each in changes if each.kind == kind]:
            yield f"## {kind.capitalize()}"
            yield change_rows(rows, link)
    if len(runs) > 2:
        yield from _trend(runs, link)


def summary(found: Iterable[Change]) -> str:
    """The counts in a sentence: ``3 changes: 1 worse, 2 new.``"""
    counts = Counter(change.kind for change in found)
    if not counts:
        return "Nothing changed."
    told = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS if counts[kind])
    return f"{plural(counts.total(), 'change')}: {told}."


def version_lines(old: Header, new: Header) -> list[str]:
    """The versions that differ, each once: ``torch 2.12 -> 2.13 (torch, torch_functional)``."""
    adapters: dict[str, list[str]] = {}
    for adapter, name, before, after in history.versions(old, new):
        if before and after:
            adapters.setdefault(f"{name} {before} -> {after}", []).append(adapter)
    return [f"{update} ({listed(names)})" for update, names in adapters.items()]


def gap_lines(gaps: Iterable[Gap]) -> list[str]:
    """What follows from another set of adapters or cases, told once."""
    return [f"> **Note:** {escape(gap_line(each))}" for each in gaps]


def gap_line(gap: Gap) -> str:
    """``12 outcomes gone: the new run does not have the adapter torch``."""
    return f"{plural(gap.count, 'outcome')} {gap.kind}: {gap.reason}"


def change_rows(changes: Sequence[Change], link: str = "", most: int = MOST_ROWS) -> Table:
    """Changes as a table: what was found before, and what is found now."""
    rows = [
        [
            change.kind,
            linked(change.case, page_address(link, change.case, change.adapter, change.phase)),
            change.phase,
            change.adapter,
            finding(change.old),
            finding(change.new),
            _ratios(change.old, change.new),
        ]
        for change in changes
    ]
    return Table(["", "case", "phase", "adapter", "before", "now", "error ratio (power of ten)"], rows, most)


def finding(side: Finding | None) -> str:
    """What one run says, in a cell."""
    if side is None:
        return ""
    formula = computed(side.verdict, side.dialect) if side.dialect else ""
    return " ".join(filter(None, (GLYPHS[side.verdict], side.verdict, formula, "" if side.as_declared else FLAG)))


def _ratios(old: Finding | None, new: Finding | None) -> str:
    shown = [power(side.error_ratio) for side in (old, new) if side]
    return " → ".join(each or "none" for each in shown) if any(shown) else ""


def trend(runs: Sequence[Run]) -> tuple[list[Trend], str]:
    """What changed through several runs, and in a sentence what did not."""
    found = history.trend(runs)
    telling = [each for each in found if not each.gappy]
    told = f"{plural(len(telling), 'outcome')} changed through these {len(runs)} runs"
    gappy = len(found) - len(telling)
    return telling, told + (f"; {gappy:,} are not in all of them and the same otherwise." if gappy else ".")


def _trend(runs: Sequence[tuple[str, Run]], link: str) -> Iterator[str | Table]:
    found, rest = trend([run for _, run in runs])
    yield "## Trend"
    yield escape(rest)
    if not found:
        return
    rows = [
        [
            linked(each.case, page_address(link, each.case, each.adapter, each.phase)),
            each.phase,
            each.adapter,
            *(sign(side) for side in each.findings),
        ]
        for each in found
    ]
    yield Table(["case", "phase", "adapter", *(name for name, _ in runs)], rows, MOST_ROWS)


def sign(side: Finding | None) -> str:
    """What one run says, as a sign with the power of ten; "·" is a gap."""
    if side is None:
        return "·"
    ratio = "" if side.verdict == "conforms" else power(side.error_ratio)
    return " ".join(filter(None, (GLYPHS[side.verdict], ratio, "" if side.as_declared else FLAG)))
