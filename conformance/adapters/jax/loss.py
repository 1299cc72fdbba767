"""How JAX and optax spell losses of a number, a distribution or a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Call, Local, Parameters, Shapes, Spelling, Spellings, default

if TYPE_CHECKING:
    import jax
    import optax
else:
    jax, optax = lazy("jax"), lazy("optax")

spellings = Spellings()


def reduced(losses: Any, reduction: str) -> Any:
    """optax gives the single losses: to reduce them is up to the user."""
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _written(function: Any, p: Parameters, shapes: Shapes, **options: Any) -> Spelling:
    if "sample_weight" in shapes:
        raise Unsupported("optax has no weights")
    reads = options.pop("reads", {})
    return Spelling(Local(function, [reduced], reduction=p["reduction"], **options), reads=reads)


@spellings
def mean_squared_error(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(squared_error, p, shapes)


def squared_error(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.losses.squared_error(prediction, target), reduction)


@spellings
def mean_absolute_error(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(absolute_error, p, shapes)


def absolute_error(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(jax.numpy.abs(prediction - target), reduction)


@spellings
def mean_squared_logarithmic_error(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(logarithmic_error, p, shapes)


def logarithmic_error(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.losses.squared_error(jax.numpy.log1p(prediction), jax.numpy.log1p(target)), reduction)


@spellings
def huber(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(huber_loss, p, shapes, delta=p["delta"])


def huber_loss(prediction: Any, target: Any, delta: float, reduction: str) -> Any:
    return reduced(optax.losses.huber_loss(prediction, target, delta=delta), reduction)


@spellings
def log_cosh(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(log_cosh_loss, p, shapes)


def log_cosh_loss(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.losses.log_cosh(prediction, target), reduction)


@spellings
def poisson(p: Parameters, shapes: Shapes) -> Spelling:
    if not p["full"] or p.get("epsilon"):
        raise Unsupported("jax.scipy.stats.poisson.logpmf has the factorial, and no epsilon")
    log_input = p.get("log_input", False)
    reads = {"log_input": lambda call: log_input, "epsilon": lambda call: 0.0}
    return _written(poisson_likelihood, p, shapes, log_input=log_input, reads=reads)


def poisson_likelihood(prediction: Any, target: Any, log_input: bool, reduction: str) -> Any:
    rate = jax.numpy.exp(prediction) if log_input else prediction
    return reduced(-jax.scipy.stats.poisson.logpmf(target, rate), reduction)


@spellings
def gaussian_nll(p: Parameters, shapes: Shapes) -> Spelling:
    if not p["full"] or p.get("epsilon"):
        raise Unsupported("jax.scipy.stats.norm.logpdf has the constant, and no epsilon")
    return _written(normal_likelihood, p, shapes, reads={"epsilon": lambda call: 0.0})


def normal_likelihood(prediction: Any, target: Any, variance: Any, reduction: str) -> Any:
    return reduced(-jax.scipy.stats.norm.logpdf(target, prediction, jax.numpy.sqrt(variance)), reduction)


@spellings
def kl_divergence(p: Parameters, shapes: Shapes) -> Spelling:
    logarithms = p.get("log_prediction", True)
    name = "kl_divergence_with_log_targets" if p["log_target"] else "kl_divergence"
    reads = {"log_prediction": lambda call: logarithms}
    return _written(divergence, p, shapes, name=name, log_prediction=logarithms, reads=reads)


def divergence(prediction: Any, target: Any, name: str, log_prediction: bool, reduction: str) -> Any:
    logarithm = prediction if log_prediction else jax.numpy.log(prediction)
    losses = getattr(optax.losses, name)(logarithm, target)
    return losses.sum() / len(prediction) if reduction == "batch" else reduced(losses, reduction)


@spellings
def cosine_similarity(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(
        cosine_distance,
        p,
        shapes,
        epsilon=p.get("epsilon"),
        reads={
            "epsilon": lambda call: call.arguments.get("epsilon", default(optax.losses.cosine_distance, "epsilon")),
        },
    )


def cosine_distance(prediction: Any, target: Any, reduction: str, **epsilon: float) -> Any:
    return reduced(optax.losses.cosine_distance(prediction, target, **epsilon), reduction)


@spellings
def hinge(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(hinge_loss, p, shapes)


def hinge_loss(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(optax.losses.hinge_loss(prediction, target), reduction)


@spellings
def squared_hinge(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(squared_hinge_loss, p, shapes)


def squared_hinge_loss(prediction: Any, target: Any, reduction: str) -> Any:
    return reduced(jax.numpy.square(optax.losses.hinge_loss(prediction, target)), reduction)


@spellings
def categorical_hinge(p: Parameters, shapes: Shapes) -> Spelling:
    return _written(multiclass_hinge_loss, p, shapes)


def multiclass_hinge_loss(prediction: Any, target: Any, reduction: str) -> Any:
    losses = optax.losses.multiclass_hinge_loss(prediction, target)
    return reduced(losses.astype(prediction.dtype), reduction)  # its one_hot is in the widest format that JAX allows


@spellings
def triplet(p: Parameters, shapes: Shapes) -> Spelling:
    if p["swap"]:
        raise Unsupported("optax.losses.triplet_margin_loss has no swap")
    options = {"margin": p["margin"], "norm_degree": p["degree"], "eps": p.get("epsilon")}
    own = Call("optax.losses.triplet_margin_loss")
    reads = {"epsilon": lambda call: call.arguments.get("eps", own.argument("eps"))}
    return _written(triplet_loss, p, shapes, **options, reads=reads)


def triplet_loss(anchor: Any, positive: Any, negative: Any, reduction: str, **options: float) -> Any:
    return reduced(optax.losses.triplet_margin_loss(anchor, positive, negative, **options), reduction)
