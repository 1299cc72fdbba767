"""The command line: run, check, explain, doctor, list, repro, report, compare, schema.

Every command imports what it needs when it is called, so that the help texts come at once.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from conformance import __version__
from conformance.errors import ConformanceError, UsageError, nearest

if TYPE_CHECKING:
    from conformance.case import Case
    from conformance.results import Run

FINE, NOT_AS_DECLARED, USAGE, HARNESS, INTERRUPTED = 0, 1, 2, 3, 130


class _Group(click.Group):
    """Turns our errors into messages and exit codes; any other exception is a fault of the harness."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConformanceError as error:
            _complain(str(error))
            ctx.exit(USAGE)
        except KeyboardInterrupt:
            click.secho("interrupted", fg="yellow", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.filename:
                _complain(f"{error.filename}: {error.strerror}")
                ctx.exit(USAGE)
            import traceback

            _complain("the harness failed; this is no verdict on a framework. Please report it with these lines:")
            click.echo(traceback.format_exc(), err=True)
            ctx.exit(HARNESS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"no such command {args[0]!r}; {nearest(args[0], self.commands)}", ctx)
        return super().resolve_command(ctx, args)


def _complain(message: str) -> None:
    for line in message.splitlines():
        click.secho(f"error: {line}", fg="red", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="conformance")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours; auto obeys NO_COLOR."
)
@click.pass_context
def main(context: click.Context, color: str) -> None:
    """Which formula does a framework really compute, and how far is it from the published one?

    \b
    conformance run                                    all cases on all frameworks, and the report
    conformance run cases/normalization -k large_mean  some of them
    conformance explain cases -k asked_expectation     which formula made these numbers?
    conformance check                                  are the cases valid, and what can they not see?

    Exit codes: 0 as declared, 1 something is not, 2 wrong usage or a wrong case, 3 the harness itself failed.
    """
    import gc
    import os

    gc.freeze()
    gc.set_threshold(50_000)  # start-up makes many objects that stay: looking through them takes a tenth of it
    for stream in (sys.stdout, sys.stderr):  # what a framework says may hold what no encoding can
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    context.color = {"always": True, "never": False}.get(color, False if os.environ.get("NO_COLOR") else None)


Command = Callable[..., Any]


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_paths = click.argument("paths", nargs=-1, metavar="[PATH...]")
_expression = click.option(
    "-k", "expression", default="", metavar="EXPR", help="Only cases whose names match: 'batch and not large'."
)
_adapters = click.option(
    "--adapter",
    "adapters",
    multiple=True,
    metavar="NAME",
    help="Only this adapter: its name, a pattern ('keras*') or mine.py:Class; NAME@path/to/python runs it in another "
    "environment. Repeatable.",
)
_format = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", help="json: one document on stdout."
)
_timeout = click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Seconds per case."
)
_mode = click.option(
    "--mode",
    type=click.Choice(["eager", "graph", "xla"]),
    help="How the frameworks run their calls.  [default: each adapter's own, see conformance list adapters]",
)
_COUNT = click.IntRange(min=1)
_memory = click.option(
    "--memory",
    default=4.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    metavar="GIB",
    help="Memory that a framework's process may take, in GiB.",
)
_selection = _options(_paths, _expression)
_frameworks = _options(_adapters, _mode, _timeout, _memory)


def _asked(
    adapters: Sequence[str], mode: str | None, timeout: float, memory: float
) -> tuple[list[str], dict[str, Any]]:
    """Which adapters are asked, and how: what `conformance.asked.Asked` takes."""
    from conformance.discovery import chosen_adapters

    return chosen_adapters(adapters), {"mode": mode or "", "timeout": timeout, "memory": round(memory * 2**30)}


def _load(paths: Sequence[str], expression: str) -> list[Case]:
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


def _print_json(document: Any) -> None:
    from conformance.results import to_json

    click.echo(json.dumps(to_json(document), indent=2, ensure_ascii=False, allow_nan=False))


