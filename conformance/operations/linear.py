"""Linear maps, and the choice of a row, which is the product with a one-hot vector."""

from __future__ import annotations

from itertools import pairwise

import autograd.numpy as np

from conformance.arithmetic.gradient import contract
from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, Settings, constant

OUT_OF_RANGE = Knob(
    "out_of_range",
    {
        "raise": "an index that is none of a row is an error",
        "nan": "the result is NaN",
        "clamp": "the nearest row is taken",
        "zero": "the result is 0",
    },
    default="raise",
)
NEGATIVE = Knob(
    "negative_index",
    {
        "outside": "it is out of range, as one beyond the last row",
        "wrap": "it is counted from the end: -1 is the last row",
    },
    default="outside",
)
PADDING = Knob(
    "padding",
    {
        "untrained": "no gradient flows to the row of padding_index",
        "trained": "it is a row as any other: only a mask tells what is padding",
    },
    default="untrained",
)
MAX_NORM = Knob(
    "renormalization",
    {
        "lookup": "a long row is shortened in the result, and the gradient is that of this formula",
        "in_place": "the weight's own row is shortened first, by max_norm / (norm + 1e-7), unseen by the gradient",
    },
    default="lookup",
)


@operation(
    formula=r"y_{o} = \sum_{i} x_{i} W_{io} + b_{o}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    example=Example(
        {"x": [[1, 2]]},
        {"y": [[10, 12, 14]]},
        tensors={"kernel": [[1, 2, 3], [4, 5, 6]], "bias": [1, 0, -1]},
        target=[[9, 12, 16]],
    ),
    knobs=(KERNEL.without("flipped"),),
)
def dense(
    x: Array = input("*batch input"),
    kernel: Array = weight("input unit"),
    bias: Array = weight("unit", initial=0, when="use_bias"),
    *,
    use_bias: bool = parameter(True, "add the bias"),
    dialect: Settings,
) -> dict[str, Array]:
    """Multiply by a matrix and add a bias. Goodfellow, Bengio and Courville 2016, section 6.3."""
    if dialect["kernel"] == "transposed":
        if kernel.shape[0] != kernel.shape[1]:
            raise Undefined("only a square kernel can be used transposed")
        kernel = np.transpose(kernel)
    rows = np.reshape(x, (-1, x.shape[-1]))
    y = np.reshape(contract("bi,io->bo", rows, kernel), (*x.shape[:-1], kernel.shape[1]))
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{b} = \sum_{k} x_{a} W_{c} + \text{bias}",
    source="https://numpy.org/doc/stable/reference/generated/numpy.einsum.html",
    example=Example(
        {"x": [[[1, 2], [3, 4], [5, 6]]]},
        {"y": [[[15, 10], [22, 18], [19, 16], [21, 18]]]},
        {"equation": "abc,bd->adc", "bias_axes": "c"},
        tensors={"kernel": [[1, 0, 2, 1], [0, 1, 1, 2], [1, 2, 1, 1]], "bias": [9, 2]},
    ),
)
def einsum_dense(
    x: Array = input("*x"),
    kernel: Array = weight("*kernel"),
    bias: Array = weight("*bias", when="bias_axes"),
    *,
    equation: str = parameter("ab,bc->ac", "the axes of x, of the kernel, and of the result"),
    bias_axes: str = parameter("", "the axes of the result that the bias has; its others, behind the first, are 1"),
) -> dict[str, Array]:
    """A product of two arrays, summed over what the result lacks, and a bias: NumPy's einsum of two operands.

    Einstein 1916, section 2, B. Neither an ellipsis nor a diagonal (a letter twice) is written here.
    """
    one, other, result = _axes(equation)
    if (x.ndim, kernel.ndim) != (len(one), len(other)):
        raise Undefined(f"{equation} of arrays with {x.ndim} and {kernel.ndim} axes")
    sizes: dict[str, int] = {}
    for letter, size in zip(one + other, (*x.shape, *kernel.shape), strict=True):
        if sizes.setdefault(letter, size) != size:
            raise Undefined(f"the axis {letter} of {equation} has two sizes, {sizes[letter]} and {size}")
    y = contract(equation, x, kernel)
    if not bias_axes:
        return {"y": y}
    first = min(map(result.find, bias_axes))
    shape = tuple(sizes[letter] if letter in bias_axes else 1 for letter in result[first:])
    if first < 0 or bias.shape != shape:
        raise Undefined(f"a bias of the shape {list(bias.shape)} along {bias_axes} of {result}")
    return {"y": y + bias}


