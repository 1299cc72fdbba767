"""What a run found, as records: a header, and an outcome per case, adapter and phase; and the JSON that they are.

JSON has no NaN and no infinities: they are written as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``,
and `restore` turns them back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol, TypeAlias

SCHEMA_VERSION = 1

VERDICTS = ("conforms", "dialect", "imprecise", "deviates", "unstable", "error", "crash", "timeout", "unsupported")

SEVERITY = {
    verdict: rank
    for rank, verdict in enumerate(
        ("conforms", "imprecise", "dialect", "deviates", "unstable", "unsupported", "error", "crash", "timeout")
    )
}
"""How far a verdict is from what one hopes for. An answer, even a wrong one, is better than none."""


@dataclass(frozen=True)
class Element:
    """One element of a tensor. ``bound`` is the unit of the error ratio there: the formula's own rounding error."""

    index: tuple[int, ...]
    expected: float
    actual: float
    bound: float


@dataclass(frozen=True)
class Curve:
    """What became of one element of a tensor from step to step of a training, on the framework and by the formula.

    Both runs start where the case does.  ``index`` is the element that ends farthest from the formula's own run.
    """

    name: str
    index: tuple[int, ...]
    expected: tuple[float, ...]
    actual: tuple[float, ...]


@dataclass(frozen=True)
class TensorResult:
    """How far one tensor of a trace lies from the formula, at the step and in the precision named.

    Deviations are measured from the formula with the dialect that the tensor is ``held_to``: ``{}``, the published
    formula, or the one that the case declares; then ``published`` is the error ratio from the published formula.  They
    stand at ``index``, the element with the largest error ratio; ``tolerance`` is the absolute deviation allowed there.
    ``drift`` is the largest absolute difference from the oracle's own run at that step.  ``errors`` is the signed error
    ratio of every element, row by row, unless the tensor is a large one; ``elements`` are those of the largest error
    ratios, unless the tensor conforms.
    """

    name: str
    step: int
    dtype: str
    verdict: str
    dialect: dict[str, Any] | None
    max_abs: float
    max_rel: float
    max_ulp: float
    error_ratio: float
    tolerance: float
    index: tuple[int, ...]
    expected: float
    actual: float
    notes: tuple[str, ...] = ()
    drift: float | None = None
    held_to: dict[str, Any] = field(default_factory=dict)
    published: float | None = None
    shape: tuple[int, ...] = ()
    errors: tuple[float, ...] = ()
    elements: tuple[Element, ...] = ()

    @property
    def distance(self) -> float:
        """The error ratio from the published formula; NaN is as bad as infinity."""
        ratio = self.error_ratio if self.published is None else self.published
        return math.inf if math.isnan(ratio) else ratio


