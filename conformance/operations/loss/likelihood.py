"""Losses of a distribution: the negative logarithm of a likelihood, or how far two distributions lie apart."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import CLAMP_GRADIENT, ZERO_LOG, Settings, at_least, constant
from conformance.operations.loss.reducing import REDUCTION, reduce, reduction_parameter

FACTORIAL = Knob(
    "factorial",
    {"exact": "log(target!), by the gamma function", "stirling": "Stirling's approximation above 1, else 0"},
    default="exact",
)
CLIP = Knob(
    "clip",
    {"none": "probabilities as they are", "least": "both are clipped to [1e-7, 1]"},
    default="none",
)
TERMS = Knob(
    "terms",
    {"summed": "the terms of a sample are summed: one loss per sample", "single": "each term is a loss of its own"},
    default="summed",
)


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \left( \hat{y}_{i} - y_{i} \log(\hat{y}_{i} + \epsilon) \right)",
    source="https://doi.org/10.1017/CBO9780511814365",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 1, 1], [1, 1, 1]], "target": [[0, 1, 2], [5, 0, 3]]},
        {"loss": 1},
        {"log_input": False, "epsilon": 0.0},
    ),
    knobs=(REDUCTION, FACTORIAL, ZERO_LOG),
)
def poisson(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    *,
    log_input: bool = parameter(False, "the prediction is the logarithm of the rate", own_default=True),
    full: bool = parameter(False, "with log(target!), which does not depend on the prediction"),
    epsilon: float = parameter(0.0, "added to the rate under the logarithm", minimum=0, own_default=True),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The negative log-likelihood of counts. Cameron and Trivedi 1998, equation 3.5, less what is constant.

    A count of 0 has the logarithm's term 0, whatever the rate.
    """
    none = (target == 0) & (dialect["zero_log"] == "zero")
    if log_input:
        losses = np.exp(prediction) - target * np.where(none, 0.0, prediction)
    else:
        losses = prediction - target * np.log(np.where(none, 1.0, prediction + epsilon))
    return {"loss": reduce(losses + _log_factorial(target, dialect) if full else losses, dialect)}


def _log_factorial(count: Array, settings: Settings) -> Array:
    if np.any(count < 0):
        raise Undefined("no number less than 0 is a count")
    if settings["factorial"] == "exact":
        from autograd.scipy.special import gammaln  # SciPy takes longer to load than all the rest

        return gammaln(count + 1.0)
    many = np.where(count > 1, count, 1.0)
    return np.where(count > 1, many * np.log(many) - many + 0.5 * np.log(2.0 * math.pi * many), 0.0)


@operation(
    formula=r"L = \frac{1}{2 n} \sum_{i} \left( \log v_{i} + \frac{(\hat{y}_{i} - y_{i})^2}{v_{i}} \right),"
    r" \quad v_{i} = \max(\sigma_{i}^2, \epsilon)",
    source="https://doi.org/10.1109/ICNN.1994.374138",
    results=("loss",),
    example=Example(
        {"prediction": [[1, 2, 1], [3, 5, 1]], "target": [[0, 2, 1], [1, 1, 1]], "variance": [[1, 1, 1], [1, 1, 1]]},
        {"loss": 21 / 12},
    ),
    knobs=(REDUCTION, CLAMP_GRADIENT),
)
def gaussian_nll(
    prediction: Array = input("*shape"),
    target: Array = input("*shape", differentiable=False),
    variance: Array = input("*shape"),
    *,
    epsilon: float = parameter(0.0, "the least variance", minimum=0, own_default=True),
    full: bool = parameter(False, "with log(2 pi) / 2, which is constant"),
    reduction: str = reduction_parameter(),
    dialect: Settings,
) -> dict[str, Array]:
    """The negative log-likelihood of a normal distribution. Nix and Weigend 1994, equation 2, less its constant."""
    if np.any(constant(variance) < 0):
        raise Undefined("no variance is less than 0")
    clamped = at_least(variance, epsilon, dialect)
    difference = prediction - target
    losses = 0.5 * (np.log(clamped) + difference * difference / clamped)
    return {"loss": reduce(losses + 0.5 * math.log(2.0 * math.pi) if full else losses, dialect)}


@operation(
    formula=r"L = \frac{1}{n} \sum_{i} \sum_{c} y_{ic} (\log y_{ic} - \log \hat{y}_{ic})",
    source="https://doi.org/10.1214/aoms/1177729694",
    results=("loss",),
    example=Example(
        {"prediction": [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]], "target": [[1, 0, 0], [0.25, 0.5, 0.25]]},
        {"loss": 0.5 * (1.5 * math.log(2) + 0.5 * math.log(2 / 3))},
        {"log_prediction": False},
    ),
    knobs=(REDUCTION.without("last_axis", "sum_of_means"), TERMS, CLIP, ZERO_LOG),
)
def kl_divergence(
    prediction: Array = input("*batch class"),
    target: Array = input("*batch class", differentiable=False),
    *,
    log_prediction: bool = parameter(False, "the prediction holds logarithms", own_default=True),
    log_target: bool = parameter(False, "the target holds logarithms"),
    reduction: str = reduction_parameter("batch"),
    dialect: Settings,
) -> dict[str, Array]:
    """What is lost where a distribution is taken for another. Kullback and Leibler 1951, equation 2.4.

    A class that the target lacks counts nothing: 0 log 0 is 0, as the limit says.
    """
    share = np.exp(target) if log_target else target
    own = target if log_target else np.where(share == 0, 1.0, share)
    if dialect["clip"] == "least":
        share = _clipped(share)
        own = share if not log_target else np.log(share)
    lacking = (share == 0) & (dialect["zero_log"] == "zero")
    predicted = np.where(lacking, 0.0 if log_prediction else 1.0, prediction)
    if dialect["clip"] == "least":
        predicted = np.log(_clipped(np.exp(predicted))) if log_prediction else _clipped(predicted)
    logarithm = predicted if log_prediction else np.log(predicted)
    terms = share * ((own if log_target else np.log(own)) - logarithm)
    return {"loss": reduce(np.sum(terms, axis=-1) if dialect["terms"] == "summed" else terms, dialect)}


def _clipped(probability: Array) -> Array:
    above = np.where(probability <= 1e-7, 1e-7, probability)
    return np.where(above >= 1, 1.0, above)
