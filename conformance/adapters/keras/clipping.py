"""How Keras clips gradients: inside the optimizer, one of which shows them if it takes the gradient as its step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import Built, Function, Parameters, Shapes, Spellings

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings()


# --- what a user writes; this function stands in the reproduction script as it is -----------------------------------


def clipping(shapes: list[tuple[int, ...]], **limit: float) -> Any:
    """Where descent at a rate of 1 leads to from 0, with the sign turned: as a function of the gradients."""
    optimizer = keras.optimizers.SGD(1.0, **limit)
    variables = [keras.Variable(keras.ops.zeros(shape)) for shape in shapes]
    optimizer.build(variables)

    def clipped(*gradients: Any) -> Any:
        for variable in variables:
            variable.assign(keras.ops.zeros(variable.shape, variable.dtype))
        optimizer.apply(list(gradients), variables)
        shown = tuple(-keras.ops.convert_to_tensor(each) for each in variables)
        return shown if len(shown) > 1 else shown[0]

    return clipped


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def clip_by_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Built(clipping, shapes=[shapes["x"]], clipnorm=p["clip_norm"]))


@spellings
def clip_by_global_norm(p: Parameters, shapes: Shapes) -> Function:
    return Function(Built(clipping, shapes=[shapes["x1"], shapes["x2"]], global_clipnorm=p["clip_norm"]))


@spellings
def clip_by_value(p: Parameters, shapes: Shapes) -> Function:
    return Function(Built(clipping, shapes=[shapes["x"]], clipvalue=p["clip_value"]))