def _axes(equation: str) -> tuple[str, str, str]:
    """The letters of both operands and of the result; raises `Undefined` for what is not implemented."""
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    operands = inputs.split(",")
    groups = (*operands, result)
    if not arrow or len(operands) != 2 or any(len(set(each)) < len(each) or not each.isalpha() for each in groups):
        raise Undefined(f"{equation!r} is no product of two arrays with a result, each letter at most once in each")
    one, other = operands
    if (
        not set(one) <= set(other + result)
        or not set(other) <= set(one + result)
        or not set(result) <= set(one + other)
    ):
        raise Undefined(f"in {equation!r} a letter stands in one place only")
    return one, other, result


@operation(
    formula=r"y_{bo} = \sum_{i} \sum_{j} x_{bi} W_{ijo} z_{bj} + b_{o}",
    source="https://doi.org/10.1162/089976600300015349",
    example=Example(
        {"x": [[1, 2]], "other": [[1, 0, 2]]},
        {"y": [[12, 8, 8, 2]]},
        tensors={
            "kernel": [
                [[1, 0, 0, 0], [9, 9, 9, 9], [0, 2, 1, 0]],
                [[0, 0, 0, 1], [9, 9, 9, 9], [2, 1, 1, 0]],
            ],
            "bias": [3, 0, 2, 0],
        },
    ),
)
def bilinear(
    x: Array = input("*batch left"),
    other: Array = input("*batch right"),
    kernel: Array = weight("left right unit"),
    bias: Array = weight("unit", initial=0, when="use_bias"),
    *,
    use_bias: bool = parameter(True, "add the bias"),
) -> dict[str, Array]:
    """Linear in each of two inputs. Tenenbaum and Freeman 2000, equation 1, with a bias."""
    left, right = np.reshape(x, (-1, x.shape[-1])), np.reshape(other, (-1, other.shape[-1]))
    y = contract("bjo,bj->bo", contract("bi,ijo->bjo", left, kernel), right)
    y = np.reshape(y, (*x.shape[:-1], kernel.shape[-1]))
    return {"y": y + bias if use_bias else y}


@operation(
    formula=r"y_{b} = W_{x_{b}}",
    source="https://www.jmlr.org/papers/v3/bengio03a.html",
    example=Example(
        {"x": [[2, 0, 2]]},
        {"y": [[[5, 6], [1, 2], [5, 6]]]},
        tensors={"embeddings": [[1, 2], [3, 4], [5, 6], [7, 8]]},
        target=[[[5, 6], [1, 5], [8, 6]]],
    ),
    knobs=(OUT_OF_RANGE, NEGATIVE, PADDING, MAX_NORM),
)
def embedding(
    x: Array = input("*batch", integer=True),
    embeddings: Array = weight("index feature"),
    *,
    padding_index: int = parameter(
        -1, "the row that is not trained, since it stands for nothing; -1 for none", minimum=-1
    ),
    max_norm: float = parameter(0.0, "rows that are longer are shortened to this; 0 for none", minimum=0),
    out_of_range: str = parameter(
        "raise", "what becomes of an index that is none of a row", choices=tuple(OUT_OF_RANGE.values)
    ),
    negative_index: str = parameter("outside", "what a negative index is", choices=tuple(NEGATIVE.values)),
    dialect: Settings,
) -> dict[str, Array]:
    """A row of a matrix for each index. Bengio et al. 2003, section 2, the mapping C."""
    rows = _rows(embeddings, x, dialect)
    if max_norm > 0:
        rows = _shortened(rows, max_norm, dialect)
    if padding_index >= 0 and dialect["padding"] == "untrained":
        rows = np.where((x == padding_index)[..., None], constant(rows), rows)
    return {"y": rows}


