"""What the scripts of the page are given: compressed JSON, in blocks that are decoded when they are asked for.

One block, ``summary``, holds of every outcome what an overview and a query need, in columns.  A block per operation
holds the rest: the numbers of each tensor, curves, scripts.  Numbers have the digits that a reader looks at, which is
what most of the bytes go into.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from conformance.report import words
from conformance.report.overview import WEIGHT, family_of, operation_of
from conformance.results import Run, to_json

Values: TypeAlias = Mapping[str, Any]
"""An outcome as the JSON values of its line."""

INFINITE = -1
"""Stands for an error ratio that is infinite or NaN: JSON has no such number, and none is negative."""

TENSOR = (
    "name", "step", "dtype", "verdict", "dialect", "held_to", "error_ratio", "max_abs", "max_rel", "max_ulp", "drift",
    "tolerance", "index", "expected", "actual", "notes", "shape", "errors", "elements",
)  # fmt: skip
MEASURES = ("error_ratio", "max_abs", "max_rel", "max_ulp", "drift", "tolerance")
ELEMENT = ("place", "expected", "difference", "bound")


def packed(value: Any) -> str:
    """JSON, compressed, as text that stands in a page."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "backslashreplace"), 9)).decode("ascii")


# --- the summary ----------------------------------------------------------------------------------------------------


class _Shared(dict[Any, int]):
    """Values, each kept once: where it is used, its place stands."""

    def place(self, value: Any) -> int:
        return self.setdefault(value, len(self))


class _Column:
    """A column of shared values."""

    def __init__(self, *known: Any) -> None:
        self.values = _Shared()
        for each in known:
            self.values.place(each)
        self.places: list[int] = []

    def add(self, value: Any) -> None:
        self.places.append(self.values.place(value))


def summary(run: Run, limits: Mapping[str, float]) -> dict[str, Any]:
    """Every outcome in columns."""
    seen = {outcome.phase for outcome in run.outcomes}
    columns = {
        "case": _Column(),
        "adapter": _Column(*sorted({outcome.adapter for outcome in run.outcomes})),
        "phase": _Column(*sorted(seen, reverse=True)),  # train, then predict
        "verdict": _Column(*words.GLYPHS),
        "dialect": _Column(""),
        "message": _Column(""),
    }
    for outcome in run.outcomes:
        columns["case"].add(outcome.case)
        columns["adapter"].add(outcome.adapter)
        columns["phase"].add(outcome.phase)
        columns["verdict"].add(outcome.verdict)
        columns["dialect"].add(words.printable(words.computed(outcome.verdict, outcome.dialect)))
        columns["message"].add(words.printable(outcome.message))
    cases = list(columns["case"].values)
    families = {operation_of(run, case): family_of(run, case) for case in cases}
    operations = {name: place for place, name in enumerate(families)}
    return {
        "verdicts": [_verdict(name) for name in words.GLYPHS],
        "flag": words.FLAG,
        "limits": dict(limits),
        "adapters": list(columns["adapter"].values),
        "versions": {name: words.versions(each) for name, each in run.header.adapters.items()},
        "phases": list(columns["phase"].values),
        "operations": [
            {"name": name, "family": family, "block": words.anchor(name, "data")} for name, family in families.items()
        ],
        "cases": cases,
        "operationOf": [operations[operation_of(run, case)] for case in cases],
        "dialects": list(columns["dialect"].values),
        "messages": list(columns["message"].values),
        "outcomes": {
            **{name: column.places for name, column in columns.items()},
            "ratio": [_ratio(outcome.error_ratio) for outcome in run.outcomes],
            "declared": [int(outcome.as_declared) for outcome in run.outcomes],
        },
    }


def _verdict(name: str) -> dict[str, Any]:
    quiet = name in words.QUIET
    return {"name": name, "glyph": words.GLYPHS[name], "weight": WEIGHT[name], "quiet": quiet}


def _ratio(value: float | None) -> float | None:
    if value is None:
        return None
    return _short(value, 3) if math.isfinite(value) else INFINITE


# --- the details ----------------------------------------------------------------------------------------------------


class _Table:
    """Rows of values in columns, which compress better: each column is of one kind."""

    def __init__(self, *fields: str) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in fields}

    def add(self, row: Values) -> None:
        for name, column in self.columns.items():
            column.append(row.get(name))


