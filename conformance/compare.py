"""How far one tensor lies from the formula: numbers only, no judgement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.precision import PRECISIONS, Precision

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Deviation:
    """The deviation of one tensor, described at the element with the largest error ratio.

    ``error_ratio`` is the deviation in units of the formula's own rounding error there; ``tolerance`` is the
    deviation allowed.  ``mismatch`` says what no number can: another shape or format, NaN or infinity where the
    formula has none; ``narrower`` that the numbers came in float32 where float64 was asked for, which is beyond
    rounding too, however near they are.  ``notes`` are facts that are no fault: signed zeros, flushed subnormals.
    """

    max_abs: float
    max_rel: float
    max_ulp: float
    error_ratio: float
    tolerance: float
    index: tuple[int, ...]
    expected: float
    actual: float
    mismatch: str = ""
    narrower: str = ""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> float:
        """The error ratio; infinite where no rounding explains what there is."""
        return np.inf if self.mismatch or self.narrower else self.error_ratio

    @property
    def by_element(self) -> bool:
        """Whether there were elements to compare: not if the shape or the format is another one."""
        return self.tolerance != 0

    @property
    def absolute(self) -> float:
        """The deviation at ``index``."""
        return abs(self.actual - self.expected)


def compare(actual: npt.NDArray[Any], reference: Bounded, precision: Precision) -> Deviation:
    """The deviation of ``actual``, computed in ``precision``, from a reference with its bound."""
    narrower = ""
    if actual.dtype != precision.name:
        narrower = f"computed in {actual.dtype}, expected {precision.name}"
        if not (actual.dtype == "float32" and precision.name == "float64"):
            return _mismatch(narrower)
    if actual.shape != reference.shape:
        return _mismatch(f"has the shape {list(actual.shape)}, expected {list(reference.shape)}")
    if not actual.size:
        return Deviation(0.0, 0.0, 0.0, 0.0, 0.0, (), 0.0, 0.0, narrower=narrower)
    with np.errstate(all="ignore"):
        return replace(_compare(actual, reference, precision), narrower=narrower)


def _mismatch(what: str) -> Deviation:
    return Deviation(np.inf, np.inf, np.inf, np.inf, 0.0, (), np.nan, np.nan, what)


def error_ratios(actual: npt.NDArray[Any], reference: Bounded, precision: Precision) -> tuple[Floats, Floats]:
    """The signed error ratio of every element and its unit, for tensors of one shape.

    NaN and infinities give 0 where they agree with the formula's, and are seen where they do not.
    """
    value = actual.astype(np.float64)
    scale = scale_of(reference, precision)
    with np.errstate(all="ignore"):
        expected = reference.value.astype(precision.name).astype(np.float64)
        special, _ = _special(value, expected, reference.value, scale, precision)
        return np.where(special, 0.0, (value - reference.value) / scale), scale


def magnitudes(ratios: Floats) -> Floats:
    """How large error ratios are: NaN is as bad as infinity."""
    size: Floats = np.abs(ratios)
    return np.where(np.isnan(size), np.inf, size)


def _compare(actual: npt.NDArray[Any], reference: Bounded, precision: Precision) -> Deviation:
    value = actual.astype(np.float64)
    scale = scale_of(reference, precision)
    expected = reference.value.astype(precision.name).astype(np.float64)  # what overflows in this format is infinite
    special, mismatch = _special(value, expected, reference.value, scale, precision)
    difference = np.where(special, 0.0, np.abs(value - reference.value))
    ratio = magnitudes(difference / scale)
    index = tuple(int(each) for each in np.unravel_index(int(np.argmax(ratio)), ratio.shape))
    relative = np.where(difference == 0, 0.0, difference / np.abs(reference.value))
    return Deviation(
        max_abs=_largest(difference),
        max_rel=_largest(relative),
        max_ulp=_largest(np.where(special, 0.0, ulp_distance(actual, expected))),
        error_ratio=float(ratio[index]),
        tolerance=float(precision.limit * scale[index]),
        index=index,
        expected=float(reference.value[index]),
        actual=float(value[index]),
        mismatch=mismatch,
        notes=_notes(value, expected, scale, precision),
    )


def scale_of(reference: Bounded, precision: Precision) -> Floats:
    """The unit of the error ratio: the formula's bound, at least one rounding, and the smallest normal number."""
    rounding = np.where(np.isfinite(reference.value), precision.unit * np.abs(reference.value), 0.0)
    scale: Floats = np.maximum(reference.error, rounding) + precision.smallest_normal
    return scale


