"""What the scripts of the page are given: compressed JSON, in blocks that are decoded when they are asked for.

One block, ``summary``, holds of every outcome what an overview and a query need, in columns.  A block per operation
holds the numbers of its cases: of each tensor, and of curves.  What operations say in words, among them their cases and
scripts, is in one block, ``texts``, as it is much alike.  Numbers have the digits that a reader looks at, which is what
most of the bytes go into.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, log10, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.report import words
from conformance.report.overview import WEIGHT, family_of, operation_of
from conformance.report.packing import Integers, Numbers, Shared
from conformance.report.stone import Stone
from conformance.report.words import printable
from conformance.results import Run, Values, to_json

OUTCOME = ("tensors", "declared", "rivals", "parameters", "defaults", "learned", "curves", "script")
KIND = ("name", "step", "dtype", "shape")
FINDING = ("verdict", "dialect", "held_to", "notes")
MEASURES = ("error_ratio", "max_abs", "max_rel", "max_ulp", "drift")
TENSOR = ("kind", "finding", *MEASURES, "place", "expected", "ulps", "actual", "errors", "elements")
ELEMENT = ("place", "expected", "difference", "actual", "bound")
INTEGERS = ("kind", "finding", "place", "errors", "elements", "tensors", "ulps")
DIGITS = {**dict.fromkeys(MEASURES, 2), "ratio": 3, "difference": 3, "bound": 2}
"""Of the columns of numbers, how many significant digits are kept: those that a reader is shown."""
FLOATS: Mapping[str, npt.DTypeLike] = {"float32": np.int32, "float64": np.int64}
"""Of each format, the integers by which its numbers are counted: neighbours differ by one."""


# --- the summary ----------------------------------------------------------------------------------------------------


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
            "ratio": Numbers(DIGITS["ratio"], (outcome.error_ratio for outcome in run.outcomes)),
            "declared": [int(outcome.as_declared) for outcome in run.outcomes],
        },
    }


def _modes(run: Run) -> dict[str, str]:
    """How each adapter ran its calls: a run has one mode for each."""
    return {printable(outcome.adapter): outcome.mode for outcome in run.outcomes if outcome.mode}


def _verdict(name: str) -> dict[str, Any]:
    quiet = name in words.QUIET
    return {"name": name, "glyph": words.GLYPHS[name], "weight": WEIGHT[name], "quiet": quiet}


# --- the details ----------------------------------------------------------------------------------------------------


class _Table:
    """Rows of values, kept in columns."""

    def __init__(self, *fields: str) -> None:
        self._fields, self._rows = fields, list[tuple[Any, ...]]()

    def add(self, row: Values) -> None:
        self._rows.append(tuple(map(row.get, self._fields)))

    @property
    def columns(self) -> dict[str, Any]:
        columns = map(list, zip(*self._rows, strict=True)) if self._rows else ([] for _ in self._fields)
        return {name: _column(name, column) for name, column in zip(self._fields, columns, strict=True)}


def _column(name: str, values: list[Any]) -> Any:
    if name in DIGITS:
        return Numbers(DIGITS[name], values)
    return Integers(values) if name in INTEGERS else values


class Details:
    """The details of all operations, one after another; their texts are in a block of their own."""

    def __init__(self) -> None:
        self._paragraphs, self._declarations = Shared(), Shared()
        self._texts: dict[str, Any] = {}

    def texts(self) -> dict[str, Any]:
        """All that is said of operations and cases, in scripts and in declarations: to be written at the end."""
        paragraphs, declarations = list(self._paragraphs), list(self._declarations)
        return {"paragraphs": paragraphs, "declarations": declarations, "operations": self._texts}

    def of(
        self, operation: str, about: Mapping[str, Any], outcomes: Mapping[str, Sequence[Values]], **texts: Any
    ) -> dict[str, Any]:
        """The numbers of all cases of an operation, from what is known ``about`` each case and from its outcomes.

        The outcomes stand in the order of the run, case by case.  ``texts`` is what else there is to tell.
        """
        tables = _Tables()
        cases = []
        for name, found in outcomes.items():
            known = about.get(name, {})
            told = {key: known[key] for key in ("description", "yaml", "file", "references") if known.get(key)}
            cases.append([printable(name), {**told, "outcomes": len(found)}])
            for each in found:
                self._add_outcome(each, tables)
        self._texts[printable(operation)] = {"cases": cases, **texts}
        return tables.columns()

    def ports(self, stone: Stone) -> dict[str, Any]:
        """How to get from each framework to each other: of ``pairs[from][to]``, the places of the sentences.

        They stand in the order of the table of spellings, as do the ``functions`` that the adapters' calls need.
        """
        sentences = Shared()
        pairs = [
            [
                [sentences.place(hint) for hint in stone.hints(one, other)] if one is not other else []
                for other in stone.writings
            ]
            for one in stone.writings
        ]
        functions = [self._text(each.functions) for each in stone.writings]
        return {"pairs": pairs, "sentences": list(sentences), "functions": functions}

    def _text(self, text: str) -> list[int]:
        """The places of the paragraphs of a script or a function."""
        return [*map(self._paragraphs.place, text.split("\n\n"))] if text else []

    def _add_outcome(self, held: Values, tables: _Tables) -> None:
        """An outcome; its tensors are the next rows of their table."""
        tensors = held.get("tensors", ())
        for each in tensors:
            tables.add_tensor(each)
        found = {
            "tensors": len(tensors),
            "declared": [self._declarations.place(_declared(each)) for each in held.get("declared", ())],
            "rivals": [
                [words.dialect_name(each.get("dialect")), each.get("error_ratio")] for each in held.get("rivals", ())
            ],
            "parameters": held.get("parameters"),
            "defaults": held.get("defaults"),
            "learned": held.get("learned"),
            "curves": [_curve(each) for each in held.get("curves", ())],
            "script": self._text(held.get("script") or ""),
        }
        tables.outcomes.add({name: value or None for name, value in found.items()})


class _Tables:
    """The tensors of an operation's outcomes, their worst elements, and the errors of all their elements.

    What a tensor is and what was found of it are kept once.  Errors are rounded to tenths of the bound, those of what
    conforms to halves.
    """

    def __init__(self) -> None:
        self.outcomes, self._tensors, self._elements = _Table(*OUTCOME), _Table(*TENSOR), _Table(*ELEMENT)
        self._kinds, self._findings = Shared(), Shared()
        self._errors, self._halves = Numbers(2, finest=0.1), Numbers(2, finest=0.5)

    def columns(self) -> dict[str, Any]:
        return {
            "outcomes": self.outcomes.columns,
            "tensors": self._tensors.columns,
            "elements": self._elements.columns,
            "kinds": _columns(KIND, self._kinds),
            "findings": _columns(FINDING, self._findings),
            "errors": self._errors,
            "halves": self._halves,
        }

    def add_tensor(self, tensor: Values) -> None:
        """A tensor: of one that conforms, no more than tells how well."""
        errors, elements, shape = (tensor.get(name, ()) for name in ("errors", "elements", "shape"))
        verdict, dtype = tensor["verdict"], tensor["dtype"]
        conforms = verdict == "conforms"
        dialect = "" if conforms else words.computed(verdict, tensor["dialect"])
        held_to = words.dialect_name(tensor["held_to"]) if tensor.get("held_to") else ""
        mapped, placed = len(errors) == prod(shape), len(tensor["index"]) == len(shape) and prod(shape)
        if mapped:
            (self._halves if conforms else self._errors).values.extend(errors)
        exact = 9 if dtype == "float32" else 17
        for each in elements:
            self._add_element(each, shape, exact)
        row = {
            "kind": self._kinds.place((tensor["name"], tensor["step"], dtype, tuple(shape))),
            "finding": self._findings.place((verdict, dialect, held_to, tuple(tensor.get("notes", ())))),
            "error_ratio": tensor["error_ratio"],
            "place": _place(tensor["index"], shape) if placed and not elements else None,
            "errors": int(mapped),
            "elements": len(elements),
        }
        if conforms:
            row["expected"] = _short(tensor["expected"], 5)
        else:
            row |= {name: tensor.get(name) for name in MEASURES}
            row["expected"] = _short(tensor["expected"], exact)
            row |= _actual(row["expected"], tensor["actual"], dtype)
        self._tensors.add(row)

    def _add_element(self, element: Values, shape: Sequence[int], most: int) -> None:
        """An element: its expected value with as many digits as its difference takes, and its format has."""
        expected, actual = (float(element[name]) for name in ("expected", "actual"))
        difference = actual - expected
        plain = difference - difference == 0
        digits = min(most, _digits(expected, difference)) if plain else 6
        self._elements.add(
            {
                "place": _place(element["index"], shape),
                "expected": to_json(_short(expected, digits)),
                "difference": difference,
                "actual": None if plain else to_json(actual),
                "bound": element["bound"],
            }
        )


def _columns(fields: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(fields)}


def _actual(expected: float | str, actual: float | str, dtype: str) -> dict[str, Any]:
    """The actual value by its distance from the expected one in ulps, which takes fewer bytes, or else as it is."""
    if dtype in FLOATS and isinstance(expected, float) and isinstance(actual, float):
        floats = np.array([expected, actual], dtype)
        places = [int(each) for each in floats.view(FLOATS[dtype])]
        if abs(places[1] - places[0]) < 1 << 30 and floats[1] == actual:
            return {"ulps": places[1] - places[0]}
    return {"actual": actual}


def _digits(expected: float, difference: float) -> int:
    """How many digits of a value it takes to show a difference from it: the scripts reckon alike."""
    if not expected or not difference:
        return 6
    return min(17, max(6, 2 + ceil(log10(abs(expected)) - log10(abs(difference)))))


def _curve(curve: Values) -> dict[str, Any]:
    runs = {name: [_short(each, 5) for each in curve[name]] for name in ("expected", "actual")}
    difference = to_json(_short(float(curve["actual"][-1]) - float(curve["expected"][-1]), 3))
    return {"name": curve["name"], "index": curve["index"], "difference": difference, **runs}


def _place(index: Sequence[int], shape: Sequence[int]) -> int:
    """Where an element stands, counted row by row."""
    place = 0
    for each, size in zip(index, shape, strict=True):
        place = place * size + each
    return place


def _declared(entry: Values) -> tuple[str, str, str]:
    """What is declared, why, and where that is discussed."""
    return words.declaration(entry), str(entry.get("reason", "")), str(entry.get("reference", ""))


def _short(value: Any, digits: int) -> Any:
    """A number to some significant digits; None and the texts that stand for NaN and the infinities as they are."""
    return float("%.*g" % (digits, value)) if type(value) is float and value - value == 0 else value  # noqa: UP031
