"""Muon: the momentum of a matrix, made nearly orthogonal."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.arithmetic.bounded import iterated
from conformance.arithmetic.gradient import contract
from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import Settings

MOMENTUM = Knob(
    "momentum",
    {
        "sum": "the moment collects the gradient",
        "mean": "it collects 1 - momentum times the gradient: the same direction",
    },
    default="sum",
)
CORRECTION = Knob(
    "correction",
    {
        "none": "the moments are used as they are",
        "every_step": "their bias is corrected; looking ahead, that of the gradient for this step and that of the "
        "moment for the next one, which gives another direction",
    },
    default="none",
)
EPSILON = Knob(
    "epsilon",
    {"outside": "added to the norm", "clamp": "a lower limit of the norm"},
    default="outside",
)
SCALE = Knob(
    "scale",
    {
        "none": "the step is as the iteration gives it",
        "width": "times sqrt(max(1, rows / columns)): the rows are the outputs of a layer",
        "transposed": "times sqrt(max(1, columns / rows)): the columns are the outputs of a layer",
        "rms": "times 0.2 * sqrt(max(rows, columns)): about the size of Adam's step",
    },
    default="none",
)


@operation(
    formula=r"m \leftarrow \mu m + g, \quad X_0 = \frac{g + \mu m}{\lVert g + \mu m \rVert + \epsilon}, \quad "
    r"X_{k+1} = a X_k + b X_k X_k^T X_k + c X_k X_k^T X_k X_k^T X_k, \quad w \leftarrow w - \eta (X_n + \lambda w)",
    source="https://kellerjordan.github.io/posts/muon/",
    example=Example(  # the norm is 2^32, beside which epsilon is nothing; X X^T is [[3/4, 1/4], [1/4, 1/4]]
        {"gradient": [[2**31, 2**31, 0, 2**31], [0, 2**31, 0, 0]]},
        {"variable": [[1, 2, 3, 4], [5, 6, 7, 8]]},
        {
            "learning_rate": 1.25,
            "momentum": 0.0,
            "steps": 1,
            "linear": 1.25,
            "cubic": -0.5,
            "quintic": 0.0,
            "scale": "rms",
            "weight_decay": 0.0,
        },
        {
            "variable": [[1.21875, 2.1875, 3, 4.21875], [4.96875, 6.25, 7, 7.96875]],
            "moment": [[0, 0, 0, 0], [0, 0, 0, 0]],
        },
    ),
    knobs=(MOMENTUM, CORRECTION, EPSILON, SCALE),
    differentiable=False,
    results=(),
)
def muon(
    variable: Array = state("row column"),
    gradient: Array = input("row column", differentiable=False),
    moment: Array = state("row column", initial=0),
    *,
    learning_rate: Array = parameter(0.02, "how far a step goes", minimum=0, per_step=True, own_default=True),
    momentum: Array = parameter(0.95, "how much of the last moment goes on", minimum=0, own_default=True),
    nesterov: bool = parameter(True, "look ahead: apply the momentum once more"),
    steps: int = parameter(5, "how often Newton and Schulz's polynomial is applied", minimum=0),
    linear: Array = parameter(3.4445, "the coefficient of X", own_default=True),
    cubic: Array = parameter(-4.775, "the coefficient of X X^T X", own_default=True),
    quintic: Array = parameter(2.0315, "the coefficient of X X^T X X^T X", own_default=True),
    epsilon: Array = parameter(1e-7, "keeps the norm from 0", minimum=0, own_default=True),
    scale: str = parameter(
        "none", "how the step depends on the shape", choices=("none", "width", "rms"), own_default=True
    ),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0, own_default=True),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Momentum orthogonalized by Newton and Schulz. Jordan et al. 2024; the decay of weights: Liu et al. 2025."""
    mean = dialect["momentum"] == "mean"
    entering = (1 - momentum) * gradient if mean else gradient
    moment = momentum * moment + entering
    if dialect["correction"] == "every_step":
        entering = entering / (1 - momentum**step)
        last = 1 - momentum ** (step + 1 if nesterov else step)
    else:
        last = 1.0
    x = entering + momentum * (moment / last) if nesterov else moment / last
    norm = np.sqrt(np.sum(x * x))
    x = x / (np.maximum(norm, epsilon) if dialect["epsilon"] == "clamp" else norm + epsilon)
    coefficients = (linear, cubic, quintic)
    x = iterated(lambda x: _polynomial(x, *coefficients), x, steps, lambda x: _steepness(x, *coefficients))
    if weight_decay:
        variable = variable - learning_rate * weight_decay * variable
    return {"variable": variable - learning_rate * _scaled(x, dialect), "moment": moment}


def _polynomial(x: Array, linear: Array, cubic: Array, quintic: Array) -> Array:
    """A quintic polynomial of the singular values, by the product that is the smaller matrix."""
    rows, columns = x.shape
    square = contract("ik,jk->ij", x, x) if rows <= columns else contract("ki,kj->ij", x, x)
    factor = cubic * square + quintic * contract("ij,jk->ik", square, square)
    return linear * x + (contract("ij,jk->ik", factor, x) if rows <= columns else contract("ij,jk->ik", x, factor))


def _steepness(x: Array, linear: Array, cubic: Array, quintic: Array) -> float:
    """How much the polynomial stretches a change of the matrix: by its slopes between any two singular values.

    Those between one and the negative of another belong to changes that turn the matrix.
    """
    found = np.linalg.svd(x, compute_uv=False)
    s = np.unique(np.concatenate([found, -found, [0.0]]))
    a, b, c = float(linear), float(cubic), float(quintic)
    between = (a * s + b * s**3 + c * s**5)[:, None] - (a * s + b * s**3 + c * s**5)
    apart = s[:, None] - s + np.eye(len(s))
    slopes = a + 3 * b * s**2 + 5 * c * s**4
    return float(max(np.max(np.abs(between / apart)), np.max(np.abs(slopes))))


def _scaled(x: Array, settings: Settings) -> Array:
    rows, columns = x.shape
    match settings["scale"]:
        case "none":
            return x
        case "rms":
            return (0.2 * math.sqrt(max(rows, columns))) * x
        case "width":
            return math.sqrt(max(1.0, rows / columns)) * x
        case _:
            return math.sqrt(max(1.0, columns / rows)) * x
