"""Activations: a nonlinear function of each element, or of each row."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, chosen_axes, input, operation, parameter
from conformance.operations.choices import Settings, constant

SUBGRADIENT = Knob(
    "subgradient",
    {0: "0 at the kink", 0.5: "the mean of both sides at the kink", 1: "1 at the kink"},
    default=0,
)
NAN = Knob("nan", {"propagate": "NaN stays NaN", "drop": "NaN counts as less than everything"}, default="propagate")
APPROXIMATE = Knob(
    "approximate",
    {
        "none": "x times the normal distribution function",
        "tanh": "0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
        "quick": "x times the logistic function of 1.702 x",
    },
    default="none",
)
AXIS = Knob(
    "axis",
    {
        "given": "the axis that the parameter names",
        "flattened": "that axis and all behind it, as one (ONNX before opset 13)",
        "legacy": "axis 0 of an array of 0, 1 or 3 axes, else axis 1 (torch with dim=None)",
    },
    default="given",
)
MASKED_ROW = Knob(
    "masked_row",
    {"nan": "a row of only -inf gives NaN", "zero": "it gives zeros", "uniform": "it gives equal shares"},
    default="nan",
)


@operation(
    formula=r"y = \max(x, 0)",
    source="https://www.cs.toronto.edu/~fritz/absps/reluICML.pdf",
    example=Example({"x": [[-1, 0, 2]]}, {"y": [[0, 0, 2]]}),
    knobs=(SUBGRADIENT, NAN),
)
def relu(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """The positive part. Nair and Hinton 2010; the derivative at 0 is taken as 0."""
    kept = x >= 0 if dialect["subgradient"] == 1 else x > 0
    if dialect["nan"] == "propagate":
        kept = kept | np.isnan(x)
    y = np.where(kept, x, 0.0)
    return {"y": y + np.where(x == 0, 0.5 * x, 0.0) if dialect["subgradient"] == 0.5 else y}


@operation(
    formula=r"y = x \Phi(x) = \frac{x}{2} \left( 1 + \operatorname{erf} \frac{x}{\sqrt{2}} \right)",
    source="https://arxiv.org/abs/1606.08415",
    example=Example({"x": [[0, 20, 40]]}, {"y": [[0, 20, 40]]}, {"approximate": "none"}),
    knobs=(APPROXIMATE,),
)
def gelu(
    x: Array = input("*shape"),
    *,
    approximate: str = parameter("none", "the approximation asked for", choices=("none", "tanh"), own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """The Gaussian error linear unit. Hendrycks and Gimpel 2016, section 2, with both of its approximations."""
    match dialect["approximate"]:
        case "none":
            from autograd.scipy.special import erf  # SciPy takes longer to load than all the rest

            return {"y": 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))}
        case "tanh":
            return {"y": 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))))}
        case _:
            return {"y": x / (1.0 + np.exp(-1.702 * x))}


@operation(
    formula=r"y_{i} = \frac{e^{x_{i}}}{\sum_{j} e^{x_{j}}}",
    source="https://www.deeplearningbook.org/contents/numerical.html",
    example=Example({"x": [[5, 5, 5, 5], [0, 0, 0, 0]]}, {"y": [[0.25] * 4] * 2}),
    knobs=(AXIS, MASKED_ROW),
)
def softmax(
    x: Array = input("*shape"),
    *,
    axis: int = parameter(-1, "the axis whose elements sum to 1"),
    dialect: Settings,
) -> dict[str, Array]:
    """Exponentials that sum to 1. Goodfellow, Bengio and Courville 2016, equation 4.1.

    The largest element is taken off first, as section 4.1 there does: the result is the same, and finite.
    """
    (axis,) = chosen_axes(axis, x.ndim)
    axes: tuple[int, ...] = (axis,)
    if dialect["axis"] == "flattened":
        axes = tuple(range(axis, x.ndim))
    elif dialect["axis"] == "legacy":
        axes = (0 if x.ndim in (0, 1, 3) else 1,)
    top = constant(x)
    largest = np.max(top, axis=axes, keepdims=True)
    masked = largest == -math.inf
    exponential = np.exp(x - largest)
    y = exponential / np.sum(exponential, axis=axes, keepdims=True)
    if dialect["masked_row"] != "nan":
        share = 0.0 if dialect["masked_row"] == "zero" else 1.0 / math.prod(x.shape[each] for each in axes)
        y = np.where(masked, share, y)
    return {"y": y}
