"""Pooling and rearrangement against numbers that are not ours: loops, SciPy, fifty digits, ONNX's own vectors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import ndimage

from conformance import evaluate
from conformance.errors import Undefined
from conformance.operation import get_operation, operations
from conformance.tests.onnx_vectors import Vector, vectors

OPERATIONS = [each for each in operations().values() if each.family in ("pooling", "rearrangement")]
REDUCED = {"max_pool": np.max, "average_pool": np.mean}


def row(*numbers: float) -> np.ndarray:
    """One sample of one channel along one axis."""
    return np.array(numbers, dtype=float).reshape(1, -1, 1)


def flat(name: str, x: Any, parameters: Mapping[str, Any] | None = None, **dialect: Any) -> list[float]:
    return evaluate(name, {"x": x}, parameters, dialect=dialect)["y"].ravel().tolist()


def gradient(name: str, x: Any, parameters: Mapping[str, Any] | None = None, **dialect: Any) -> list[float]:
    shape = evaluate(name, {"x": x}, parameters)["y"].shape
    cotangent = np.ones(shape) * (1 + np.arange(math.prod(shape)).reshape(shape))
    return evaluate(name, {"x": x, "y.gradient": cotangent}, parameters, dialect=dialect)["x.gradient"].ravel().tolist()


# --- windows --------------------------------------------------------------------------------------------------------

GEOMETRIES = [
    ((7,), {"pool_size": 3}),
    ((7,), {"pool_size": 3, "strides": 2, "pads": 1}),
    ((8,), {"pool_size": 3, "strides": 1, "dilation": 2, "pads": 2}),
    ((6,), {"pool_size": 2, "strides": 3, "ceil_mode": True}),
    ((5, 7), {"pool_size": [2, 3], "strides": [1, 2]}),
    ((5, 7), {"pool_size": [3, 2], "strides": [2, 3], "pads": [1, 0], "dilation": [1, 3], "ceil_mode": True}),
    ((3, 4, 5), {"pool_size": [1, 2, 3], "strides": 1, "pads": [0, 1, 1]}),
]


def windows(x: np.ndarray, p: Mapping[str, Any]) -> Iterator[tuple[tuple[int, ...], list[float]]]:
    """Every place with the elements that its window sees, of one sample and channel: slowly, and surely."""
    rank = x.ndim
    taps, gaps, pads = (np.broadcast_to(p.get(k, d), rank) for k, d in (("pool_size", 2), ("dilation", 1), ("pads", 0)))
    steps = np.broadcast_to(p.get("strides", taps), rank)
    places = []
    for n, k, s, d, b in zip(x.shape, taps, steps, gaps, pads, strict=True):
        starts = range(-b, n + b, s)  # no window starts behind the last element of the padding in front of it
        whole = [start for start in starts if start + (k - 1) * d < n + b]
        partial = next((start for start in starts if start + (k - 1) * d >= n + b and start < n), None)
        rounds_up = p.get("ceil_mode") and (not whole or whole[-1] + (k - 1) * d < n + b - 1)
        places.append([*whole, partial] if rounds_up and partial is not None else whole)
    for place in itertools.product(*map(enumerate, places)):
        seen = []
        for tap in itertools.product(*map(range, taps)):
            at = tuple(start + t * d for (_, start), t, d in zip(place, tap, gaps, strict=True))
            if all(0 <= a < n for a, n in zip(at, x.shape, strict=True)):
                seen.append(float(x[at]))
        yield tuple(number for number, _ in place), seen


@pytest.mark.parametrize("name", REDUCED)
@pytest.mark.parametrize(("space", "parameters"), GEOMETRIES, ids=str)
def test_windows_are_those_of_plain_loops(name, space, parameters):
    x = np.random.default_rng(1).normal(size=(2, *space, 3))
    y = evaluate(name, {"x": x}, parameters)["y"]
    visited = 0
    for sample, channel in np.ndindex(2, 3):
        for place, seen in windows(x[sample, ..., channel], parameters):
            assert y[(sample, *place, channel)] == pytest.approx(REDUCED[name](seen), rel=1e-15)
            visited += 1
    assert visited == y.size


def test_the_lp_norm_of_windows_is_that_of_fifty_digits():
    x = np.random.default_rng(2).normal(size=(1, 5, 4, 2)) * 1e4
    for p in (1, 1.5, 2, 3, 7):
        values, bounds = evaluate("lp_pool", {"x": x}, {"p": p, "strides": 1}, bound=True, precision="float32")
        with mpmath.workdps(50):
            for place in np.ndindex(1, 4, 3, 2):
                _, h, w, c = place
                truth = mpmath.fsum(abs(mpmath.mpf(float(e))) ** p for e in x[0, h : h + 2, w : w + 2, c].ravel())
                truth = truth ** (mpmath.mpf(1) / p)
                assert values["y"][place] == pytest.approx(float(truth), rel=1e-13)
        assert np.all(bounds["y"] < 40 * 2.0**-24 * values["y"])


def test_maximum_with_stride_one_and_same_padding_is_scipys_filter():
    x = np.random.default_rng(3).normal(size=(6, 7))
    y = evaluate("max_pool", {"x": x[None, ..., None]}, {"pool_size": [3, 5], "strides": 1, "padding": "same"})["y"]
    assert np.array_equal(y[0, ..., 0], ndimage.maximum_filter(x, size=(3, 5), mode="constant", cval=-np.inf))


# --- padding: the published numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "y"),
    [(False, [1.5, 3, 4.5]), (True, [1, 3, 3]), ("whole", [1, 3, 3])],
)
def test_whether_padding_counts(setting, y):
    assert flat("average_pool", row(1, 2, 3, 4, 5), {"pool_size": 3, "strides": 2, "pads": 1},
                count_include_pad=setting) == y  # fmt: skip


def test_a_parameter_asks_for_the_padding_to_count():
    parameters = {"pool_size": 3, "strides": 2, "pads": 1, "count_include_pad": True}
    assert flat("average_pool", row(1, 2, 3, 4, 5), parameters) == [1, 3, 3]


@pytest.mark.parametrize(("setting", "y"), [(False, [2, 3.5, 4.5]), (True, [1.5, 3.5, 3]), ("whole", [1.5, 3.5, 2.25])])
def test_what_lies_beyond_the_padding_counts_only_in_a_whole_window(setting, y):
    """The last window sees 4, 5, a padding, and one position that exists only because ceil_mode rounds up."""
    parameters = {"pool_size": 4, "strides": 2, "pads": 1, "ceil_mode": True}
    assert flat("average_pool", row(1, 2, 3, 4, 5), parameters, count_include_pad=setting) == y


@pytest.mark.parametrize(
    ("side", "y"), [("right", [3, 5, 6]), ("left", [2, 4, 6]), ("symmetric", [2, 4, 6])]
)  # fmt: skip
def test_where_same_padding_stands(side, y):
    assert flat("max_pool", row(1, 2, 3, 4, 5, 6), {"pool_size": 3, "strides": 2, "padding": "same"},
                padding_side=side) == y  # fmt: skip


def test_padding_is_less_than_everything_unless_it_is_0():
    x, parameters = row(-3, -1, -2), {"pool_size": 2, "strides": 2, "padding": "same"}
    assert flat("max_pool", x, parameters) == [-1, -2]
    assert flat("max_pool", x, parameters, pad_value="zero") == [-1, 0]


def test_padding_may_repeat_the_edge():
    x, parameters = row(3, 1, 2, 10, 4), {"pool_size": 4, "strides": 3, "padding": "same"}
    assert flat("average_pool", x, parameters) == [2, 16 / 3]
    assert flat("average_pool", x, parameters, pad_value="edge") == [(3 + 3 + 1 + 2) / 4, (2 + 10 + 4 + 4) / 4]


def test_ceil_mode_drops_a_window_that_starts_in_the_padding_behind():
    x, parameters = row(1, 2, 3, 4, 5, 6), {"pool_size": 2, "strides": 3, "pads": 1, "ceil_mode": True}
    assert flat("max_pool", x, parameters) == [1, 4, 6]
    x, parameters = row(1, 2), {"pool_size": 3, "strides": 3, "pads": 1, "ceil_mode": True}
    assert flat("max_pool", x, parameters) == [2]
    assert flat("max_pool", x, parameters, ceil="on") == [2, -math.inf]


def test_the_step_is_the_pool_size_unless_given():
    assert flat("max_pool", row(1, 2, 3, 4, 5)) == [2, 4]
    assert flat("max_pool", row(1, 2, 3, 4, 5), {"strides": 1}) == [2, 3, 4, 5]


# --- edges ----------------------------------------------------------------------------------------------------------

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("name", ["max_pool", "adaptive_max_pool"])
@pytest.mark.parametrize(("setting", "y"), [("propagate", [NAN, NAN, 4, 5]), ("drop", [1, 3, 4, 5])])
def test_nan_stays_or_is_dropped(name, setting, y):
    parameters = {"strides": 1} if name == "max_pool" else {"output_size": 4}
    np.testing.assert_array_equal(flat(name, row(1, NAN, 3, 4, 5), parameters, nan=setting), y)


def test_infinities_are_numbers_to_a_maximum_and_its_padding():
    assert flat("max_pool", row(-INF, -INF, 3, INF), {"pads": 1}) == [-INF, 3, INF]
    assert flat("global_max_pool", row(-INF, -INF)) == [-INF]
    np.testing.assert_array_equal(flat("average_pool", row(INF, 1, INF, -INF)), [INF, NAN])


def test_the_first_of_equal_elements_takes_the_gradient_or_all_share_it():
    x = row(2, 2, 1, 5, 5, 5)
    assert gradient("max_pool", x, {"pool_size": 3}) == [1, 0, 0, 2, 0, 0]
    shared = [0.5, 0.5, 0, 2 / 3, 2 / 3, 2 / 3]
    assert gradient("max_pool", x, {"pool_size": 3}, subgradient="split") == pytest.approx(shared)
    assert gradient("global_max_pool", x) == pytest.approx([0] * 3 + [1 / 3] * 3)
    assert gradient("global_max_pool", x, subgradient="first") == [0, 0, 0, 1, 0, 0]
    assert gradient("adaptive_max_pool", x, {"output_size": 2}) == [1, 0, 0, 2, 0, 0]


def test_the_gradient_of_overlapping_windows_adds_up():
    assert gradient("average_pool", row(1, 2, 3, 4), {"strides": 1}) == [0.5, 1.5, 2.5, 1.5]
    assert gradient("max_pool", row(1, 9, 3, 4), {"strides": 1}) == [0, 3, 0, 3]


@pytest.mark.parametrize("p", [1, 2, 3])
def test_the_lp_gradient_at_zeros_is_0(p):
    assert gradient("lp_pool", row(0, 0, 3, 4), {"p": p})[:2] == [0, 0]
    assert gradient("lp_pool", row(0, 0, 3, 4), {"p": 2})[2:] == pytest.approx([2 * 3 / 5, 2 * 4 / 5])


def test_lp_without_magnitudes():
    x = row(-1, 2, -3, 1)
    assert flat("lp_pool", x, {"p": 3}) == pytest.approx([9 ** (1 / 3), 28 ** (1 / 3)])
    np.testing.assert_allclose(flat("lp_pool", x, {"p": 3}, magnitude="signed"), [7 ** (1 / 3), NAN])


def test_a_partial_lp_window_may_be_scaled_up():
    x, parameters = row(3, 4, 5), {"ceil_mode": True}
    assert flat("lp_pool", x, parameters) == pytest.approx([5, 5])
    assert flat("lp_pool", x, parameters, partial_window="rescaled") == pytest.approx([5, 5 * math.sqrt(2)])


def test_bins():
    x = row(1, 2, 3, 4, 5)
    assert flat("adaptive_average_pool", x, {"output_size": 3}) == [1.5, 3, 4.5]
    assert flat("adaptive_average_pool", x, {"output_size": 3}, bins="sliding") == [1.5, 2.5, 3.5]
    assert flat("adaptive_average_pool", x, {"output_size": 3}, bins="covering") == [2, 3, 4]
    assert flat("adaptive_max_pool", row(1, 2), {"output_size": 3}) == [1, 2, 2]
    x = np.random.default_rng(4).normal(size=(2, 5, 7, 3))
    y = evaluate("adaptive_max_pool", {"x": x}, {"output_size": [2, 3]})["y"]
    for i, j in np.ndindex(2, 3):
        rows, columns = (slice(k * n // m, -(-(k + 1) * n // m)) for k, n, m in ((i, 5, 2), (j, 7, 3)))
        assert np.array_equal(y[:, i, j], x[:, rows, columns].max(axis=(1, 2)))


def test_global_pools_are_reductions():
    x = np.random.default_rng(5).normal(size=(2, 3, 4, 5))
    for name, reduced in (("global_max_pool", np.max), ("global_average_pool", np.mean)):
        np.testing.assert_allclose(evaluate(name, {"x": x})["y"], reduced(x, axis=(1, 2)), rtol=1e-14)
        assert evaluate(name, {"x": x}, {"keepdims": True})["y"].shape == (2, 1, 1, 5)


def test_unpooling_undoes_pooling_where_the_maxima_were():
    x = np.random.default_rng(6).permutation(2 * 4 * 6 * 3).reshape(2, 4, 6, 3) + 1.0
    pooled = evaluate("max_pool", {"x": x}, {"pool_size": [2, 3]})["y"]
    indices = np.zeros(pooled.shape, dtype=int)
    for n, h, w, c in zip(*np.nonzero(np.isin(x, pooled)), strict=True):
        indices[n, h // 2, w // 3, c] = 6 * h + w
    tensors = {"x": pooled, "indices": indices}
    y = evaluate("max_unpool", tensors, {"pool_size": [2, 3]})["y"]
    assert np.array_equal(y, np.where(np.isin(x, pooled), x, 0))
    pulled = evaluate("max_unpool", {**tensors, "y.gradient": x}, {"pool_size": [2, 3]})["x.gradient"]
    assert np.array_equal(pulled, pooled)


@pytest.mark.parametrize(("setting", "position"), [("result", (1, 0)), ("least", (1, 1))])
def test_an_index_counts_in_the_result_or_in_the_least_one(setting, position):
    """The fifth position is at (1, 0) of five columns, at (1, 1) of four."""
    tensors = {"x": [[[[7]]]], "indices": [[[[5]]]]}
    parameters = {"pool_size": 4, "output_size": [6, 5]}
    y = evaluate("max_unpool", tensors, parameters, dialect={"index": setting})["y"]
    assert np.argwhere(y[0, ..., 0] == 7).tolist() == [list(position)]


@pytest.mark.parametrize(
    ("name", "tensors", "parameters"),
    [
        ("max_pool", {"x": np.ones((1, 2, 1))}, {"pool_size": 3}),
        ("max_pool", {"x": np.ones((2, 3))}, {}),
        ("max_pool", {"x": np.ones((1, 4, 4, 1))}, {"pool_size": [2, 2, 2]}),
        ("max_pool", {"x": np.ones((1, 4, 1))}, {"pads": 2}),
        ("average_pool", {"x": np.ones((1, 4, 1))}, {"pads": 1, "padding": "same"}),
        ("global_average_pool", {"x": np.ones((2, 0, 3))}, {}),
        ("global_max_pool", {"x": np.ones((2, 3))}, {}),
        ("adaptive_max_pool", {"x": np.ones((2, 0, 3))}, {}),
        ("max_unpool", {"x": np.ones((1, 2, 1)), "indices": [[[0], [4]]]}, {}),
        ("max_unpool", {"x": np.ones((1, 2, 1)), "indices": [[[3], [3]]]}, {}),
        ("max_unpool", {"x": np.ones((1, 2, 1)), "indices": [[[-1], [3]]]}, {}),
        ("unfold", {"x": np.ones((1, 2, 1))}, {"kernel_size": 3}),
        ("fold", {"x": np.ones((1, 3, 2))}, {"output_size": 3}),
        ("fold", {"x": np.ones((1, 2, 3))}, {"output_size": 3}),
        ("pixel_shuffle", {"x": np.ones((1, 2, 3, 6))}, {}),
        ("pixel_unshuffle", {"x": np.ones((1, 2, 3, 6))}, {}),
    ],
)
def test_what_the_formulas_refuse(name, tensors, parameters):
    with pytest.raises(Undefined):
        evaluate(name, tensors, parameters)


# --- rearrangement --------------------------------------------------------------------------------------------------

PATCHES = [
    ((6,), {"kernel_size": 3, "strides": 2}),
    ((5, 7), {"kernel_size": [2, 3], "strides": [2, 1], "pads": [1, 2], "dilation": [3, 1]}),
    ((3, 4, 5), {"kernel_size": [1, 2, 3]}),
]


@pytest.mark.parametrize(("space", "parameters"), PATCHES, ids=str)
@pytest.mark.parametrize("order", ["channel_first", "channel_last"])
def test_folding_is_the_transpose_of_unfolding(space, parameters, order):
    """<unfold(x), X> = <x, fold(X)>, which no other linear map obeys."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(2, *space, 3))
    patches = evaluate("unfold", {"x": x}, {"strides": 1, **parameters}, dialect={"channel_order": order})["y"]
    other = rng.normal(size=patches.shape)
    tensors = {"x": other, "y.gradient": x}
    folded = evaluate("fold", tensors, {"output_size": list(space), **parameters}, dialect={"channel_order": order})
    assert np.vdot(patches, other) == pytest.approx(np.vdot(x, folded["y"]), rel=1e-12)
    assert np.array_equal(folded["x.gradient"], patches)


