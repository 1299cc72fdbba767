"""What an operation is: one NumPy function, which is the formula, and what stands beside it.

The function's signature is the list of canonical tensors and parameters.  Tensors come first and say by their
default what they are (`input`, `weight`, `state`); parameters are keyword-only (`parameter`).  Three keywords, each
taken only by the functions that name them, come from outside the case::

    training   True in the train phase
    step       the number of this step, from 1
    dialect    the settings of the knobs, a mapping from every knob's name to its value

The function returns its results by name; a result with the name of a state is that state's next value.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from conformance.errors import Undefined, UsageError, nearest

Array: TypeAlias = Any
"""An array in whatever arithmetic the formula is evaluated in: ndarray, Bounded, autograd's box, mpmath's."""

Setting: TypeAlias = str | int | float | bool
Dialect: TypeAlias = Mapping[str, Setting]
"""The knobs that differ from the published formula; ``{}`` is the formula itself."""

Shape: TypeAlias = tuple[int, ...]
Sizes: TypeAlias = dict[str, Shape]


@dataclass(frozen=True)
class Tensor:
    """A tensor of an operation.

    ``axes`` names its axes: ``"batch input"`` (one axis each), ``"*batch input"`` (any number of leading ones) or
    ``"channel@axis"`` (of an array of any rank, the axes that the parameter ``axis`` chooses).  Axes of one name
    have one size.  ``initial`` fills the tensor when a case does not give it; ``when`` names the parameter that
    must be true (or non-zero) for the tensor to exist.  An ``integer`` tensor holds indices, labels or counts; an
    ``optional`` input may be left out: the function then gets None.
    """

    role: Literal["input", "weight", "state"]
    axes: str
    initial: float | None = None
    when: str | None = None
    differentiable: bool = True
    integer: bool = False
    optional: bool = False

    def dtype(self, precision: str) -> str:
        """The format of its numbers where real ones are in ``precision``."""
        return "int64" if self.integer else precision


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation.

    ``choices`` are its possible values, if few; ``per_step`` allows a list with one value per step.  If
    ``own_default`` is set, frameworks have defaults of their own, and a case that does not give the parameter is
    judged with each framework's.
    """

    default: Any
    meaning: str
    choices: tuple[Setting, ...] = ()
    minimum: float | None = None
    many: bool = False
    per_step: bool = False
    own_default: bool = False

    @property
    def kind(self) -> type:
        return type(self.default)


def input(axes: str, *, differentiable: bool = True, integer: bool = False, optional: bool = False) -> Any:
    """An input: given by the case, differentiated in the train phase unless it holds integers."""
    return Tensor("input", axes, differentiable=differentiable and not integer, integer=integer, optional=optional)


def weight(axes: str, *, initial: float | None = None, when: str | None = None) -> Any:
    """A weight: differentiated and updated by the optimizer in the train phase."""
    return Tensor("weight", axes, initial, when)


def state(axes: str, *, initial: float | None = None, when: str | None = None) -> Any:
    """A state: updated by the formula itself in the train phase."""
    return Tensor("state", axes, initial, when, differentiable=False)


def parameter(default: Any, meaning: str, **options: Any) -> Any:
    """A parameter with its default, its meaning, and the options of `Parameter`."""
    return Parameter(default, meaning, **options)


@dataclass(frozen=True)
class Knob:
    """A named choice inside formulas: ``values`` maps each setting to what it means.

    A semantic knob changes the exact result; an algorithmic one only its rounding.  ``default`` is the published
    formula's setting.
    """

    name: str
    values: Mapping[Setting, str]
    default: Setting
    algorithmic: bool = False

    def published(self, default: Setting) -> Knob:
        """The same choice in an operation whose published formula has another setting."""
        return Knob(self.name, self.values, default, self.algorithmic)

    def without(self, *values: Setting) -> Knob:
        """The same choice in an operation to which some settings do not apply."""
        kept = {value: meaning for value, meaning in self.values.items() if value not in values}
        return Knob(self.name, kept, self.default, self.algorithmic)

    @property
    def others(self) -> tuple[Setting, ...]:
        return tuple(value for value in self.values if value != self.default)


@dataclass(frozen=True)
class Example:
    """Small numbers worked by hand: what anyone would expect of an operation, whatever computes it.

    Shapes differ along every axis and the numbers are exact in every format, so a layout that is not converted, a
    weight under the wrong name or a result in the wrong precision cannot pass.  With a ``target`` of its result, a
    layer is trained on it for a step, too.
    """

    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, Any] = field(default_factory=dict)
    target: Any = None


Kind = Literal["layer", "loss", "optimizer"]


