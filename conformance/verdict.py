"""What a deviation means: the verdict on each tensor of a phase, and on the phase as a whole.

====================================================================  ===========
seen                                                                  verdict
====================================================================  ===========
within the formula's rounding error, in every precision               conforms
beyond that, and another dialect is within                            dialect
beyond that, and the deviation shrinks with the unit roundoff         imprecise
within in float32, and in float64 no farther than float32 allows      imprecise
anything else                                                         deviates
====================================================================  ===========
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from conformance.arithmetic.precision import PRECISIONS, Precision
from conformance.case import Declaration
from conformance.compare import Deviation, compare, scale_of, within
from conformance.errors import Undefined
from conformance.operation import Dialect, get_operation
from conformance.replay import Cell, Replay
from conformance.search import Explanation, Fit, candidates, finest_first, fit, search

SHRINKS = float(np.sqrt(PRECISIONS["float64"].unit / PRECISIONS["float32"].unit))
"""A deviation by rounding shrinks with the unit roundoff, from float32 to float64 by 2^29; that of another formula
keeps its size. Halfway between, on the logarithmic scale, lies the boundary."""


FLOAT32_INSIDE = "in float64 no more accurate than float32: a float32 stage or constant inside"


@dataclass(frozen=True)
class Judgement:
    """The verdict on one tensor, over all steps and precisions.

    ``worst`` is its largest deviation in each precision, with the step, measured from the formula with the dialect
    that it is ``held_to``: the declared one, else none.  ``error_ratio`` is that of the dialect found; ``fault``
    says what is not as declared.
    """

    name: str
    verdict: str
    dialect: dict[str, Any] | None
    worst: Mapping[str, tuple[Cell, Deviation]]
    held_to: Mapping[str, Any]
    error_ratio: float
    message: str = ""
    fault: str = ""
    rivals: tuple[Fit, ...] = ()
    narrowed: bool = False
    """Whether it is imprecise because the framework computes in float32, as is known of it."""
    formula: Mapping[str, Any] = field(default_factory=dict)
    """The whole dialect from which ``worst`` is measured: ``held_to``, and what is known of the loss before it."""
    published: Mapping[str, float] = field(default_factory=dict)
    """Where it is ``held_to`` another formula, the largest error ratio from the published one in each precision."""


@dataclass
class Bench:
    """The tensors of one phase on the bench: their cells by name, and what has been found out so far."""

    replays: Sequence[Replay]
    phase: str
    declared: Sequence[Declaration] = ()
    narrows: bool = False
    cells: dict[str, list[Cell]] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for replay in self.replays:
            for cell in replay.cells(self.phase):
                self.cells.setdefault(cell.name, []).append(cell)

    def group(self, name: str) -> str:
        """Whose knobs explain a tensor: the operation's, or those of the loss or optimizer of the train phase."""
        supporting = self.replays[0].supporting()
        if name == "loss" and "loss" in supporting:
            return "loss"
        updated = name.partition(".")[0] in self.replays[0].weights() and not name.endswith(".gradient")
        return "optimizer" if updated and "optimizer" in supporting else "operation"

    def dialects(self, group: str, algorithmic: bool = False) -> list[dict[str, Any]]:
        """The candidates of one group; a supporting operation's knobs bear its name."""
        task = self.replays[0].task
        if group == "operation":
            return list(candidates(get_operation(task.operation), self.replays[0].parameters, "", algorithmic))
        part = getattr(task.train, group)
        return list(candidates(get_operation(part.operation), part.parameters, f"{part.operation}.", algorithmic))


def judge(
    replays: Sequence[Replay],
    phase: str,
    declared: Sequence[Declaration] = (),
    thorough: bool = False,
    narrows: bool = False,
) -> list[Judgement]:
    """The verdict on every tensor of a phase, in the order in which the adapter showed them.

    ``thorough`` looks for rivals of the formula itself, too; ``narrows`` says that the framework is known to compute in
    float32 here and there.
    """
    bench = Bench(replays, phase, declared, narrows)
    found: dict[str, Judgement] = {}
    for group in ("loss", "operation", "optimizer"):  # a loss's dialect passes into the gradients behind it
        names = [name for name in bench.cells if bench.group(name) == group]
        found.update(_judge_group(bench, group, names))
        if group == "loss":
            bench.base.update({key: value for each in found.values() for key, value in (each.dialect or {}).items()})
    if thorough and all(each.verdict == "conforms" for each in found.values()):
        cells = [cell for name in bench.cells if bench.group(name) == "operation" for cell in bench.cells[name]]
        rivals = search(cells, bench.dialects("operation")).rivals
        return [replace(found[name], rivals=rivals) for name in bench.cells]
    return [_known_to_narrow(found[name], bench) if narrows else found[name] for name in bench.cells]