def _special(
    value: Floats, expected: Floats, reference: Floats, scale: Floats, precision: Precision
) -> tuple[npt.NDArray[np.bool_], str]:
    """Where NaN and infinities agree (nothing to subtract there), and a mismatch where they do not."""
    largest = float(np.finfo(precision.name).max)
    edge = np.isfinite(reference) & (np.abs(reference) + precision.limit * scale >= largest)
    overflow = edge & np.isinf(value) & (np.sign(value) == np.sign(reference))
    agree = (np.isnan(value) & np.isnan(expected)) | (value == expected) & np.isinf(value) | overflow
    agree |= np.isinf(scale)  # rounding in this format leaves the result open
    for what, here, there in (
        ("NaN", np.isnan(value), np.isnan(expected)),
        ("infinity", np.isinf(value), np.isinf(expected)),
    ):
        wrong = ((here != there) | (here & there)) & ~agree
        wrong &= ~edge | np.isnan(value)
        if np.any(wrong):
            at = np.argwhere(wrong)[0]
            got, wanted = value[tuple(at)], expected[tuple(at)]
            place = f"at {[int(each) for each in at]}: {got:.9g} where the formula gives {wanted:.9g}"
            return agree, f"{what} in {int(np.sum(wrong))} of {value.size} elements, first {place}"
    return agree, ""


def _largest(values: Floats) -> float:
    return float(np.max(np.where(np.isnan(values), np.inf, values)))


def _notes(value: Floats, expected: Floats, scale: Floats, precision: Precision) -> tuple[str, ...]:
    notes = []
    zeros = (value == 0) & (expected == 0) & (np.signbit(value) != np.signbit(expected))
    if np.any(zeros):
        notes.append(f"the sign of zero differs in {int(np.sum(zeros))} elements")
    undetermined = int(np.sum(np.isinf(scale)))
    if undetermined:
        notes.append(f"rounding in this format leaves {undetermined} elements undetermined")
    flushed = (value == 0) & (expected != 0) & (np.abs(expected) < precision.smallest_normal)
    if np.any(flushed):
        notes.append(f"{int(np.sum(flushed))} subnormal numbers are flushed to zero")
    return tuple(notes)


def ulp_distance(actual: npt.NDArray[Any], expected: npt.NDArray[Any]) -> Floats:
    """How many representable numbers lie between, on a scale that runs through zero; +0 and -0 are one number.

    >>> ulp_distance(np.float32([1.0, -0.0]), np.float32([1.0000001, 0.0]))
    array([1., 0.])
    """
    one, other = _ordered(actual), _ordered(expected.astype(actual.dtype))
    across = np.sign(one) * np.sign(other) < 0  # the plain difference of large integers of either sign overflows
    apart = np.abs(one).astype(np.float64) + np.abs(other).astype(np.float64)
    distance: Floats = np.where(across, apart, np.abs(one - np.where(across, 0, other)).astype(np.float64))
    return distance


def _ordered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The position of each number on a scale of all representable ones, zero at 0."""
    single = values.dtype == np.float32
    bits = values.view(np.int32).astype(np.int64) if single else values.view(np.int64)
    magnitude = bits & (np.iinfo(np.int32).max if single else np.iinfo(np.int64).max)
    ordered: npt.NDArray[np.int64] = np.where(bits < 0, -magnitude, magnitude)
    return ordered


def within(deviation: Deviation, precision: Precision) -> bool:
    """Whether a deviation is no more than rounding explains."""
    return deviation.size <= precision.limit


__all__ = [
    "PRECISIONS",
    "Deviation",
    "Precision",
    "compare",
    "error_ratios",
    "magnitudes",
    "scale_of",
    "ulp_distance",
    "within",
]
