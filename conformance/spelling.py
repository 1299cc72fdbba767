"""How a framework writes an operation: its calls as data, so that the same thing that runs can be printed in a script.

Nothing here imports a framework, or anything but NumPy: a worker in somebody else's environment needs no more.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.errors import Unsupported

Array: TypeAlias = npt.NDArray[Any]
Parameters: TypeAlias = Mapping[str, Any]
"""Canonical parameters: those that the case gives, and the defaults of those without own_default."""
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""The shapes of a task's tensors, by their canonical names."""


# --- calls ----------------------------------------------------------------------------------------------------------


class _Nothing:
    def __repr__(self) -> str:
        return "None"


NOTHING = _Nothing()
"""The argument None, where it is meant."""


@dataclass(frozen=True, init=False)
class Call:
    """One call of a framework: a dotted name and its arguments; one that is None is not passed, NOTHING is None.

    >>> print(Call("torch.nn.LayerNorm", (3,), eps=None, bias=True))
    torch.nn.LayerNorm((3,), bias=True)
    """

    name: str
    positional: tuple[Any, ...]
    arguments: Mapping[str, Any]

    def __init__(self, name: str, /, *positional: Any, **arguments: Any) -> None:
        given = {key: value for key, value in arguments.items() if value is not None}
        for key, value in (("name", name), ("positional", positional), ("arguments", given)):
            object.__setattr__(self, key, value)

    def target(self) -> Any:
        """What is called."""
        root, *path = self.name.split(".")
        target: Any = importlib.import_module(root)
        for name in path:
            target = getattr(target, name)
        return target

    def __call__(self, *first: Any, **weights: Any) -> Any:
        """Make the call, with further positional arguments in front, and further ones by keyword."""
        given = {key: None if value is NOTHING else value for key, value in self.arguments.items()}
        return self.target()(*first, *self.positional, **weights, **given)

    def having(self, **arguments: Any) -> Call:
        """The same call with further arguments."""
        return type(self)(self.name, *self.positional, **self.arguments, **arguments)

    def argument(self, name: str) -> Any:
        """The value that an argument has: the one that is passed, or the function's own default."""
        return self.arguments[name] if name in self.arguments else default(self.target(), name)

    def text(self, *first: str) -> str:
        """The call as it is written in a script."""
        shown = [*first, *map(repr, self.positional), *(f"{key}={value!r}" for key, value in self.arguments.items())]
        return f"{self.name}({', '.join(shown)})"

    def __str__(self) -> str:
        return self.text()


class Local(Call):
    """A call of one of the adapter's own functions, which a script takes over as it stands.

    ``helpers`` are further functions that it calls.
    """

    function: Callable[..., Any]
    helpers: Sequence[Callable[..., Any]]

    def __init__(
        self, function: Callable[..., Any], helpers: Sequence[Callable[..., Any]] = (), **arguments: Any
    ) -> None:
        super().__init__(function.__name__, **arguments)
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "helpers", tuple(helpers))

    def target(self) -> Any:
        return self.function

    def having(self, **arguments: Any) -> Local:
        return Local(self.function, self.helpers, **self.arguments, **arguments)


class Built(Local):
    """A call of what one of the adapter's own functions builds: once, and before anything is traced."""

    def build(self) -> Any:
        """What is called."""
        return self.function(**self.arguments)

    def __call__(self, *first: Any, **weights: Any) -> Any:
        return self.build()(*first, **weights)


class Made(Call):
    """A call that makes the function: of an object that is itself callable, as a Keras loss is."""

    def __call__(self, *first: Any, **weights: Any) -> Any:
        return super().__call__()(*first, **weights)


def by_name(call: Any, names: Any, *inputs: Any, **weights: Any) -> Any:
    """A call whose last inputs are passed by keyword."""
    count = len(inputs) - len(names)
    return call(*inputs[:count], **dict(zip(names, inputs[count:], strict=True)), **weights)


class ByName(Call):
    """A call whose last inputs, of these names, are passed by keyword."""

    call: Call
    names: Sequence[str]

    def __init__(self, call: Call, names: Sequence[str]) -> None:
        super().__init__(call.name, *call.positional, **call.arguments)
        object.__setattr__(self, "call", call)
        object.__setattr__(self, "names", tuple(names))

    def __call__(self, *inputs: Any, **weights: Any) -> Any:
        return by_name(self.call, self.names, *inputs, **weights)


