"""The options that commands share, and what they mean: which cases, which adapters, which documents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.case import Case
    from conformance.report import Earlier, Form
    from conformance.results import Run

FINE, NOT_AS_DECLARED, USAGE, HARNESS, INTERRUPTED = 0, 1, 2, 3, 130

Command = Callable[..., Any]


def options(*each: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator."""

    def decorate(command: Command) -> Command:
        for option in reversed(each):
            command = option(command)
        return command

    return decorate


# --- which cases ----------------------------------------------------------------------------------------------------

expression = click.option(
    "-k", "expression", default="", metavar="EXPR", help="Only cases whose names match: 'batch and not large'."
)
selection = options(click.argument("paths", nargs=-1, metavar="[PATH...]"), expression)


def load(paths: Sequence[str], expression: str) -> list[Case]:
    """The cases that are chosen."""
    from conformance.selection import select
    from conformance.task import load_valid

    cases = load_valid(paths or _default_paths())
    chosen = select(cases, expression) if expression else cases
    if not chosen:
        raise UsageError(f"no case matches {expression!r}; there are {len(cases)}: see conformance list cases")
    return chosen


def _default_paths() -> list[str]:
    if not Path("cases").is_dir():
        raise UsageError("there is no folder 'cases' here; name the files or folders that hold the cases")
    return ["cases"]


# --- which adapters -------------------------------------------------------------------------------------------------

mode = click.option(
    "--mode",
    type=click.Choice(["eager", "graph", "xla"]),
    help="How the frameworks run their calls.  [default: each adapter's own, see conformance list adapters]",
)
frameworks = options(
    click.option(
        "--adapter",
        "adapters",
        multiple=True,
        metavar="NAME",
        help="Only this adapter: its name, a pattern ('keras*') or mine.py:Class; NAME@path/to/python runs it in "
        "another environment. Repeatable.",
    ),
    mode,
    click.option(
        "--timeout",
        default=60.0,
        show_default=True,
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds per case.",
    ),
    click.option(
        "--memory",
        default=4.0,
        show_default=True,
        type=click.FloatRange(min=0, min_open=True),
        metavar="GIB",
        help="Memory that a framework's process may take, in GiB.",
    ),
)


def asked(adapters: Sequence[str], mode: str | None, timeout: float, memory: float) -> tuple[list[str], dict[str, Any]]:
    """Which adapters are asked, and how: what `conformance.asked.Asked` takes."""
    from conformance.discovery import chosen_adapters

    return chosen_adapters(adapters), {"mode": mode or "", "timeout": timeout, "memory": round(memory * 2**30)}


# --- what is written ------------------------------------------------------------------------------------------------

style = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="json: one document on stdout."
)


def print_json(document: Any) -> None:
    """One document on standard output."""
    from conformance.results import to_json

    click.echo(json.dumps(to_json(document), indent=2, ensure_ascii=False, allow_nan=False))


def _address(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s<>()\[\]\"'\\|`#]+", value):
        raise click.BadParameter(f"{value!r}, expected the page's address without a fragment: https://example.org/")
    return value


documents = options(
    click.option("--junit", metavar="FILE", help="JUnit XML, for CI."),
    click.option(
        "--markdown",
        metavar="FILE",
        help="Markdown: what is not as declared, what is new, the matrix. Appended to the file that "
        "$GITHUB_STEP_SUMMARY names; any other file is replaced.",
    ),
    click.option("--badge", metavar="FILE", help="JSON for a badge: https://shields.io/badges/endpoint-badge."),
    click.option(
        "--link",
        default="",
        metavar="URL",
        callback=_address,
        help="Where the page will be published: the Markdown's rows link to it.",
    ),
)


def write_documents(
    run: Run,
    targets: Mapping[Form, str | None],
    link: str = "",
    earlier: Earlier = (),
) -> None:
    """Write a run in each form for which a file is named, and say so."""
    from conformance import report

    for form, target in targets.items():
        if target:
            report.write(run, target, form, earlier=earlier, link=link)
            click.echo(f"wrote {target}", err=True)


def refuse_overwriting(inputs: Iterable[str], outputs: Iterable[str | None]) -> None:
    """Raise `UsageError` for a file that is to be written over another that is needed, or twice."""
    from conformance.runfile import located

    taken = {_identity(located(each)): each for each in inputs}
    for output in filter(None, outputs):
        place = _identity(output)
        if place in taken:
            raise UsageError(f"{output} would be written over {taken[place]}; name another file")
        taken[place] = output


def _identity(path: str | Path) -> str | tuple[int, int]:
    """What is the same for two names of one file: links lead to it, and a hard link is it."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return found.st_dev, found.st_ino
