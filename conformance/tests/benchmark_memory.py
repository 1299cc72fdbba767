"""How much memory the parent of a run takes, from a hundred outcomes to ten thousand: ``benchmark memory``.

The cases of a run are read before it begins, so what the larger number of cases takes is told apart.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

WRONG = Path(__file__).with_name("wrong.py")
ADAPTERS = 5
SIZES = (10, 100, 1000)
"""Cases; each has two phases, so there are ten times as many outcomes."""


def measure() -> None:
    """Print the peak memory of runs of several sizes."""
    print(f"\npeak memory of the parent; {ADAPTERS} adapters, two phases")
    print(f"  {'outcomes':>10} {'the run, MiB':>14} {'its cases read, MiB':>20}")
    with tempfile.TemporaryDirectory() as folder:
        names = [_adapter(Path(folder), number) for number in range(ADAPTERS)]
        for size in SIZES:
            cases = _cases(Path(folder), size)
            read = _peak(["check-only", str(cases)])
            run = _peak(
                ["run", str(cases), "--output", folder, *(part for name in names for part in ("--adapter", name))]
            )
            print(f"  {2 * ADAPTERS * size:10} {run:14.1f} {read:20.1f}")


def _adapter(folder: Path, number: int) -> str:
    file = folder / f"adapter_{number}.py"
    file.symlink_to(WRONG)
    return f"{file}:Right"


def _cases(folder: Path, size: int) -> Path:
    lines = []
    for number in range(size):
        rows = [[-1, 2], [3, number]]
        train = f"{{x: {rows}, target: {rows}, loss: mean_squared_error}}"
        lines.append(f"  - {{name: c{number}, train: {train}, predict: {{x: {rows}}}}}")
    file = folder / f"cases_{size}.yaml"
    file.write_text("\n".join(["operation: relu", "cases:", *lines, ""]))
    return file


def _peak(arguments: Sequence[str]) -> float:
    command = [sys.executable, "-m", "conformance.tests.benchmark_memory", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stderr.split()[-1])


def peak() -> float:
    """The peak memory of this program in MiB: what `resource` tells may be that of a parent that forked it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def _be_measured(arguments: Sequence[str]) -> None:
    if arguments[0] == "check-only":
        from conformance.task import load_valid

        load_valid(arguments[1:])
    else:
        from conformance.cli import main

        main(list(arguments), standalone_mode=False)
    print(peak(), file=sys.stderr)
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    _be_measured(sys.argv[1:])
