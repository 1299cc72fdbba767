"""What there is: list, repro, schema."""

from __future__ import annotations

import json

import click

from conformance.cli._options import load, mode, print_json, selection, style
from conformance.errors import UsageError, nearest


@click.command(name="list")
@click.argument("what", type=click.Choice(["operations", "cases", "adapters", "knobs"]))
@selection
@style
def list_(what: str, paths: tuple[str, ...], expression: str, style: str) -> None:
    """List what there is: operations, cases, adapters (with versions and what each lacks), knobs."""
    from conformance import listing

    rows = listing.cases(load(paths, expression)) if what == "cases" else getattr(listing, what)()
    if style == "json":
        print_json({what: rows})
    else:
        click.echo(listing.text(what, rows))


@click.command()
@click.argument("case")
@click.option("--adapter", required=True, metavar="NAME", help="The framework.")
@click.option("--precision", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@mode
@click.option("--cases", "paths", multiple=True, metavar="PATH", help="Where the case is.  [default: cases]")
def repro(case: str, adapter: str, precision: str, mode: str | None, paths: tuple[str, ...]) -> None:
    """Print a short script, with that framework and NumPy only, that shows the same numbers.

    \b
    conformance repro batch_normalization/published_answer --adapter keras > repro.py
    """
    from conformance.asked import script_of
    from conformance.discovery import Reference, chosen_adapters
    from conformance.task import task_of

    cases = load(paths, "")
    found = [each for each in cases if each.id == case] or [each for each in cases if each.name == case]
    if len(found) != 1:
        several = f"; it could be {', '.join(each.id for each in found[:5])}" if found else ""
        raise UsageError(f"there is no case {case!r}{several or '; ' + nearest(case, [each.id for each in cases])}")
    name, *others = chosen_adapters([adapter])
    if others:
        raise UsageError(f"{adapter!r} chooses {', '.join([name, *others])}: a script is for one of them")
    click.echo(script_of(Reference.of(name), task_of(found[0], precision, mode or "")), nl=False)


@click.command()
def schema() -> None:
    """Print the JSON Schema of case files, for editors."""
    from conformance.schema import schema as made

    click.echo(json.dumps(made(), indent=2))