def _known_to_narrow(judgement: Judgement, bench: Bench) -> Judgement:
    """A judgement without its fault, if all that is wrong is float32 where float64 was asked for."""
    declared = next((each.dialect for each in bench.declared if each.covers(judgement.name)), None)
    if not judgement.fault or judgement.verdict != "imprecise" or FLOAT32_INSIDE not in judgement.message:
        return judgement
    found = judgement.dialect or {}
    if {key: value for key, value in found.items() if not _knob_is_algorithmic(bench, key)} != dict(declared or {}):
        return judgement  # another formula, in float32
    return replace(judgement, fault="", narrowed=True)


def _judge_group(bench: Bench, group: str, names: Sequence[str]) -> dict[str, Judgement]:
    declared = {name: next((each for each in bench.declared if each.covers(name)), None) for name in names}
    found: dict[str, Judgement] = {}
    for name, declaration in declared.items():
        if declaration is not None and declaration.dialect is not None:
            found[name] = _held_to(bench, name, declaration.dialect)
        elif (formula := _fit(bench, name, {})) and formula.fits:
            found[name] = _against(_judgement(bench, name, "conforms", {}), declaration)
    for name in (each for each in names if bench.narrows and each not in found):
        if _imprecise(bench, name) == FLOAT32_INSIDE:  # as is known of it: no other formula need be looked for
            found[name] = _against(_judgement(bench, name, "imprecise", {}, FLOAT32_INSIDE), declared[name])
    failing = [name for name in names if name not in found]
    for name, judgement in _explained(bench, group, failing).items() if failing else ():
        found[name] = _against(judgement, declared[name])
    return found


def _fit(bench: Bench, name: str, dialect: Dialect) -> Fit | None:
    return fit(bench.cells[name], {**bench.base, **dialect})


def _explained(bench: Bench, group: str, names: Sequence[str]) -> dict[str, Judgement]:
    """Tensors that deviate: one dialect for all of them if there is one, else one for each, else no dialect."""
    dialects = bench.dialects(group)
    together = search([cell for name in names for cell in bench.cells[name]], dialects, bench.base)
    found = {}
    unexplained: dict[str, Explanation] = {}
    for name in names:
        explanation = together
        if together.named is None and len(names) > 1:
            explanation = search(bench.cells[name], dialects, bench.base)
        if explanation.named is None:
            unexplained[name] = explanation
            continue
        own = {key: value for key, value in explanation.named.dialect.items() if key not in bench.base}
        found[name] = _judgement(bench, name, "dialect" if own else "conforms", own, rivals=explanation.rivals)
    return {**found, **_unexplained(bench, group, unexplained)}


def _unexplained(bench: Bench, group: str, explanations: Mapping[str, Explanation]) -> dict[str, Judgement]:
    """Tensors that no dialect reproduces: imprecise by an algorithm that may have a name, or deviating."""
    alone = len({replay.task.precision for replay in bench.replays}) == 1
    reasons = {name: _imprecise(bench, name) for name in explanations}
    algorithms = {name: _algorithms(bench, group, name) if reasons[name] or alone else [] for name in explanations}
    shared = [each for each in next(iter(algorithms.values()), []) if all(each in mine for mine in algorithms.values())]
    found = {}
    for name, explanation in explanations.items():
        mine = shared if len(shared) == 1 else algorithms[name]
        if explanation.candidates and not reasons[name]:
            ambiguous = "; ".join(describe(fit.dialect) for fit in explanation.candidates)
            message = f"these cannot be told apart here: {ambiguous}"
            found[name] = _judgement(bench, name, "deviates", None, message, explanation.rivals)
        elif reasons[name] or mine:
            several = " or ".join(describe(each) for each in mine) if len(mine) > 1 else ""
            message = "; ".join(filter(None, (reasons[name], several)))
            found[name] = _judgement(bench, name, "imprecise", mine[0] if len(mine) == 1 else {}, message)
        elif (coarse := _coarse_dialect(bench, group, name)) is not None:
            found[name] = _judgement(bench, name, "imprecise", coarse, FLOAT32_INSIDE)
        else:
            found[name] = _judgement(bench, name, "deviates", None, rivals=explanation.rivals)
    return found


