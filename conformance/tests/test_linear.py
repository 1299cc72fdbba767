"""Linear maps of several axes, and rows of tables, against NumPy and hand calculation."""

from __future__ import annotations

import numpy as np
import pytest

from conformance import evaluate
from conformance.errors import Undefined

TABLE = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
NOTHING = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("equation", "x", "kernel", "bias_axes", "bias"),
    [
        ("ab,bc->ac", (2, 3), (3, 4), "", None),
        ("abc,cd->abd", (2, 3, 4), (4, 5), "d", (5,)),
        ("abc,bd->adc", (2, 3, 4), (3, 5), "d", (5, 1)),
        ("abc,cde->abde", (2, 3, 4), (4, 5, 6), "be", (3, 1, 6)),
        ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 6), "e", (6,)),
        ("ab,b->ab", (2, 3), (3,), "", None),
    ],
)
def test_products_of_two_arrays(equation, x, kernel, bias_axes, bias):
    rng = np.random.default_rng(1)
    tensors = {"x": rng.normal(size=x), "kernel": rng.normal(size=kernel)}
    if bias:
        tensors["bias"] = rng.normal(size=bias)
    found = evaluate("einsum_dense", tensors, {"equation": equation, "bias_axes": bias_axes})["y"]
    np.testing.assert_allclose(found, np.einsum(equation, tensors["x"], tensors["kernel"]) + tensors.get("bias", 0.0))


@pytest.mark.parametrize(
    ("equation", "x", "kernel", "why"),
    [
        ("ab,bc", (2, 3), (3, 4), "no product of two"),
        ("...a,ab->...b", (2, 3), (3, 4), "no product of two"),
        ("aa,ab->b", (3, 3), (3, 4), "at most once"),
        ("ab,cd->acd", (2, 3), (3, 4), "in one place only"),
        ("abc,cd->abd", (2, 3), (3, 4), "axes"),
        ("ab,bc->ac", (2, 3), (4, 5), "two sizes, 3 and 4"),
    ],
)
def test_equations_that_are_refused(equation, x, kernel, why):
    with pytest.raises(Undefined, match=why):
        evaluate("einsum_dense", {"x": np.ones(x), "kernel": np.ones(kernel)}, {"equation": equation})


def test_a_bias_of_another_shape_is_refused():
    tensors = {"x": np.ones((2, 3)), "kernel": np.ones((3, 4)), "bias": np.ones(3)}
    with pytest.raises(Undefined, match="bias"):
        evaluate("einsum_dense", tensors, {"equation": "ab,bc->ac", "bias_axes": "c"})


def test_bilinear():
    rng = np.random.default_rng(2)
    x, other, kernel, bias = (rng.normal(size=shape) for shape in ((5, 2), (5, 3), (2, 3, 4), (4,)))
    found = evaluate("bilinear", {"x": x, "other": other, "kernel": kernel, "bias": bias})["y"]
    expected = [[x[b] @ kernel[:, :, o] @ other[b] + bias[o] for o in range(4)] for b in range(5)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("setting", "negative", "rows"),
    [
        ("raise", "outside", {-1: None, -3: None, 3: None, -4: None}),
        ("raise", "wrap", {-1: TABLE[2], -3: TABLE[0], 3: None, -4: None}),
        ("nan", "outside", {-1: NOTHING, -3: NOTHING, 3: NOTHING, -4: NOTHING}),
        ("nan", "wrap", {-1: TABLE[2], -3: TABLE[0], 3: NOTHING, -4: NOTHING}),
        ("clamp", "outside", {-1: TABLE[0], -3: TABLE[0], 3: TABLE[2], -4: TABLE[0]}),
        ("clamp", "wrap", {-1: TABLE[2], -3: TABLE[0], 3: TABLE[2], -4: TABLE[0]}),
        ("zero", "outside", {-1: [0, 0], -3: [0, 0], 3: [0, 0], -4: [0, 0]}),
        ("zero", "wrap", {-1: TABLE[2], -3: TABLE[0], 3: [0, 0], -4: [0, 0]}),
    ],
)
def test_an_index_that_is_none_of_a_row(setting, negative, rows):
    asked = {"out_of_range": setting, "negative_index": negative}
    for index, row in rows.items():
        tensors = {"x": [[0, index]], "embeddings": TABLE, "y.gradient": np.ones((1, 2, 2))}
        if row is None:
            with pytest.raises(Undefined, match=f"index {index}"):
                evaluate("embedding", tensors, asked)
            continue
        found = evaluate("embedding", tensors, asked)
        np.testing.assert_array_equal(found["y"], [[TABLE[0], row]])
        gathered = np.zeros((3, 2))
        gathered[0] += 1
        if row in TABLE:
            gathered[TABLE.index(row)] += 1
        np.testing.assert_array_equal(found["embeddings.gradient"], gathered)