@dataclass(frozen=True)
class Operation:
    """A formula with everything that is said about it in one place.

    ``results`` are the names of what a prediction gives.  In training, a result ``y`` is held against a target by a
    loss; an operation without one is its own objective: the sum of its results is differentiated.
    """

    name: str
    family: str
    function: Callable[..., Mapping[str, Array]]
    tensors: Mapping[str, Tensor]
    parameters: Mapping[str, Parameter]
    formula: str
    source: str
    example: Example
    knobs: Mapping[str, Knob] = field(default_factory=dict)
    differentiable: bool = True
    results: tuple[str, ...] = ("y",)

    @property
    def kind(self) -> Kind:
        """What frameworks make of it: something with results, a loss, or an optimizer of a variable."""
        if "variable" in self.tensors:
            return "optimizer"
        return "loss" if self.results == ("loss",) else "layer"

    @property
    def description(self) -> str:
        return (inspect.getdoc(self.function) or "").partition("\n\n")[0].replace("\n", " ")

    @cached_property
    def _outside(self) -> frozenset[str]:
        return frozenset(inspect.signature(self.function).parameters) & {"training", "step", "dialect"}

    def of_role(self, *roles: str) -> list[str]:
        return [name for name, tensor in self.tensors.items() if tensor.role in roles]

    @property
    def required_inputs(self) -> list[str]:
        """The inputs that cannot be left out."""
        return [name for name in self.of_role("input") if not self.tensors[name].optional]

    @property
    def optional_inputs(self) -> tuple[str, ...]:
        return tuple(name for name, each in self.tensors.items() if each.optional)

    @property
    def holds_integers(self) -> bool:
        return any(each.integer for each in self.tensors.values())

    @property
    def objective(self) -> tuple[str, ...]:
        """The results that are differentiated: ``y``, or all of an operation that has none."""
        return ("y",) if "y" in self.results else self.results

    def __call__(
        self,
        tensors: Mapping[str, Array],
        parameters: Mapping[str, Any],
        *,
        training: bool = False,
        step: int = 1,
        dialect: Dialect | None = None,
    ) -> dict[str, Array]:
        """The results by name. Tensors that the parameters rule out are None to the function."""
        outside = {"training": training, "step": step, "dialect": self.settings(parameters) | dict(dialect or {})}
        known = {name: tensors.get(name) for name in self.tensors}
        options = {name: parameters.get(name, each.default) for name, each in self.parameters.items()}
        return dict(self.function(**known, **options, **{name: outside[name] for name in self._outside}))

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Setting]:
        """Every knob's setting in the published formula with these parameters.

        A parameter with a knob's name and one of its settings asks for that setting (``approximate: tanh``).
        """
        return {
            name: parameters[name] if parameters.get(name) in tuple(knob.values) else knob.default
            for name, knob in self.knobs.items()
        }

    def active(self, parameters: Mapping[str, Any]) -> dict[str, Tensor]:
        """The tensors that exist with these parameters."""
        return {
            name: tensor
            for name, tensor in self.tensors.items()
            if tensor.when is None or bool(parameters.get(tensor.when, self.parameters[tensor.when].default))
        }

    def sizes(self, shapes: Mapping[str, Shape], parameters: Mapping[str, Any]) -> Sizes:
        """The size of each named axis, from the shapes of some tensors.

        Raises `ValueError` with the tensor, its shape and what was expected.
        """
        sizes: Sizes = {}
        for name in (each for each in self.tensors if each in shapes):
            _bind(name, self.tensors[name].axes, shapes[name], sizes, self._options(parameters))
        return sizes

    def shape(self, name: str, sizes: Sizes, parameters: Mapping[str, Any]) -> Shape | None:
        """The shape of a tensor, from the sizes of the named axes; None if they do not determine it."""
        shape: Shape = ()
        for token in self.tensors[name].axes.split():
            if "@" in token or token.lstrip("*") not in sizes:
                return None
            shape += sizes[token.lstrip("*")]
        return shape

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {name: each.default for name, each in self.parameters.items()} | dict(parameters)

    def check_dialect(self, dialect: Dialect) -> None:
        """Raise `UsageError` for a knob or a setting that this operation does not have."""
        for name, value in dialect.items():
            if name not in self.knobs:
                raise UsageError(f"{self.name} has no knob {name!r}; {nearest(name, self.knobs)}")
            if not any(same_setting(value, each) for each in self.knobs[name].values):
                known = ", ".join(map(str, self.knobs[name].values))
                raise UsageError(f"the knob {name!r} of {self.name} has no setting {value!r}; known: {known}")


