"""How something is spelled in JAX: a module of flax, or a chain of optax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.spelling import Call, Name, Spelling


@dataclass(frozen=True)
class Layer(Spelling):
    """A spelling by a module of flax.linen: ``call`` makes the one that predicts, and trains if ``train`` is not given.

    ``states`` are the tensors that it keeps in the collection batch_stats; the others are its params.
    """

    train: Call | None = None
    states: Sequence[str] = ()


class Composed(Call):
    """A call of which some arguments are calls, as a chain of optax is made."""

    def __call__(self, *first: Any) -> Any:
        arguments = {name: _made(each) for name, each in self.arguments.items()}
        return Call(self.name, *map(_made, self.positional), **arguments)(*first)

    __repr__ = Call.__str__  # an argument is written as it is called


def _made(argument: Any) -> Any:
    if isinstance(argument, list):
        return [_made(each) for each in argument]
    return argument() if isinstance(argument, Composed) else argument


def hashable(one_or_many: Any) -> Any:
    """A number, or several as flax wants them."""
    return one_or_many if isinstance(one_or_many, int) else tuple(one_or_many)


AFFINE = {"kernel": Name("kernel"), "bias": Name("bias")}