def _algorithms(bench: Bench, group: str, name: str) -> list[dict[str, Any]]:
    """The algorithmic variants whose own rounding error covers a tensor; those of one setting if there are any."""
    cells, variants = finest_first(bench.cells[name]), bench.dialects(group, algorithmic=True)
    fitting = [each for each in variants if (f := fit(cells, {**bench.base, **each}, enough=1.0)) and f.fits]
    return [each for each in fitting if len(each) == 1] or fitting


def _imprecise(bench: Bench, name: str) -> str:
    """Why a deviation is rounding and not another formula; empty if it is not."""
    worst = _worst(bench, name, {})
    if "float32" not in worst or "float64" not in worst:
        return ""
    single, double = worst["float32"][1], worst["float64"][1]
    if single.mismatch or double.mismatch:
        return ""
    if within(single, PRECISIONS["float32"]):
        return FLOAT32_INSIDE if _within_float32(bench.cells[name], {}) else ""
    if within(double, PRECISIONS["float64"]) or double.max_abs <= single.max_abs * SHRINKS:
        return "the deviation shrinks with the unit roundoff: an unstable algorithm"
    return ""


def _coarse_dialect(bench: Bench, group: str, name: str) -> dict[str, Any] | None:
    """The dialect that reproduces a tensor in float32, and in float64 no more accurately than that."""
    coarse = [cell for cell in bench.cells[name] if cell.replay.task.precision == "float32"]
    if not coarse or len(coarse) == len(bench.cells[name]):
        return None
    named = search(coarse, bench.dialects(group), bench.base).named
    if named is None or not _within_float32(bench.cells[name], named.dialect):
        return None
    return {key: value for key, value in named.dialect.items() if key not in bench.base}


def _within_float32(cells: Sequence[Cell], dialect: Dialect) -> bool:
    """Whether the float64 results lie as near to the formula as float32 allows."""
    single = PRECISIONS["float32"]
    coarse = Precision("float64", single.unit, single.limit)
    deviations = (
        compare(cell.actual, cell.replay.reference(cell.step, dialect, single.unit)[cell.name], coarse)
        for cell in cells
        if cell.replay.task.precision == "float64"
    )
    return all(not each.mismatch and each.error_ratio <= coarse.limit for each in deviations)  # in whatever format


# --- what was declared ----------------------------------------------------------------------------------------------


def _held_to(bench: Bench, name: str, dialect: Dialect) -> Judgement:
    """A tensor with a declared dialect: held to that dialect's formula wherever the two formulas differ."""
    formula, other = _fit(bench, name, {}), _fit(bench, name, dialect)
    fits, fits_other = bool(formula and formula.fits), bool(other and other.fits)
    if fits_other and not fits:
        algorithmic = all(_knob_is_algorithmic(bench, key) for key in dialect)
        return _judgement(bench, name, "imprecise" if algorithmic else "dialect", dict(dialect), held_to=dialect)
    if fits:
        stale = not fits_other and _visible(bench, name, dialect)
        fault = f"{name}: the declared dialect {describe(dialect)} no longer shows: remove the declaration"
        return replace(_judgement(bench, name, "conforms", {}), fault=fault if stale else "")
    if other is not None and _in_float32(bench, name, dialect):
        found = _judgement(bench, name, "imprecise", dict(dialect), FLOAT32_INSIDE, held_to=dialect)
    else:
        found = _explained(bench, bench.group(name), [name])[name]
    return replace(found, fault=f"{name}: declared as {describe(dialect)}, but {_said(found)}")