@main.command()
@_selection
@_frameworks
@click.option(
    "--output", default="reports", show_default=True, metavar="DIR", help="Where run.jsonl and index.html go."
)
@click.option(
    "--repeat", default=1, show_default=True, type=_COUNT, help="Runs of each case; what changes is unstable."
)
@click.option(
    "--seed",
    default=0,
    metavar="N",
    type=click.IntRange(min=0, max=2**32),
    help="Draw random inputs anew: N is added to their seeds.",
)
@click.option("--resume", is_flag=True, help="Go on from the run in DIR that broke off; give the same arguments.")
@click.option(
    "--jobs",
    default=0,
    type=click.IntRange(min=0),
    metavar="N",
    help="Frameworks at work at once.  [default: one per processor]",
)
@click.option("--threads", default=1, show_default=True, type=_COUNT, help="Threads of each framework.")
@_format
@click.pass_context
def run(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    expression: str,
    output: str,
    repeat: int,
    seed: int,
    resume: bool,
    jobs: int,
    threads: int,
    style: str,
    **frameworks: Any,
) -> None:
    """Run cases on frameworks, print the matrix, write run.jsonl and index.html.

    \b
    conformance run
    conformance run cases/activation --adapter torch --adapter 'keras*'
    conformance run --adapter torch --adapter torch@venvs/old/bin/python   two versions, two columns
    conformance run --adapter mine.py:MyAdapter                            an adapter of one's own
    conformance run -k 'adam and not weight_decay' --format json > run.json

    Ctrl-C keeps what was measured; --resume goes on from there.
    """
    from conformance import report
    from conformance.progress import Progress
    from conformance.runfile import FILE_NAME, Journal
    from conformance.runner import Runner, unexpected

    names, how = _asked(**frameworks)
    runner = Runner(_load(paths, expression), names, jobs=jobs, repeat=repeat, seed=seed, threads=threads, **how)
    if not runner.cases:
        raise UsageError("these cases hold observed numbers only: conformance explain answers them")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted: keep what there is
    target = Path(output)
    target.mkdir(parents=True, exist_ok=True)
    journal = Journal.resume(target / FILE_NAME) if resume else Journal(target / FILE_NAME, runner.header())
    with Progress(sys.stderr) as progress:
        measured = runner.run(journal, progress.tell)
    click.echo(runner.spent(), err=True)
    report.write(measured, target / "index.html")
    if style == "json":
        _print_run(measured)
    else:
        _tell(measured, target)
    context.exit(_exit_code(runner.partial, frameworks["adapters"], measured, bool(unexpected(measured.outcomes))))


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


