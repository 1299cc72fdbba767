"""Clipping of gradients: what is too large is made smaller before an optimizer sees it."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import Settings

DENOMINATOR = Knob(
    "epsilon",
    {"none": "clip_norm is divided by the norm", "outside": "by the norm + 10^-6"},
    default="none",
)
SCOPE = Knob(
    "scope",
    {"global": "the norm is that of both arrays together", "each": "each array is clipped by a norm of its own"},
    default="global",
)
INFINITE = Knob(
    "infinite_norm",
    {
        "zero": "clip_norm by infinity is 0, and so are the finite elements",
        "nan": "every element becomes NaN",
    },
    default="zero",
)


@operation(
    formula=r"y = \min\!\left(1, \frac{c}{\lVert x \rVert}\right) x",
    source="https://arxiv.org/abs/1211.5063",
    example=Example({"x": [[6, 0, 8], [0, 24, 0]]}, {"y": [[1.5, 0, 2], [0, 6, 0]]}, {"clip_norm": 6.5}),
    knobs=(DENOMINATOR,),
    differentiable=False,
)
def clip_by_norm(
    x: Array = input("*shape", differentiable=False),
    *,
    clip_norm: Array = parameter(1.0, "the largest norm that is left as it is", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """A gradient no longer than a threshold, in its own direction. Pascanu, Mikolov and Bengio 2013, algorithm 1."""
    return {"y": _factor(np.sum(x * x), clip_norm, dialect) * x}


@operation(
    formula=r"y_i = \min\!\left(1, \frac{c}{\sqrt{\lVert x_1 \rVert^2 + \lVert x_2 \rVert^2}}\right) x_i",
    source="https://arxiv.org/abs/1211.5063",
    example=Example(
        {"x1": [[6, 0, 8], [0, 0, 0]], "x2": [0, 24]},
        {"y1": [[1.5, 0, 2], [0, 0, 0]], "y2": [0, 6]},
        {"clip_norm": 6.5},
    ),
    knobs=(DENOMINATOR, SCOPE, INFINITE),
    differentiable=False,
    results=("y1", "y2"),
)
def clip_by_global_norm(
    x1: Array = input("*first", differentiable=False),
    x2: Array = input("*second", differentiable=False),
    *,
    clip_norm: Array = parameter(1.0, "the largest norm that is left as it is", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """The gradients of two variables as one long one. Pascanu, Mikolov and Bengio 2013, algorithm 1."""
    first, second = np.sum(x1 * x1), np.sum(x2 * x2)
    if dialect["scope"] == "each":
        return {"y1": _factor(first, clip_norm, dialect) * x1, "y2": _factor(second, clip_norm, dialect) * x2}
    factor = _factor(first + second, clip_norm, dialect)
    return {"y1": factor * x1, "y2": factor * x2}


def _factor(squares: Array, clip_norm: Array, settings: Settings) -> Array:
    """What scales an array whose squares sum to this, 1 if it is short enough; obeys DENOMINATOR and INFINITE."""
    norm = np.sqrt(squares)
    if settings["epsilon"] == "outside":
        norm = norm + 1e-6
    factor = np.where(norm <= clip_norm, 1.0, clip_norm / norm)
    return factor + (norm - norm) if settings.get("infinite_norm") == "nan" else factor


@operation(
    formula=r"y = \max(-c, \min(x, c))",
    source="https://arxiv.org/abs/1308.0850",
    example=Example(
        {"x": [[3, -0.5, -4], [1.5, 2, -2.5]]}, {"y": [[1.5, -0.5, -1.5], [1.5, 1.5, -1.5]]}, {"clip_value": 1.5}
    ),
    differentiable=False,
)
def clip_by_value(
    x: Array = input("*shape", differentiable=False),
    *,
    clip_value: Array = parameter(1.0, "the largest size of an element", minimum=0),
) -> dict[str, Array]:
    """Every element of a gradient within a range. Graves 2013, section 2.1."""
    return {"y": np.maximum(-clip_value, np.minimum(x, clip_value))}