def test_the_row_of_padding_is_read_but_not_trained():
    tensors = {"x": [2, 1, 2], "embeddings": TABLE, "y.gradient": np.ones((3, 2))}
    found = evaluate("embedding", tensors, {"padding_index": 2})
    assert found["y"].tolist() == [TABLE[2], TABLE[1], TABLE[2]]
    assert found["embeddings.gradient"].tolist() == [[0, 0], [1, 1], [0, 0]]
    trained = evaluate("embedding", tensors, {"padding_index": 2}, dialect={"padding": "trained"})
    assert trained["embeddings.gradient"].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_long_rows_are_shortened():
    """[3, 4] has the length 5: at 2.5 it is halved, and its derivative is the projection across it, halved."""
    tensors = {"x": [0, 1], "embeddings": TABLE, "y.gradient": [[1.0, 0.0], [1.0, 0.0]]}
    found = evaluate("embedding", tensors, {"max_norm": 2.5})
    np.testing.assert_allclose(found["y"], [[1, 2], [1.5, 2]], rtol=1e-15)
    np.testing.assert_allclose(found["embeddings.gradient"], [[1, 0], [0.32, -0.24], [0, 0]], rtol=1e-14)
    torch = evaluate("embedding", tensors, {"max_norm": 2.5}, dialect={"renormalization": "in_place"})
    np.testing.assert_allclose(torch["y"][1], np.array([3, 4]) * 2.5 / (5 + 1e-7), rtol=1e-15)
    assert torch["embeddings.gradient"].tolist() == [[1, 0], [1, 0], [0, 0]]


@pytest.mark.parametrize(
    ("mode", "rows"),
    [
        ("sum", [[4, 6], [0, 0], [10, 12]]),
        ("mean", [[2, 3], [0, 0], [5, 6]]),
        ("max", [[3, 4], [0, 0], [5, 6]]),
    ],
)
def test_bags(mode, rows):
    offset = {"x": [0, 1, 2, 2], "offsets": [0, 2, 2], "embeddings": TABLE}
    assert evaluate("embedding_bag", offset, {"mode": mode})["y"].tolist() == rows
    fixed = {"x": [[0, 1], [2, 2]], "embeddings": TABLE}
    assert evaluate("embedding_bag", fixed, {"mode": mode})["y"].tolist() == [rows[0], rows[2]]
    padded = {"x": [[0, 2], [2, 2]], "embeddings": TABLE, "y.gradient": np.ones((2, 2))}
    found = evaluate("embedding_bag", padded, {"mode": mode, "padding_index": 2})
    assert found["y"].tolist() == [TABLE[0], [0, 0]]
    assert found["embeddings.gradient"].tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"x": [0, 1]}, "no bags"),
        ({"x": [0, 1], "offsets": [1]}, "begin with 0"),
        ({"x": [0, 1], "offsets": [0, 2, 1]}, "do not decrease"),
        ({"x": [[0, 3]]}, "index"),
    ],
)
def test_bags_that_are_refused(tensors, why):
    with pytest.raises(Undefined, match=why):
        evaluate("embedding_bag", {**tensors, "embeddings": TABLE})
