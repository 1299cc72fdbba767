"""Linear maps."""

from __future__ import annotations

import autograd.numpy as np

from conformance.arithmetic.gradient import contract
from conformance.errors import Undefined
from conformance.operation import Array, Example, input, operation, parameter, weight
from conformance.operations.choices import KERNEL, Settings


@operation(
    formula=r"y_{o} = \sum_{i} x_{i} W_{io} + b_{o}",
    source="https://www.deeplearningbook.org/contents/mlp.html",
    example=Example(
        {"x": [[1, 2]]},
        {"y": [[10, 12, 14]]},
        tensors={"kernel": [[1, 2, 3], [4, 5, 6]], "bias": [1, 0, -1]},
        target=[[9, 12, 16]],
    ),
    knobs=(KERNEL.without("flipped"),),
)
def dense(
    x: Array = input("*batch input"),
    kernel: Array = weight("input unit"),
    bias: Array = weight("unit", initial=0, when="use_bias"),
    *,
    use_bias: bool = parameter(True, "add the bias"),
    dialect: Settings,
) -> dict[str, Array]:
    """Multiply by a matrix and add a bias. Goodfellow, Bengio and Courville 2016, section 6.3."""
    if dialect["kernel"] == "transposed":
        if kernel.shape[0] != kernel.shape[1]:
            raise Undefined("only a square kernel can be used transposed")
        kernel = np.transpose(kernel)
    rows = np.reshape(x, (-1, x.shape[-1]))
    y = np.reshape(contract("bi,io->bo", rows, kernel), (*x.shape[:-1], kernel.shape[1]))
    return {"y": y + bias if use_bias else y}