def same_setting(one: Setting, other: Setting) -> bool:
    """Equal, and equally boolean: the setting ``1`` is not the setting ``True``."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def chosen_axes(axis: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """The axes that a parameter chooses, counted from 0; raises `Undefined` if the array has no such axis."""
    chosen = (axis,) if isinstance(axis, int) else tuple(axis)
    for each in chosen:
        if not -rank <= each < rank:
            raise Undefined(f"axis {each} does not exist in an array of {rank} axes")
    positions = tuple(each % rank for each in chosen)
    if len(set(positions)) < len(positions):
        raise Undefined(f"the same axis twice: {list(chosen)} in an array of {rank} axes")
    return positions


def _bind(name: str, axes: str, shape: Shape, sizes: Sizes, parameters: Mapping[str, Any]) -> None:
    tokens = axes.split()
    if len(tokens) == 1 and "@" in tokens[0]:
        token, _, chooser = tokens[0].partition("@")
        try:
            chosen = chosen_axes(parameters[chooser], len(shape))
        except Undefined as error:
            raise ValueError(f"{name} has the shape {list(shape)}: {error}") from None
        _agree(name, shape, token, tuple(shape[each] for each in sorted(chosen)), sizes)
        return
    star = next((token for token in tokens if token.startswith("*")), None)
    widths = {token: len(sizes.get(token, (1,))) for token in tokens if token != star}
    surplus = len(shape) - sum(widths.values())
    if surplus < 0 or (star is None and surplus):
        raise ValueError(f"{name} has the shape {list(shape)}, expected the axes [{', '.join(tokens)}]")
    position = 0
    for token in tokens:
        width = widths.get(token, surplus)
        _agree(name, shape, token.lstrip("*"), shape[position : position + width], sizes)
        position += width


def _agree(name: str, shape: Shape, token: str, found: Shape, sizes: Sizes) -> None:
    expected = sizes.setdefault(token, found)
    if expected != found:
        one = len(expected) == len(found) == 1
        expected_text, found_text = (expected[0], found[0]) if one else (list(expected), list(found))
        raise ValueError(
            f"{name} has the shape {list(shape)}: its axis '{token}' is {found_text}, expected {expected_text}"
        )


# --- the registry ---------------------------------------------------------------------------------------------------

_REGISTRY: dict[str, Operation] = {}


def operation(
    *,
    formula: str,
    source: str,
    example: Example,
    knobs: Sequence[Knob] = (),
    differentiable: bool = True,
    results: Sequence[str] = ("y",),
) -> Callable[[Callable[..., Any]], Operation]:
    """Turn a formula into an `Operation` and enter it into the registry under the function's name.

    ``formula`` is LaTeX, ``source`` the address of the paper or standard that publishes it; the family is the
    name of its module or package in `conformance.operations`.
    """

    def register(function: Callable[..., Any]) -> Operation:
        defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}
        made = Operation(
            name=function.__name__,
            family=_family(function.__module__),
            function=function,
            tensors={name: each for name, each in defaults.items() if isinstance(each, Tensor)},
            parameters={name: each for name, each in defaults.items() if isinstance(each, Parameter)},
            formula=formula,
            source=source,
            example=example,
            knobs={knob.name: knob for knob in knobs},
            differentiable=differentiable,
            results=tuple(results),
        )
        _REGISTRY[made.name] = made
        return made

    return register


_PACKAGE = "conformance.operations."


def _family(module: str) -> str:
    inside = module.removeprefix(_PACKAGE).split(".")
    return inside[0] if module.startswith(_PACKAGE) else inside[-1]


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation by name: the modules of `conformance.operations`, and of its packages, are the list."""
    package = importlib.import_module(_PACKAGE.rstrip("."))
    for module in sorted(each.name for each in pkgutil.walk_packages(package.__path__, _PACKAGE)):
        importlib.import_module(module)
    return dict(sorted(_REGISTRY.items(), key=lambda item: (item[1].family, item[0])))


def parts(kind: Kind) -> dict[str, Operation]:
    """The losses, or the optimizers, that a layer can be trained with: the losses of a prediction and a target."""
    return {
        name: each
        for name, each in operations().items()
        if each.kind == kind
        and (kind == "optimizer" or (each.required_inputs == ["prediction", "target"] and not each.holds_integers))
    }


def get_operation(name: str) -> Operation:
    """The operation of that name; raises `UsageError` with the nearest names."""
    known = operations()
    if name not in known:
        raise UsageError(f"there is no operation {name!r}; {nearest(name, known)}")
    return known[name]


def fill(shape: Shape, value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A tensor that a case leaves at its initial value."""
    if math.prod(shape) > 2**28:
        raise ValueError(f"the shape {list(shape)} has more than 2^28 elements")
    return np.full(shape, value, dtype=np.float64)
