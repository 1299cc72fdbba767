"""No false alarm: every case that draws its inputs, with a hundred other draws of them, on every framework.

``tox -e soak`` runs the whole catalogue three times first (``conformance run --repeat 3``).  It takes hours, so it is
not one of the tests; what it finds, ``conformance run --seed N`` shows again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import click

from conformance.asked import Asked
from conformance.case import Case
from conformance.cli import main as conformance
from conformance.discovery import chosen_adapters
from conformance.selection import select
from conformance.task import load_valid


def drawn(cases: Sequence[Case]) -> list[Case]:
    """The cases that draw inputs."""
    return [case for case in cases if not case.observed and case.reseeded(1) is not case]


def soak(name: str, cases: Sequence[Case], seeds: Sequence[int]) -> list[str]:
    """What is not as declared on an adapter, each with the command that shows it."""
    asked, found = Asked(name), []
    asked.start()
    if asked.missing:
        return [f"{name}: missing: {asked.missing}"]
    try:
        for seed in seeds:
            for case in cases:
                for outcome in asked.run(case.reseeded(seed)):
                    if not outcome.as_declared:
                        command = f"conformance run --seed {seed} -k '{case.id}' --adapter {name}"
                        found.append(f"{outcome.phase}: {outcome.message[:300]}\n    {command}")
                        print(f"{name}: {found[-1]}", flush=True)
            print(f"{name}: seed {seed}: {len(found)} not as declared so far", file=sys.stderr, flush=True)
    finally:
        asked.close()
    return found


@click.command()
@click.argument("paths", nargs=-1)
@click.option("-k", "expression", default="", help="Only these cases.")
@click.option("--adapter", "adapters", multiple=True, help="Only these adapters.")
@click.option("--seeds", default=100, show_default=True, help="How many other draws.")
@click.option("--first", default=1, show_default=True, help="The first seed.")
@click.option("--repeat", default=3, show_default=True, help="How often the catalogue runs first; 0: not at all.")
def main(paths: Sequence[str], expression: str, adapters: Sequence[str], seeds: int, first: int, repeat: int) -> None:
    """Run every case that draws its inputs with other draws of them; exit code 1 if anything is not as declared."""
    chosen = [*paths] or ["cases"]
    names = [each for name in adapters for each in ("--adapter", name)]
    if repeat:
        given = ["-k", expression] if expression else []
        code = conformance(
            ["run", *chosen, *given, *names, "--repeat", str(repeat)], standalone_mode=False, prog_name="conformance"
        )
        if code:
            raise SystemExit(code)
    loaded = load_valid(chosen)
    cases = drawn(select(loaded, expression) if expression else loaded)
    print(f"{len(cases)} cases draw their inputs; {seeds} seeds from {first}")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        wanted = range(first, first + seeds)
        found = list(pool.map(lambda name: soak(name, cases, wanted), chosen_adapters(adapters)))
    faults = sum(map(len, found))
    print(f"{faults} not as declared")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