def taking(call: Call, keywords: Sequence[str]) -> Call:
    """A call as it is, or with its last inputs by keyword."""
    return ByName(call, keywords) if keywords else call


def built(call: Call) -> Any:
    """What is called when it comes to it: a call, or what it has built by then."""
    return call.build() if isinstance(call, Built) else call


def functions_of(call: Call) -> list[Callable[..., Any]]:
    """The functions of the adapter's own that a call needs: what a script must take over."""
    if isinstance(call, ByName):
        return [by_name, *functions_of(call.call)]
    return [*call.helpers, call.function] if isinstance(call, Local) else []


def default(function: Callable[..., Any], name: str) -> Any:
    """The framework's own default for an argument."""
    return inspect.signature(function).parameters[name].default


# --- layouts and names ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """The order in which a framework keeps the axes of a canonical tensor, and whether it keeps its negative.

    >>> Layout.of("hwio->oihw").axes
    (3, 2, 0, 1)
    """

    axes: tuple[int, ...] = ()
    negated: bool = False
    pattern: str = field(default="", compare=False)
    """The names of the axes, if it was made from them."""

    @classmethod
    def of(cls, pattern: str) -> Layout:
        """From the names of the axes, ours and theirs: ``"hwio->oihw"``."""
        ours, theirs = pattern.split("->")
        return cls(tuple(ours.index(letter) for letter in theirs), pattern=pattern)

    @classmethod
    def moving(cls, sources: Sequence[int], start: int, rank: int) -> Layout:
        """The axes ``sources`` moved, in their order, so that they begin at ``start``."""
        rest = [axis for axis in range(rank) if axis not in sources]
        return cls((*rest[:start], *sources, *rest[start:]))

    def theirs(self, ours: Array) -> Array:
        return self._signed(np.ascontiguousarray(np.transpose(ours, self.axes)) if self.axes else ours)

    def ours(self, theirs: Array) -> Array:
        return self._signed(np.ascontiguousarray(np.transpose(theirs, np.argsort(self.axes))) if self.axes else theirs)

    def _signed(self, moved: Array) -> Array:
        return -moved if self.negated else moved


@dataclass(frozen=True)
class Reshaped(Layout):
    """A layout that also joins or splits axes: what has the shape ``before`` once in their order is to them ``after``.

    >>> Reshaped(before=(3, 2), after=(1, 6)).theirs(np.ones((3, 2))).shape
    (1, 6)
    """

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def theirs(self, ours: Array) -> Array:
        return super().theirs(ours).reshape(self.after)

    def ours(self, theirs: Array) -> Array:
        return super().ours(theirs.reshape(self.before))


AS_IS = Layout()


@dataclass(frozen=True)
class Name:
    """A weight, state or slot as the framework names it, and the layout it keeps it in."""

    name: str
    layout: Layout = AS_IS


@dataclass(frozen=True)
class Spelling:
    """How a framework writes an operation.

    ``call`` builds the framework's object (a module, a layer, an optimizer); ``tensors`` maps canonical weights,
    states and slots to the framework's names; ``layout`` is that of the inputs and results, ``layouts`` those of
    single ones that differ; ``reads`` reads a canonical parameter off the object, as the framework holds it; ``fixed``
    are tensors that the framework cannot leave out, with the value that makes them inert.
    """

    call: Call
    tensors: Mapping[str, Name] = field(default_factory=dict)
    layout: Layout = AS_IS
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    reads: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    fixed: Mapping[str, float] = field(default_factory=dict)

    def layout_of(self, name: str) -> Layout:
        """The layout of an input, a result or the target of a result."""
        return self.layouts.get(name, self.layout)


@dataclass(frozen=True)
class Function(Spelling):
    """A spelling by functions of the inputs and, by keyword, of the weights: ``call`` predicts, ``train`` trains.

    Without ``train``, ``call`` does both.  ``states`` are the tensors that the training function updates itself;
    ``untrained`` says why the operation cannot be trained with these parameters, if so.  ``reads`` read from ``train``
    if there is one, else from ``call``.
    """

    train: Call | None = None
    states: Sequence[str] = ()
    untrained: str = ""

    @property
    def training(self) -> Call:
        return self.train or self.call


@dataclass(frozen=True)
class Written:
    """How a framework writes a task, as texts and plain values: what can be told to people, and compared.

    ``call`` predicts (of an optimizer: makes it), ``training`` is the call that trains if it is another one;
    ``arguments`` are those of both by name; ``tensors`` are the framework's names and layouts of ours; ``functions`` is
    the source of the adapter's own functions that stand in the calls.
    """

    call: str
    training: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, str] = field(default_factory=dict)
    functions: str = ""


def is_plain(value: Any) -> bool:
    """Whether an argument is a number, a text, or a list of them."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


