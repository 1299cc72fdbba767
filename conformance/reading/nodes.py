"""A YAML file as a tree of nodes that know where they stand. Nothing in a file is ever executed or constructed.

Scalars follow YAML 1.2's core schema: ``1e-5`` is a number, ``no`` and ``1_000`` are text.  PyYAML delivers events;
the tree is built from them with a stack of its own, so that no file, however deep or crooked, makes anything recurse.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, ParamSpec, TypeAlias, TypeVar

import yaml

from conformance.errors import CaseError, CaseErrors, Place, nearest

LARGEST_FILE = 8 * 2**20
"""Bytes."""
MOST_NODES = 2**17
"""Values and keys of a file, aliases expanded."""
DEEPEST = 64
"""Lists and mappings inside one another, aliases expanded."""
LONGEST_NUMBER = 400
"""Characters."""
MOST_FAULTS = 100
"""Of a file; the rest is not shown."""

_SHOWN = 60
_LINE_END = re.compile(r"[\r\n]")

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The value of a scalar that has none, and why."""

    message: str


Value: TypeAlias = "bool | int | float | str | list[Node] | dict[str, Node] | Unreadable | None"


@dataclass(slots=True, eq=False)
class Source:
    """The text of a file."""

    file: str
    text: str

    def place(self, index: int) -> Place:
        """The place of a character. For faults: it counts from the start."""
        head = self.text[:index]
        breaks = [each.end() for each in re.finditer(r"\r\n?|\n", head)]
        return Place(self.file, len(breaks) + 1, index - (breaks[-1] if breaks else 0) + 1)


@dataclass(slots=True, eq=False)
class Node:
    """A value, where it stands, and how it is written.

    ``text`` is a plain scalar as written, ``""`` for everything else; ``keys`` are the keys of a mapping as nodes.
    ``size`` counts the nodes below it and itself, ``height`` the levels of lists and mappings.
    """

    value: Value
    source: Source
    line: int
    column: int
    start: int
    end: int
    text: str = ""
    keys: dict[str, Node] | None = None
    size: int = 1
    height: int = 0

    @property
    def place(self) -> Place:
        return Place(self.source.file, self.line, self.column)

    @property
    def shown(self) -> str:
        """How it is written, in one short line."""
        return shorten(self.source.text[self.start : min(self.end, self.start + 4 * _SHOWN)])

    @property
    def excerpt(self) -> str:
        """How it is written: its whole lines, the indentation taken off."""
        text = self.source.text
        written = text[self.start : self.end].rstrip()
        if written[:1] not in ("{", "["):
            line_break = _LINE_END.search(text, self.start + len(written))
            written = text[self.start : line_break.start() if line_break else None].rstrip()
        return re.sub(rf"^ {{0,{self.column - 1}}}", "", written, flags=re.MULTILINE) + "\n"


