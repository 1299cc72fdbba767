"""As many outcomes as are wanted, made of those of a real run that have tensors.

They are repeated under other names of adapters, ``torch~2``, with other last digits, so that compression has nothing to
gain from it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance import runfile
from conformance.arithmetic.precision import PRECISIONS
from conformance.results import Run, Values, line, values_of
from conformance.sharding import Shard

EXACT_BITS = {"float32": 18, "float64": 46}
"""How far the numbers of a copy agree with those that it is made of: all digits but the last."""


def write_many(path: Path, source: Run, count: int, shard: Shard | None = None) -> None:
    """Write a run file of so many outcomes with tensors, or the part of it that a shard has."""
    runfile.write_whole(path, _many(source, count, shard))


def _many(source: Run, count: int, shard: Shard | None) -> Iterator[str]:
    chosen = _chosen([outcome for outcome in source.outcomes if outcome.error_ratio is not None], count)
    adapters = {name: about for name, about in source.header.adapters.items() if "missing" not in about}
    for outcome, number in chosen:
        adapters.setdefault(_name(outcome.adapter, number), _about(source, outcome.adapter))
    parts = (str(shard),) if shard else ()
    yield line(replace(source.header, adapters=adapters, partial=False, shards=parts, interrupted=()))
    for place, (outcome, number) in enumerate(chosen):
        if shard and outcome.case not in shard:
            continue
        copy = number > 1
        yield line(_copy(values_of(outcome), _name(outcome.adapter, number), place)) if copy else line(outcome)


def _chosen(outcomes: Sequence[Any], count: int) -> list[tuple[Any, int]]:
    """So many outcomes, each with the number of its copy, case by case; of what does not fit in whole, an even part."""
    if not outcomes:
        raise SystemExit("no outcome of the run has tensors")
    order = {case: place for place, case in enumerate(dict.fromkeys(outcome.case for outcome in outcomes))}
    rounds, size = math.ceil(count / len(outcomes)), len(outcomes)
    found = []
    for number in range(1, rounds + 1):
        wanted = min(size, count - (number - 1) * size)
        even = (each for place, each in enumerate(outcomes, 1) if place * wanted // size > (place - 1) * wanted // size)
        found += [(outcome, number) for outcome in even]
    return sorted(found, key=lambda pair: (order[pair[0].case], pair[1]))


def _about(source: Run, adapter: str) -> dict[str, Any]:
    """What is known of a copy; numpy, which evaluates the formula itself, has no spellings that the page shows."""
    about = source.header.adapters[adapter]
    return {name: each for name, each in about.items() if (adapter, name) != ("numpy", "spellings")}


def _name(adapter: str, number: int) -> str:
    return adapter if number == 1 else f"{adapter}~{number}"


def _copy(values: Values, adapter: str, seed: int) -> Values:
    """The outcome as another adapter's, which has other rounding errors, and the same verdicts for them."""
    draw = random.Random(seed).uniform
    return {
        **values,
        "adapter": adapter,
        "tensors": [_tensor(each, draw) for each in values["tensors"]],
        "curves": [
            {**each, "actual": [_number(value, lambda number: _short(number * draw(1, 1 + 1e-5), 6)) for value in run]}
            for each, run in ((each, each["actual"]) for each in values["curves"])
        ],
        "script": values["script"].replace(f" on {values['adapter']}", f" on {adapter}", 1),
    }


def _tensor(values: Values, draw: Callable[[float, float], float]) -> Values:
    limit, noise = PRECISIONS[values["dtype"]].limit, 0.5 ** EXACT_BITS.get(values["dtype"], 18)
    ratio = values["error_ratio"]
    within = isinstance(ratio, (int, float)) and ratio <= limit
    low, high = (0.9, 1.0) if within else (1.0, 1.1)  # it stays on its side of the limit

    def changed(value: Any) -> Any:
        return _number(value, lambda number: number * draw(low, high))

    def exact(value: Any) -> Any:
        return _number(value, lambda number: number * (1 + draw(-noise, noise)))

    def element(each: Values) -> Values:
        expected = exact(each["expected"])
        return {
            **each,
            "expected": expected,
            "actual": _beside(each, expected, changed),
            "bound": changed(each["bound"]),
        }

    expected = exact(values["expected"])
    return {
        **values,
        **{name: changed(values[name]) for name in ("error_ratio", "max_abs", "max_rel", "tolerance", "drift")},
        "max_ulp": _number(values["max_ulp"], lambda number: float(round(number * draw(low, high)))),
        "expected": expected,
        "actual": _beside(values, expected, changed),
        "errors": [_number(each, lambda number: _short(number * draw(low, high), 3)) for each in values["errors"]],
        "elements": [element(each) for each in values["elements"]],
    }


def _beside(values: Values, expected: Any, changed: Callable[[Any], Any]) -> Any:
    """The framework's number, about as far from the formula's as it was."""
    known, actual = values["expected"], values["actual"]
    numbers = all(isinstance(each, (int, float)) for each in (known, actual, expected))
    made = expected + changed(float(actual - known)) if numbers else actual
    return made if not numbers or math.isfinite(made) else actual


def _number(value: Any, change: Callable[[float], float]) -> Any:
    """What is a number, changed; it stays finite, and what stands for NaN and the infinities stays as it is."""
    changed = change(value) if isinstance(value, float) else value
    return changed if not isinstance(changed, float) or math.isfinite(changed) else value


def _short(number: float, digits: int) -> float:
    return float(f"{number:.{digits}g}")