# --- the spellings of an adapter ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Converted:
    """A canonical parameter that a framework holds by another convention, and the way there and back."""

    name: str
    theirs: Callable[[Any], Any]
    ours: Callable[[Any], Any]


Speller: TypeAlias = Callable[[Parameters, Shapes], Any]
Reader: TypeAlias = Callable[[str], Callable[[Any], Any]]


def attribute(name: str) -> Callable[[Any], Any]:
    """Reads what an object holds under that name."""
    return lambda held: getattr(held, name)


def argument(name: str) -> Callable[[Any], Any]:
    """Reads an argument of a call, or the function's own default for it."""
    return lambda call: call.argument(name)


class Spellings(dict[str, Speller]):
    """The spellings of one adapter, or of one family of it.

    As a decorator, it files a function under its own name, the operation's.  Such a speller takes the canonical
    parameters and the shapes of the task's tensors, and returns what its adapter works with; it raises `Unsupported`,
    with the reason, for a parameter that its framework lacks.  What is no more than a call, `call` says in a line.
    """

    def __init__(
        self,
        *given: Mapping[str, Speller],
        make: Callable[..., Any] = Spelling,
        reader: Reader = attribute,
    ) -> None:
        """``make`` makes a spelling of a call, ``reader`` says how an argument is read off what was made."""
        super().__init__()
        for each in given:
            self.update(each)
        self.make, self.reader = make, reader

    def __call__(self, speller: Speller) -> Speller:
        self[speller.__name__] = speller
        return speller

    def call(
        self,
        operation: str,
        call: str | Call,
        implied: Parameters | None = None,
        /,
        *,
        options: Mapping[str, Any] | None = None,
        **arguments: str | Converted,
    ) -> None:
        """Spell an operation as one call.

        ``arguments`` maps the framework's arguments to our parameters.  The other parameters must have the values
        ``implied``, which are what the framework always computes: with any other the operation is unsupported.
        ``options`` are further fields of what ``make`` makes.
        """
        base = Call(call) if isinstance(call, str) else call
        mapped = {name: Converted(each, same, same) if isinstance(each, str) else each
                  for name, each in arguments.items()}  # fmt: skip
        known = {each.name for each in mapped.values()}

        def speller(p: Parameters, shapes: Shapes) -> Any:
            refuse_others(p, base.name, known, implied or {})
            given = {
                name: None if p.get(each.name) is None else each.theirs(p[each.name]) for name, each in mapped.items()
            }
            reads = {each.name: _reading(self.reader(name), each.ours) for name, each in mapped.items()}
            return self.make(base.having(**given), reads=reads, **(options or {}))

        self[operation] = speller

    def spell(self, operation: str, parameters: Parameters, shapes: Shapes | None = None) -> Any:
        if operation not in self:
            raise Unsupported(f"no counterpart of {operation}")
        return self[operation](parameters, shapes or {})


def same(value: Any) -> Any:
    """A parameter by the same convention."""
    return value


def _reading(read: Callable[[Any], Any], ours: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda held: ours(read(held))


def refuse_others(p: Parameters, name: str, known: Collection[str], implied: Parameters) -> None:
    """Raise `Unsupported` for a parameter that is neither known to a call nor what the call always computes."""
    for parameter, value in p.items():
        if parameter in known or (parameter in implied and implied[parameter] == value):
            continue
        other = f" other than {implied[parameter]}" if parameter in implied else ""
        raise Unsupported(f"{name} has no {parameter}{other}")


def spellings_of(package: str) -> Spellings:
    """All that the family modules of an adapter's package spell."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    modules = [importlib.import_module(f"{package}.{each.name}") for each in found if not each.name.startswith("_")]
    return Spellings(*(each.spellings for each in modules if hasattr(each, "spellings")))


def complement(momentum: float | None) -> float | None:
    """The opposite convention for a weight: what multiplies the new value instead of the old one."""
    return None if momentum is None else 1 - momentum


def per_step(value: Any, step: int) -> Any:
    """The value of a parameter at a step (from 1); a list that is too short goes on with its last value."""
    return value[min(step, len(value)) - 1] if isinstance(value, (list, tuple)) else value
