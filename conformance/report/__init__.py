"""The report: a run file as the page that people read, and as what other tools read.

``html``, ``junit``, ``markdown`` and ``badge`` turn a `Run` into a document, ``text`` into lines for a terminal;
``comparison`` tells in Markdown what became of a run.  They share their words (`words`) and their arrangement
(`overview`).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from conformance.errors import RunFileError
from conformance.results import Run
from conformance.runfile import PathLike, write_whole

Form: TypeAlias = Literal["html", "junit", "markdown", "badge"]
Earlier: TypeAlias = Sequence[tuple[str, Run]]
"""Runs to compare with, each with its name, the oldest first."""


def write(run: Run, path: PathLike, form: Form = "html", *, earlier: Earlier = (), link: str = "") -> None:
    """Write a run as a document, whole or not at all; ``link`` is where its page is published.

    Markdown for a job's summary is appended to what other steps have written there.
    """
    if form == "html":
        from conformance.report import html

        with _without_collector():
            write_whole(path, html.parts(run, earlier))
    elif form == "junit":
        from conformance.report import junit

        write_whole(path, [junit.render(run)])
    elif form == "badge":
        from conformance.report import badge

        write_whole(path, [badge.render(run)])
    else:
        from conformance.report import markdown

        if _is_summary(path):
            room = markdown.LIMIT - (Path(path).stat().st_size if Path(path).exists() else 0)
            _append(path, markdown.render(run, earlier, link, limit=room))
        else:
            write_whole(path, [markdown.render(run, earlier, link)])


@contextmanager
def _without_collector() -> Iterator[None]:
    """A page is made of many small things and no cycles: looking for these takes a fifth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _is_summary(path: PathLike) -> bool:
    """Whether this is the file of a job's summary: GitHub made it, and all steps write into it."""
    return os.fspath(path) == os.environ.get("GITHUB_STEP_SUMMARY")


def _append(path: PathLike, text: str) -> None:
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise RunFileError(f"{path}: cannot be written: {error.strerror or error}") from error