@main.command()
@_selection
@_format
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

    cases = _load(paths, expression)
    spots = blind_spots(cases)
    findings = [*map(str, spots), *broken_expectations(cases)]
    findings += [
        f"{declaration.place}: {', '.join(declaration.adapters)}: {reason}" for declaration, reason in stale(cases)
    ]
    files = len({case.file for case in cases})
    if style == "json":
        _print_json(
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


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_expression
@_frameworks
@_format
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

    names, how = _asked(**frameworks)
    found = explain_cases(_load(paths, expression), names, **how)
    if style == "json":
        _print_json({"explanations": [each.as_dict() for each in found]})
    else:
        for each in found:
            click.echo(each.text())
    answers = [each for each in found if not each.unsupported]
    context.exit(FINE if answers and all(each.dialect is not None for each in answers) else NOT_AS_DECLARED)


@main.command()
@_frameworks
@_format
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
    names, how = _asked(**frameworks)
    for name in names:
        found.append(examine(name, **how))
        if style == "text":
            colour = {"healthy": "green", "broken": "red", "missing": "yellow"}.get(found[-1].state)
            click.secho(found[-1].text(), fg=colour)
    if style == "json":
        _print_json({"adapters": found})
    ill = {"broken", "missing"} if frameworks["adapters"] else {"broken"}
    context.exit(NOT_AS_DECLARED if any(each.state in ill for each in found) else FINE)


@main.command(name="list")
@click.argument("what", type=click.Choice(["operations", "cases", "adapters", "knobs"]))
@_selection
@_format
def list_(what: str, paths: tuple[str, ...], expression: str, style: str) -> None:
    """List what there is: operations, cases, adapters (with versions and what each lacks), knobs."""
    from conformance import listing

    rows = listing.cases(_load(paths, expression)) if what == "cases" else getattr(listing, what)()
    if style == "json":
        _print_json({what: rows})
    else:
        click.echo(listing.text(what, rows))


@main.command()
@click.argument("case")
@click.option("--adapter", required=True, metavar="NAME", help="The framework.")
@click.option("--precision", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@_mode
@click.option("--cases", "paths", multiple=True, metavar="PATH", help="Where the case is.  [default: cases]")
def repro(case: str, adapter: str, precision: str, mode: str | None, paths: tuple[str, ...]) -> None:
    """Print a short script, with that framework and NumPy only, that shows the same numbers.

    \b
    conformance repro batch_normalization/published_answer --adapter keras > repro.py
    """
    from conformance.asked import script_of
    from conformance.discovery import Reference, chosen_adapters
    from conformance.task import task_of

    cases = _load(paths, "")
    found = [each for each in cases if each.id == case] or [each for each in cases if each.name == case]
    if len(found) != 1:
        several = f"; it could be {', '.join(each.id for each in found[:5])}" if found else ""
        raise UsageError(f"there is no case {case!r}{several or '; ' + nearest(case, [each.id for each in cases])}")
    name, *others = chosen_adapters([adapter])
    if others:
        raise UsageError(f"{adapter!r} chooses {', '.join([name, *others])}: a script is for one of them")
    click.echo(script_of(Reference.of(name), task_of(found[0], precision, mode or "")), nl=False)


@main.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", default=None, metavar="FILE", help="The HTML page.")
@click.option("--junit", default=None, metavar="FILE", help="JUnit XML, for CI.")
@click.option("--markdown", default=None, metavar="FILE", help="Markdown, for $GITHUB_STEP_SUMMARY.")
def report(runs: tuple[str, ...], output: str | None, junit: str | None, markdown: str | None) -> None:
    """Merge run files and render them.

    \b
    conformance report reports/run.jsonl -o page.html
    conformance report torch/run.jsonl keras/run.jsonl --markdown summary.md
    """
    from conformance import history, runfile
    from conformance import report as rendering

    if not (output or junit or markdown):
        raise UsageError("name at least one of -o, --junit and --markdown")
    measured = history.merge([runfile.read(Path(each)) for each in runs], runs)
    forms: dict[rendering.Form, str | None] = {"html": output, "junit": junit, "markdown": markdown}
    for form, target in forms.items():
        if target:
            rendering.write(measured, Path(target), form)
            click.echo(f"wrote {target}")


@main.command()
@click.argument("old")
@click.argument("new")
@_format
@click.pass_context
def compare(context: click.Context, old: str, new: str, style: str) -> None:
    """Tell what changed between two runs; exit code 1 if anything got worse."""
    from conformance import history, runfile
    from conformance.report import text

    changes = history.changes(runfile.read(Path(old)), runfile.read(Path(new)))
    if style == "json":
        _print_json({"changes": changes})
    else:
        for change in changes:
            click.secho(text.change(change), fg={"worse": "red", "better": "green"}.get(change.kind))
        click.echo(f"{len(changes)} changes, {history.worse_count(changes)} for the worse")
    context.exit(NOT_AS_DECLARED if history.worse_count(changes) else FINE)


@main.command()
def schema() -> None:
    """Print the JSON Schema of case files, for editors."""
    from conformance.schema import schema as made

    click.echo(json.dumps(made(), indent=2))
