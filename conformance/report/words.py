"""The words and signs of every report: one place, so that they mean the same on the page and in the terminal."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from conformance.results import Outcome, Run
from conformance.sharding import absent

GLYPHS = {
    "conforms": "✓",
    "imprecise": "≈",
    "dialect": "◆",
    "deviates": "✗",
    "unstable": "~",
    "unsupported": "–",
    "error": "!",
    "crash": "†",
    "timeout": "…",
}
UNEXPLAINED, UNKNOWN = "unexplained", "algorithm unknown"
"""Stand where a formula would be named, if one could."""

QUIET = ("conforms", "unsupported")
"""The verdicts that say nothing against a framework."""

FLAG = "⚑"
"""Stands beside whatever is not as declared."""

MEANINGS = {
    "conforms": "The published formula, to within its own rounding error.",
    "imprecise": "The same mathematics, with a larger rounding error than the formula needs.",
    "dialect": "Another formula, found and named: the framework computes that one to within rounding error.",
    "deviates": "Something else, and no known dialect explains it.",
    "unstable": "Not the same in every run: the message tells two values.",
    "unsupported": "The framework has no counterpart of the operation, or not with these parameters.",
    "error": "The framework raised an error where the formula is defined, or gave an answer where it is not.",
    "crash": "The framework's process ended.",
    "timeout": "The framework did not answer in time.",
}

_CONTROL = re.compile(
    "[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    """Text with control characters, lone surrogates and direction marks spelled out.

    >>> printable("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    """
    return text if text.isprintable() else _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def inline(text: str) -> str:
    """Printable text on one line."""
    return " ".join(printable(text).split())


def anchor(name: str, kind: str = "operation") -> str:
    """The place of something on the page: the same in every report, whatever else is in it.

    >>> anchor("relu")
    'operation-relu'
    """
    slug = re.sub(r"[^A-Za-z0-9_./-]+", "-", name).strip("-")
    if slug != name:
        slug += "-" + hashlib.blake2b(name.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
    return f"{kind}-{slug}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "case"), plural(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def dialect_name(dialect: Mapping[str, Any] | None) -> str:
    """A dialect as it is written everywhere; None is one that nobody could name.

    >>> dialect_name({"variance_correction": 1, "epsilon": "outside"})
    'epsilon=outside, variance_correction=1'
    """
    if dialect is None:
        return UNEXPLAINED
    return ", ".join(f"{knob}={setting}" for knob, setting in sorted(dialect.items())) or "the published formula"


def computed(verdict: str, dialect: Mapping[str, Any] | None) -> str:
    """Which formula was computed, so far as is known."""
    if verdict == "conforms":
        return dialect_name(dialect or {})
    if verdict == "imprecise" and not dialect:
        return UNKNOWN
    return dialect_name(dialect) if dialect or verdict in ("dialect", "deviates") else ""


def declaration(entry: Mapping[str, Any]) -> str:
    """What a case file declares of a tensor."""
    dialect = entry.get("dialect")
    what = dialect_name(dialect) if isinstance(dialect, Mapping) else str(entry.get("verdict", ""))
    return f"{entry.get('tensor', 'every tensor')}: {what}"


def power(ratio: float | None) -> str:
    """An error ratio as a power of ten.

    >>> power(2000.0), power(0.01), power(0.0), power(math.inf)
    ('+3.3', '−2.0', 'exact', '∞')
    """
    if ratio is None:
        return ""
    if not math.isfinite(ratio):
        return "∞"
    if ratio <= 0:
        return "exact"
    return f"{round(math.log10(ratio), 1) or 0:+.1f}".replace("-", "−")


def brief_power(ratio: float | None) -> str:
    """An error ratio as a power of ten, in four characters: for a cell among many.

    >>> brief_power(2000.0), brief_power(2e15), brief_power(0.0)
    ('+3.3', '+15', '=')
    """
    if ratio == 0:
        return "="
    if ratio and math.isfinite(ratio) and abs(math.log10(abs(ratio))) >= 9.95:
        return f"{math.log10(ratio):+.0f}".replace("-", "−")
    return power(ratio)


def number(value: float | None, digits: int = 3) -> str:
    """A number to some significant digits."""
    return "" if value is None else f"{value:.{digits}g}"


def exact(value: float, dtype: str) -> str:
    """A number with all the digits that its format has."""
    return f"{value:.{9 if dtype == 'float32' else 17}g}"


def literal(value: Any) -> str:
    """A parameter or a weight as one reads it.

    >>> literal({"gamma": [0.1 + 0.2, True, "same"]})
    '{gamma: [0.3, true, same]}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def reproduction(outcome: Outcome) -> str:
    """The command that writes a script with the same numbers."""
    mode = f" --mode {outcome.mode}" if outcome.mode else ""
    return f"conformance repro {shlex.quote(outcome.case)} --adapter {shlex.quote(outcome.adapter)}{mode}"


def versions(adapter: Mapping[str, Any]) -> str:
    """The versions of an adapter's distributions: ``keras 3.15.1, tensorflow 2.21.0``."""
    return inline(", ".join(f"{name} {version}" for name, version in sorted((adapter.get("versions") or {}).items())))


def case_address(case: str, adapter: str, phase: str) -> str:
    """The address of an outcome on the page, which the page's scripts read.

    >>> case_address("adam/steps[momentum=0.5]", "torch", "train")
    '#?case=adam/steps%5Bmomentum%3D0.5%5D&adapter=torch&phase=train'
    """
    parts = {"case": case, "adapter": adapter, "phase": phase}
    quoted = (f"{name}={quote(printable(text), safe='/:')}" for name, text in parts.items())
    return f"#?{'&'.join(quoted)}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names in a sentence, with a count of those that are too many.

    >>> listed(["2/5", "4/5"]), listed("abcdefg")
    ('2/5 and 4/5', 'a, b, c, d, e and 2 more')
    """
    shown = [*names] if len(names) <= most else [*names[:most], f"{len(names) - most:,} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def warnings(run: Run) -> list[str]:
    """What is not in this run, and what broke off."""
    header = run.header
    found = [f"The run {name} is partial: not every case was measured." for name in header.interrupted]
    if header.partial and not found:
        found.append("This run is partial: it was interrupted, and not every case was measured.")
    if gone := absent(header.shards):
        found.append(
            f"Of the shards, {listed(gone)} {'is' if len(gone) == 1 else 'are'} missing: this is not the whole run."
        )
    for name, adapter in sorted(header.adapters.items()):
        if "missing" in adapter:
            found.append(f"The adapter {name} is missing: {adapter['missing']}")
    return found + _lacking(run) + _broken_off(run)


def _broken_off(run: Run) -> list[str]:
    """Which processes ended, or did not answer, and in how many cases."""
    told = {"crash": "The process of {} ended in {}.", "timeout": "The adapter {} did not answer in time in {}."}
    cases: dict[tuple[str, str], set[str]] = {}
    for outcome in run.outcomes:
        if outcome.verdict in told:
            cases.setdefault((outcome.verdict, outcome.adapter), set()).add(outcome.case)
    return [told[verdict].format(name, plural(len(found), "case")) for (verdict, name), found in sorted(cases.items())]


def _lacking(run: Run) -> list[str]:
    """Which adapters do not have all the cases that others have."""
    cases: dict[str, set[str]] = {}
    for outcome in run.outcomes:
        cases.setdefault(outcome.adapter, set()).add(outcome.case)
    there = (name for name, adapter in run.header.adapters.items() if "missing" not in adapter)
    counts = {name: len(cases.get(name, ())) for name in sorted({*cases, *there})}
    total = len(set().union(*cases.values()))
    return [
        f"The adapter {name} has outcomes for {count:,} of {plural(total, 'case')}."
        for name, count in counts.items()
        if count < total
    ]
