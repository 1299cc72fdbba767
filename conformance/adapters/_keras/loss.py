"""How Keras spells losses of a number, a distribution or a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Call, Function, Local, Parameters, Shapes, Spelling, Spellings, refuse_others

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum", "none": "none"}


def _loss(operation: str, name: str, *known: str, **held: Any) -> None:
    """A loss with a reduction, arguments that bear our names, and parameters that it holds without an argument."""

    def speller(p: Parameters, shapes: Shapes) -> Spelling:
        refuse_others(p, name, {"reduction", *known}, {key: value for key, value in held.items() if value is not None})
        if p["reduction"] not in REDUCTIONS:
            raise Unsupported(f"{name} has no reduction {p['reduction']}")
        call = Call(name, reduction=REDUCTIONS[p["reduction"]], **{key: p.get(key) for key in known})
        return Spelling(call, reads={key: _held(value) for key, value in held.items()})

    spellings[operation] = speller


def _held(value: Any) -> Any:
    """Reads what a loss holds: None is the epsilon of all of Keras."""
    return lambda loss: keras.config.epsilon() if value is None else value


_loss("mean_squared_error", "keras.losses.MeanSquaredError")
_loss("mean_absolute_error", "keras.losses.MeanAbsoluteError")
_loss("mean_absolute_percentage_error", "keras.losses.MeanAbsolutePercentageError", epsilon=None)
_loss("mean_squared_logarithmic_error", "keras.losses.MeanSquaredLogarithmicError")
_loss("huber", "keras.losses.Huber", "delta")
_loss("log_cosh", "keras.losses.LogCosh")
_loss("poisson", "keras.losses.Poisson", log_input=False, full=False, epsilon=None)
_loss("kl_divergence", "keras.losses.KLDivergence", log_prediction=False, log_target=False)
_loss("cosine_similarity", "keras.losses.CosineSimilarity", epsilon=None)
_loss("hinge", "keras.losses.Hinge")
_loss("squared_hinge", "keras.losses.SquaredHinge")


@spellings
def categorical_hinge(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(hinge_of_classes, reduction=REDUCTIONS[p["reduction"]]))


def hinge_of_classes(target: Any, prediction: Any, reduction: str) -> Any:
    labels = keras.ops.one_hot(target, prediction.shape[-1], dtype=prediction.dtype)
    return keras.losses.CategoricalHinge(reduction=reduction)(labels, prediction)
