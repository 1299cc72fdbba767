"""The run file: one JSON line per outcome behind a header; written whole or not at all.

While a run is under way, a journal stands beside it (``run.jsonl.partial``), to which each outcome is appended as soon
as there is one: it survives the end of the process, however it ends, and a later run goes on from it.  A journal is a
run file too, with one more kind of line: what is known of an adapter once it has started.

Outcomes stay in the file that holds them: in memory is what an overview shows of them, however many they are.
"""

from __future__ import annotations

import codecs
import errno
import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NoReturn, Self, TypeAlias

from conformance.errors import RunFileError, UsageError
from conformance.records import DEEPEST, reader_of, record_reader
from conformance.results import SCHEMA_VERSION, Header, KeptOutcome, Outcome, Run, line, measured_with
from conformance.sharding import Shard

FILE_NAME = "run.jsonl"
PathLike: TypeAlias = str | os.PathLike[str]
Key: TypeAlias = tuple[str, str, str]


# --- writing --------------------------------------------------------------------------------------------------------


def write_whole(path: PathLike, parts: Iterable[str]) -> None:
    """Write a file beside its place, then rename it: a reader sees the old file or the new one, never half of it.

    A link is followed, and what is no file (a device, a pipe) is written into.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if _is_stream(target):
            _write_parts(target, parts)
        else:
            _replace(Path(os.path.realpath(target)), parts)
    except OSError as error:
        raise RunFileError(f"{target}: cannot be written: {error.strerror or error}") from error


def _is_stream(target: Path) -> bool:
    """Whether something is there that is neither a file nor a folder."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _replace(target: Path, parts: Iterable[str]) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        _write_parts(beside, parts)
        beside.replace(target)
    finally:
        with suppress(OSError):
            beside.unlink()


def _write_parts(target: Path, parts: Iterable[str]) -> None:
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(parts)


def write(path: PathLike, header: Header, outcomes: Iterable[Outcome]) -> None:
    """Write a run file, whole or not at all."""
    write_whole(path, map(line, (header, *outcomes)))


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