@dataclass(frozen=True)
class Outcome:
    """What one adapter did in one phase of one case.

    ``dialect`` is ``{}`` for the formula itself and None where the deviation is unexplained; ``declared`` is what
    the case file says of this outcome (a list of ``{tensor, dialect | verdict, reason, reference}``);
    ``parameters`` are the operation's as the framework holds them, ``defaults`` the names of those that the case
    left to the framework; ``learned`` are the weights and states that a predict phase started from, if small;
    ``mode`` is how the framework ran its calls.  ``curves`` are those of a training of two steps or more, in the finest
    precision; ``script`` is the reproduction script, with the first phase of a case on an adapter that is another
    formula, gives no answer or is not as declared.
    """

    case: str
    adapter: str
    phase: str
    verdict: str
    dialect: dict[str, Any] | None
    declared: tuple[dict[str, Any], ...]
    as_declared: bool
    message: str
    tensors: tuple[TensorResult, ...] = ()
    rivals: tuple[dict[str, Any], ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()
    learned: dict[str, Any] = field(default_factory=dict)
    mode: str = ""
    curves: tuple[Curve, ...] = ()
    script: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What one run has only one outcome for."""
        return self.case, self.adapter, self.phase

    @property
    def error_ratio(self) -> float | None:
        """The worst error ratio of all tensors, from the published formula; None if nothing was measured."""
        return max((each.distance for each in self.tensors), default=None)

    @property
    def worst(self) -> TensorResult | None:
        """The tensor to look at first: one that deviates undeclared, else by its verdict and error ratio."""
        declared = [str(entry.get("tensor", "*")) for entry in self.declared]

        def gravity(tensor: TensorResult) -> tuple[bool, int, float]:
            known = tensor.verdict == "conforms" or any(fnmatchcase(tensor.name, each) for each in declared)
            return not known, SEVERITY[tensor.verdict], tensor.distance

        return max(self.tensors, key=gravity, default=None)


class Kept(Protocol):
    """Where an outcome is kept: its line of a run file."""

    def text(self) -> str:
        """The line."""

    def outcome(self) -> Outcome:
        """The outcome, read from it."""


class KeptOutcome(Outcome):
    """An outcome of which an overview's part is at hand, while the rest is read each time when it is asked for."""

    _AT_HAND = ("case", "adapter", "phase", "verdict", "dialect", "as_declared", "message", "mode")
    kept: Kept

    def __init__(self, outcome: Outcome, kept: Kept) -> None:
        at_hand = {name: getattr(outcome, name) for name in self._AT_HAND}
        vars(self).update(at_hand, _error_ratio=outcome.error_ratio, kept=kept)

    declared = property(lambda self: self.kept.outcome().declared)
    tensors = property(lambda self: self.kept.outcome().tensors)
    rivals = property(lambda self: self.kept.outcome().rivals)
    parameters = property(lambda self: self.kept.outcome().parameters)
    defaults = property(lambda self: self.kept.outcome().defaults)
    learned = property(lambda self: self.kept.outcome().learned)
    curves = property(lambda self: self.kept.outcome().curves)
    script = property(lambda self: self.kept.outcome().script)
    error_ratio = property(lambda self: self._error_ratio)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and to_json(self) == to_json(other)

    def __repr__(self) -> str:
        return repr(self.kept.outcome())

    __hash__ = None  # type: ignore[assignment]


def whole(outcome: Outcome) -> Outcome:
    """The outcome itself, read once, where much is asked of it."""
    return outcome.kept.outcome() if isinstance(outcome, KeptOutcome) else outcome


@dataclass(frozen=True)
class Header:
    """What a run was made with.

    ``adapters`` maps a name to its ``versions``, ``device``, ``precisions``, ``mode``, ``switches`` (what was pinned
    because results may depend on it) and ``spellings`` (how it writes each operation: `conformance.rosetta`), or to
    why it is ``missing``; ``cases`` maps a case to its ``file``, ``operation``, ``family``, ``description`` and
    ``yaml``, to a ``digest`` of its file, and to the settings of knobs that it ``sees``: these formulas would fail it.
    Each case was run ``repeat`` times, its random inputs drawn with ``seed`` added to their own seeds.  ``shards`` are
    the parts of a run that was split, as ``2/5``; of several runs merged, ``interrupted`` names those that are
    partial.
    """

    schema: int
    time: str
    platform: dict[str, str]
    adapters: dict[str, dict[str, Any]]
    cases: dict[str, dict[str, Any]]
    partial: bool = False
    repeat: int = 1
    seed: int = 0
    shards: tuple[str, ...] = ()
    interrupted: tuple[str, ...] = ()


def measured_with(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a header says of an adapter that its numbers may depend on: how it is spelled is told beside."""
    return {name: each for name, each in about.items() if name != "spellings"}


@dataclass(frozen=True)
class Run:
    """A run file, read."""

    header: Header
    outcomes: tuple[Outcome, ...]


# --- JSON -----------------------------------------------------------------------------------------------------------

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_json(value: Any) -> Any:
    """A run, or anything in it, as plain JSON values: fields in their order, other keys sorted.

    >>> to_json({"epsilon": math.inf, "axis": (1, 2)})
    {'axis': [1, 2], 'epsilon': 'Infinity'}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _spelled(value)
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, Outcome):
        value = whole(value)
    if is_dataclass(value):
        return {name: to_json(each) for name, each in vars(value).items()}
    if hasattr(value, "tolist"):  # NumPy, which need not be imported for this
        return to_json(value.tolist())
    raise TypeError(f"a run file cannot hold {value!r}")


def _spelled(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def restore(value: Any) -> Any:
    """Turn the strings that stand for NaN and the infinities back, at any depth.

    >>> restore({"gamma": [0.5, "-Infinity"]})
    {'gamma': [0.5, -inf]}
    """
    if isinstance(value, str):
        return NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: restore(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(restore(each) for each in value)
    return value


Values: TypeAlias = Mapping[str, Any]
"""An outcome as the JSON values of its line."""


def values_of(outcome: Outcome) -> Values:
    """An outcome as the JSON values of its line: where much is asked of many, quicker than its records."""
    found: Values = json.loads(outcome.kept.text()) if isinstance(outcome, KeptOutcome) else to_json(outcome)
    return found


_ENCODER = json.JSONEncoder(allow_nan=False)


def line(value: object) -> str:
    """A record as its line of the run file: equal records give equal lines."""
    if isinstance(value, KeptOutcome):
        return value.kept.text()
    return _ENCODER.encode(to_json(value)) + "\n"
