"""The command line: what all commands have in common.

``measure`` holds those that put cases to frameworks, ``show`` those that tell what there is, ``reports`` those that
render runs.  Every command imports what it needs when it is called, so that the help texts come at once.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Any

import click

from conformance import __version__
from conformance.cli import measure, reports, show
from conformance.cli._options import HARNESS, INTERRUPTED, USAGE
from conformance.errors import ConformanceError, nearest


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


for _command in (
    measure.run,
    measure.check,
    measure.explain,
    measure.doctor,
    show.list_,
    show.repro,
    show.schema,
    reports.report,
    reports.compare,
    reports.serve,
):
    main.add_command(_command)