class Journal:
    """What a run has measured so far, kept in ``NAME.partial`` beside the run file until the run is whole."""

    def __init__(self, path: PathLike, header: Header) -> None:
        self.path, self.partial = Path(path), _partial(Path(path))
        self.kept: dict[Key, Outcome] = {}
        self.earlier: Header | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        self._open()
        self._cut(0)
        self._write(replace(header, partial=True))

    @classmethod
    def resume(cls, path: PathLike) -> Self:
        """Go on from what a run has left that broke off: a journal, or a run file that says that it is partial.

        Nothing is changed before `begin_again`.  Raises `UsageError` where there is neither.
        """
        made, target = cls.__new__(cls), Path(path)
        earlier = next((each for each in (_partial(target), target) if each.exists()), None)
        if earlier is None:
            raise UsageError(f"there is nothing to go on from: neither {_partial(target)} nor {target} exists")
        made.path, made.partial = target, _partial(target)
        if earlier == made.partial:
            made._open()  # another run may be under way
        content = read(earlier)
        made.earlier, made.kept = content.header, {each.key: each for each in content.outcomes}
        return made

    def _open(self) -> None:
        """Open the journal, for this process alone as long as it lives."""
        try:
            self._file: IO[bytes] = self.partial.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{self.partial}: another run is under way there; name another folder") from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):  # a file system without locks
                raise self._unwritable(error) from error

    def _cut(self, end: int) -> None:
        try:
            self._file.truncate(end)
            self._file.seek(end)
        except OSError as error:
            raise self._unwritable(error) from error

    def append(self, outcome: Outcome) -> None:
        """Keep an outcome: it survives the end of this process, however it ends."""
        start = self._file.tell()
        self._write(outcome)
        self.kept[outcome.key] = KeptOutcome(outcome, _Line(self._file, start, self._file.tell() - start))

    def begin_again(self, header: Header) -> None:
        """Write the journal anew with what is still kept: a later run must not find what this one has dropped."""
        write(self.partial, replace(header, partial=True), self.kept.values())
        self._open()

    def describe(self, adapter: str, about: Mapping[str, Any]) -> None:
        """Keep what is known of an adapter now that it has started."""
        self._write({"adapter": adapter, "about": about})

    def drop(self, unwanted: Callable[[Key], bool]) -> None:
        """Forget outcomes of the earlier run."""
        for key in [*filter(unwanted, self.kept)]:
            del self.kept[key]

    def close(self, header: Header, order: Callable[[Key], Any]) -> Run:
        """Write the run file with the outcomes in their order, and remove the journal."""
        run = Run(header, tuple(self.kept[key] for key in sorted(self.kept, key=order)))
        write(self.path, run.header, run.outcomes)
        self.partial.unlink(missing_ok=True)
        return run

    def discard(self) -> None:
        """Remove the journal of a run that measured nothing."""
        self.partial.unlink(missing_ok=True)

    def _write(self, value: object) -> None:
        start, rest = self._file.tell(), memoryview(line(value).encode())
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._cut(start)  # the disk is full: what was there stays readable
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunFileError:
        return RunFileError(f"{self.partial}: cannot be written: {error.strerror or error}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an open file, which stays readable when the file's name is taken by another."""

    file: IO[bytes]
    start: int
    length: int

    def text(self) -> str:
        return os.pread(self.file.fileno(), self.length, self.start).decode("utf-8")

    def outcome(self) -> Outcome:
        made: Outcome = record_reader(Outcome)(_DECODER.decode(self.text()))
        return made


# --- reading --------------------------------------------------------------------------------------------------------


def located(path: PathLike) -> Path:
    """The run file that is meant: a folder stands for the one in it."""
    file = Path(path)
    return file / FILE_NAME if file.is_dir() else file


def read(path: PathLike) -> Run:
    """Read a run file, or the one in a folder; raises `RunFileError` with file, line and reason."""
    file = located(path)
    try:
        content = _Content(file, file.open("rb"))
    except FileNotFoundError:
        hint = f"; a run that broke off left {_partial(file)}" if _partial(file).exists() else ""
        raise RunFileError(f"{file}: there is no such run file{hint}") from None
    except OSError as error:
        raise RunFileError(f"{file}: cannot be read: {error.strerror or error}") from error
    return Run(content.header, tuple(content.outcomes))


class _Content:
    """What a run file holds. ``end`` is where its last whole line ends."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self._path, self._file = path, file
        self.outcomes: list[KeptOutcome] = []
        self.end = 0
        header: Header | None = None
        for number, start, text in self._lines():
            try:
                header = self._take(header, number, start, text)
            except RecursionError:
                raise RunFileError(f"{path}:{number}: nested too deeply, expected at most {DEEPEST} levels") from None
        if header is None:
            raise RunFileError(f"{path}:1: the file is empty, expected the header of a run")
        self.header = header

    def _take(self, header: Header | None, number: int, start: int, text: bytes) -> Header:
        """Read a line; what is known of the run after it."""
        if header is None:
            _expect_json(self._path, number, text)
            return _header(self._path, number, _parsed(self._path, number, text))
        value = _parsed(self._path, number, text)
        if isinstance(value, dict) and value.keys() == {"adapter", "about"}:
            self._describe(header, *_described(self._path, number, value))
        else:
            outcome = _made(Outcome, self._path, number, value)
            self.outcomes.append(KeptOutcome(outcome, _Line(self._file, start, len(text))))
        return header

    def _describe(self, header: Header, adapter: str, about: dict[str, Any]) -> None:
        """What is known of an adapter from here on; its outcomes until here are another version's, if it differs."""
        earlier = header.adapters.get(adapter, {})
        if measured_with(earlier) != measured_with(about):
            self.outcomes = [each for each in self.outcomes if each.adapter != adapter]
        elif "spellings" in earlier:
            about = {"spellings": earlier["spellings"], **about}
        header.adapters[adapter] = about

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        self._file.seek(0)
        journal = self._path.name.endswith(".partial")
        for number, text in enumerate(self._file, 1):
            if journal and not text.endswith(b"\n"):
                return  # the process ended in this line
            if text.strip():
                yield number, self.end, text
            self.end += len(text)


def _expect_json(file: Path, number: int, line: bytes) -> None:
    """Refuse what cannot be the header of a run: a page, a picture, a table."""
    start = line.strip()[:60]
    if start[:1] not in (b"{", b"["):
        raise RunFileError(f"{file}:{number}: not a run file: expected JSON lines, found {_found(start)}")


def _found(start: bytes) -> str:
    """What a file is that begins so."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)  # its last letter may be cut in two
    except UnicodeDecodeError:
        return "binary data"
    if any(letter < " " and letter != "\t" for letter in text):
        return "binary data"
    return "an HTML page" if text.lower().startswith(("<!doctype html", "<html")) else repr(text)


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


_OF_ADAPTERS: Mapping[str, Any] = {
    "versions": dict[str, Any],
    "switches": dict[str, Any],
    "spellings": dict[str, Any],
    "precisions": tuple[Any, ...],
}
_OF_CASES: Mapping[str, Any] = {
    **dict.fromkeys(("file", "operation", "family", "description", "yaml", "digest"), str),
    "references": tuple[str, ...],
    "sees": tuple[str, ...],
}


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
    for where, about, fields in (("adapters", header.adapters, _OF_ADAPTERS), ("cases", header.cases, _OF_CASES)):
        for name, each in about.items():
            _check(fields, each, f"{file}:{number}: {where}: {name}")
    try:
        for shard in header.shards:
            Shard.of(shard)
    except UsageError as error:
        raise RunFileError(f"{file}:{number}: shards: {error}") from None
    return header


def _described(file: Path, number: int, value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A line of a journal that tells what is known of an adapter."""
    _check({"adapter": str, "about": dict[str, Any]}, value, f"{file}:{number}")
    _check(_OF_ADAPTERS, value["about"], f"{file}:{number}: about")
    return value["adapter"], value["about"]


def _check(kinds: Mapping[str, Any], entry: Mapping[str, Any], where: str) -> None:
    """Hold what an entry has to the kinds of its fields."""
    for name, kind in kinds.items():
        if name in entry:
            try:
                reader_of(kind)(entry[name])
            except ValueError as error:
                raise RunFileError(f"{where}: {name}: {error}") from None


def _made(kind: type, file: Path, number: int, value: Any) -> Any:
    try:
        return record_reader(kind)(value)
    except ValueError as error:
        raise RunFileError(f"{file}:{number}: {error}") from None