def _in_float32(bench: Bench, name: str, dialect: Dialect) -> bool:
    """Whether a dialect reproduces a tensor in float32, and in float64 no more accurately than that."""
    whole = {**bench.base, **dialect}
    coarse = [cell for cell in bench.cells[name] if cell.replay.task.precision == "float32"]
    reproduced = fit(coarse, whole) if 0 < len(coarse) < len(bench.cells[name]) else None
    return bool(reproduced and reproduced.fits) and _within_float32(bench.cells[name], whole)


def _knob_is_algorithmic(bench: Bench, key: str) -> bool:
    prefix, _, knob = key.rpartition(".")
    return get_operation(prefix or bench.replays[0].task.operation).knobs[knob].algorithmic


def _visible(bench: Bench, name: str, dialect: Dialect) -> bool:
    """Whether the two formulas lie farther apart here than rounding."""
    for cell in bench.cells[name]:
        try:
            one, other = cell.reference({}), cell.reference(dialect)
        except Undefined:
            continue
        if one is None or other is None or one.shape != other.shape:
            return True
        limit = cell.replay.precision.limit * (
            scale_of(one, cell.replay.precision) + scale_of(other, cell.replay.precision)
        )
        with np.errstate(all="ignore"):
            nan = np.isnan(one.value) != np.isnan(other.value)
            if np.any(nan | (np.abs(one.value - other.value) > limit)):
                return True
    return False


def _against(judgement: Judgement, declaration: Declaration | None) -> Judgement:
    """A judgement with its fault, if it is not what was declared."""
    name, fault = judgement.name, ""
    if declaration is None:
        fault = "" if judgement.verdict == "conforms" else f"{name}: {_said(judgement)}, which is not declared"
    elif declaration.verdict != judgement.verdict:
        fault = f"{name}: declared as {declaration.verdict}, but {_said(judgement)}"
    else:
        for precision, (low, high) in declaration.error_ratio.items():
            ratio = judgement.worst[precision][1].error_ratio if precision in judgement.worst else low
            if not low <= ratio <= high:
                fault = f"{name}: its error ratio in {precision} is {ratio:.3g}, declared within [{low}, {high}]"
    return replace(judgement, fault=fault)


def _said(judgement: Judgement) -> str:
    if judgement.verdict == "conforms":
        return "it conforms"
    named = f" ({describe(judgement.dialect)})" if judgement.dialect else ""
    return f"found {judgement.verdict}{named}"


# --- small helpers --------------------------------------------------------------------------------------------------


def describe(dialect: Dialect) -> str:
    """A dialect in words: ``variance_correction=1, epsilon=outside``."""
    return ", ".join(f"{name}={value}" for name, value in dialect.items()) or "the formula itself"


def _judgement(
    bench: Bench,
    name: str,
    verdict: str,
    dialect: dict[str, Any] | None,
    message: str = "",
    rivals: tuple[Fit, ...] = (),
    held_to: Dialect | None = None,
) -> Judgement:
    found = _fit(bench, name, dialect or {})
    ratio = found.error_ratio if found else np.inf
    worst, formula = _worst(bench, name, held_to or {}), {**bench.base, **(held_to or {})}
    return Judgement(
        name,
        verdict,
        dialect,
        worst,
        dict(held_to or {}),
        ratio,
        message,
        rivals=rivals,
        formula=formula,
        published=_published(bench, name) if held_to else {},
    )


def _published(bench: Bench, name: str) -> dict[str, float]:
    """The largest error ratio from the published formula in each precision, infinite where it is not defined."""
    try:
        return {precision: found.error_ratio for precision, (_, found) in _worst(bench, name, {}).items()}
    except Undefined:
        return {cell.replay.task.precision: np.inf for cell in bench.cells[name]}


def _worst(bench: Bench, name: str, dialect: Dialect) -> dict[str, tuple[Cell, Deviation]]:
    """The largest deviation in each precision, from the formula with a dialect."""
    worst: dict[str, tuple[Cell, Deviation]] = {}
    for cell in bench.cells[name]:
        deviation = cell.deviation({**bench.base, **dialect})
        known = worst.get(cell.replay.task.precision)
        if known is None or _size(deviation) > _size(known[1]):
            worst[cell.replay.task.precision] = (cell, deviation)
    return worst


def _size(deviation: Deviation) -> tuple[float, float]:
    return deviation.size, deviation.error_ratio
