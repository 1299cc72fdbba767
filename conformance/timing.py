"""Where the time of a run goes: importing, the frameworks, the formulas, the comparison.

Of the harness it is processor time: adapters are judged beside each other, in threads of one process, and the time in
which one waits for another is nobody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Spent:
    """Where the time of one adapter went, in seconds: ``load`` is importing its framework, ``oracle`` the formulas."""

    load: float = 0.0
    framework: float = 0.0
    oracle: float = 0.0
    comparison: float = 0.0

    @property
    def harness(self) -> float:
        """What is not the framework's."""
        return self.oracle + self.comparison


_thread = threading.local()


@contextmanager
def judging(spent: Spent) -> Iterator[None]:
    """Count the processor time of this thread as the comparison's, but for what `in_oracle` counts."""
    begin, before = time.thread_time(), spent.oracle
    _thread.spent = spent
    try:
        yield
    finally:
        _thread.spent = None
        spent.comparison += time.thread_time() - begin - (spent.oracle - before)


@contextmanager
def in_oracle() -> Iterator[None]:
    """Count the processor time of this thread as the formulas', within `judging`."""
    spent: Spent | None = getattr(_thread, "spent", None)
    begin = time.thread_time()
    try:
        yield
    finally:
        if spent is not None:
            spent.oracle += time.thread_time() - begin


_COLUMNS = {"load": "import", "framework": "framework", "oracle": "oracle", "comparison": "comparison"}


def told(spent: Mapping[str, Spent], seconds: float) -> str:
    """Where the time went, by adapter and in all, as a table; ``seconds`` is how long all of it took."""
    width = max(map(len, (*spent, "in all")), default=0)
    lines = [" ".join([f"{'seconds':{width}}", *(f"{title:>10}" for title in _COLUMNS.values())])]
    for name, each in spent.items():
        lines.append(" ".join([f"{name:{width}}", *(f"{getattr(each, field):10.1f}" for field in _COLUMNS)]))
    sums = {field: sum(getattr(each, field) for each in spent.values()) for field in _COLUMNS}
    lines.append(" ".join([f"{'in all':{width}}", *(f"{each:10.1f}" for each in sums.values())]))
    share = (sums["oracle"] + sums["comparison"]) / (sum(sums.values()) or 1.0)
    lines.append(f"{seconds:.0f} s on the clock; oracle and comparison are {share:.0%} of the work")
    return "\n".join(lines)
