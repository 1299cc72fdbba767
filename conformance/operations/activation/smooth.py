"""Smooth curves of each element, and those that are exponential on one side."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import SUBGRADIENT, Settings, at_kinks
from conformance.operations.functions import (
    DERIVATIVE,
    EXPM1,
    exponential_less_one,
    hyperbolic_tangent,
    log_one_plus_exp,
    logistic,
)

APPROXIMATE = Knob(
    "approximate",
    {
        "none": "x times the normal distribution function",
        "tanh": "0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
        "quick": "x times the logistic function of 1.702 x",
    },
    default="none",
)
LINEAR_ABOVE = Knob(
    "linear_above",
    {"never": "the logarithm everywhere", 20: "x itself where beta x is above 20"},
    default="never",
)
NEGATIVE_SIDE = Knob(
    "negative_side",
    {
        "quotient": "b / (2 (sqrt(x^2 + b) - x)), exact below 0",
        "difference": "(x + sqrt(x^2 + b)) / 2 as it is printed: cancels below 0",
    },
    default="quotient",
    algorithmic=True,
)


def exponential_branch(x: Array, form: str) -> Array:
    """exp(x) - 1 below 0, and 0 from there on; obeys EXPM1."""
    return exponential_less_one(np.where(x > 0, 0.0, x), form)


@operation(
    formula=r"y = x \text{ if } x > 0 \text{, else } \alpha (e^{x} - 1)",
    source="https://arxiv.org/abs/1511.07289",
    example=Example({"x": [[3, 0, -100]]}, {"y": [[3, 0, -1]]}),
    knobs=(SUBGRADIENT.without("neither"), EXPM1),
)
def elu(
    x: Array = input("*shape"),
    *,
    alpha: Array = parameter(1.0, "minus the value that it saturates at"),
    dialect: Settings,
) -> dict[str, Array]:
    """The exponential linear unit. Clevert, Unterthiner and Hochreiter 2016, equation 15."""
    curve = alpha * exponential_branch(x, str(dialect["expm1"]))
    return {"y": at_kinks(x == 0, x > 0, x, curve, dialect)}


ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@operation(
    formula=r"y = \lambda x \text{ if } x > 0 \text{, else } \lambda \alpha (e^{x} - 1), \quad "
    r"\alpha = 1.67326\ldots, \; \lambda = 1.05070\ldots",
    source="https://arxiv.org/abs/1706.02515",
    example=Example({"x": [[0, 1, 2]]}, {"y": [[0, SCALE, 2 * SCALE]]}),
    knobs=(SUBGRADIENT.without("neither"), EXPM1),
)
def selu(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """The scaled exponential linear unit. Klambauer, Unterthiner, Mayr and Hochreiter 2017, equation 2.

    The constants, of equation 14, keep a mean of 0 and a variance of 1.
    """
    curve = ALPHA * exponential_branch(x, str(dialect["expm1"]))
    return {"y": SCALE * at_kinks(x == 0, x > 0, x, curve, dialect)}


@operation(
    formula=r"y = x \text{ if } x > 0 \text{, else } \alpha (e^{x / \alpha} - 1)",
    source="https://arxiv.org/abs/1704.07483",
    example=Example({"x": [[3, 0, -200]]}, {"y": [[3, 0, -2]]}, {"alpha": 2.0}),
    knobs=(SUBGRADIENT.without(0.5, 1, "neither"), EXPM1),
)
def celu(
    x: Array = input("*shape"),
    *,
    alpha: Array = parameter(1.0, "minus the value that it saturates at"),
    dialect: Settings,
) -> dict[str, Array]:
    """The continuously differentiable exponential linear unit. Barron 2017, equation 2."""
    curve = alpha * exponential_branch(x / alpha, str(dialect["expm1"]))
    return {"y": at_kinks(x == 0, x > 0, x, curve, dialect)}


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
    formula=r"y = x \sigma(x) = \frac{x}{1 + e^{-x}}",
    source="https://arxiv.org/abs/1702.03118",
    example=Example({"x": [[0, 40, 64]]}, {"y": [[0, 40, 64]]}),
)
def silu(x: Array = input("*shape")) -> dict[str, Array]:
    """The sigmoid-weighted linear unit, or swish. Elfwing, Uchibe and Doya 2017, equation 2."""
    return {"y": x * logistic(x)}


@operation(
    formula=r"y = \sigma(x) = \frac{1}{1 + e^{-x}}",
    source="https://www.deeplearningbook.org/contents/prob.html",
    example=Example({"x": [[0, 40, -800]]}, {"y": [[0.5, 1, 0]]}),
    knobs=(DERIVATIVE,),
)
def sigmoid(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """The logistic function. Goodfellow, Bengio and Courville 2016, equation 3.30."""
    return {"y": logistic(x, str(dialect["derivative"]))}


@operation(
    formula=r"y = \tanh x",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    example=Example({"x": [[0, 20, -20]]}, {"y": [[0, 1, -1]]}),
    knobs=(DERIVATIVE,),
)
def tanh(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """The hyperbolic tangent. Goodfellow, Bengio and Courville 2016, section 6.3.2."""
    return {"y": hyperbolic_tangent(x, str(dialect["derivative"]))}


@operation(
    formula=r"y = \frac{1}{\beta} \log(1 + e^{\beta x})",
    source="https://www.deeplearningbook.org/contents/prob.html",
    example=Example({"x": [[40, 64, -800]]}, {"y": [[40, 64, 0]]}),
    knobs=(LINEAR_ABOVE,),
)
def softplus(
    x: Array = input("*shape"),
    *,
    beta: Array = parameter(1.0, "how sharp the bend is"),
    dialect: Settings,
) -> dict[str, Array]:
    """A smooth positive part. Goodfellow, Bengio and Courville 2016, equation 3.31, for beta = 1."""
    sharp = beta * x
    y = log_one_plus_exp(sharp) / beta
    return {"y": y if dialect["linear_above"] == "never" else np.where(sharp > float(dialect["linear_above"]), x, y)}


@operation(
    formula=r"y = \log \sigma(x) = -\log(1 + e^{-x})",
    source="https://www.deeplearningbook.org/contents/prob.html",
    example=Example({"x": [[-40, -64, 800]]}, {"y": [[-40, -64, 0]]}),
)
def log_sigmoid(x: Array = input("*shape")) -> dict[str, Array]:
    """The logarithm of the logistic function. Goodfellow, Bengio and Courville 2016, section 3.10."""
    return {"y": -log_one_plus_exp(-x)}


@operation(
    formula=r"y = \frac{x}{1 + |x|}",
    source="https://proceedings.mlr.press/v9/glorot10a.html",
    example=Example({"x": [[-1, 0, 3]]}, {"y": [[-0.5, 0, 0.75]]}),
)
def softsign(x: Array = input("*shape")) -> dict[str, Array]:
    """A curve that saturates slowly. Glorot and Bengio 2010, section 2.2."""
    return {"y": x / (1.0 + np.where(x < 0, -x, x))}


@operation(
    formula=r"y = x \tanh(\log(1 + e^{x}))",
    source="https://arxiv.org/abs/1908.08681",
    example=Example({"x": [[0, 40, 64]]}, {"y": [[0, 40, 64]]}),
)
def mish(x: Array = input("*shape")) -> dict[str, Array]:
    """A self-regularized activation. Misra 2020, equation 1."""
    return {"y": x * hyperbolic_tangent(log_one_plus_exp(x))}


@operation(
    formula=r"y = x - \tanh x",
    source="https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html",
    example=Example({"x": [[0, 20, -40]]}, {"y": [[0, 19, -39]]}),
)
def tanh_shrink(x: Array = input("*shape")) -> dict[str, Array]:
    """What the hyperbolic tangent leaves of x. PyTorch's documentation; no paper is known for it."""
    return {"y": x - hyperbolic_tangent(x)}


@operation(
    formula=r"y = \frac{x + \sqrt{x^2 + b}}{2}",
    source="https://arxiv.org/abs/2112.11687",
    example=Example({"x": [[-1.5, 0, 1.5]]}, {"y": [[0.5, 1, 2]]}, {"b": 4.0}),
    knobs=(NEGATIVE_SIDE,),
)
def squareplus(
    x: Array = input("*shape"),
    *,
    b: Array = parameter(4.0, "how wide the bend is", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """An algebraic softplus. Barron 2021, equation 1; the default of b is that of section 2, close to softplus."""
    if dialect["negative_side"] == "difference":
        return {"y": (x + np.sqrt(x * x + b)) / 2.0}
    size = np.where(x < 0, -x, x)
    above = (size + np.sqrt(size * size + b)) / 2.0
    return {"y": np.where(x < 0, b / (4.0 * above), above)}
