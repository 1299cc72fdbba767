"""From JSON values back to the records of `conformance.results`, every field checked by its annotation."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from conformance.errors import nearest
from conformance.results import NOT_FINITE, VERDICTS, Curve, TensorResult, restore

Reader: TypeAlias = Callable[[Any], Any]
"""Checks a JSON value and makes of it what a field holds; raises ValueError with what was expected."""

LARGEST = sys.float_info.max
MOST = 2**53
"""Up to this every whole number is a number in JavaScript too."""
MOST_ELEMENTS = 2**30
"""So many a tensor may have, a thousand times as many as a case file may give."""
DEEPEST = 100
"""So many lists and objects may stand in one another."""
_REAL, _WHOLE = {float, int}, {int}


@cache
def record_reader(kind: type) -> Reader:
    """The reader of a dataclass: every field by its annotation."""
    hints = get_type_hints(kind)
    readers = {each.name: _reader_of_field(each.name, hints[each.name]) for each in fields(kind)}
    required = {each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING}

    def read_record(value: Any) -> Any:
        _expect(isinstance(value, dict), value, "an object")
        if missing := required - value.keys():
            raise ValueError(f"a field is missing: {', '.join(sorted(missing))}")
        made = {}
        for name, item in value.items():
            if name not in readers:
                raise ValueError(f"there is no field {name!r}; {nearest(name, readers)}")
            try:
                made[name] = readers[name](item)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        record = kind(**made)
        if check:
            check(record)
        return record

    check = _CHECKS.get(kind)
    return read_record


def _reader_of_field(name: str, hint: Any) -> Reader:
    reader = reader_of(hint)
    if name == "verdict":
        return _verdict
    if name == "rivals":
        return lambda value: restore(_items(_rival)(value))
    if name in ("index", "shape"):
        return _sizes
    if name in ("parameters", "learned"):  # numbers at unknown depth, which may not be finite
        return lambda value: restore(reader(value))
    return reader


def reader_of(hint: Any) -> Reader:
    """The reader of a value with an annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return record_reader(hint)
    if origin is UnionType:
        return _optional(reader_of(next(each for each in arguments if each is not NoneType)))
    if origin is tuple:
        return _numbers if arguments[0] is float else _items(reader_of(arguments[0]))
    if origin is dict:
        return _mapping(reader_of(arguments[1]))
    return _SCALARS[hint]


def _optional(reader: Reader) -> Reader:
    return lambda value: None if value is None else reader(value)


def _items(reader: Reader) -> Reader:
    def read_items(value: Any) -> tuple[Any, ...]:
        _expect(isinstance(value, list), value, "a list")
        return tuple(map(reader, value))

    return read_items


def _numbers(value: Any) -> tuple[float, ...]:
    """Numbers, of which there are many: one by one only where some are not finite, or none at all."""
    if isinstance(value, list) and _REAL.issuperset(map(type, value)) and _are_floats(value):
        return tuple(value)
    made: tuple[float, ...] = _items(_float)(value)
    return made


def _are_floats(value: Sequence[float]) -> bool:
    """Whether a float can hold them all."""
    try:
        return math.isfinite(math.fsum(value))
    except (OverflowError, ValueError):  # one is too large, or only their sum
        return False


def _sizes(value: Any) -> tuple[int, ...]:
    """An index or a shape: one by one only where something is wrong."""
    if isinstance(value, list) and _WHOLE.issuperset(map(type, value)) and _are_sizes(value):
        return tuple(value)
    made: tuple[int, ...] = _items(_size)(value)
    return made


def _are_sizes(value: Sequence[int]) -> bool:
    return not value or (min(value) >= 0 and max(value) <= MOST)


def _size(value: Any) -> int:
    number: int = _whole(value)
    _expect(number >= 0, value, "a whole number from 0")
    return number


def _mapping(reader: Reader) -> Reader:
    def read_mapping(value: Any) -> dict[str, Any]:
        _expect(isinstance(value, dict), value, "an object")
        return {key: reader(each) for key, each in value.items()}

    return read_mapping


