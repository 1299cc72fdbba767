"""Cases put to frameworks: run, check, explain, doctor."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance.cli import _options as shared
from conformance.cli._browser import open_page
from conformance.cli._options import (
    FINE,
    INTERRUPTED,
    NOT_AS_DECLARED,
    asked,
    frameworks,
    load,
    print_json,
    selection,
    style,
)
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.case import Case
    from conformance.report import Form
    from conformance.results import Run
    from conformance.sharding import Shard

COUNT = click.IntRange(min=1)


def _shard(context: click.Context, parameter: click.Parameter, value: str | None) -> Shard | None:
    from conformance.sharding import Shard

    try:
        return None if value is None else Shard.of(value)
    except UsageError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@selection
@frameworks
@click.option(
    "--output", default="reports", show_default=True, metavar="DIR", help="Where run.jsonl and index.html go."
)
@click.option("--repeat", default=1, show_default=True, type=COUNT, help="Runs of each case; what changes is unstable.")
@click.option(
    "--seed",
    default=0,
    metavar="N",
    type=click.IntRange(min=0, max=2**32),
    help="Draw random inputs anew: N is added to their seeds.",
)
@click.option(
    "--shard",
    metavar="I/N",
    callback=_shard,
    help="Only part I of N, by a hash of each case's name; conformance report merges the parts.",
)
@click.option("--resume", is_flag=True, help="Go on from the run in DIR that broke off; give the same arguments.")
@click.option(
    "--jobs",
    default=0,
    type=click.IntRange(min=0),
    metavar="N",
    help="Frameworks at work at once.  [default: one per processor]",
)
@click.option("--threads", default=1, show_default=True, type=COUNT, help="Threads of each framework.")
@style
@click.option("--open", "opened", is_flag=True, help="Open the page in a browser when the run is done.")
@shared.documents
@click.pass_context
def run(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    expression: str,
    output: str,
    repeat: int,
    seed: int,
    shard: Shard | None,
    resume: bool,
    jobs: int,
    threads: int,
    style: str,
    opened: bool,
    junit: str | None,
    markdown: str | None,
    badge: str | None,
    link: str,
    **frameworks: Any,
) -> None:
    """Run cases on frameworks, print the matrix, write run.jsonl and index.html.

    \b
    conformance run
    conformance run cases/activation --adapter torch --adapter 'keras*'
    conformance run --adapter torch --adapter torch@venvs/old/bin/python   two versions, two columns
    conformance run --adapter mine.py:MyAdapter                            an adapter of one's own
    conformance run -k 'adam and not weight_decay' --format json > run.json
    conformance run --shard 2/5 --output shards/2                          one of five parts

    Ctrl-C keeps what was measured; --resume goes on from there.
    """
    from conformance import report
    from conformance.progress import Progress
    from conformance.runfile import FILE_NAME, Journal
    from conformance.runner import Runner, unexpected

    if opened and style == "json":
        raise UsageError("--open is for people, --format json for programs: give one of them")
    target = Path(output)
    page = target / "index.html"
    files: dict[Form, str | None] = {"junit": junit, "markdown": markdown, "badge": badge}
    shared.refuse_overwriting([str(target / FILE_NAME), str(page)], files.values())
    names, how = asked(**frameworks)
    cases = _measured(load(paths, expression), shard)
    part = (str(shard),) if shard else ()
    runner = Runner(
        cases, names if cases else [], jobs=jobs, repeat=repeat, seed=seed, shards=part, threads=threads, **how
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted: keep what there is
    target.mkdir(parents=True, exist_ok=True)
    journal = Journal.resume(target / FILE_NAME) if resume else Journal(target / FILE_NAME, runner.header())
    with Progress(sys.stderr) as progress:
        measured = runner.run(journal, progress.tell)
    click.echo(runner.spent(), err=True)
    begin = time.perf_counter()
    report.write(measured, page)
    click.echo(f"the page took {time.perf_counter() - begin:.1f} s", err=True)
    if style == "json":
        _print_run(measured)
    else:
        _tell(measured, target)
    shared.write_documents(measured, files, link)
    if opened:
        open_page(page.resolve().as_uri())
    context.exit(_exit_code(runner.partial, frameworks["adapters"], measured, bool(unexpected(measured.outcomes))))


def _measured(cases: Sequence[Case], shard: Shard | None) -> list[Case]:
    """The cases that need a framework, or those of them that are in the shard, which may be none."""
    found = [case for case in cases if not case.observed]
    if not found:
        raise UsageError("these cases hold observed numbers only: conformance explain answers them")
    if shard is None:
        return found
    part = [case for case in found if case.id in shard]
    if not part:
        click.echo(f"shard {shard} holds none of these {len(found)} cases: there is nothing to run", err=True)
    return part


def _print_run(measured: Run) -> None:
    """A run as one JSON document, which need not be in memory as a whole."""
    from conformance.results import line

    click.echo(f'{{"header": {line(measured.header).strip()}, "outcomes": [')
    for number, outcome in enumerate(measured.outcomes, 1):
        click.echo(line(outcome).strip() + ("," if number < len(measured.outcomes) else ""))
    click.echo("]}")


def _tell(measured: Run, target: Path) -> None:
    from conformance.report import text

    click.echo(text.matrix(measured))
    failures = text.failures(measured)
    if failures:
        click.secho(failures, fg="red")
    for name, each in measured.header.adapters.items():
        if "missing" in each:
            click.secho(f"{name}: missing: {each['missing']}", fg="yellow", err=True)
    if measured.header.partial:
        click.secho("interrupted: the run is partial, what was measured is kept", fg="yellow", err=True)
    click.echo(f"wrote {target / 'run.jsonl'} and {target / 'index.html'}")


def _exit_code(partial: bool, asked: Sequence[str], measured: Run, failed: bool) -> int:
    if partial:
        return INTERRUPTED
    missing = any("missing" in each for each in measured.header.adapters.values())
    return NOT_AS_DECLARED if failed or (asked and missing) else FINE


@click.command()
@selection
@style
@click.pass_context
def check(context: click.Context, paths: tuple[str, ...], expression: str, style: str) -> None:
    """Validate cases without running a framework, and list what they cannot see.

    A blind spot is a setting of a knob (another formula) that no case of its operation would notice. Also listed:
    expectations that the formula does not meet, and declarations that no case can show.

    \b
    conformance check
    conformance check cases/optimizer/adam.yaml
    """
    from conformance.power import blind_spots, broken_expectations, stale

    cases = load(paths, expression)
    spots = blind_spots(cases)
    findings = [*map(str, spots), *broken_expectations(cases)]
    findings += [
        f"{declaration.place}: {', '.join(declaration.adapters)}: {reason}" for declaration, reason in stale(cases)
    ]
    files = len({case.file for case in cases})
    if style == "json":
        print_json(
            {
                "files": files,
                "cases": [case.id for case in cases],
                "blind_spots": [{"operation": s.operation, "knob": s.knob, "setting": s.setting} for s in spots],
                "findings": findings,
            }
        )
    else:
        for finding in findings:
            click.secho(finding, fg="red")
        click.echo(f"{files} files, {len(cases)} cases: valid; {len(spots)} blind spots")
    context.exit(NOT_AS_DECLARED if findings else FINE)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@shared.expression
@frameworks
@style
@click.pass_context
def explain(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    expression: str,
    style: str,
    **frameworks: Any,
) -> None:
    """Name the formula behind numbers, with the runners-up.

    The numbers are those that a case holds as `observed`, or else those of each adapter.

    \b
    conformance explain cases/normalization -k asked_expectation
    conformance explain mine.yaml --adapter torch
    """
    from conformance.explanation import explain_cases

    names, how = asked(**frameworks)
    found = explain_cases(load(paths, expression), names, **how)
    if style == "json":
        print_json({"explanations": [each.as_dict() for each in found]})
    else:
        for each in found:
            click.echo(each.text())
    answers = [each for each in found if not each.unsupported]
    context.exit(FINE if answers and all(each.dialect is not None for each in answers) else NOT_AS_DECLARED)


@click.command()
@frameworks
@style
@click.pass_context
def doctor(
    context: click.Context,
    /,
    style: str,
    **frameworks: Any,
) -> None:
    """Tell whether adapters are in order, with tasks so small that everyone knows the answer.

    A broken adapter does not keep to its contract; if it does and the numbers differ, the framework deviates.
    Exit code 1 if an adapter is broken, or one that was asked for is missing.

    \b
    conformance doctor
    conformance doctor --adapter mine.py:MyAdapter
    """
    from conformance.doctor import examine

    found = []
    names, how = asked(**frameworks)
    for name in names:
        found.append(examine(name, **how))
        if style == "text":
            colour = {"healthy": "green", "broken": "red", "missing": "yellow"}.get(found[-1].state)
            click.secho(found[-1].text(), fg=colour)
    if style == "json":
        print_json({"adapters": found})
    ill = {"broken", "missing"} if frameworks["adapters"] else {"broken"}
    context.exit(NOT_AS_DECLARED if any(each.state in ill for each in found) else FINE)