def test_the_order_of_channels_in_a_patch():
    x = np.array([[[1.0, 10], [2, 20], [3, 30]]])
    assert flat("unfold", x) == [1, 2, 10, 20, 2, 3, 20, 30]
    assert flat("unfold", x, channel_order="channel_last") == [1, 10, 2, 20, 2, 20, 3, 30]
    assert flat("unfold", x, {"padding": "same"})[-4:] == [3, 0, 30, 0]


@pytest.mark.parametrize(("order", "corner"), [("DCR", [[0, 1], [2, 3]]), ("CRD", [[0, 2], [4, 6]])])
def test_the_order_of_blocks(order, corner):
    """The published corner of eight channels 0..7 in the orders of [channel][column of the block]."""
    x = np.arange(8.0).reshape(1, 1, 1, 8)
    y = evaluate("pixel_shuffle", {"x": x}, {"order": order})["y"]
    assert {"DCR": y[0, 0].tolist(), "CRD": y[0, :, :, 0].tolist()}[order] == {
        "DCR": corner,
        "CRD": [[0, 1], [2, 3]],
    }[order]
    assert y[0, :, 0, :].tolist() == {"DCR": [[0, 1], [4, 5]], "CRD": [[0, 4], [2, 6]]}[order]
    back = evaluate("pixel_unshuffle", {"x": y}, {"order": order})["y"]
    assert np.array_equal(back, x)