def _exactly(kind: type, name: str) -> Reader:
    def read_scalar(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise ValueError(_unlike(value, name))

    return read_scalar


def _float(value: Any) -> float:
    if type(value) is float and -LARGEST <= value <= LARGEST:
        return value
    if isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    _expect(type(value) in (float, int), value, 'a number, "NaN", "Infinity" or "-Infinity"')
    _expect(-LARGEST <= value <= LARGEST, value, "a number that a float can hold")
    number: float = value  # a whole number stays one, so that it is written as it was
    return number


def _whole(value: Any) -> int:
    if type(value) is int and -MOST <= value <= MOST:
        return value
    raise ValueError(_unlike(value, "a whole number of at most 2**53"))


def _anything(value: Any, depth: int = 0) -> Any:
    """Any JSON value, whose numbers a float can hold, and which is not nested too deeply."""
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is float or kind is int:
        return _float(value)
    if kind is dict or kind is list:
        if depth == DEEPEST:
            raise ValueError(f"nested too deeply, expected at most {DEEPEST} levels")
        for each in value.values() if kind is dict else value:
            _anything(each, depth + 1)
    return value


def _rival(value: Any) -> dict[str, Any]:
    """A formula that lies nearer than the others, with its distance."""
    made: dict[str, Any] = _mapping(_anything)(value)
    for name, reader in _OF_RIVALS.items():
        try:
            reader(made.get(name))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return made


def _verdict(value: Any) -> Any:
    if value not in VERDICTS:
        raise ValueError(f"there is no verdict {value!r}; {nearest(str(value), VERDICTS)}")
    return value


_SCALARS: dict[Any, Reader] = {
    Any: _anything,
    str: _exactly(str, "text"),
    bool: _exactly(bool, "true or false"),
    int: _whole,
    float: _float,
}
_OF_RIVALS: dict[str, Reader] = {"dialect": _optional(_mapping(_anything)), "error_ratio": _optional(_float)}


# --- what the fields of a record must have in common -----------------------------------------------------------------


def _fits_its_shape(made: TensorResult) -> None:
    count = math.prod(made.shape)
    if count > MOST_ELEMENTS:
        raise ValueError(f"shape: {list(made.shape)}, expected at most 2**30 elements")
    if made.errors and len(made.errors) != count:
        raise ValueError(f"errors: {len(made.errors)} numbers, expected {count} for the shape {list(made.shape)}")
    if len(made.index) == len(made.shape) and not _lies_in(made.index, made.shape):
        raise ValueError(f"index: {list(made.index)}, expected one in the shape {list(made.shape)}")
    for each in made.elements:
        if len(each.index) != len(made.shape):
            raise ValueError(
                f"elements: index: {list(each.index)}, expected {len(made.shape)} numbers, as in the shape"
            )
        if not _lies_in(each.index, made.shape):
            raise ValueError(f"elements: index: {list(each.index)}, expected one in the shape {list(made.shape)}")


def _lies_in(index: Sequence[int], shape: Sequence[int]) -> bool:
    return all(place < size for place, size in zip(index, shape, strict=True))


def _runs_side_by_side(made: Curve) -> None:
    if not made.expected:
        raise ValueError("expected: no numbers, expected one for each step")
    if len(made.expected) != len(made.actual):
        raise ValueError(f"actual: {len(made.actual)} numbers, expected {len(made.expected)}, as in 'expected'")


_CHECKS: dict[type, Callable[[Any], None]] = {TensorResult: _fits_its_shape, Curve: _runs_side_by_side}


def _expect(holds: bool, value: Any, what: str) -> None:
    if not holds:
        raise ValueError(_unlike(value, what))


def _unlike(value: Any, what: str) -> str:
    shown = json.dumps(value)
    return f"{shown if len(shown) < 60 else shown[:60] + '...'}, expected {what}"
