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
from conformance.results import Run

Values: TypeAlias = Mapping[str, Any]
"""An outcome as the JSON values of its line."""

INFINITE = -1
"""Stands for an error ratio that is infinite or NaN: JSON has no such number, and none is negative."""

TENSOR = (
    "name", "step", "dtype", "verdict", "dialect", "held_to", "error_ratio", "max_abs", "max_rel", "max_ulp", "drift",
    "tolerance", "index", "expected", "actual", "notes", "shape", "errors", "elements",
)  # fmt: skip
ELEMENT = ("index", "expected", "actual", "bound")


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


def details(about: Mapping[str, Any], outcomes: Mapping[str, Sequence[Values]], **others: Any) -> dict[str, Any]:
    """All there is to tell of the cases of an operation, from what is known ``about`` each and from its outcomes.

    ``others`` is what else belongs to the operation.
    """
    lines, declarations = _Shared(), _Shared()
    cases = {}
    for name, found in outcomes.items():
        known = about.get(name, {})
        told = {key: _printable(known[key]) for key in ("description", "yaml", "file", "references") if known.get(key)}
        cases[name] = {**told, "outcomes": [_outcome(each, lines, declarations) for each in found]}
    return {
        "fields": {"tensor": TENSOR, "element": ELEMENT},
        "cases": cases,
        "lines": list(map(words.printable, lines)),  # of all scripts: they have most of them in common
        "declarations": _printable(list(declarations)),
        **_printable(others),
    }


def _outcome(held: Values, lines: _Shared, declarations: _Shared) -> dict[str, Any]:
    found = {
        "adapter": held["adapter"],
        "phase": held["phase"],
        "mode": held.get("mode"),
        "tensors": [_tensor(each) for each in held.get("tensors", ())],
        "declared": [declarations.place(_declared(each)) for each in held.get("declared", ())],
        "rivals": [
            [words.dialect_name(each.get("dialect")), each.get("error_ratio")] for each in held.get("rivals", ())
        ],
        "parameters": held.get("parameters"),
        "defaults": held.get("defaults"),
        "learned": held.get("learned"),
        "curves": held.get("curves"),
    }
    found = {name: _printable(value) for name, value in found.items() if value}
    return found | ({"script": [*map(lines.place, held["script"].splitlines())]} if held.get("script") else {})


def _declared(entry: Values) -> tuple[str, str, str]:
    """What is declared, why, and where that is discussed."""
    return words.declaration(entry), str(entry.get("reason", "")), str(entry.get("reference", ""))


def _tensor(tensor: Values) -> list[Any]:
    """A tensor in the order of `TENSOR`: of one that conforms, no more digits than tell how well."""
    plain = tensor["verdict"] == "conforms"
    digits = 2 if plain else 3
    exact = 9 if tensor["dtype"] == "float32" else 17
    shown = {
        **tensor,
        "dialect": words.computed(tensor["verdict"], tensor["dialect"]) if not plain else "",
        "held_to": words.dialect_name(tensor["held_to"]) if tensor.get("held_to") else "",
        "shape": tensor.get("shape", ()),
        "errors": [_short(each, 1 if plain else 3) for each in tensor.get("errors", ())],
        "elements": [
            [each["index"], _short(each["expected"], exact), _short(each["actual"], exact), _short(each["bound"], 3)]
            for each in tensor.get("elements", ())
        ],
        "expected": _short(tensor["expected"], 9 if plain else exact),
        "actual": _short(tensor["actual"], 9 if plain else exact),
        **{
            name: _short(tensor.get(name), digits)
            for name in ("error_ratio", "max_abs", "max_rel", "max_ulp", "drift", "tolerance")
        },
    }
    return [shown.get(name) for name in TENSOR]


def _short(value: Any, digits: int) -> Any:
    """A number to some significant digits; None and the texts that stand for NaN and the infinities as they are."""
    if not isinstance(value, (float, int)):
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
