"""What a case is: one entry of a case file at one point of its matrix."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.adapter import Part
from conformance.errors import Place
from conformance.operation import Operation, Setting, Shape
from conformance.results import VERDICTS

LARGEST_TENSOR = 2**20
"""Elements."""
MOST_AXES = 32
MOST_POINTS = 1000
"""Of the matrix of one entry."""
MOST_CASES = 2000
"""Of one file, the matrices expanded."""
MOST_STEPS = 10_000
MOST_RULES = 100
"""Of a list that every case is compared with: ``exclude:``, ``deviations:`` and their ``cases:``."""
MOST_PATTERNS = 200
"""Of one file's deviations together."""
DECLARABLE = tuple(each for each in VERDICTS if each not in ("conforms", "dialect", "unsupported"))
"""The verdicts that a declared deviation may name; a dialect is declared by its knobs."""
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Printed:
    """Numbers that somebody printed, and half a unit of the last digit printed: 0 for integers, infinities and NaN."""

    values: Floats
    margin: Floats
    place: Place


@dataclass(frozen=True, eq=False)
class TensorSpec:
    """A tensor of a case: its shape is known, its numbers are made when they are asked for.

    ``recipe`` is ``numbers``, ``full`` or one of the keys of a case file (``normal``, ``uniform``, ...), with its
    ``arguments`` and, if it is random, its ``seed``.
    """

    shape: Shape
    place: Place
    recipe: str = "full"
    arguments: tuple[float, ...] = (0.0,)
    seed: int | None = None
    numbers: Floats | None = None

    @classmethod
    def of(cls, numbers: npt.ArrayLike, place: Place) -> TensorSpec:
        """A tensor of given numbers."""
        array = np.array(numbers, dtype=np.float64)
        return cls(array.shape, place, "numbers", (), None, array)

    @classmethod
    def full(cls, shape: Shape, value: float, place: Place) -> TensorSpec:
        """A tensor of one number."""
        return cls(shape, place, "full", (value,))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def reseeded(self, offset: int) -> TensorSpec:
        """The same recipe, drawn anew if it is random."""
        return self if self.seed is None else replace(self, seed=self.seed + offset)

    def values(self) -> Floats:
        """The numbers: an array of its own at each call, always the same."""
        if self.numbers is not None:
            return self.numbers.copy()
        if self.recipe == "full":
            return np.full(self.shape, self.arguments[0], dtype=np.float64)
        first, second = self.arguments
        if self.recipe == "linspace":
            return np.linspace(first, second, self.size, dtype=np.float64).reshape(self.shape)
        generator = np.random.Generator(np.random.PCG64(self.seed))
        if self.recipe == "integers":
            return generator.integers(int(first), int(second), self.shape).astype(np.float64)
        if self.recipe == "uniform":
            return generator.uniform(first, second, self.shape)
        return generator.normal(first, second, self.shape)


@dataclass(frozen=True)
class TrainPhase:
    """The train phase: ``inputs`` and ``targets`` have one entry per step, ``expect`` is after the last step."""

    inputs: tuple[Mapping[str, TensorSpec], ...]
    targets: tuple[TensorSpec, ...] | None
    loss: Part | None
    optimizer: Part | None
    steps: int
    expect: Mapping[str, Printed]


@dataclass(frozen=True)
class PredictPhase:
    """The predict phase."""

    inputs: Mapping[str, TensorSpec]
    expect: Mapping[str, Printed]


@dataclass(frozen=True)
class Declaration:
    """A deviation that is known: either the dialect that some adapters compute, or the verdict they get.

    ``error_ratio`` is the band in which the ratio lies, per precision; ``cases`` are patterns on the case's name or
    ``name[point]``, none for all of the file; ``versions`` maps a distribution to a PEP 440 specifier.
    """

    adapters: tuple[str, ...]
    tensor: str
    dialect: Mapping[str, Setting] | None
    verdict: str | None
    error_ratio: Mapping[str, tuple[float, float]]
    phase: str | None
    modes: tuple[str, ...]
    cases: tuple[str, ...]
    versions: Mapping[str, str]
    reason: str
    reference: str
    place: Place

    def covers(self, tensor: str) -> bool:
        """Whether it speaks of a tensor."""
        return fnmatch.fnmatchcase(tensor, self.tensor)

    def applies(self, adapter: str, phase: str, mode: str, versions: Mapping[str, str]) -> bool:
        """Whether it speaks of a phase of an adapter in a mode, with its distributions in these versions."""
        if adapter not in self.adapters or self.phase not in (None, phase) or mode not in (self.modes or (mode,)):
            return False
        if not self.versions:
            return True
        from packaging.specifiers import SpecifierSet

        return all(
            distribution in versions and SpecifierSet(specifier).contains(versions[distribution], prereleases=True)
            for distribution, specifier in self.versions.items()
        )

    def as_dict(self) -> dict[str, Any]:
        """What the run file records of it."""
        said = {"dialect": dict(self.dialect)} if self.dialect is not None else {"verdict": self.verdict}
        return {"tensor": self.tensor, **said, "reason": self.reason, "reference": self.reference}


@dataclass(frozen=True, eq=False)
class Case:
    """One entry of a case file at one point of its matrix.

    ``parameters`` are the canonical ones that the case gives; ``tensors`` the weights and states that exist with
    them, filled where the case does not give them; ``yaml`` is the entry as it is written.
    """

    id: str
    operation: Operation
    name: str
    description: str
    point: Mapping[str, Any]
    parameters: Mapping[str, Any]
    tensors: Mapping[str, TensorSpec]
    train: TrainPhase | None
    predict: PredictPhase | None
    observed: Mapping[str, Printed]
    precisions: tuple[str, ...]
    declarations: tuple[Declaration, ...]
    references: tuple[str, ...]
    place: Place
    yaml: str

    def reseeded(self, offset: int) -> Case:
        """The case with its inputs drawn anew, which have no expectations; the same if it draws none."""
        given = [*self.tensors.values(), *(self.predict.inputs.values() if self.predict else ())]
        trained = [*(each for batch in self.train.inputs for each in batch.values()), *(self.train.targets or ())] if (
            self.train) else []  # fmt: skip
        if not offset or all(each.seed is None for each in (*given, *trained)):
            return self
        anew: dict[int, TensorSpec] = {}  # a tensor for all steps stays one

        def drawn(spec: TensorSpec) -> TensorSpec:
            return anew.setdefault(id(spec), spec.reseeded(offset))

        batches: dict[int, Mapping[str, TensorSpec]] = {}

        def batch(given: Mapping[str, TensorSpec]) -> Mapping[str, TensorSpec]:
            return batches.setdefault(id(given), {name: drawn(each) for name, each in given.items()})

        train, predict = self.train, self.predict
        if train:
            targets = tuple(drawn(each) for each in train.targets) if train.targets else None
            train = replace(train, inputs=tuple(batch(each) for each in train.inputs), targets=targets, expect={})
        if predict:
            predict = PredictPhase(batch(predict.inputs), {})
        tensors = {name: drawn(each) for name, each in self.tensors.items()}
        return replace(self, tensors=tensors, train=train, predict=predict)

    @property
    def defaults(self) -> tuple[str, ...]:
        """The parameters that the case leaves to each framework's own default."""
        own = (name for name, each in self.operation.parameters.items() if each.own_default)
        return tuple(name for name in own if name not in self.parameters)

    @property
    def file(self) -> str:
        return self.place.file
