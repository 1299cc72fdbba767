"""The convolutions, against explicit loops, SciPy, each other's gradients and published numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate

from conformance import evaluate
from conformance.errors import Undefined
from conformance.operation import operations

CONVOLUTIONS = {1: "conv1d", 2: "conv2d", 3: "conv3d"}
TRANSPOSED = {1: "conv_transpose1d", 2: "conv_transpose2d"}


def drawn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def loops(x: Any, kernel: Any, steps: Any, gaps: Any, ends: Any, groups: int) -> Any:
    """The sum as it is written down, with zeros wherever the kernel leaves the input."""
    taps, (channels, filters) = kernel.shape[:-2], kernel.shape[-2:]
    spans = [(tap - 1) * gap + 1 for tap, gap in zip(taps, gaps, strict=True)]
    places = [
        (size + sum(end) - span) // step + 1
        for size, end, span, step in zip(x.shape[1:-1], ends, spans, steps, strict=True)
    ]
    y = np.zeros((x.shape[0], *places, filters))
    for place in np.ndindex(*places):
        for tap in np.ndindex(*taps):
            at = [s * p + g * t - e[0] for s, p, g, t, e in zip(steps, place, gaps, tap, ends, strict=True)]
            if all(0 <= each < size for each, size in zip(at, x.shape[1:-1], strict=True)):
                for group in range(groups):
                    mine = slice(group * filters // groups, (group + 1) * filters // groups)
                    under = x[(slice(None), *at, slice(group * channels, (group + 1) * channels))]
                    y[(slice(None), *place, mine)] += under @ kernel[(*tap, slice(None), mine)]
    return y


def spread(x: Any, kernel: Any, steps: Any, gaps: Any, groups: int) -> Any:
    """The transposed sum: every input adds its kernel to the outputs."""
    taps, (filters, channels) = kernel.shape[:-2], kernel.shape[-2:]
    sizes = [
        (size - 1) * step + (tap - 1) * gap + 1
        for size, step, tap, gap in zip(x.shape[1:-1], steps, taps, gaps, strict=True)
    ]
    y = np.zeros((x.shape[0], *sizes, filters * groups))
    for place in np.ndindex(*x.shape[1:-1]):
        for tap in np.ndindex(*taps):
            at = [s * p + g * t for s, p, g, t in zip(steps, place, gaps, tap, strict=True)]
            for channel in range(channels):
                first = channel // (channels // groups) * filters
                given = x[(slice(None), *place, channel)][:, None] * kernel[(*tap, slice(None), channel)]
                y[(slice(None), *at, slice(first, first + filters))] += given
    return y


def tensorflows_same(size: int, step: int, span: int) -> tuple[int, int]:
    total = max((int(np.ceil(size / step)) - 1) * step + span - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("step", "gap", "groups"), [(1, 1, 1), (2, 1, 1), (1, 2, 1), (3, 2, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_by_loops(axes: int, step: int, gap: int, groups: int, padding: str) -> None:
    x, kernel = drawn(2, *(7, 5, 6)[-axes:], 2 * groups), drawn(*(2, 3, 2)[-axes:], 2, 3 * groups, seed=1)
    steps, gaps = [step, *[1] * (axes - 1)], [*[1] * (axes - 1), gap]
    spans = [(tap - 1) * each + 1 for tap, each in zip(kernel.shape, gaps, strict=False)]
    same = [tensorflows_same(*each) for each in zip(x.shape[1:-1], steps, spans, strict=True)]
    ends = same if padding == "same" else [(0, 0)] * axes
    parameters = {"strides": steps, "dilation": gaps, "groups": groups, "padding": padding, "use_bias": False}
    y = evaluate(CONVOLUTIONS[axes], {"x": x, "kernel": kernel}, parameters)["y"]
    np.testing.assert_allclose(y, loops(x, kernel, steps, gaps, ends, groups), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_convolution_by_scipy(axes: int) -> None:
    x, kernel, bias = drawn(*(5, 6, 7)[:axes], 3), drawn(*(2, 3, 4)[:axes], 3, seed=1), 0.5
    y = evaluate(CONVOLUTIONS[axes], {"x": x[None], "kernel": kernel[..., None], "bias": [bias]})["y"]
    np.testing.assert_allclose(y[0], correlate(x, kernel, "valid") + bias, rtol=1e-12)
    dialect = {"kernel": "flipped"}
    flipped = evaluate(CONVOLUTIONS[axes], {"x": x[None], "kernel": kernel[..., None]}, dialect=dialect)["y"]
    turned = np.flip(kernel, axis=tuple(range(axes)))
    np.testing.assert_allclose(flipped[0], correlate(x, turned, "valid"), rtol=1e-12)


@pytest.mark.parametrize(("gap", "expected"), [(1, [100, 210, 321, 432]), (2, [100, 200, 310, 420])])
def test_a_causal_convolution_sees_no_later_input(gap: int, expected: list[float]) -> None:
    tensors = {"x": [[[1], [2], [3], [4]]], "kernel": [[[1]], [[10]], [[100]]]}
    assert evaluate("conv1d", tensors, {"padding": "causal", "dilation": gap})["y"].ravel().tolist() == expected


@pytest.mark.parametrize(
    ("kernel", "step", "side", "expected"),
    [
        ([1, 10, 100], 2, "right", [321, 543, 65]),
        ([1, 10, 100], 2, "left", [210, 432, 654]),
        ([1, 10, 100], 2, "symmetric", [210, 432, 654]),
        ([1, 10], 1, "right", [21, 32, 43, 54, 65, 6]),
        ([1, 10], 1, "left", [10, 21, 32, 43, 54, 65]),
        ([1, 10], 1, "symmetric", [21, 32, 43, 54, 65]),
    ],
)
def test_same_padding(kernel: list[float], step: int, side: str, expected: list[float]) -> None:
    """The published numbers: the digits of 1 to 6 show which tap met which input."""
    tensors = {"x": np.arange(1.0, 7).reshape(1, 6, 1), "kernel": np.reshape(kernel, (-1, 1, 1))}
    y = evaluate("conv1d", tensors, {"padding": "same", "strides": step}, dialect={"padding_side": side})["y"]
    assert y.ravel().tolist() == expected


# --- transposed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize(("step", "gap", "groups"), [(1, 1, 1), (2, 1, 1), (4, 1, 1), (2, 2, 1), (2, 1, 2)])
def test_transposed_convolution_by_loops(axes: int, step: int, gap: int, groups: int) -> None:
    x, kernel = drawn(2, *(3, 4)[:axes], 2 * groups), drawn(*(3, 2)[:axes], 3, 2 * groups, seed=1)
    steps, gaps = [step, *[1] * (axes - 1)], [gap] * axes
    parameters = {"strides": steps, "dilation": gaps, "groups": groups, "use_bias": False}
    y = evaluate(TRANSPOSED[axes], {"x": x, "kernel": kernel}, parameters)["y"]
    np.testing.assert_allclose(y, spread(x, kernel, steps, gaps, groups), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("taps", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("side", ["right", "left"])
def test_transposed_convolution_is_the_gradient_of_a_convolution(
    axes: int, padding: str, taps: int, step: int, side: str
) -> None:
    """... whose outputs have the shape of its input; 'same' cuts off what that convolution pads."""
    x, kernel = drawn(2, *(4, 3)[:axes], 2), drawn(*[taps] * axes, 3, 2, seed=1)
    sizes = [size * step if padding == "same" else (size - 1) * step + taps for size in x.shape[1:-1]]
    options = {"strides": step, "padding": padding, "use_bias": False}
    dialect = {"padding_side": side}
    forward = {"x": np.zeros((2, *sizes, 3)), "kernel": kernel, "y.gradient": x}
    expected = evaluate(CONVOLUTIONS[axes], forward, options, dialect=dialect)["x.gradient"]
    y = evaluate(TRANSPOSED[axes], {"x": x, "kernel": kernel}, options, dialect=dialect)["y"]
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("kernel", "options", "dialect", "expected"),
    [
        ([1, 10, 100], {"padding": "same"}, {}, [1, 10, 102, 20, 203, 30, 304, 40]),
        ([1, 10, 100], {"padding": "same"}, {"kernel": "flipped"}, [100, 10, 201, 20, 302, 30, 403, 40]),
        ([1, 10, 100], {"padding": "same"}, {"padding_side": "left"}, [10, 102, 20, 203, 30, 304, 40, 400]),
        ([1, 10, 100], {"padding": "same"}, {"padding_side": "symmetric"}, [10, 102, 20, 203, 30, 304, 40]),
        ([1, 10, 100], {"padding": "same", "output_padding": 0}, {}, [10, 102, 20, 203, 30, 304, 40]),
        ([1, 10, 100], {"padding": "same", "output_padding": 1}, {}, [10, 102, 20, 203, 30, 304, 40, 400]),
        (
            [1, 10, 100],
            {"padding": "same", "output_padding": 1},
            {"cropping": "split"},
            [1, 10, 102, 20, 203, 30, 304, 40],
        ),
        ([1, 10, 100], {}, {}, [1, 10, 102, 20, 203, 30, 304, 40, 400]),
        ([1, 10, 100], {"output_padding": 1}, {}, [1, 10, 102, 20, 203, 30, 304, 40, 400, 0]),
        ([1, 10], {"strides": 3}, {}, [1, 10, 0, 2, 20, 0, 3, 30, 0, 4, 40]),
        ([1, 10], {"strides": 3}, {"output_size": "multiple"}, [1, 10, 0, 2, 20, 0, 3, 30, 0, 4, 40, 0]),
        ([1, 10], {"strides": 3, "padding": "same"}, {}, [1, 10, 0, 2, 20, 0, 3, 30, 0, 4, 40, 0]),
        (
            [1, 10],
            {"strides": 3, "padding": "same"},
            {"output_size": "reached"},
            [1, 10, 0, 2, 20, 0, 3, 30, 0, 4, 40],
        ),
        ([1, 10, 100, 1000], {"padding": "same", "output_padding": 0}, {}, [102, 1020, 203, 2030, 304, 3040]),
    ],
)
def test_digits_of_a_transposed_convolution(
    kernel: list[float], options: dict[str, Any], dialect: dict[str, Any], expected: list[float]
) -> None:
    """1 to 4 with strides of 2: each output shows by its digits which inputs and taps it comes from."""
    tensors = {"x": np.arange(1.0, 5).reshape(1, 4, 1), "kernel": np.reshape(kernel, (-1, 1, 1)), "bias": [0]}
    y = evaluate("conv_transpose1d", tensors, {"strides": 2, **options}, dialect=dialect)["y"]
    assert y.ravel().tolist() == expected


# --- channel by channel ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["channel", "multiplier"])
def test_depthwise_convolution_is_one_convolution_per_channel(order: str) -> None:
    x, kernel = drawn(2, 6, 5, 3), drawn(3, 2, 3, 2, seed=1)
    options = {"strides": [2, 1], "dilation": [1, 2], "padding": "same", "use_bias": False}
    y = evaluate("depthwise_conv2d", {"x": x, "kernel": kernel}, options, dialect={"channel_order": order})["y"]
    for channel, m in product(range(3), range(2)):
        alone = {"x": x[..., [channel]], "kernel": kernel[:, :, channel, m][..., None, None]}
        place = channel * 2 + m if order == "channel" else m * 3 + channel
        np.testing.assert_allclose(y[..., place], evaluate("conv2d", alone, options)["y"][..., 0], rtol=1e-12)


def test_separable_convolution_is_depthwise_then_pointwise() -> None:
    x, depthwise, pointwise = drawn(2, 6, 5, 3), drawn(3, 2, 3, 2, seed=1), drawn(1, 1, 6, 4, seed=2)
    options = {"strides": 2, "padding": "same"}
    tensors = {"x": x, "depthwise_kernel": depthwise, "pointwise_kernel": pointwise, "bias": [1.0, 2, 3, 4]}
    apart = evaluate("depthwise_conv2d", {"x": x, "kernel": depthwise}, {**options, "use_bias": False})["y"]
    expected = apart @ pointwise[0, 0] + np.arange(1, 5)
    np.testing.assert_allclose(evaluate("separable_conv2d", tensors, options)["y"], expected, rtol=1e-12)


# --- gradients, bounds, and where there is no answer ----------------------------------------------------------------

OPTIONS: dict[str, dict[str, Any]] = {
    "conv1d": {"strides": 2, "padding": "causal"},
    "conv2d": {"strides": [1, 2], "padding": "same"},
    "conv3d": {"padding": "same"},
    "conv_transpose1d": {"strides": 2, "padding": "same"},
    "conv_transpose2d": {"strides": [1, 3], "padding": "same"},
    "depthwise_conv2d": {"padding": "same"},
    "separable_conv2d": {"padding": "same"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_by_differences(name: str) -> None:
    """A convolution is linear in each tensor, so the difference of two values is exact."""
    example, options = operations()[name].example, OPTIONS[name]
    tensors = {key: np.asarray(each, float) for key, each in {**example.inputs, **example.tensors}.items()}
    y = evaluate(name, tensors, options)["y"]
    cotangent = drawn(*y.shape)
    found = evaluate(name, {**tensors, "y.gradient": cotangent}, options)
    for key, each in tensors.items():
        direction = drawn(*each.shape, seed=1)
        moved = evaluate(name, {**tensors, key: each + direction}, options)["y"]
        expected = np.sum((moved - y) * cotangent)
        assert np.sum(found[f"{key}.gradient"] * direction) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_the_bound_is_a_few_roundings_of_the_terms(name: str, scale: float) -> None:
    example, options = operations()[name].example, OPTIONS[name]
    tensors = {key: np.asarray(each, float) * scale for key, each in {**example.inputs, **example.tensors}.items()}
    values, bounds = evaluate(name, tensors, options, bound=True, precision="float32")
    sizes = evaluate(name, {key: np.abs(each) for key, each in tensors.items()}, options)["y"]
    assert np.isfinite(values["y"]).all()
    assert (bounds["y"] <= 16 * 2.0**-24 * sizes).all()


def test_an_empty_batch_has_no_results() -> None:
    assert evaluate("conv2d", {"x": np.zeros((0, 3, 4, 2)), "kernel": np.ones((2, 3, 2, 5))})["y"].shape == (0, 2, 2, 5)
    tensors = {"x": np.zeros((0, 3, 2)), "kernel": np.ones((2, 5, 2)), "bias": np.zeros(5)}
    assert evaluate("conv_transpose1d", tensors, {"strides": 2})["y"].shape == (0, 6, 5)


@pytest.mark.parametrize(
    ("name", "x", "kernel", "options", "dialect", "reason"),
    [
        ("conv1d", (1, 2, 1), (3, 1, 1), {}, {}, "reaches over"),
        ("conv3d", (1, 2, 3, 4, 1), (2, 3, 3, 1, 1), {"dilation": [1, 1, 2]}, {}, "reaches over"),
        ("conv2d", (1, 2, 3, 3), (1, 1, 2, 2), {"groups": 2}, {}, "do not fit 2 groups"),
        ("conv2d", (1, 2, 3, 4), (1, 1, 2, 3), {"groups": 2}, {}, "do not fit 2 groups"),
        ("conv2d", (1, 4, 5, 1), (1, 2, 1, 1), {}, {"kernel": "transposed"}, "square"),
        ("conv3d", (1, 4, 4, 4, 1), (1, 1, 1, 1, 1), {"strides": [1, 2]}, {}, "for 3 axes"),
        ("conv_transpose1d", (1, 3, 3), (2, 1, 3), {"groups": 2}, {}, "do not fit 2 groups"),
        ("conv_transpose1d", (1, 1, 1), (2, 1, 1), {"padding": "same", "output_padding": 0}, {}, "none is left"),
        ("depthwise_conv2d", (1, 2, 2, 3), (3, 3, 3, 1), {}, {}, "reaches over"),
    ],
)
def test_where_there_is_no_answer(
    name: str,
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    options: dict[str, Any],
    dialect: dict[str, Any],
    reason: str,
) -> None:
    tensors = {"x": np.zeros(x), "kernel": np.zeros(kernel)}
    with pytest.raises(Undefined, match=reason):
        evaluate(name, tensors, {**options, "use_bias": False}, dialect=dialect)


def test_a_pointwise_kernel_has_one_tap() -> None:
    tensors = {
        "x": np.zeros((1, 2, 2, 3)),
        "depthwise_kernel": np.zeros((1, 2, 3, 2)),
        "pointwise_kernel": np.zeros((1, 2, 6, 1)),
    }
    with pytest.raises(Undefined, match="pointwise"):
        evaluate("separable_conv2d", tensors)
