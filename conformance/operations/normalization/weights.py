"""Normalization of a layer's weights, not of what flows through it: of the kernel of a dense layer."""

from __future__ import annotations

import autograd.numpy as np

from conformance.arithmetic.gradient import contract
from conformance.errors import Undefined
from conformance.operation import Array, Example, Knob, input, operation, parameter, state, weight
from conformance.operations.choices import NORM_EPSILON, Settings, constant, deviation

NORM_AXIS = Knob(
    "norm_axis",
    {
        "across": "the norm is taken along the axis that the gains do not have",
        "along": "along the axis of the gains: one norm for each place of the other axis",
        "all": "of the whole kernel",
    },
    default="across",
)


@operation(
    formula=r"y_{o} = \sum_{i} x_{i} \, g_{o} \frac{V_{io}}{\lVert V_{\cdot o} \rVert_2} + b_{o}",
    source="https://arxiv.org/abs/1602.07868",
    example=Example(
        {"x": [[1, 2]]},
        {"y": [[5, 2, 1]]},
        {"epsilon": 0.0},
        {"kernel": [[2, 0, -5], [0, 4, 0]], "gain": [4, 1, 2], "bias": [1, 0, 3]},
        target=[[4, 2, 3]],
    ),
    knobs=(NORM_EPSILON.published("none").without("zero"), NORM_AXIS),
)
def weight_normalization(
    x: Array = input("*batch input"),
    kernel: Array = weight("input unit"),
    gain: Array = weight("feature"),
    bias: Array = weight("unit", initial=0, when="use_bias"),
    *,
    axis: int = parameter(1, "the axis of the kernel with gains and norms of its own", choices=(0, 1)),
    epsilon: Array = parameter(0.0, "for those who guard the norm", minimum=0, own_default=True),
    use_bias: bool = parameter(True, "add the bias"),
    dialect: Settings,
) -> dict[str, Array]:
    """A dense layer whose kernel is a direction, times a gain of its own for each unit.

    Salimans and Kingma 2016, equation 2.
    """
    if gain.shape != (kernel.shape[axis],):
        raise Undefined(f"axis {axis} of the kernel has {kernel.shape[axis]} places, and there are {gain.shape} gains")
    axes = {"across": (1 - axis,), "along": (axis,), "all": (0, 1)}[str(dialect["norm_axis"])]
    norm = deviation(np.sum(kernel * kernel, axis=axes, keepdims=True), epsilon, dialect)
    gains = np.reshape(gain, (-1, 1) if axis == 0 else (1, -1))
    return {"y": _dense(x, kernel * gains / norm, bias if use_bias else None)}


POWER_ITERATION = Knob(
    "power_iteration",
    {
        "u": "a step goes from u to v and back: v = W u, then u = W^T v",
        "v": "a step goes from v to u and back: u = W^T v, then v = W u; the first v, if not stored, is W u",
    },
    default="u",
)
PREDICTION = Knob(
    "prediction",
    {
        "stored": "prediction divides by v^T W u with the vectors as stored; v, if it is not, is W u",
        "iterated": "it takes further steps of power iteration, which are not stored",
        "as_is": "it takes the kernel as it is: training replaces the kernel itself",
    },
    default="stored",
)
SIGMA_GRADIENT = Knob(
    "sigma_gradient",
    {
        "through": "the gradient flows through sigma too",
        "constant": "sigma counts as a constant",
        "replaced": "the gradient is that of the normalized kernel, which replaces the kernel",
    },
    default="through",
)


@operation(
    formula=r"y = x \frac{W}{\sigma(W)} + b, \quad \sigma(W) = v^{\top} W u",
    source="https://arxiv.org/abs/1802.05957",
    example=Example(  # a kernel of norm 1
        {"x": [[1, 2]]},
        {"y": [[2, 0, 1]]},
        tensors={"kernel": [[0, 0, 1], [0.5, 0, 0]], "bias": [1, 0, 0], "u": [0, 0, 1]},
    ),
    knobs=(POWER_ITERATION, PREDICTION, SIGMA_GRADIENT, NORM_EPSILON.without("outside", "none", "zero")),
)
def spectral_normalization(
    x: Array = input("*batch input"),
    kernel: Array = weight("input unit"),
    bias: Array = weight("unit", initial=0, when="use_bias"),
    u: Array = state("unit"),
    v: Array = state("input", when="store_v"),
    *,
    power_iterations: int = parameter(1, "how many steps of power iteration a step of training takes", minimum=1),
    epsilon: Array = parameter(1e-12, "the least norm that u and v are divided by", minimum=0, own_default=True),
    use_bias: bool = parameter(True, "add the bias"),
    store_v: bool = parameter(False, "v is stored beside u, and predicts"),
    training: bool,
    dialect: Settings,
) -> dict[str, Array]:
    """A dense layer whose kernel is divided by its largest singular value, which power iteration tracks.

    Miyato, Kataoka, Koyama and Yoshida 2018, algorithm 1 and equation 10, where gradients take u and v for constants.
    Here u has the size of the layer's output and v of its input, as there; they write W for the transposed kernel.
    """
    if not training and dialect["prediction"] == "as_is":
        return {"y": _dense(x, kernel, bias if use_bias else None)}
    fixed = constant(kernel)

    def unit(vector: Array) -> Array:
        return vector / deviation(np.sum(vector * vector), epsilon, dialect)

    if not store_v:
        v = unit(contract("io,o->i", fixed, u))
    for _ in range(power_iterations if training or dialect["prediction"] == "iterated" else 0):
        if dialect["power_iteration"] == "u":
            v = unit(contract("io,o->i", fixed, u))
            u = unit(contract("io,i->o", fixed, v))
        else:
            u = unit(contract("io,i->o", fixed, v))
            v = unit(contract("io,o->i", fixed, u))
    sigma = np.sum(contract("io,o->i", kernel, u) * v)
    if dialect["sigma_gradient"] == "through":
        normalized = kernel / sigma
    elif dialect["sigma_gradient"] == "constant":
        normalized = kernel / constant(sigma)
    else:
        normalized = constant(kernel / sigma) + (kernel - fixed)
    results = {"y": _dense(x, normalized, bias if use_bias else None)}
    if training:
        results.update({"u": u, "v": v} if store_v else {"u": u})
    return results


def _dense(x: Array, kernel: Array, bias: Array | None) -> Array:
    rows = np.reshape(x, (-1, x.shape[-1]))
    y = np.reshape(contract("bi,io->bo", rows, kernel), (*x.shape[:-1], kernel.shape[1]))
    return y if bias is None else y + bias
