"""Runs of parts as one: shards, or runs of different adapters or cases; what does not belong together is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from conformance.errors import RunFileError
from conformance.results import Header, Outcome, Run, to_json
from conformance.sharding import Shard

SAME_ADAPTER = ("versions", "device", "precisions", "mode", "switches")
"""What of an adapter must be the same in all runs: its results may depend on it."""


def merge(runs: Sequence[Run], names: Sequence[str] = ()) -> Run:
    """Runs of different cases or adapters as one; raises `RunFileError` if they do not belong together.

    ``names`` are what the runs are called in messages, their files say.
    """
    if not runs:
        raise RunFileError("there is no run to merge")
    names = names or [f"run {number}" for number in range(1, len(runs) + 1)]
    header = _Headers([run.header for run in runs], names).merged()
    outcomes: dict[tuple[str, str, str], tuple[Outcome, str]] = {}
    for run, name in zip(runs, names, strict=True):
        for outcome in run.outcomes:
            known, origin = outcomes.setdefault(outcome.key, (outcome, name))
            if known is not outcome and known != outcome:
                _refuse(
                    f"{outcome.case}, {outcome.adapter}, {outcome.phase} has two outcomes",
                    *((origin, known.verdict), (name, outcome.verdict)),
                    hint=f"to see what differs: conformance compare {origin} {name}",
                )
    return Run(header, tuple(outcome for outcome, _ in outcomes.values()))


def hold_comparable(runs: Sequence[tuple[str, Run]]) -> None:
    """Raise `RunFileError` for runs, with their names, that cannot be compared: their inputs are not the same."""
    (first, one), *rest = runs
    for name, other in rest:
        if one.header.seed != other.header.seed:
            reason = f"the seed differs: {one.header.seed} in {first}, {other.header.seed} in {name}"
            hint = "other inputs were drawn: give one --seed to both"
            raise RunFileError(f"these runs cannot be compared: {reason}; {hint}")


class _Headers:
    """The headers of runs, on the way to be one."""

    def __init__(self, headers: Sequence[Header], names: Sequence[str]) -> None:
        self._named = list(zip(names, headers, strict=True))

    def merged(self) -> Header:
        """One header for all; each run is held against those before it."""
        headers = [header for _, header in self._named]
        self._same("the schema", [header.schema for header in headers], "one conformance must have written all")
        versions = [header.platform.get("conformance", "") for header in headers]
        self._same("the version of conformance", versions, "rules differ between versions: run the cases again")
        self._same("the seed", [header.seed for header in headers], "other inputs were drawn: give one --seed to all")
        return Header(
            schema=headers[0].schema,
            time=min(filter(None, (header.time for header in headers)), default=""),
            platform=self._platform(),
            adapters=self._adapters(),
            cases=self._cases(),
            partial=any(header.partial for header in headers),
            repeat=min(header.repeat for header in headers),  # what was not repeated is not known to be stable
            seed=headers[0].seed,
            shards=self._shards(),
            interrupted=self._interrupted(),
        )

    def _same(self, what: str, values: Sequence[Any], hint: str) -> None:
        for (name, _), value in zip(self._named, values, strict=True):
            if value != values[0]:
                _refuse(f"{what} differs", (self._named[0][0], values[0]), (name, value), hint=hint)

    def _platform(self) -> dict[str, str]:
        platforms = [header.platform for _, header in self._named]
        return {
            key: ", ".join(dict.fromkeys(each[key] for each in platforms if key in each))
            for key in dict.fromkeys(key for each in platforms for key in each)
        }

    def _adapters(self) -> dict[str, dict[str, Any]]:
        """An adapter that is missing in one run may be there in another."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for origin, header in self._named:
            for name, adapter in header.adapters.items():
                first, known = found.setdefault(name, (origin, adapter))
                if "missing" in known:
                    found[name] = origin, adapter
                elif "missing" not in adapter:
                    hint = f"to see what changed from one to the other: conformance compare {first} {origin}"
                    _hold(f"the adapter {name}", (first, known), (origin, adapter), SAME_ADAPTER, hint)
                    found[name] = first, _with_spellings(known, adapter)
        return {name: adapter for name, (_, adapter) in found.items()}

    def _cases(self) -> dict[str, dict[str, Any]]:
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for origin, header in self._named:
            for name, case in header.cases.items():
                first, known = found.setdefault(name, (origin, case))
                hint = "the case was edited between the runs: run it again"
                _hold(f"the case {name}", (first, known), (origin, case), ("yaml",), hint)
        return {name: case for name, (_, case) in found.items()}

    def _shards(self) -> tuple[str, ...]:
        found: dict[Shard, str] = {}
        for origin, header in self._named:
            for shard in map(Shard.of, header.shards):
                found.setdefault(shard, origin)
                first = next(iter(found))
                if shard.count != first.count:
                    hint = "all parts must be of one split: run them with the same count"
                    _refuse("the shards are of different splits", (found[first], first), (origin, shard), hint=hint)
        return tuple(str(shard) for shard in sorted(found, key=lambda shard: shard.number))

    def _interrupted(self) -> tuple[str, ...]:
        """Which runs are partial, by name, if there are several to tell apart."""
        named = [] if len(self._named) == 1 else [name for name, header in self._named if header.partial]
        return tuple(dict.fromkeys([*named, *(each for _, header in self._named for each in header.interrupted)]))


def _with_spellings(known: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """An adapter with what it writes in both runs."""
    if "spellings" not in other:
        return known
    return {**known, "spellings": {**other["spellings"], **known.get("spellings", {})}}


def _hold(
    what: str,
    one: tuple[str, Mapping[str, Any]],
    other: tuple[str, Mapping[str, Any]],
    keys: Sequence[str],
    hint: str,
) -> None:
    for key in keys:
        old, new = to_json(one[1].get(key)), to_json(other[1].get(key))
        if old != new:
            sides = _differing(old, new)
            _refuse(f"{what} has different {key}", (one[0], sides[0]), (other[0], sides[1]), hint=hint)


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    """Of two objects, the entries that differ; of two texts, the first line that does."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return tuple({key: each[key] for key in keys if key in each} for each in (old, new))  # type: ignore[return-value]
    if isinstance(old, str) and isinstance(new, str):
        lines = zip([*old.splitlines(), ""], [*new.splitlines(), ""], strict=False)
        return next(((one, other) for one, other in lines if one != other), (old, new))
    return old, new


def _refuse(what: str, *sides: tuple[str, Any], hint: str) -> NoReturn:
    shown = ", ".join(f"{_brief(value)} in {name}" for name, value in sides)
    raise RunFileError(f"these runs do not belong together: {what}: {shown}; {hint}")


def _brief(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