class _Details:
    """The blocks of an operation: what its cases, and the tensors of these, have in common is kept once."""

    def __init__(self) -> None:
        self.lines, self.declarations = _Shared(), _Shared()
        self.tensors, self.elements = _Table(*TENSOR), _Table(*ELEMENT)
        self.errors: list[Any] = []

    def outcome(self, held: Values) -> dict[str, Any]:
        """An outcome; its tensors are the next rows of the table."""
        rows = held.get("tensors", ())
        for row in rows:
            self._tensor(row)
        rivals = [[words.dialect_name(each.get("dialect")), each.get("error_ratio")] for each in held.get("rivals", ())]
        found = {
            "adapter": held["adapter"],
            "phase": held["phase"],
            "mode": held.get("mode"),
            "tensors": len(rows),
            "declared": [self.declarations.place(_declared(each)) for each in held.get("declared", ())],
            "rivals": rivals,
            "parameters": held.get("parameters"),
            "defaults": held.get("defaults"),
            "learned": held.get("learned"),
            "curves": held.get("curves"),
            "script": [*map(self.lines.place, (held.get("script") or "").splitlines())],
        }
        return {name: value for name, value in found.items() if value}

    def _tensor(self, tensor: Values) -> None:
        """A tensor: of one that conforms, no more than tells how well."""
        errors, elements, shape = (tensor.get(name, ()) for name in ("errors", "elements", "shape"))
        common = {
            **{name: tensor[name] for name in ("name", "step", "dtype", "verdict", "index", "notes")},
            "shape": shape,
            "held_to": words.dialect_name(tensor["held_to"]) if tensor.get("held_to") else "",
            "errors": len(errors),
            "elements": len(elements),
        }
        if tensor["verdict"] == "conforms":
            self.errors += [_halves(each) for each in errors]
            numbers = {name: _short(tensor[name], 2) for name in ("error_ratio", "max_abs")}
            numbers["expected"] = _short(tensor["expected"], 6)
        else:
            self.errors += [_short(each, 2) for each in errors]
            exact = 9 if tensor["dtype"] == "float32" else 17
            numbers = {name: _short(tensor.get(name), 3) for name in MEASURES}
            numbers |= {name: _short(tensor[name], exact) for name in ("expected", "actual")}
            numbers["dialect"] = words.computed(tensor["verdict"], tensor["dialect"])
        for each in elements:
            self._element(each, shape, mapped=bool(errors))
        self.tensors.add({**common, **numbers})

    def _element(self, element: Values, shape: Sequence[int], mapped: bool) -> None:
        """An element; where there is a map, its bound is the difference by its error ratio."""
        expected, actual = (float(element[name]) for name in ("expected", "actual"))
        place = 0
        for index, size in zip(element["index"], shape, strict=True):
            place = place * size + index
        self.elements.add(
            {
                "place": place,
                "expected": to_json(_short(expected, 9)),
                "difference": to_json(_short(actual - expected, 3)),
                "bound": None if mapped else _short(element["bound"], 2),
            }
        )


def details(about: Mapping[str, Any], outcomes: Mapping[str, Sequence[Values]], **others: Any) -> dict[str, Any]:
    """All there is to tell of the cases of an operation, from what is known ``about`` each and from its outcomes.

    ``others`` is what else belongs to the operation.
    """
    made = _Details()
    cases = {}
    for name, found in outcomes.items():
        known = about.get(name, {})
        told = {key: known[key] for key in ("description", "yaml", "file", "references") if known.get(key)}
        cases[name] = {**told, "outcomes": [made.outcome(each) for each in found]}
    texts = {"cases": cases, "lines": list(made.lines), "declarations": list(made.declarations), **others}
    numbers = {"tensors": made.tensors.columns, "elements": made.elements.columns, "errors": made.errors}
    return {**_printable(texts), **_printable(numbers)}


def _declared(entry: Values) -> tuple[str, str, str]:
    """What is declared, why, and where that is discussed."""
    return words.declaration(entry), str(entry.get("reason", "")), str(entry.get("reference", ""))


def _halves(error: Any) -> Any:
    """An error within the bound, as a map shows it."""
    return error if isinstance(error, str) else _short(round(2 * error) / 2, 3)


def _short(value: Any, digits: int) -> Any:
    """A number to some significant digits; None and the texts that stand for NaN and the infinities as they are."""
    if not isinstance(value, (float, int)) or not math.isfinite(value):
        return value
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e6 else short


def _printable(value: Any) -> Any:
    """Every text in a value without control characters."""
    if isinstance(value, str):
        return words.printable(value)
    if isinstance(value, (list, tuple)):
        return [_printable(each) for each in value]
    if isinstance(value, Mapping):
        return {words.printable(str(key)): _printable(each) for key, each in value.items()}
    return value
