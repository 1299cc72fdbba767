"""The run file: what a run found, one JSON line per outcome behind a header; written whole or not at all.

JSON has no NaN and no infinities: they are written as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``,
and `restore` turns them back.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

from conformance.errors import RunFileError, nearest

SCHEMA_VERSION = 1

VERDICTS = ("conforms", "dialect", "imprecise", "deviates", "error", "crash", "timeout", "unsupported")

SEVERITY = {
    verdict: rank
    for rank, verdict in enumerate(
        ("conforms", "imprecise", "dialect", "deviates", "unsupported", "error", "crash", "timeout")
    )
}
"""How far a verdict is from what one hopes for. An answer, even a wrong one, is better than none."""

FILE_NAME = "run.jsonl"
PathLike: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True)
class TensorResult:
    """How far one tensor of a trace lies from the formula, at the step and in the precision named.

    Deviations are measured from the formula with the dialect that the tensor is ``held_to``: the one that the case
    declares, or ``{}``, the published formula.  They stand at ``index``, the element with the largest error ratio;
    ``tolerance`` is the absolute deviation allowed there.  ``drift`` is the largest absolute difference from the
    oracle's own run at that step.
    """

    name: str
    step: int
    dtype: str
    verdict: str
    dialect: dict[str, Any] | None
    max_abs: float
    max_rel: float
    max_ulp: float
    error_ratio: float
    tolerance: float
    index: tuple[int, ...]
    expected: float
    actual: float
    notes: tuple[str, ...] = ()
    drift: float | None = None
    held_to: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one adapter did in one phase of one case.

    ``dialect`` is ``{}`` for the formula itself and None where the deviation is unexplained; ``declared`` is what
    the case file says of this outcome (a list of ``{tensor, dialect | verdict, reason, reference}``);
    ``parameters`` are the operation's as the framework holds them, ``defaults`` the names of those that the case
    left to the framework; ``learned`` are the weights and states that a predict phase started from, if small;
    ``mode`` is how the framework ran its calls.
    """

    case: str
    adapter: str
    phase: str
    verdict: str
    dialect: dict[str, Any] | None
    declared: tuple[dict[str, Any], ...]
    as_declared: bool
    message: str
    tensors: tuple[TensorResult, ...] = ()
    rivals: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    learned: dict[str, Any] = field(default_factory=dict)
    mode: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What one run has only one outcome for."""
        return self.case, self.adapter, self.phase

    @property
    def error_ratio(self) -> float | None:
        """The worst error ratio of all tensors; None if nothing was measured."""
        return max((_magnitude(each.error_ratio) for each in self.tensors), default=None)

    @property
    def worst(self) -> TensorResult | None:
        """The tensor to look at first: one that deviates undeclared, else by its verdict and error ratio."""
        declared = [str(entry.get("tensor", "*")) for entry in self.declared]

        def gravity(tensor: TensorResult) -> tuple[bool, int, float]:
            known = tensor.verdict == "conforms" or any(fnmatchcase(tensor.name, each) for each in declared)
            return not known, SEVERITY[tensor.verdict], _magnitude(tensor.error_ratio)

        return max(self.tensors, key=gravity, default=None)


@dataclass(frozen=True)
class Header:
    """What a run was made with.

    ``adapters`` maps a name to its ``versions``, ``device``, ``precisions``, ``mode`` and ``switches`` (what was pinned
    because results may depend on it), or to why it is ``missing``; ``cases`` maps a case to its ``file``,
    ``operation``, ``family``, ``description`` and ``yaml``.
    """

    schema: int
    time: str
    platform: dict[str, str]
    adapters: dict[str, dict[str, Any]]
    cases: dict[str, dict[str, Any]]
    partial: bool = False


@dataclass(frozen=True)
class Run:
    """A run file, read."""

    header: Header
    outcomes: tuple[Outcome, ...]


def _magnitude(ratio: float) -> float:
    return math.inf if math.isnan(ratio) else ratio


# --- JSON -----------------------------------------------------------------------------------------------------------

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any) -> Any:
    """A run, or anything in it, as plain JSON values: fields in their order, other keys sorted.

    >>> to_json({"epsilon": math.inf, "axis": (1, 2)})
    {'axis': [1, 2], 'epsilon': 'Infinity'}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _spelled(value)
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(value[key]) for key in sorted(value, key=str)}
    if is_dataclass(value):
        return {name: to_json(each) for name, each in vars(value).items()}
    if hasattr(value, "tolist"):  # NumPy, which need not be imported for this
        return to_json(value.tolist())
    raise TypeError(f"a run file cannot hold {value!r}")


