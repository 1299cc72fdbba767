"""How much memory a process and those that descend from it hold, as seen from outside.

A limit that the kernel keeps is no use here: RLIMIT_AS counts what a framework reserves and never touches, and a
control group needs rights that few have.  So the parent looks, in /proc, where a look takes some 30 microseconds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_MOMENT = 0.005


def exceeds(pid: int, limit: int) -> bool:
    """Whether the resident memory of a process, with what each descendant holds beside it, is more than that."""
    everyone = family(pid)
    if sum(map(_resident, everyone)) <= limit:
        return False
    if len(everyone) == 1:
        return True
    # A forked child holds its parent's pages too, and for a moment, until it becomes another program, all of them.
    time.sleep(_MOMENT)
    parent, *children = family(pid)
    return _resident(parent) + sum(map(_private, children)) > limit


def family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    found = [pid]
    for each in found:  # which grows meanwhile
        tasks = Path(f"/proc/{each}/task")
        found += [int(child) for task in _names(tasks) for child in _read(tasks / task / "children").split()]
    return found


def shown(size: int) -> str:
    """A number of bytes as people write it.

    >>> shown(4 << 30), shown(100 << 20), shown(1500)
    ('4 GiB', '100 MiB', '1500 bytes')
    """
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def _resident(pid: int) -> int:
    return sum(map(int, _read(Path(f"/proc/{pid}/statm")).split()[1:2])) * _PAGE


def _private(pid: int) -> int:
    lines = _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(file: Path) -> str:
    """What the kernel says of a process; nothing of one that is gone, or that is not ours to look into."""
    try:
        return file.read_text()
    except OSError:
        return ""