def shorten(text: str) -> str:
    """A text in one line of at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


# --- faults ---------------------------------------------------------------------------------------------------------


class Faults:
    """Collects the faults of a file, so that one does not hide another."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str], CaseError] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, fault: CaseError) -> None:
        """Keep a fault; the same one at the same place counts once."""
        self._found.setdefault((fault.place, fault.message), fault)
        if len(self._found) >= MOST_FAULTS:
            last = max(each.place for each in self._found.values())
            raise CaseErrors([*self._found.values(), CaseError(last, "", "too many faults; the rest is not shown")])

    def attempt(self, read: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What a reader returns; None if it raises, and its fault is kept."""
        try:
            return read(*args, **kwargs)
        except CaseErrors:
            raise
        except CaseError as fault:
            self.add(fault)
            return None

    def raise_any(self) -> None:
        if self._found:
            raise CaseErrors(list(self._found.values()))


@dataclass(frozen=True, slots=True)
class Spot:
    """A node, the readable path to it, and the collection that its faults go to."""

    node: Node
    where: str
    faults: Faults

    @property
    def place(self) -> Place:
        return self.node.place

    def error(self, message: str, place: Place | None = None) -> CaseError:
        return CaseError(place or self.place, self.where, message)

    def at(self, node: Node) -> Spot:
        """A node below this one, under the same path."""
        return Spot(node, self.where, self.faults)

    def expected(self, what: str) -> CaseError:
        """The fault of having another value than it should."""
        value = self.node.value
        if isinstance(value, Unreadable):
            return self.error(value.message)
        return self.error(f"expected {what}, found {self.node.shown or 'nothing'}")

    def fault(self, message: str, place: Place | None = None) -> None:
        self.faults.add(self.error(message, place))

    def child(self, key: str | int) -> Spot:
        """The value of a key, or an item of a list."""
        value = self.node.value
        if isinstance(value, dict) and isinstance(key, str):
            return Spot(value[key], f"{self.where}.{shorten(key)}".lstrip("."), self.faults)
        assert isinstance(value, list)
        assert isinstance(key, int)
        return Spot(value[key], f"{self.where}[{key}]", self.faults)

    def key_place(self, key: str) -> Place:
        """Where a key of this mapping stands."""
        return (self.node.keys or {})[key].place

    def entries(self, what: str) -> dict[str, Spot]:
        """The values of a mapping, by key."""
        if not isinstance(self.node.value, dict):
            raise self.expected(what)
        return {key: self.child(key) for key in self.node.value}

    def fields(
        self,
        known: Collection[str],
        required: Iterable[str] = (),
        *,
        noun: str = "key",
        refused: Mapping[str, str] | None = None,
    ) -> dict[str, Spot]:
        """The values of a mapping with known keys. ``refused`` says why a key is not taken here."""
        found = self.entries(f"a mapping ({', '.join(known)})" if known else "an empty mapping")
        for key in [each for each in found if each not in known]:
            reason = (refused or {}).get(key) or f"unknown {noun} {shorten(key)!r}; {nearest(key[:_SHOWN], known)}"
            self.fault(reason, self.key_place(key))
            del found[key]
        for key in required:
            if key not in found:
                self.fault(f"the {noun} {key!r} is missing")
        return found

    def items(self, what: str, least: int = 1, most: int = MOST_NODES) -> list[Spot]:
        """The items of a list."""
        value = self.node.value
        if not isinstance(value, list):
            raise self.expected(what)
        if not least <= len(value) <= most:
            count = f"{least}" if least == most else f"at least {least}" if len(value) < least else f"at most {most}"
            raise self.error(f"expected {what}: {count} of them, found {len(value)}")
        return [self.child(index) for index in range(len(value))]

    def string(self, what: str = "text", most: int = LARGEST_FILE) -> str:
        """A text that is not empty."""
        value = self.node.value
        if not isinstance(value, str) or not value.strip():
            raise self.expected(what)
        if len(value) > most:
            raise self.expected(f"{what} of at most {most} characters")
        return value

    def boolean(self) -> bool:
        if isinstance(self.node.value, bool):
            return self.node.value
        raise self.expected("true or false")

    def integer(self, least: int, most: int, what: str = "") -> int:
        """An integer within bounds."""
        value = self.node.value
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.expected(what or f"an integer from {least} to {most}")
        return value

    def number(self, what: str = "a number") -> float:
        """A number, as float64; infinities and NaN included."""
        value = self.node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.expected(what)
        try:
            return float(value)
        except OverflowError:
            raise self.error(_too_large(self.node.shown)) from None

    def finite(self, what: str = "a finite number") -> float:
        """A number that is neither infinite nor NaN."""
        value = self.number(what)
        if not math.isfinite(value):
            raise self.expected(what)
        return value


# --- scalars --------------------------------------------------------------------------------------------------------

_WORDS: Mapping[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASES = {"0o": 8, "0x": 16}


def resolve(text: str) -> bool | int | float | str | Unreadable | None:
    """What a plain scalar means in YAML 1.2's core schema."""
    if text in _WORDS:
        return _WORDS[text]
    integer = _INTEGER.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    if len(text) > LONGEST_NUMBER:
        return Unreadable(f"a number of {len(text)} characters; expected at most {LONGEST_NUMBER}")
    if integer:
        base = _BASES.get(text[:2])
        return int(text[2:], base) if base else int(text)
    value = float(text)
    return Unreadable(_too_large(text)) if math.isinf(value) else value


def _too_large(text: str) -> str:
    return f"{shorten(text)} is larger than any float64; write .inf if infinity is meant"


# --- files ----------------------------------------------------------------------------------------------------------

_FORBIDDEN = re.compile("[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read_yaml(file: str, faults: Faults) -> Spot:
    """The root of a file's tree. Raises `CaseError` where the tree ends; lesser faults are collected."""
    text = _decode(file, _bytes(file))
    source = Source(file, text)
    wrong = _FORBIDDEN.search(text)
    if wrong:
        raise CaseError(source.place(wrong.start()), "", f"the character U+{ord(wrong[0]):04X} cannot stand in YAML")
    builder = _Builder(source, faults)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _syntax(source, error) from None
    if builder.root is None:
        raise CaseError(Place(file), "", "the file is empty")
    return Spot(builder.root, "", faults)


def _bytes(file: str) -> bytes:
    try:
        # without O_NONBLOCK, opening a FIFO waits for a writer
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CaseError(Place(file), "", "not a regular file")
            data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise CaseError(Place(file), "", f"cannot be read: {error.strerror or error}") from None
    if len(data) > LARGEST_FILE:
        raise CaseError(Place(file), "", f"larger than {LARGEST_FILE // 2**20} MiB")
    return data


def _decode(file: str, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CaseError(Place(file), "", "UTF-16; a case file is UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        head = data[: error.start].decode("utf-8").removeprefix("\ufeff")
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8; a case file is UTF-8"
        raise CaseError(Source(file, head).place(len(head)), "", message) from None
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise CaseError(Source(file, text).place(text.index("\0")), "", "a NUL byte: not a text in UTF-8")
    return text


def _syntax(source: Source, error: yaml.YAMLError) -> CaseError:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return CaseError(Place(source.file), "", f"not YAML: {error}")
    mark = error.problem_mark
    place = Place(source.file, mark.line + 1, mark.column + 1)
    if "maximum nesting depth" in str(error.problem):  # some versions of libyaml have a limit of their own
        return CaseError(place, "", f"nested deeper than {DEEPEST} levels")
    text = ", ".join(filter(None, (error.context, error.problem)))
    hint = "; indent with spaces, not with tabs" if source.text[mark.index : mark.index + 1] == "\t" else ""
    return CaseError(place, "", f"not YAML: {text}{hint}")


@dataclass(slots=True)
class _Frame:
    node: Node
    anchor: str | None
    flow: bool
    key: Node | None = None


class _Builder:
    """Puts events together to a tree."""

    def __init__(self, source: Source, faults: Faults) -> None:
        self.root: Node | None = None
        self._source = source
        self._faults = faults
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}  # None: not yet closed
        self._count = 0
        self._end = 0

    def take(self, event: Any) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._fail(event, "a second document begins here; a case file is one document")

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        plain = not event.style
        node = self._node(event, resolve(event.value) if plain else event.value)
        node.text = event.value if plain else ""
        self._end = node.end
        self._count_nodes(event, 1)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node)

    def _open(self, event: Any) -> None:
        self._check_tag(event)
        self._count_nodes(event, 1)
        self._check_depth(event, 1)
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = self._node(event, {} if mapping else [])
        node.height = 1
        if mapping:
            node.keys = {}
        if event.anchor:
            self._anchors[event.anchor] = None
        self._frames.append(_Frame(node, event.anchor, bool(event.flow_style)))

    def _close(self, event: Any) -> None:
        frame = self._frames.pop()
        node = frame.node
        if frame.flow:
            self._end = event.end_mark.index
        node.end = self._end
        if frame.anchor:
            self._anchors[frame.anchor] = node
        self._put(node)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            self._fail(event, f"no anchor &{shorten(event.anchor)} stands before this alias")
        node = self._anchors[event.anchor]
        if node is None:
            self._fail(event, f"the alias *{shorten(event.anchor)} stands inside of what it names")
        self._count_nodes(event, node.size)
        self._check_depth(event, node.height)
        self._end = event.end_mark.index
        self._put(node)

    def _put(self, node: Node) -> None:
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        holder = frame.node
        holder.size += node.size
        holder.height = max(holder.height, node.height + 1)
        if isinstance(holder.value, list):
            holder.value.append(node)
        elif frame.key is None:
            frame.key = node
        else:
            key, frame.key = frame.key, None
            self._put_entry(holder, key, node)

    def _put_entry(self, holder: Node, key: Node, node: Node) -> None:
        assert isinstance(holder.value, dict)
        assert holder.keys is not None
        fault = None
        if not isinstance(key.value, str):
            fault = f"a key is text, found {key.shown or 'nothing'}; quote it if it is meant so"
        elif key.text == "<<":
            fault = "merge keys are not YAML 1.2; write the entries out"
        elif key.value in holder.keys:
            first = holder.keys[key.value].place
            fault = f"the key {shorten(key.value)!r} stands twice; first in line {first.line}"
        else:
            holder.keys[key.value] = key
            holder.value[key.value] = node
        if fault:
            self._faults.add(CaseError(key.place, self._where(), fault))

    def _node(self, event: Any, value: Value) -> Node:
        start, end = event.start_mark, event.end_mark
        return Node(value, self._source, start.line + 1, start.column + 1, start.index, end.index)

    def _where(self) -> str:
        path = ""
        for frame in self._frames:
            if isinstance(frame.node.value, list):
                path += f"[{len(frame.node.value)}]"
            elif frame.key is not None and isinstance(frame.key.value, str):
                path += f".{shorten(frame.key.value)}"
        return shorten(path.lstrip("."))

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            place = Place(self._source.file, event.start_mark.line + 1, event.start_mark.column + 1)
            message = f"the tag {shorten(event.tag)} is not read; a case file has no tags"
            self._faults.add(CaseError(place, self._where(), message))

    def _count_nodes(self, event: Any, added: int) -> None:
        self._count += added
        if self._count > MOST_NODES:
            self._fail(event, f"more than {MOST_NODES} values in a file, aliases expanded")

    def _check_depth(self, event: Any, added: int) -> None:
        if len(self._frames) + added > DEEPEST:
            self._fail(event, f"nested deeper than {DEEPEST} levels")

    def _fail(self, event: Any, message: str) -> NoReturn:
        place = Place(self._source.file, event.start_mark.line + 1, event.start_mark.column + 1)
        raise CaseError(place, self._where(), message)
