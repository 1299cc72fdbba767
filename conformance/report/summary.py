"""What the page's scripts are given of a whole run: of every outcome what an overview and a query need, in columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.report import words
from conformance.report.overview import WEIGHT, family_of, operation_of
from conformance.report.packing import Numbers, Shared
from conformance.report.words import printable
from conformance.results import Run


class _Column:
    """A column of shared values."""

    def __init__(self, *known: Any) -> None:
        self.values = Shared()
        for each in known:
            self.values.place(each)
        self.places: list[int] = []

    def add(self, value: Any) -> None:
        self.places.append(self.values.place(value))


def summary(run: Run, limits: Mapping[str, float]) -> dict[str, Any]:
    """Every outcome in columns."""
    seen = {printable(outcome.phase) for outcome in run.outcomes}
    columns = {
        "case": _Column(),
        "adapter": _Column(*sorted({printable(outcome.adapter) for outcome in run.outcomes})),
        "phase": _Column(*sorted(seen, reverse=True)),  # train, then predict
        "verdict": _Column(*words.GLYPHS),
        "dialect": _Column(""),
        "message": _Column(""),
    }
    for outcome in run.outcomes:
        columns["case"].add(printable(outcome.case))
        columns["adapter"].add(printable(outcome.adapter))
        columns["phase"].add(printable(outcome.phase))
        columns["verdict"].add(outcome.verdict)
        columns["dialect"].add(words.computed(outcome.verdict, outcome.dialect))
        columns["message"].add(outcome.message)
    operations = {printable(outcome.case): operation_of(run, outcome.case) for outcome in run.outcomes}
    families: dict[str, str] = {}
    for outcome in run.outcomes:
        families.setdefault(operation_of(run, outcome.case), family_of(run, outcome.case))
    places = {name: place for place, name in enumerate(families)}
    return {
        "verdicts": [_verdict(name) for name in words.GLYPHS],
        "flag": words.FLAG,
        "unnamed": [words.UNEXPLAINED, words.UNKNOWN],
        "limits": dict(limits),
        "adapters": list(columns["adapter"].values),
        "modes": _modes(run),
        "versions": {printable(name): words.versions(each) for name, each in sorted(run.header.adapters.items())},
        "phases": list(columns["phase"].values),
        "operations": [
            {"name": printable(name), "family": printable(family), "block": words.anchor(name, "data")}
            for name, family in families.items()
        ],
        "cases": list(columns["case"].values),
        "operationOf": [places[operations[case]] for case in columns["case"].values],
        "dialects": list(columns["dialect"].values),
        "messages": list(columns["message"].values),
        "outcomes": {
            **{name: column.places for name, column in columns.items()},
            "ratio": Numbers(3, (outcome.error_ratio for outcome in run.outcomes)),
            "declared": [int(outcome.as_declared) for outcome in run.outcomes],
        },
    }


def _modes(run: Run) -> dict[str, str]:
    """How each adapter ran its calls: a run has one mode for each."""
    return {printable(outcome.adapter): outcome.mode for outcome in run.outcomes if outcome.mode}


def _verdict(name: str) -> dict[str, Any]:
    quiet = name in words.QUIET
    return {"name": name, "glyph": words.GLYPHS[name], "weight": WEIGHT[name], "quiet": quiet}