@pytest.mark.parametrize("order", ["DCR", "CRD"])
def test_shuffling_is_undone(order):
    x = np.random.default_rng(8).normal(size=(2, 6, 9, 5))
    parameters = {"block_size": 3, "order": order}
    y = evaluate("pixel_unshuffle", {"x": x}, parameters)["y"]
    assert y.shape == (2, 2, 3, 45)
    assert np.array_equal(evaluate("pixel_shuffle", {"x": y}, parameters)["y"], x)


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_the_worked_example(operation):
    example = operation.example
    found = evaluate(operation.name, {**example.inputs, **example.tensors}, example.parameters)
    for name, expected in example.expected.items():
        assert found[name].tolist() == np.asarray(expected, dtype=float).tolist()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_the_gradient_is_the_slope(operation):
    example = operation.example
    x = np.asarray(example.inputs["x"], dtype=float)
    x = x + 0.25 * np.random.default_rng(9).uniform(size=x.shape) + 1.5
    fixed = {name: each for name, each in example.inputs.items() if name != "x"}
    y = evaluate(operation.name, {"x": x, **fixed}, example.parameters)["y"]
    cotangent = np.random.default_rng(10).normal(size=y.shape)
    tensors = {"x": x, **fixed, "y.gradient": cotangent}
    values, bounds = evaluate(operation.name, tensors, example.parameters, bound=True, precision="float32")
    assert np.all(bounds["x.gradient"] <= 64 * 2.0**-24 * np.maximum(np.abs(values["x.gradient"]), 1))
    for index in list(np.ndindex(x.shape))[:12]:
        step = np.zeros(x.shape)
        step[index] = 2.0**-12
        above, below = (
            evaluate(operation.name, {"x": each, **fixed}, example.parameters)["y"] for each in (x + step, x - step)
        )
        assert values["x.gradient"][index] == pytest.approx(np.sum((above - below) * cotangent) * 2.0**11, abs=1e-5)


