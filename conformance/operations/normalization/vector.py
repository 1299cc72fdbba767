"""Normalization of vectors by their own length, or by that of their neighbours."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter
from conformance.operations.choices import NORM_EPSILON, Settings, constant, deviation


@operation(
    formula=r"y = \frac{x}{\max(\lVert x \rVert_2, \epsilon)}",
    source="https://arxiv.org/abs/1506.04579",
    example=Example({"x": [[2, -2, 2, 2], [0, 0, -8, 0]]}, {"y": [[0.5, -0.5, 0.5, 0.5], [0, 0, -1, 0]]}, {"axis": 1}),
    knobs=(NORM_EPSILON,),
)
def l2_normalization(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis, or axes, of one vector", many=True, own_default=True),
    epsilon: Array = parameter(1e-12, "the least divisor", minimum=0, own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """Divide a vector by its Euclidean norm. Liu, Rabinovich and Berg 2015, equation 3, with a least divisor.

    The derivative of the norm of a vector of zeros is taken as 0.
    """
    axes = chosen_axes(axis, x.ndim)
    return {"y": x / deviation(np.sum(x * x, axis=axes, keepdims=True), epsilon, dialect)}


@operation(
    formula=r"y = \frac{x}{\max(\lVert x \rVert_p, \epsilon)}",
    source="https://onnx.ai/onnx/operators/onnx__LpNormalization.html",
    example=Example(
        {"x": [[2, 0], [-2, 0], [2, -8], [2, 0]]}, {"y": [[0.5, 0], [-0.5, 0], [0.5, -1], [0.5, 0]]}, {"axis": 0}
    ),
    knobs=(NORM_EPSILON,),
)
def unit_normalization(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis of one vector", own_default=True),
    order: int = parameter(2, "1: the sum of the absolute values; 2: the Euclidean norm", choices=(1, 2)),
    epsilon: Array = parameter(1e-12, "the least divisor", minimum=0, own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """Divide a vector by its norm of order 1 or 2. ONNX, LpNormalization, with a least divisor."""
    axes = chosen_axes(axis, x.ndim)
    if order == 1:
        norm = np.sum(x * np.sign(constant(x)), axis=axes, keepdims=True)
        squared = norm * norm
    else:
        squared = np.sum(x * x, axis=axes, keepdims=True)
    return {"y": x / deviation(squared, epsilon, dialect)}


PADDING_SIDE = Knob(
    "padding_side",
    {
        "right": "a window of even size reaches farther to the channels behind",
        "left": "it reaches farther to those in front",
    },
    default="right",
)
ALPHA = Knob(
    "alpha",
    {"sum": "the factor of the sum of the squares", "mean": "of their sum divided by the window's size"},
    default="sum",
)


@operation(
    formula=r"y_{c} = x_{c} \left( k + \alpha \sum_{|j - c| \le n / 2} x_{j}^2 \right)^{-\beta}",
    source="https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks.pdf",
    example=Example(  # with k, the sums of two or three squares are 28, 32 or 64
        {"x": [[[[2, 0, 0, -6], [0, 2, 0, 0], [0, 0, 0, 2]], [[6, 0, 0, 0], [0, 0, -2, 0], [0, 6, 0, 0]]]]},
        {
            "y": [
                [
                    [[0.0625, 0, 0, -0.09375], [0, 0.0625, 0, 0], [0, 0, 0, 0.0625]],
                    [[0.09375, 0, 0, 0], [0, 0, -0.0625, 0], [0, 0.09375, 0, 0]],
                ]
            ]
        },
        {"size": 3, "k": 28.0, "alpha": 1.0, "beta": 1.0},
    ),
    knobs=(PADDING_SIDE, ALPHA),
)
def local_response_normalization(
    x: Array = input("batch *space channel"),
    *,
    size: int = parameter(5, "the window: how many channels", minimum=1, own_default=True),
    alpha: Array = parameter(1e-4, "the factor of the sum of the squares", own_default=True),
    beta: Array = parameter(0.75, "the exponent", own_default=True),
    k: Array = parameter(2.0, "added to the sum", own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """Divide by a power of the energy of the channels around.

    Krizhevsky, Sutskever and Hinton 2012, section 3.3.  Windows of even size are ONNX's.
    """
    channels, behind = x.shape[-1], size // 2
    if dialect["padding_side"] == "left":
        behind = (size - 1) // 2
    padding = [(0, 0)] * (x.ndim - 1) + [(size - 1 - behind, behind)]
    squares = np.pad(x * x, padding, "constant")
    total = squares[..., :channels]
    for place in range(1, size):
        total = total + squares[..., place : place + channels]
    factor = alpha / size if dialect["alpha"] == "mean" else alpha
    return {"y": x / np.power(k + factor * total, beta)}