def _rows(table: Array, index: Array, settings: Settings) -> Array:
    """The rows of a table; obeys OUT_OF_RANGE and NEGATIVE."""
    count = table.shape[0]
    setting = settings["out_of_range"]
    counted = np.where(index < 0, index + count, index) if settings["negative_index"] == "wrap" else index
    known = (counted >= 0) & (counted < count)
    if not np.all(known) and (setting == "raise" or count == 0):
        raise Undefined(f"the index {index[~known][0]} of a table with {count} rows")
    rows = table[np.clip(counted, 0, max(count - 1, 0))]
    if setting == "clamp" or np.all(known):
        return rows
    return np.where(known[..., None], rows, np.nan if setting == "nan" else 0.0)


def _shortened(rows: Array, longest: Array, settings: Settings) -> Array:
    """Rows of at most a length; obeys MAX_NORM."""
    square = np.sum(rows * rows, axis=-1, keepdims=True)
    long = square > longest * longest
    norm = np.sqrt(np.where(long, square, 1.0))
    if settings["renormalization"] == "lookup":
        return np.where(long, rows * (longest / norm), rows)
    shortened = np.where(long, rows * (longest / (norm + 1e-7)), rows)
    return constant(shortened) + (rows - constant(rows))


@operation(
    formula=r"y_{b} = \sum_{i \in \text{bag}_{b}} W_{x_{i}}",
    source="https://arxiv.org/abs/1607.01759",
    example=Example(
        {"x": [[2, 0, 2], [3, 3, 1]]},
        {"y": [[11, 14], [17, 20]]},
        {"mode": "sum"},
        tensors={"embeddings": [[1, 2], [3, 4], [5, 6], [7, 8]]},
    ),
)
def embedding_bag(
    x: Array = input("*index", integer=True),
    offsets: Array = input("bag", integer=True, optional=True),
    embeddings: Array = weight("row feature"),
    *,
    mode: str = parameter(
        "mean", "what becomes of the rows of a bag", choices=("sum", "mean", "max"), own_default=True
    ),
    padding_index: int = parameter(-1, "an index that counts as none, and is not trained; -1 for none", minimum=-1),
) -> dict[str, Array]:
    """The sum, mean or largest elements of the rows of each bag. Joulin et al. 2016, section 2; of none it is 0.

    A bag is a row of indices, or what lies between two offsets into a single one.
    """
    count = embeddings.shape[0]
    if np.any((x < 0) | (x >= count)):
        raise Undefined(f"an index of none of the {count} rows")
    bags = [each[each != padding_index] for each in _bags(x, offsets)]
    sizes = np.array([len(bag) for bag in bags], dtype=int)[:, None]
    held = np.arange(np.max(sizes, initial=1)) < sizes
    indices = np.zeros(held.shape, dtype=int)
    indices[held] = np.concatenate(bags) if bags else []
    rows, held = embeddings[indices], held[..., None]
    if mode == "max":
        largest = np.max(np.where(held, rows, -np.inf), axis=1)
        return {"y": np.where(sizes > 0, largest, 0.0)}
    total = np.sum(np.where(held, rows, 0.0), axis=1)
    for size in np.unique(sizes).tolist() if mode == "mean" else ():
        total = np.where(sizes == size, total / max(size, 1), total)
    return {"y": total}


def _bags(x: Array, offsets: Array) -> list[Array]:
    if offsets is None:
        if x.ndim != 2:
            raise Undefined(f"indices with {x.ndim} axes and no offsets are no bags")
        return list(x)
    bounds = [*offsets.tolist(), len(x)]
    if x.ndim != 1 or bounds[0] != 0 or bounds != sorted(bounds):
        raise Undefined("offsets begin with 0 and do not decrease, into a single row of indices")
    return [x[start:end] for start, end in pairwise(bounds)]
