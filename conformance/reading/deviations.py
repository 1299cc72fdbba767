"""Declared deviations."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from conformance.adapter import MODES
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import DECLARABLE, MOST_PATTERNS, MOST_RULES, Declaration
from conformance.discovery import adapter_names, is_adapter
from conformance.errors import Place, nearest
from conformance.operation import Knob, Operation, Setting, operations, parts
from conformance.reading.entry import Declared, Entry, read_choice, read_each, read_optional
from conformance.reading.nodes import Spot, shorten
from conformance.reading.parameters import is_setting, value_text
from conformance.reading.phases import names_of

_DEVIATION_KEYS = (
    "adapter",
    "tensor",
    "dialect",
    "verdict",
    "error_ratio",
    "phase",
    "mode",
    "cases",
    "versions",
    "reason",
    "reference",
)
DEVIATION_REQUIRED = ("adapter", "tensor", "reason", "reference")
BANDED = ("imprecise", "deviates")
NO_REFERENCE = "none found"


def read_declarations(
    spot: Spot, operation: Operation, entries: Sequence[Entry], *, file_level: bool
) -> list[Declared]:
    """The declarations of a list, each with the ids of the cases that it is about."""
    found: list[Declared] = []
    for each in spot.items("a list of deviations", 1, MOST_RULES):
        found += spot.faults.attempt(_declarations, each, operation, entries, file_level) or []
        if sum(len(declaration.cases) for declaration, _ in found) > MOST_PATTERNS:
            raise each.error(f"more than {MOST_PATTERNS} patterns in 'cases', all deviations together")
    return found


def _declarations(spot: Spot, operation: Operation, entries: Sequence[Entry], file_level: bool) -> list[Declared]:
    """What one entry of the list declares, one declaration for each tensor that it names."""
    keys = [each for each in _DEVIATION_KEYS if file_level or each != "cases"]
    refused = {} if file_level else {"cases": "a deviation that stands in a case is about this case alone"}
    before = len(spot.faults)
    fields = spot.fields(keys, DEVIATION_REQUIRED, refused=refused)
    patterns = read_optional(fields, "cases", _patterns, {}, entries)
    labels = frozenset().union(*(patterns.values() if patterns else (each.points for each in entries)))
    named = [each for each in entries if not labels.isdisjoint(each.points)]
    made = Declaration(
        adapters=read_optional(fields, "adapter", _one_or_more, (), _adapter),
        tensor="",
        dialect=read_optional(fields, "dialect", _dialect, None, operation, named),
        verdict=read_optional(fields, "verdict", read_choice, None, DECLARABLE),
        error_ratio=read_optional(fields, "error_ratio", _bands, {}),
        phase=read_optional(fields, "phase", _phase, None, named),
        modes=read_optional(fields, "mode", _one_or_more, (), _mode),
        cases=tuple(patterns),
        versions=read_optional(fields, "versions", _versions, {}),
        reason=read_optional(fields, "reason", Spot.string, ""),
        reference=read_optional(fields, "reference", _reference, ""),
        place=spot.place,
    )
    if ("dialect" in fields) == ("verdict" in fields):
        spot.fault("expected 'dialect' or 'verdict'" + (", not both" if "dialect" in fields else ""))
    elif "error_ratio" in fields and ("dialect" in fields or made.verdict not in (*BANDED, None)):
        spot.fault(f"'error_ratio' goes with the verdict {' or '.join(BANDED)}", spot.key_place("error_ratio"))
    tensors = read_optional(fields, "tensor", _tensors, {}, named)
    if len(spot.faults) > before:
        return []
    alone = len(tensors) == 1
    return [
        (replace(made, tensor=name, place=spot.place if alone else place), labels) for name, place in tensors.items()
    ]


def _tensors(spot: Spot, entries: Sequence[Entry]) -> dict[str, Place]:
    """The tensors that a declaration names, and where."""
    spots = spot.items("one name or a list of names", 1, MOST_RULES) if isinstance(spot.node.value, list) else [spot]
    found: dict[str, Place] = {}
    for each in spots:
        name = spot.faults.attempt(_declared_tensor, each, entries)
        if name in found:
            each.fault(f"the tensor {name!r} for the second time")
        elif name:
            found[name] = each.place
    return found


def _known(entries: Sequence[Entry]) -> bool:
    """Whether enough is known of some entries to say what they lack."""
    return bool(entries) and all(each.whole and each.name for each in entries)


def _patterns(spot: Spot, entries: Sequence[Entry]) -> dict[str, set[str]]:
    """Patterns, and the labels of the cases that each one names."""
    patterns: dict[str, set[str]] = {}
    for each in spot.items("a list of patterns", 1, MOST_RULES):
        pattern = each.string("a pattern", 200)
        patterns[pattern] = _matching(pattern, entries)
        if not patterns[pattern] and _known(entries):
            each.fault(f"no case matches {shorten(pattern)!r}; * and ? stand for other characters")
    return patterns


def _matching(pattern: str, entries: Sequence[Entry]) -> set[str]:
    # brackets stand in labels themselves, so they are no character class
    match = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
    found: set[str] = set()
    for each in entries:
        found.update(each.points if match(each.name) else filter(match, each.points))
    return found


def _one_or_more(spot: Spot, read: Callable[[Spot], str]) -> tuple[str, ...]:
    if not isinstance(spot.node.value, list):
        return (read(spot),)
    return read_each(spot.items("one name or a list of names", 1, MOST_RULES), read)


def _mode(spot: Spot) -> str:
    return read_choice(spot, MODES)


def _adapter(spot: Spot) -> str:
    name = spot.string("the name of an adapter")
    if not is_adapter(name):
        raise spot.error(f"there is no adapter {shorten(name)!r}; {nearest(shorten(name), adapter_names())}")
    return name


def _declared_tensor(spot: Spot, entries: Sequence[Entry]) -> str:
    name = spot.string("the name of a tensor, or '*'")
    known = set[str]().union(*map(names_of, entries)) | {"*"}
    if name not in known and _known(entries):
        raise spot.error(f"there is no tensor {shorten(name)!r}; {nearest(shorten(name), known)}")
    return name


def _dialect(spot: Spot, operation: Operation, entries: Sequence[Entry]) -> dict[str, Setting]:
    """Settings of knobs: the operation's own by name, those of a loss or an optimizer in use as ``adam.epsilon``."""
    parts = (
        [operations()[part.operation] for each in entries for part in each.parts] if _known(entries) else all_parts()
    )
    knobs = {**operation.knobs, **part_knobs(parts)}
    fields = spot.fields(knobs, noun="knob")
    if not spot.node.value:
        raise spot.expected("at least one knob")
    settings = {}
    for name, each in fields.items():
        known = [setting for setting in knobs[name].values if is_setting(each.node.value, setting)]
        if known:
            settings[name] = known[0]
        else:
            spot.faults.add(each.expected(f"one of {', '.join(map(value_text, knobs[name].values))}"))
    return settings


