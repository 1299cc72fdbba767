"""Run files rendered: report, compare, serve."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from conformance.cli import _options as shared
from conformance.cli._browser import open_page
from conformance.cli._options import FINE, NOT_AS_DECLARED, print_json
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.history import Change
    from conformance.report import Form
    from conformance.results import Run

_page = click.option("-o", "--output", metavar="FILE", help="The HTML page.")


def _read(paths: Sequence[str]) -> list[tuple[str, Run]]:
    from conformance import runfile

    return [(path, runfile.read(path)) for path in paths]


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@_page
@click.option(
    "--against",
    multiple=True,
    metavar="OLD",
    help="An earlier run to compare with, for the page and the Markdown. Repeatable, the oldest first.",
)
@click.option("--jsonl", metavar="FILE", help="The runs merged, as a run file.")
@shared.documents
def report(
    runs: tuple[str, ...],
    output: str | None,
    against: tuple[str, ...],
    jsonl: str | None,
    junit: str | None,
    markdown: str | None,
    badge: str | None,
    link: str,
) -> None:
    """Merge run files and render them.

    Runs of different adapters, of different cases and the shards of one run belong together; others are refused. What
    is missing is told. A folder stands for the run.jsonl in it.

    \b
    conformance report reports/run.jsonl -o page.html
    conformance report shards/*/run.jsonl -o page.html --jsonl run.jsonl --badge badge.json
    conformance report new --against 2.12/run.jsonl --against 2.13/run.jsonl -o page.html
    """
    from conformance import history, runfile
    from conformance.report.words import inline, warnings

    files: dict[Form, str | None] = {"html": output, "junit": junit, "markdown": markdown, "badge": badge}
    if not (any(files.values()) or jsonl):
        raise UsageError("name at least one of -o, --junit, --markdown, --badge and --jsonl")
    shared.refuse_overwriting([*runs, *against], [*files.values(), jsonl])
    named = _read(runs)
    earlier = _read(against)
    merged = history.merge([run for _, run in named], [name for name, _ in named])
    history.hold_comparable([(runs[0], merged), *earlier])
    for warning in warnings(merged):
        click.secho(f"warning: {inline(warning)}", fg="yellow", err=True)
    if jsonl:
        runfile.write(jsonl, merged.header, merged.outcomes)
        click.echo(f"wrote {jsonl}", err=True)
    shared.write_documents(merged, files, link, earlier)


@click.command()
@click.argument("olds", nargs=-1, required=True, metavar="OLD...")
@click.argument("new")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="json: one document on stdout; markdown: a comment for a pull request.",
)
@_page
@click.pass_context
def compare(context: click.Context, olds: tuple[str, ...], new: str, style: str, output: str | None) -> None:
    """Tell what changed between two runs; exit code 1 if anything got worse.

    Of several runs, the oldest first, the changes are those of the newest, and the trend of all is told too.

    \b
    conformance compare old/run.jsonl new/run.jsonl --format markdown
    conformance compare 2.11 2.12 2.13 -o page.html
    """
    from conformance import history

    paths = [*olds, new]
    shared.refuse_overwriting(paths, [output])
    runs = _read(paths)
    history.hold_comparable(runs)
    changes = history.changes(runs[-2][1], runs[-1][1])
    if style == "json":
        print_json(_comparison(runs, changes))
    elif style == "markdown":
        from conformance.report import comparison

        click.echo(comparison.render(runs), nl=False)
    else:
        _tell_changes(runs, changes)
    shared.write_documents(runs[-1][1], {"html": output}, earlier=runs[:-1])
    context.exit(NOT_AS_DECLARED if history.worse_count(changes) else FINE)


def _comparison(runs: Sequence[tuple[str, Run]], changes: Sequence[Change]) -> dict[str, object]:
    """What changed, for programs."""
    from conformance import history

    fields = ("adapter", "distribution", "old", "new")
    updates = history.versions(runs[-2][1].header, runs[-1][1].header)
    found: dict[str, object] = {
        "changes": changes,
        "versions": [dict(zip(fields, each, strict=True)) for each in updates],
    }
    if len(runs) > 2:
        found["trend"] = history.trend([run for _, run in runs])
    return found


def _tell_changes(runs: Sequence[tuple[str, Run]], changes: Sequence[Change]) -> None:
    from conformance import history
    from conformance.report import text

    old, new = runs[-2][1], runs[-1][1]
    for line in text.versions(old.header, new.header):
        click.echo(line)
    findings, gaps = history.gaps(changes, old, new)
    for gap in gaps:
        click.secho(text.gap(gap), fg="yellow")
    for change in findings:
        click.secho(text.change(change), fg={"worse": "red", "better": "green"}.get(change.kind))
    if len(runs) > 2:
        click.echo(text.trend(runs))
    click.echo(f"{len(changes)} changes, {history.worse_count(changes)} for the worse")


@click.command()
@click.argument("folder", default="reports", metavar="[DIR]")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 picks one that is free."
)
@click.option("--open", "opened", is_flag=True, help="Open the address in a browser.")
def serve(folder: str, port: int, opened: bool) -> None:
    """Show the pages of a folder in a browser; an open page reloads when a run has replaced it.

    Only this machine can reach it. Without DIR, the folder is reports. Ctrl-C ends it.

    \b
    conformance serve --open
    conformance serve old/reports --port 0
    """
    from conformance.serve import Server, Site

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted
    with Server(Site.of(folder), port) as server:
        click.echo(f"{folder} is at {server.address} (Ctrl-C ends it)")
        if opened:
            open_page(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)
