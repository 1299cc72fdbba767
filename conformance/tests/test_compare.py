"""The numbers of a deviation, and the facts beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.precision import PRECISIONS
from conformance.compare import compare, ulp_distance, within

SINGLE, DOUBLE = PRECISIONS["float32"], PRECISIONS["float64"]
U = SINGLE.unit


def deviation(actual, expected, error=0.0, precision=SINGLE):
    return compare(np.asarray(actual, precision.name), Bounded(expected, precision.unit, error), precision)


def test_the_ratio_is_in_units_of_the_bound_and_at_the_worst_element():
    found = deviation([[1.0, 2.0], [3.0, 4.5]], [[1.0, 2.0], [3.0, 4.0]], error=0.25)
    assert (found.error_ratio, found.index, found.expected, found.actual) == (2.0, (1, 1), 4.0, 4.5)
    assert (found.max_abs, found.max_rel, found.tolerance) == (0.5, 0.125, 1.0)
    assert within(found, SINGLE)


@pytest.mark.parametrize(("ulps", "fits"), [(1, True), (2, True), (3, False), (100, False)])
def test_at_least_one_rounding_is_granted(ulps, fits):
    one = np.float32(1.0)
    assert within(deviation([one + ulps * np.spacing(one)], [1.0]), SINGLE) == fits


@pytest.mark.parametrize(
    ("actual", "expected", "what"),
    [
        ([np.nan, 1.0], [0.0, 1.0], "NaN in 1 of 2 elements"),
        ([0.0, 1.0], [np.nan, 1.0], "NaN"),
        ([np.inf], [1.0], "infinity"),
        ([1.0], [-np.inf], "infinity"),
        ([np.inf], [-np.inf], "infinity"),
        ([np.nan], [np.inf], "NaN"),
    ],
)
def test_special_values_that_differ_are_a_mismatch(actual, expected, what):
    found = deviation(actual, expected)
    assert what in found.mismatch
    assert not within(found, SINGLE)


@pytest.mark.parametrize("same", [[np.nan, 1.0], [np.inf, -np.inf], [-0.0], []])
def test_special_values_that_agree_are_no_deviation(same):
    found = deviation(same, same)
    assert (found.error_ratio, found.mismatch, found.max_abs, found.max_ulp) == (0, "", 0, 0)


def test_overflow_of_the_format_is_no_deviation():
    assert within(deviation([np.inf], [1e39]), SINGLE)
    assert not within(deviation([-np.inf], [1e39]), SINGLE)
    assert not within(deviation([np.inf], [1e39], precision=DOUBLE), DOUBLE)


def test_zeros_and_subnormals_are_notes():
    assert deviation([-0.0], [0.0]).notes == ("the sign of zero differs in 1 elements",)
    flushed = deviation([0.0], [1e-40])
    assert flushed.notes == ("1 subnormal numbers are flushed to zero",)
    assert within(flushed, SINGLE)


def test_shape_and_format_are_mismatches():
    assert "shape [2], expected [1, 2]" in deviation([1.0, 2.0], [[1.0, 2.0]]).mismatch
    found = compare(np.float64([1.0]), Bounded([1.0], U), SINGLE)
    assert found.mismatch == "computed in float64, expected float32"


def test_a_narrower_format_is_beyond_rounding_however_near_the_numbers():
    found = compare(np.float32([1.0]), Bounded([1.0], DOUBLE.unit), DOUBLE)
    assert (found.mismatch, found.narrower) == ("", "computed in float32, expected float64")
    assert (found.error_ratio, found.size) == (0, np.inf)
    assert not within(found, DOUBLE)


def test_what_the_formula_leaves_open_is_told():
    assert "undetermined" in deviation([5.0], [1.0], error=np.inf).notes[0]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(0, 1000))
def test_ulp_distance_counts_representable_numbers(value, steps):
    there = np.float32(value)
    for _ in range(min(steps, 50)):
        there = np.nextafter(there, np.float32(np.inf))
    if np.isfinite(there):
        assert ulp_distance(np.float32([value]), np.float32([there]))[0] == min(steps, 50)


def test_ulp_distance_runs_through_zero_in_float64_too():
    tiny = np.nextafter(0.0, 1.0)
    assert ulp_distance(np.float64([-tiny, -0.0, 1.0]), np.float64([tiny, 0.0, 1.0 + 2**-52])).tolist() == [2, 0, 1]
    assert ulp_distance(np.float64([-1e308]), np.float64([1e308]))[0] > 1e19