def all_parts() -> list[Operation]:
    """Every loss and every optimizer."""
    return [*parts("loss").values(), *parts("optimizer").values()]


def part_knobs(parts: Iterable[Operation]) -> dict[str, Knob]:
    """The knobs of losses and optimizers, under the names by which a layer's dialect calls them."""
    return {f"{part.name}.{name}": knob for part in parts for name, knob in part.knobs.items()}


def _bands(spot: Spot) -> dict[str, tuple[float, float]]:
    fields = spot.fields(PRECISIONS, noun="precision")
    bands = {name: spot.faults.attempt(_band, each) for name, each in fields.items()}
    return {name: band for name, band in bands.items() if band}


def _band(spot: Spot) -> tuple[float, float]:
    low, high = (each.number() for each in spot.items("two numbers", 2, 2))
    if not 0 <= low <= high or math.isinf(low):
        raise spot.expected("two numbers: the lowest and the highest error ratio")
    return low, high


def _phase(spot: Spot, entries: Sequence[Entry]) -> str:
    phase = read_choice(spot, ("train", "predict"))
    if _known(entries) and all(getattr(each, phase) is None for each in entries):
        raise spot.error(f"no case that this is about has the phase {phase!r}")
    return phase


def _versions(spot: Spot) -> dict[str, str]:
    fields = spot.entries("a mapping of distributions to versions, like {torch: '>=2.1,<3'}")
    found = {name: spot.faults.attempt(_specifier, each) for name, each in fields.items()}
    return {name: each for name, each in found.items() if each}


def _specifier(spot: Spot) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # few files need it, and it takes time to import

    text = spot.string("a version specifier like '>=2.1,<3'", 200)
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise spot.expected("a version specifier like '>=2.1,<3'") from None
    return text


def _reference(spot: Spot) -> str:
    text = spot.string(f"an address, or the words '{NO_REFERENCE}'")
    if text != NO_REFERENCE and not re.fullmatch(ADDRESS, text):
        raise spot.expected(f"an address, or the words '{NO_REFERENCE}'")
    return text


ADDRESS = r"https?://\S+"
