"""From JSON values back to the records of `conformance.results`, every field checked by its annotation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from conformance.errors import nearest
from conformance.results import NOT_FINITE, VERDICTS, restore

Reader: TypeAlias = Callable[[Any], Any]
"""Checks a JSON value and makes of it what a field holds; raises ValueError with what was expected."""


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
        return kind(**made)

    return read_record


def _reader_of_field(name: str, hint: Any) -> Reader:
    reader = _reader(hint)
    if name == "verdict":
        return _verdict
    if name in ("parameters", "learned", "rivals"):  # numbers at unknown depth, which may not be finite
        return lambda value: restore(reader(value))
    return reader


def _reader(hint: Any) -> Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return record_reader(hint)
    if origin is UnionType:
        return _optional(_reader(next(each for each in arguments if each is not NoneType)))
    if origin is tuple:
        return _numbers if arguments[0] is float else _items(_reader(arguments[0]))
    if origin is dict:
        return _mapping(_reader(arguments[1]))
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
    if isinstance(value, list) and {float, int}.issuperset(map(type, value)):
        return tuple(value)
    made: tuple[float, ...] = _items(_float)(value)
    return made


def _mapping(reader: Reader) -> Reader:
    def read_mapping(value: Any) -> dict[str, Any]:
        _expect(isinstance(value, dict), value, "an object")
        return {key: reader(each) for key, each in value.items()}

    return read_mapping


def _exactly(kind: type, name: str) -> Reader:
    def read_scalar(value: Any) -> Any:
        _expect(type(value) is kind, value, name)
        return value

    return read_scalar


def _float(value: Any) -> float:
    if isinstance(value, str) and value in NOT_FINITE:
        return NOT_FINITE[value]
    _expect(type(value) in (float, int), value, 'a number, "NaN", "Infinity" or "-Infinity"')
    number: float = value  # a whole number stays one, so that it is written as it was
    return number


def _verdict(value: Any) -> Any:
    if value not in VERDICTS:
        raise ValueError(f"there is no verdict {value!r}; {nearest(str(value), VERDICTS)}")
    return value


_SCALARS: dict[Any, Reader] = {
    Any: lambda value: value,
    str: _exactly(str, "text"),
    bool: _exactly(bool, "true or false"),
    int: _exactly(int, "a whole number"),
    float: _float,
}


def _expect(holds: bool, value: Any, what: str) -> None:
    if not holds:
        shown = json.dumps(value)
        raise ValueError(f"{shown if len(shown) < 60 else shown[:60] + '...'}, expected {what}")
