"""Which formula made these numbers? The search for the dialect that reproduces a set of tensors.

Every setting of an operation's semantic knobs is a candidate.  One is named only if it reproduces the numbers within
rounding, and no rival comes within a factor of `MARGIN`.  A dialect that only adds settings to the one that is named
is no rival: the simpler explanation stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from conformance.compare import Deviation
from conformance.errors import Undefined
from conformance.operation import Dialect, Operation, Setting
from conformance.replay import Cell

MARGIN = 10.0
"""How many times better than every rival a dialect must fit before it is named."""

MOST_CELLS = 12
"""How many tensors a candidate is first tried on: those that deviate most from the formula."""


@dataclass(frozen=True)
class Fit:
    """How well a dialect reproduces some tensors.

    ``error_ratio`` is the worst one; ``score`` the worst in units of its precision's limit, where rounding luck
    below a ratio of 1 does not count: up to 1 the dialect is within tolerance.
    """

    dialect: Mapping[str, Setting]
    error_ratio: float
    score: float

    @property
    def fits(self) -> bool:
        return self.score <= 1.0

    def as_dict(self) -> dict[str, Any]:
        return {"dialect": dict(self.dialect), "error_ratio": self.error_ratio}


@dataclass(frozen=True)
class Explanation:
    """The dialect that is named (None: unexplained), and the runners-up, the best first."""

    named: Fit | None
    rivals: tuple[Fit, ...]

    @property
    def candidates(self) -> tuple[Fit, ...]:
        """Those that fit, where more than one does and none can be named."""
        return tuple(fit for fit in self.rivals if fit.fits) if self.named is None else ()


def candidates(
    operation: Operation, parameters: Mapping[str, Any], prefix: str = "", algorithmic: bool = False
) -> Iterator[dict[str, Setting]]:
    """Every dialect of an operation, those with the fewest settings first; the formula itself is not among them."""
    published = operation.settings(parameters)
    knobs = [knob for knob in operation.knobs.values() if knob.algorithmic == algorithmic]
    settings = [[published[knob.name], *(v for v in knob.values if v != published[knob.name])] for knob in knobs]
    found = [
        {
            f"{prefix}{knob.name}": value
            for knob, value in zip(knobs, values, strict=True)
            if value != published[knob.name]
        }
        for values in product(*settings)
    ]
    yield from sorted((each for each in found if each), key=len)


def fit(cells: Sequence[Cell], dialect: Dialect, enough: float = np.inf) -> Fit | None:
    """How well a dialect reproduces the cells; None where it gives no answer. Stops at a score above ``enough``."""
    worst, score = 0.0, 0.0
    for cell in cells:
        try:
            deviation = cell.deviation(dialect)
        except Undefined:
            return None
        ratio = deviation.size
        here = max(ratio, 1.0) / cell.replay.precision.limit
        if here >= score:
            worst, score = max(worst, ratio), here
        if score > enough:
            break
    return Fit(dict(dialect), worst, score)


def search(cells: Sequence[Cell], dialects: Sequence[Dialect], base: Dialect | None = None) -> Explanation:
    """Find the dialect that reproduces the cells; ``base`` are settings that hold in any case.

    A candidate beyond the margin on one cell is neither the answer nor a rival, so the others need not be tried.
    """
    given = dict(base or {})
    hardest = _hardest(cells, given)
    tried = [each for each in (fit(hardest, {**given, **dialect}, MARGIN) for dialect in ({}, *dialects)) if each]
    fitting = sorted((each for each in tried if each.fits), key=lambda each: (len(each.dialect), each.score))
    named = next((each for each in fitting if (whole := fit(cells, each.dialect, 1.0)) and whole.fits), None)
    if named is None:
        return Explanation(None, _best(tried))
    rivals = [each for each in tried if not each.dialect.items() >= named.dialect.items()]
    if any(each.score < MARGIN * named.score for each in rivals):
        return Explanation(None, _best(tried))
    return Explanation(
        fit(cells, named.dialect),
        _best([each for each in tried if not (each.fits and each.dialect.items() >= named.dialect.items())]),
    )


def _best(fits: Sequence[Fit]) -> tuple[Fit, ...]:
    """The best few, without those that only add settings of no effect to a simpler one."""
    shown: list[Fit] = []
    for each in sorted(fits, key=lambda each: (each.score, len(each.dialect))):
        if not any(each.score == one.score and each.dialect.items() >= one.dialect.items() for one in shown):
            shown.append(each)
    return tuple(shown[:5])


def _hardest(cells: Sequence[Cell], base: Dialect) -> list[Cell]:
    """Those that deviate most; of them the finest precision and the earliest step first.

    Nearly every candidate fails on the first of them, and that step, once evaluated, serves every other search.
    """

    def size(cell: Cell) -> float:
        deviation: Deviation = cell.deviation(base)
        return -deviation.size / cell.replay.precision.limit

    return finest_first(sorted(cells, key=size)[:MOST_CELLS] if len(cells) > MOST_CELLS else cells)


def finest_first(cells: Sequence[Cell]) -> list[Cell]:
    """The same cells, those in the finest precision and of the earliest step first."""
    return sorted(cells, key=lambda cell: (cell.replay.precision.unit, cell.step))
