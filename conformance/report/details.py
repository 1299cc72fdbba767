"""What the page's scripts are given of each operation: its texts, and the numbers of its cases, in tables.

Texts, among them those of cases and scripts, are in one block for all operations, as they are much alike.  Numbers have
the digits that a reader looks at, which is what most of the page's bytes go into.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from math import ceil, floor, inf, log10, prod
from typing import Any, Generic, NamedTuple, TypeVar

from conformance.report import words
from conformance.report.packing import Integers, Numbers, Shared
from conformance.report.stone import Stone
from conformance.report.words import printable
from conformance.results import Values, to_json

_Row = TypeVar("_Row", bound=tuple[Any, ...])


# --- the tables -----------------------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """An outcome: its tensors are the next of their table, so many."""

    tensors: int
    declared: Any
    rivals: Any
    parameters: Any
    defaults: Any
    learned: Any
    curves: Any
    script: Any


class Tensor(NamedTuple):
    """A tensor: its elements and, if there is a map, its errors are the next of theirs."""

    kind: int
    finding: int
    error_ratio: float | str | None
    expected: float | str
    errors: int
    elements: int
    place: int | None = None
    """That of the worst element, unless the table of elements has it."""
    actual: float | str | None = None
    ulps: int | None = None
    """The distance of the actual value from the expected one, which takes fewer bytes."""
    published: float | str | None = None
    """The error ratio from the published formula, if it is held to another."""
    max_abs: float | str | None = None
    max_rel: float | str | None = None
    max_ulp: float | str | None = None
    drift: float | str | None = None


class Kind(NamedTuple):
    """What a tensor is."""

    name: str
    step: int
    dtype: str
    shape: tuple[int, ...]


class Finding(NamedTuple):
    """What was found of a tensor."""

    verdict: str
    dialect: str
    held_to: str
    notes: tuple[str, ...]


class Element(NamedTuple):
    """One of the worst elements; of the very worst, the tensor has all digits."""

    place: int
    expected: float | str
    difference: float
    bound: float | str
    actual: float | str | None = None
    """If it does not follow from the difference."""


INTEGERS = ("kind", "finding", "place", "errors", "elements", "tensors", "ulps")
DIGITS = {
    **dict.fromkeys(("error_ratio", "published", "max_abs", "max_rel", "max_ulp", "drift", "bound"), 2),
    "difference": 3,
}
"""Of the columns of numbers, how many significant digits are kept: those that a reader is shown."""


class _Table(Generic[_Row]):
    """Rows of values, kept in columns."""

    def __init__(self, kind: type[_Row], rows: Iterable[_Row] = ()) -> None:
        self._kind, self.rows = kind, list(rows)

    def columns(self) -> dict[str, Any]:
        fields: Sequence[str] = self._kind._fields  # type: ignore[attr-defined]
        columns = map(list, zip(*self.rows, strict=True)) if self.rows else ([] for _ in fields)
        return {name: _column(name, column) for name, column in zip(fields, columns, strict=True)}


def _column(name: str, values: list[Any]) -> Any:
    if name in DIGITS:
        return Numbers(DIGITS[name], values)
    return Integers(values) if name in INTEGERS else values


class _Tables:
    """The tensors of an operation's outcomes, their worst elements, and the errors of all their elements.

    What a tensor is and what was found of it are kept once.  Errors are rounded to tenths of the bound, those of what
    conforms to halves.
    """

    def __init__(self) -> None:
        self.outcomes, self._tensors, self._elements = _Table(Outcome), _Table(Tensor), _Table(Element)
        self._kinds, self._findings = Shared(), Shared()
        self._errors, self._halves = Numbers(2, finest=0.1), Numbers(2, finest=0.5)

    def columns(self) -> dict[str, Any]:
        return {
            "outcomes": self.outcomes.columns(),
            "tensors": self._tensors.columns(),
            "elements": self._elements.columns(),
            "kinds": _Table(Kind, self._kinds).columns(),
            "findings": _Table(Finding, self._findings).columns(),
            "errors": self._errors,
            "halves": self._halves,
        }

    def add_tensor(self, tensor: Values) -> None:
        """A tensor: of one that conforms, no more than tells how well."""
        errors, elements, shape = tensor.get("errors", ()), tensor.get("elements", ()), tuple(tensor.get("shape", ()))
        verdict, dtype, index = tensor["verdict"], tensor["dtype"], tensor["index"]
        size, conforms = prod(shape), verdict == "conforms"
        digits = 9 if dtype == "float32" else 17
        held_to = words.dialect_name(tensor["held_to"]) if tensor.get("held_to") else ""
        dialect = "" if conforms else words.computed(verdict, tensor["dialect"])
        if len(errors) == size:
            (self._halves if conforms else self._errors).values.extend(errors)
        self._elements.rows += [_element(each, shape, digits) for each in elements]
        known = {
            "kind": self._kinds.place(Kind(tensor["name"], tensor["step"], dtype, shape)),
            "finding": self._findings.place(Finding(verdict, dialect, held_to, tuple(tensor.get("notes", ())))),
            "error_ratio": tensor["error_ratio"],
            "errors": int(len(errors) == size),
            "elements": len(elements),
            "place": _place(index, shape) if size and len(index) == len(shape) and not elements else None,
        }
        if conforms:
            self._tensors.rows.append(Tensor(**known, expected=_short(tensor["expected"], 5)))
            return
        expected, actual = _short(tensor["expected"], digits), tensor["actual"]
        ulps = _ulps(expected, actual, dtype)
        self._tensors.rows.append(
            Tensor(
                **known,
                expected=expected,
                actual=actual if ulps is None else None,
                ulps=ulps,
                published=tensor.get("published"),
                max_abs=tensor["max_abs"],
                max_rel=tensor["max_rel"],
                max_ulp=tensor["max_ulp"],
                drift=tensor.get("drift"),
            )
        )


def _element(element: Values, shape: Sequence[int], most: int) -> Element:
    """An element: its expected value with as many digits as its difference takes, and its format has."""
    expected, actual = float(element["expected"]), float(element["actual"])
    place, difference = _place(element["index"], shape), actual - expected
    if difference - difference == 0:
        short = _short(difference, 3)
        digits = min(most, _digits(expected, short))
        told = None if _follows(actual, _short(expected, digits), short, digits) else _short(actual, digits)
        return Element(place, _short(expected, digits), difference, element["bound"], told)
    return Element(place, to_json(_short(expected, 6)), difference, element["bound"], to_json(actual))


def _follows(actual: float, expected: float, difference: float, digits: int) -> bool:
    """Whether the scripts find the actual value from what is kept of the other two, to the last decimal they show."""
    known = min(_decimals(expected, digits), _decimals(difference, 3))
    found = expected + difference
    if known > 100:  # more than they round to
        return found == actual
    decimals = max(0, int(known))
    return abs(round(found, decimals) - actual) <= 0.75 / 10.0**decimals


def _decimals(value: float, digits: int) -> float:
    return digits - 1 - floor(log10(abs(value))) if value else inf


_FORMATS = {"float32": ("f", "i"), "float64": ("d", "q")}
"""Of each format, the letters for it and for the integers that count its numbers: those of neighbours differ by one."""


def _ulps(expected: float | str, actual: float | str, dtype: str) -> int | None:
    """How many numbers of a format lie between two of them; None if they are no such numbers, or too many do."""
    if dtype not in _FORMATS or not isinstance(expected, float) or not isinstance(actual, float):
        return None
    floats, integers = (f"2{letter}" for letter in _FORMATS[dtype])
    try:
        held = struct.pack(floats, expected, actual)
    except OverflowError:
        return None
    one, other = struct.unpack(integers, held)
    return other - one if abs(other - one) < 1 << 30 and struct.unpack(floats, held)[1] == actual else None


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
    if type(value) is not float or value - value != 0:
        return value
    rounded = float("%.*g" % (digits, value))  # noqa: UP031
    return rounded if rounded - rounded == 0 else value  # the largest floats are not rounded up to infinity


# --- the operations -------------------------------------------------------------------------------------------------


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
        tables.outcomes.rows.append(Outcome(len(tensors), **{name: each or None for name, each in found.items()}))
