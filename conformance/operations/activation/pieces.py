"""Of each element, by straight pieces: rectifiers, clipped lines, thresholds."""

from __future__ import annotations

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, weight
from conformance.operations.choices import NAN, SUBGRADIENT, Settings, at_kinks

SLOPE = Knob(
    "slope",
    {"1/6": "x / 6 + 1/2 between -3 and 3", 0.2: "0.2 x + 1/2 between -2.5 and 2.5 (Keras 2, ONNX)"},
    default="1/6",
)


@operation(
    formula=r"y = \max(x, 0)",
    source="https://www.cs.toronto.edu/~fritz/absps/reluICML.pdf",
    example=Example({"x": [[-1, 0, 2]]}, {"y": [[0, 0, 2]]}),
    knobs=(SUBGRADIENT.without("both", "neither"), NAN),
)
def relu(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """The positive part. Nair and Hinton 2010; the derivative at 0 is taken as 0."""
    kept = x >= 0 if dialect["subgradient"] == 1 else x > 0
    if dialect["nan"] == "propagate":
        kept = kept | np.isnan(x)
    y = np.where(kept, x, 0.0)
    return {"y": y + np.where(x == 0, 0.5 * x, 0.0) if dialect["subgradient"] == 0.5 else y}


def rectified(x: Array, slope: Array, dialect: Settings) -> Array:
    """``x`` above 0, ``slope`` times ``x`` below."""
    return at_kinks(x == 0, x > 0, x, slope * x, dialect)


@operation(
    formula=r"y = x \text{ if } x > 0 \text{, else } \alpha x",
    source="https://ai.stanford.edu/~amaas/papers/relu_hybrid_icml2013_final.pdf",
    example=Example({"x": [[-8, 0, 2]]}, {"y": [[-2, 0, 2]]}, {"negative_slope": 0.25}),
    knobs=(SUBGRADIENT,),
)
def leaky_relu(
    x: Array = input("*shape"),
    *,
    negative_slope: Array = parameter(0.01, "the slope below 0", own_default=True),
    dialect: Settings,
) -> dict[str, Array]:
    """A rectifier that leaks. Maas, Hannun and Ng 2013, equation 2; the derivative at 0 is taken from below."""
    return {"y": rectified(x, negative_slope, dialect)}


@operation(
    formula=r"y_{c} = x_{c} \text{ if } x_{c} > 0 \text{, else } \alpha_{c} x_{c}",
    source="https://arxiv.org/abs/1502.01852",
    example=Example(
        {"x": [[-8, 0, 2], [4, -4, -2]]},
        {"y": [[-2, 0, 2], [4, -2, -4]]},
        tensors={"alpha": [0.25, 0.5, 2]},
        target=[[-1, 0, 2], [4, -4, -2]],
    ),
    knobs=(SUBGRADIENT,),
)
def prelu(
    x: Array = input("batch *space channel"),
    alpha: Array = weight("channel", initial=0.25),
    *,
    dialect: Settings,
) -> dict[str, Array]:
    """A rectifier that learns its leak. He, Zhang, Ren and Sun 2015, equation 1, channel-wise."""
    return {"y": rectified(x, alpha, dialect)}


@operation(
    formula=r"y = x \text{ if } x > 0 \text{, else } \frac{l + u}{2} x",
    source="https://arxiv.org/abs/1505.00853",
    example=Example({"x": [[-8, 0, 2]]}, {"y": [[-2, 0, 2]]}, {"lower": 0.125, "upper": 0.375}),
    differentiable=False,
)
def rrelu(
    x: Array = input("*shape"),
    *,
    lower: Array = parameter(1 / 8, "the least slope below 0 in training"),
    upper: Array = parameter(1 / 3, "the greatest slope below 0 in training"),
) -> dict[str, Array]:
    """The randomized leaky rectifier, in prediction: the mean slope. Xu, Wang, Chen and Li 2015, section 2.4.

    In training the slope of each element is drawn between ``lower`` and ``upper``.
    """
    return {"y": np.where(x > 0, x, (lower + upper) / 2.0 * x)}


def clipped(x: Array, low: float, high: float, dialect: Settings) -> Array:
    """``x`` between two bounds; NaN stays."""
    return between(x, (low, high), x, (low, high), dialect)


def between(x: Array, edges: tuple[float, float], line: Array, ends: tuple[float, float], dialect: Settings) -> Array:
    """``line`` between two edges, and beyond them its ends; NaN stays."""
    (low, high), (least, greatest) = edges, ends
    beyond = np.where(x >= high, greatest, np.where(x <= low, least, x))
    return at_kinks((x == low) | (x == high), (x > low) & (x < high), line, beyond, dialect)


@operation(
    formula=r"y = \min(\max(x, 0), 6)",
    source="https://www.cs.toronto.edu/~kriz/conv-cifar10-aug2010.pdf",
    example=Example({"x": [[-1, 2, 8]]}, {"y": [[0, 2, 6]]}),
    knobs=(SUBGRADIENT.without("both", "neither"),),
)
def relu6(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """A rectifier that saturates at 6. Krizhevsky 2010, section 2."""
    return {"y": clipped(x, 0.0, 6.0, dialect)}


@operation(
    formula=r"y = \max(-1, \min(1, x))",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    example=Example({"x": [[-2, 0.5, 3]]}, {"y": [[-1, 0.5, 1]]}),
    knobs=(SUBGRADIENT.without("both", "neither"),),
)
def hard_tanh(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """A line clipped at -1 and 1. Goodfellow, Bengio and Courville 2016, section 6.3.3."""
    return {"y": clipped(x, -1.0, 1.0, dialect)}


@operation(
    formula=r"y = \frac{\min(\max(x + 3, 0), 6)}{6}",
    source="https://arxiv.org/abs/1905.02244",
    example=Example({"x": [[-3, 0, 1.5, 3]]}, {"y": [[0, 0.5, 0.75, 1]]}),
    knobs=(SLOPE, SUBGRADIENT.without("both", "neither")),
)
def hard_sigmoid(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """A clipped line like the logistic function. Howard et al. 2019, section 5.2."""
    return {"y": clipped_line(x, 2.5 if dialect["slope"] == 0.2 else 3.0, dialect)}


def clipped_line(x: Array, width: float, dialect: Settings) -> Array:
    """From 0 at ``-width`` to 1 at ``width``."""
    return between(x, (-width, width), x / (2.0 * width) + 0.5, (0.0, 1.0), dialect)


@operation(
    formula=r"y = x \, \frac{\min(\max(x + 3, 0), 6)}{6}",
    source="https://arxiv.org/abs/1905.02244",
    example=Example({"x": [[-3, 0, 1.5, 3]]}, {"y": [[0, 0, 1.125, 3]]}),
    knobs=(SUBGRADIENT.without("both", "neither"),),
)
def hard_swish(x: Array = input("*shape"), *, dialect: Settings) -> dict[str, Array]:
    """A swish by straight pieces. Howard et al. 2019, section 5.2."""
    return {"y": x * clipped_line(x, 3.0, dialect)}


@operation(
    formula=r"y = \operatorname{sign}(x) \max(|x| - \lambda, 0)",
    source="https://doi.org/10.1093/biomet/81.3.425",
    example=Example({"x": [[-2, 0.25, 1]]}, {"y": [[-1.5, 0, 0.5]]}, {"threshold": 0.5}),
    knobs=(SUBGRADIENT.without("both", "neither"), NAN),
)
def soft_shrink(
    x: Array = input("*shape"),
    *,
    threshold: Array = parameter(0.5, "how far each element moves towards 0", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """Soft thresholding. Donoho and Johnstone 1994, section 2.4."""
    kept = kept_nan(x, dialect)
    moved = np.where(x > 0, x - threshold, x + threshold)
    edge = (x == threshold) | (x == -threshold)
    return {"y": at_kinks(edge, (x > threshold) | (x < -threshold) | kept, moved, 0.0, dialect)}


def kept_nan(x: Array, dialect: Settings) -> Array:
    """Where NaN is kept; obeys NAN."""
    return np.isnan(x) & (dialect["nan"] == "propagate")


@operation(
    formula=r"y = x \text{ if } |x| > \lambda \text{, else } 0",
    source="https://doi.org/10.1093/biomet/81.3.425",
    example=Example({"x": [[-2, 0.25, 1]]}, {"y": [[-2, 0, 1]]}, {"threshold": 0.5}),
    knobs=(NAN,),
)
def hard_shrink(
    x: Array = input("*shape"),
    *,
    threshold: Array = parameter(0.5, "what is not larger becomes 0", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """Hard thresholding. Donoho and Johnstone 1994, section 2.4."""
    return {"y": np.where((x > threshold) | (x < -threshold) | kept_nan(x, dialect), x, 0.0)}


@operation(
    formula=r"y = x \text{ if } x > \theta \text{, else } v",
    source="https://arxiv.org/abs/1402.3337",
    example=Example({"x": [[-2, 1, 3]]}, {"y": [[0, 0, 3]]}, {"threshold": 1.0}),
    knobs=(NAN,),
)
def threshold(
    x: Array = input("*shape"),
    *,
    threshold: Array = parameter(1.0, "what is not larger is replaced"),
    value: Array = parameter(0.0, "by this"),
    dialect: Settings,
) -> dict[str, Array]:
    """A rectifier with a threshold. Konda, Memisevic and Krueger 2014, equation 7, for a value of 0."""
    return {"y": np.where((x > threshold) | kept_nan(x, dialect), x, value)}