def _spelled(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def restore(value: Any) -> Any:
    """Turn the strings that stand for NaN and the infinities back, at any depth.

    >>> restore({"gamma": [0.5, "-Infinity"]})
    {'gamma': [0.5, -inf]}
    """
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: restore(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(restore(each) for each in value)
    return value


_ENCODER = json.JSONEncoder(allow_nan=False)


def line(value: object) -> str:
    """A record as its line of the run file: equal records give equal lines."""
    return _ENCODER.encode(to_json(value)) + "\n"


# --- writing --------------------------------------------------------------------------------------------------------


def write_whole(path: PathLike, parts: Iterable[str]) -> None:
    """Write a file beside its place, then rename it: a reader sees the old file or the new one, never half of it."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.writelines(parts)
        beside.replace(target)
    except OSError as error:
        raise RunFileError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def write(path: PathLike, header: Header, outcomes: Iterable[Outcome]) -> None:
    """Write a run file, whole or not at all."""
    write_whole(path, map(line, (header, *outcomes)))


class Journal:
    """What a run has measured so far, kept in ``NAME.partial`` beside the run file until the run is whole.

    The journal is a run file too: after a crash, `read` takes it as a partial run.
    """

    def __init__(self, path: PathLike, header: Header | None = None) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.name}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.partial.open("wb", buffering=0)
        except OSError as error:
            raise RunFileError(f"{self.partial}: cannot be written: {error.strerror or error}") from error
        self._write(replace(header or Header(SCHEMA_VERSION, "", {}, {}, {}), partial=True))

    def append(self, outcome: Outcome) -> None:
        """Keep an outcome: it survives the end of this process, however it ends."""
        self._write(outcome)

    def close(self, header: Header, outcomes: Iterable[Outcome]) -> None:
        """Write the run file with the outcomes in their order, and remove the journal."""
        write(self.path, header, outcomes)
        self._file.close()
        self.partial.unlink(missing_ok=True)

    def _write(self, value: Header | Outcome) -> None:
        self._file.write(line(value).encode())


# --- reading --------------------------------------------------------------------------------------------------------


def read(path: PathLike) -> Run:
    """Read a run file, or the one in a folder; raises `RunFileError` with file, line and reason."""
    file = Path(path)
    if file.is_dir():
        file /= FILE_NAME
    lines = _lines(file)
    first, *rest = [(number, _parsed(file, number, line)) for number, line in lines]
    header = _header(file, *first)
    return Run(header, tuple(_made(Outcome, file, number, value) for number, value in rest))


def _lines(file: Path) -> list[tuple[int, bytes]]:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        journal = file.with_name(f"{file.name}.partial")
        hint = f"; a run that broke off left {journal}" if journal.exists() else ""
        raise RunFileError(f"{file}: there is no such run file{hint}") from None
    except OSError as error:
        raise RunFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    lines = [(number, line) for number, line in enumerate(content.splitlines(keepends=True), 1) if line.strip()]
    if not lines:
        raise RunFileError(f"{file}:1: the file is empty, expected the header of a run")
    return lines


def _parsed(file: Path, number: int, line: bytes) -> Any:
    try:
        return _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            hint = "the run is partial, and readable without this line" if number > 1 else "nothing of it is left"
            raise RunFileError(f"{file}:{number}: the file is truncated in this line; {hint}") from None
        raise RunFileError(f"{file}:{number}: not JSON: {error}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number, expected it as a string")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _header(file: Path, number: int, value: Any) -> Header:
    if not isinstance(value, dict) or "schema" not in value:
        raise RunFileError(f"{file}:{number}: not a run file: expected a header with 'schema'")
    schema = value["schema"]
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        reason = f"the run file has the schema {schema}, newer than {SCHEMA_VERSION}: a newer conformance wrote it"
        raise RunFileError(f"{file}:{number}: {reason}")
    if schema != SCHEMA_VERSION:
        raise RunFileError(f"{file}:{number}: schema: {schema!r}, expected {SCHEMA_VERSION}")
    header: Header = _made(Header, file, number, value)
    return header


def _made(kind: type, file: Path, number: int, value: Any) -> Any:
    try:
        return _record(kind)(value)
    except ValueError as error:
        raise RunFileError(f"{file}:{number}: {error}") from None


_Reader: TypeAlias = Callable[[Any], Any]
"""Checks a JSON value and makes of it what a field holds; raises ValueError with what was expected."""


@cache
def _record(kind: type) -> _Reader:
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


def _reader_of_field(name: str, hint: Any) -> _Reader:
    reader = _reader(hint)
    if name == "verdict":
        return _verdict
    if name in ("parameters", "learned", "rivals"):  # numbers at unknown depth, which may not be finite
        return lambda value: restore(reader(value))
    return reader


def _reader(hint: Any) -> _Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _record(hint)
    if origin is UnionType:
        return _optional(_reader(next(each for each in arguments if each is not NoneType)))
    if origin is tuple:
        return _items(_reader(arguments[0]))
    if origin is dict:
        return _mapping(_reader(arguments[1]))
    return _SCALARS[hint]


def _optional(reader: _Reader) -> _Reader:
    return lambda value: None if value is None else reader(value)


def _items(reader: _Reader) -> _Reader:
    def read_items(value: Any) -> tuple[Any, ...]:
        _expect(isinstance(value, list), value, "a list")
        return tuple(map(reader, value))

    return read_items


def _mapping(reader: _Reader) -> _Reader:
    def read_mapping(value: Any) -> dict[str, Any]:
        _expect(isinstance(value, dict), value, "an object")
        return {key: reader(each) for key, each in value.items()}

    return read_mapping


def _exactly(kind: type, name: str) -> _Reader:
    def read_scalar(value: Any) -> Any:
        _expect(type(value) is kind, value, name)
        return value

    return read_scalar


def _float(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    _expect(type(value) in (float, int), value, 'a number, "NaN", "Infinity" or "-Infinity"')
    number: float = value  # a whole number stays one, so that it is written as it was
    return number


def _verdict(value: Any) -> Any:
    if value not in VERDICTS:
        raise ValueError(f"there is no verdict {value!r}; {nearest(str(value), VERDICTS)}")
    return value


_SCALARS: dict[Any, _Reader] = {
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
