"""Gradients of a formula by automatic differentiation (HIPS autograd), for plain and for bounded arrays alike.

The backward pass runs in the arithmetic of the forward pass, so the gradient of a bounded value carries a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from autograd.builtins import dict as traced_dict
from autograd.core import make_vjp
from autograd.extend import VSpace, defvjp, primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval

from conformance.arithmetic.bounded import Bounded

Arrays: TypeAlias = Mapping[str, Any]


class _BoundedSpace(VSpace):  # type: ignore[misc]
    """The vector space that autograd accumulates bounded gradients in."""

    def __init__(self, example: Bounded) -> None:
        self.shape, self.unit = example.shape, example.unit
        self.size, self.ndim, self.dtype = example.size, example.ndim, example.dtype

    def zeros(self) -> Bounded:
        return Bounded(np.zeros(self.shape), self.unit, np.zeros(self.shape))

    def ones(self) -> Bounded:
        return Bounded(np.ones(self.shape), self.unit)

    def _add(self, one: Any, other: Any) -> Any:
        return one + other

    def _mut_add(self, one: Any, other: Any) -> Any:
        return one + other


VSpace.register(Bounded, _BoundedSpace)
ArrayBox.register(Bounded)


def vjp(
    function: Callable[[Arrays], Arrays], at: Arrays, objective: Sequence[str]
) -> tuple[dict[str, Any], Callable[[Arrays], dict[str, Any]]]:
    """``function``'s results at the named arrays ``at``, and the pull-back of those named in ``objective``.

    The pull-back takes the cotangents of these results (arrays of their shapes) and gives the gradient of each array
    in ``at`` under the array's name; one that the results do not depend on has a gradient of zeros.
    """
    kept: dict[str, Any] = {}

    def differentiated(values: Any) -> Any:
        results = function(values)
        kept.update({name: getval(each) for name, each in results.items()})
        return traced_dict({name: results[name] for name in objective})

    pull, _ = make_vjp(differentiated, dict(at))
    return kept, lambda cotangents: dict(pull({name: cotangents[name] for name in objective}))


@primitive  # type: ignore[untyped-decorator]
def contract(pattern: str, one: Any, other: Any) -> Any:
    """``numpy.einsum`` of two operands, each index of which stands in the other or in the result.

    NumPy's own derivative in autograd turns its operands into plain arrays, which would lose their bounds.
    """
    return np.einsum(pattern, one, other)


def _pulled_back(operand: int) -> Callable[..., Callable[[Any], Any]]:
    def backward(result: Any, pattern: str, *operands: Any) -> Callable[[Any], Any]:
        inputs, _, output = pattern.partition("->")
        letters = inputs.split(",")
        back = f"{output},{letters[1 - operand]}->{letters[operand]}"
        return lambda cotangent: contract(back, cotangent, operands[1 - operand])

    return backward


defvjp(contract, None, _pulled_back(0), _pulled_back(1))
