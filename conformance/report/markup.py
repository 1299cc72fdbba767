"""Markdown as GitHub shows it: texts escaped, tables cut where they get too long, links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from conformance.report.words import case_address, inline

_SPECIAL = re.compile(r"[\\`*\[\]|~#$]|(?<!\w)_|_(?!\w)")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
"""GitHub would notify whom a text from a run file names; a space without width keeps it from that."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Markup(str):
    """Markdown already, not a text to be escaped."""

    __slots__ = ()


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in a table too.

    >>> escape("a|b <script> `x`")
    'a\\\\|b &lt;script&gt; \\\\`x\\\\`'
    """
    if isinstance(text, Markup):
        return text
    return _MENTION.sub("@\u200b", _SPECIAL.sub(r"\\\g<0>", inline(text).translate(_ENTITIES)))


def linked(text: str, address: str) -> str:
    """A text that leads somewhere; just the text for anything but an address of the web.

    >>> linked("a|b", "https://example.org/(x)")
    '[a\\\\|b](https://example.org/%28x%29)'
    """
    if not address.startswith(("https://", "http://")):
        return text
    return Markup(f"[{escape(text)}]({quote(address, safe=_OF_ADDRESSES)})")


_OF_ADDRESSES = ":/?#&=%~+,;@!$'-._"


def page_address(page: str, case: str, adapter: str, phase: str) -> str:
    """Where the page shows an outcome; "" without a page."""
    return f"{page}{case_address(case, adapter, phase)}" if page else ""


def source_address(file: str) -> str:
    """Where GitHub shows a file of the repository, in a job of GitHub's; "" elsewhere, or for a file from outside."""
    server, repository, commit = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "SHA"))
    place = PurePosixPath(file)
    if not (server and repository and commit and file) or place.is_absolute() or ".." in place.parts:
        return ""
    return f"{server}/{repository}/blob/{commit}/{quote(file, errors='backslashreplace')}"


@dataclass(frozen=True)
class Table:
    """Rows under a heading; of those that are too many, the count is told."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    most: int = 10_000

    def lines(self, room: int) -> list[str]:
        """As many rows as there is room for, in bytes."""
        lines = [_row(self.head), _row(["---"] * len(self.head))]
        room -= sum(map(_size, lines)) + _RESERVE
        for number, row in enumerate(self.rows):
            line = _row(row)
            room -= _size(line)
            if number == self.most or room < 0:
                return [*(lines if number else []), "", f"And {len(self.rows) - number:,} more."]
            lines.append(line)
        return lines


_RESERVE = 100
"""What a table needs to say that it goes on, in bytes."""


def document(parts: Iterable[str | Table], limit: int) -> str:
    """Paragraphs and tables, of at most so many bytes: what comes first stays."""
    made: list[str] = []
    room = limit - _RESERVE
    for part in parts:
        text = "\n".join(part.lines(room)) if isinstance(part, Table) else part
        if _size(text) + 1 > room:
            made.append("The rest is left out: it is too long to be shown here.")
            break
        made.append(text)
        room -= _size(text) + 1
    return "\n\n".join(made) + "\n" if limit > 2 * _RESERVE else ""


def _row(entries: Iterable[str]) -> str:
    return f"| {' | '.join(map(escape, entries))} |"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "backslashreplace")) + 1