CHOICES = [
    "max_pool",
    "adaptive_max_pool",
    "global_max_pool",
    "max_unpool",
    "unfold",
    "pixel_shuffle",
    "pixel_unshuffle",
]


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("scale", [1e4, 1e-30, 1e30])
def test_what_only_chooses_is_exact(name, scale):
    example = get_operation(name).example
    tensors = {**example.inputs, "x": scale * np.asarray(example.inputs["x"], dtype=float)}
    _, bounds = evaluate(name, tensors, example.parameters, bound=True, precision="float32")
    assert not np.any(bounds["y"])


# --- ONNX's own vectors ---------------------------------------------------------------------------------------------

FORMULAS = {
    "MaxPool": "max_pool", "AveragePool": "average_pool", "LpPool": "lp_pool",
    "GlobalAveragePool": "global_average_pool", "GlobalMaxPool": "global_max_pool",
    "MaxUnpool": "max_unpool", "Col2Im": "fold",
    "DepthToSpace": "pixel_shuffle", "SpaceToDepth": "pixel_unshuffle",
}  # fmt: skip


PRINTED = {"averagepool_2d_ceil_last_window_starts_on_pad": 1e-4}
"""A unit of the last digit, where a vector's numbers are printed ones."""


def parameters_of(vector: Vector, rank: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """ONNX's attributes as ours, and the dialect that they ask for."""
    a = dict(vector.attributes)
    if vector.operator.startswith("Global"):
        return {"keepdims": True}, {}
    if vector.operator in ("DepthToSpace", "SpaceToDepth"):
        return {"block_size": a["blocksize"], "order": a["mode"]}, {}
    steps, gaps, pads = (a.get(each, [d] * n) for each, d, n in (
        ("strides", 1, rank), ("dilations", 1, rank), ("pads", 0, 2 * rank)))  # fmt: skip
    assert pads[:rank] == pads[rank:], "ours are the same on either side"
    parameters: dict[str, Any] = {"strides": list(steps), "pads": list(pads[:rank])}
    if vector.operator == "Col2Im":
        sizes = {"output_size": "image_shape", "kernel_size": "block_shape"}
        return {**parameters, "dilation": list(gaps), **{k: vector.inputs[v].tolist() for k, v in sizes.items()}}, {}
    parameters["pool_size"] = list(a["kernel_shape"])
    if vector.operator == "MaxUnpool":
        wanted = vector.inputs["output_shape"]
        size = [0] * rank if wanted is None else wanted[2:].tolist()
        return {**parameters, "output_size": size}, {"index": "least"}
    same = a["auto_pad"].startswith("SAME")
    parameters |= {"dilation": list(gaps), "ceil_mode": bool(a["ceil_mode"]), "padding": "same" if same else "valid"}
    if vector.operator == "LpPool":
        parameters["p"] = float(a["p"])
    if vector.operator == "AveragePool":
        parameters["count_include_pad"] = bool(a["count_include_pad"])
    return parameters, {"padding_side": "left"} if a["auto_pad"] == "SAME_LOWER" else {}


def last(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1)


@pytest.mark.parametrize("operator", FORMULAS)
def test_onnx_says_the_same(operator):
    """Every vector of the operator, within four bounds of float32; the indices that MaxPool can give are not ours."""
    pytest.importorskip("onnx")
    checked = 0
    for vector in vectors(operator):
        tensors = {name: each for name, each in vector.inputs.items() if each is not None}
        x = next(iter(tensors.values()))
        rank = len(vector.inputs["image_shape"]) if operator == "Col2Im" else x.ndim - 2
        parameters, dialect = parameters_of(vector, rank)
        ours = {"x": last(x)}
        if operator == "MaxUnpool":
            shape = (*x.shape[:2], math.prod(next(iter(vector.outputs.values())).shape[2:]))
            ours["indices"] = last(tensors["I"]) % shape[2]  # ONNX counts through all samples and channels
        expected = last(next(iter(vector.outputs.values())))
        name = FORMULAS[operator]
        values, bounds = evaluate(name, ours, parameters, dialect=dialect, bound=True, precision="float32")
        assert values["y"].shape == expected.shape, vector.name
        allowed = 4 * np.maximum(bounds["y"], 2.0**-24 * np.abs(values["y"])) + 2.0**-126 + PRINTED.get(vector.name, 0)
        assert np.all(np.abs(values["y"] - expected) <= allowed), vector.name
        checked += 1
    assert checked
