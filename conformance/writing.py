"""What a spelling says of itself: the calls as a user writes them, and what stands in them.

An adapter hands it out as `Written`, so that nobody has to keep a table of argument names beside the calls themselves.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from conformance.errors import Unsupported
from conformance.spelling import (
    NOTHING,
    Built,
    Call,
    Function,
    Layout,
    Made,
    Name,
    Reshaped,
    Spelling,
    Written,
    functions_of,
)


def written(spelled: Any, inputs: Mapping[str, str], tensors: Sequence[str], optimizer: bool = False) -> Written:
    """How something is written that a speller gives: a spelling, a call, or something of the adapter's own.

    ``inputs`` are those of the task in their order, each with the keyword by which it is passed, if any; ``tensors``
    its weights, states and slots.
    """
    given = [f"{keyword}={name}" if keyword else name for name, keyword in inputs.items()]
    if isinstance(spelled, Call):
        return Written(text(spelled, given), arguments=arguments_of([spelled]), functions=sources(spelled))
    if not isinstance(spelled, Spelling):
        if spelled is None:
            raise Unsupported("its speller tells nothing that could be written")
        return Written(str(spelled))
    names = {
        name: spelled.tensors.get(name, Name(name)) for name in tensors if name in spelled.tensors or not optimizer
    }
    training: Call = getattr(spelled, "train", None) or spelled.call
    if isinstance(spelled, Function):
        weights = [f"{each.name}={name}" for name, each in names.items()]
        calls = [text(each, given, weights) for each in (spelled.call, training)]
        first = len(given)
    else:
        calls, first = [each.text() for each in (spelled.call, training)], 0
    moved = {name: Name(name, spelled.layout_of(name)) for name in inputs}
    return Written(
        calls[0],
        calls[1] if calls[1] != calls[0] else "",
        of_both(arguments_of([spelled.call], first), arguments_of([training], first)),
        {name: named(each) for name, each in names.items()}
        | {name: named(each) for name, each in moved.items() if in_words(each.layout)},
        sources(spelled.call, training),
    )


def text(call: Call, inputs: Sequence[str], weights: Sequence[str] = ()) -> str:
    """A call of a function as a user writes it."""
    if isinstance(call, (Made, Built)):
        return f"{call.text()}({', '.join([*inputs, *weights])})"
    options = [f"{name}={value!r}" for name, value in call.arguments.items()]
    return f"{call.name}({', '.join([*inputs, *map(repr, call.positional), *weights, *options])})"


# --- arguments ------------------------------------------------------------------------------------------------------


def of_both(predicting: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a prediction, and those in training that are others."""
    other = {name: value for name, value in training.items() if name not in predicting or predicting[name] != value}
    return dict(predicting) | {f"{name} in training" if name in predicting else name: other[name] for name in other}


def arguments_of(calls: Iterable[Call], first: int = 0) -> dict[str, Any]:
    """The arguments of calls by name, those of calls inside them too; ``first`` are passed before the positional ones.

    >>> arguments_of([Call("scale", Call("adam", b1=0.9), step=(1, 2))])
    {'b1': 0.9, 'step': [1, 2]}
    """
    found: dict[str, Any] = {}
    for call, name, value in _all(calls, first):
        key = name if name not in found else f"{call.name.rpartition('.')[2]}.{name}"
        found[key] = plain(value)
    return found


def _all(calls: Iterable[Call], first: int) -> Iterable[tuple[Call, str, Any]]:
    for call in calls:
        for name, value in [*_positional(call, first), *call.arguments.items()]:
            inner = [each for each in _several(value) if isinstance(each, Call)]
            if inner:
                yield from _all(inner, 0)
            else:
                yield call, name, value


def _several(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _positional(call: Call, first: int) -> list[tuple[str, Any]]:
    """Positional arguments, by the names that the framework has for them, if it tells."""
    if not call.positional:
        return []
    try:
        names = [
            each.name
            for each in inspect.signature(call.target()).parameters.values()
            if each.kind != each.VAR_POSITIONAL
        ][first:]
    except (ValueError, TypeError, AttributeError, ImportError):  # one in C tells nothing
        names = []
    names += [f"argument {first + number}" for number in range(len(names) + 1, len(call.positional) + 1)]
    return list(zip(names, call.positional, strict=False))


def plain(value: Any) -> Any:
    """An argument as a number, a text, or a list of them.

    >>> plain((np.float32(0.5), NOTHING, len))
    [0.5, 'None', 'len']
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if value is NOTHING:
        return "None"
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return getattr(value, "__qualname__", None) or re.sub(r"0x[0-9a-f]{6,}", "0x...", repr(value))


# --- names, layouts, functions --------------------------------------------------------------------------------------


def named(name: Name) -> str:
    """A framework's name, with the layout if it is another one."""
    return ", ".join(filter(None, (name.name, in_words(name.layout))))


def in_words(layout: Layout) -> str:
    """A layout in words; nothing if it is ours.

    >>> in_words(Layout.of("hwio->oihw")), in_words(Layout((1, 0), negated=True)), in_words(Layout((0, 1)))
    ('hwio->oihw', 'axes (1, 0) of ours, negated', '')
    """
    moved = layout.axes and layout.axes != tuple(range(len(layout.axes)))
    return ", ".join(
        filter(
            None,
            (
                (layout.pattern or f"axes {layout.axes} of ours") if moved else "",
                f"reshaped from {layout.before} to {layout.after}" if isinstance(layout, Reshaped) else "",
                "negated" if layout.negated else "",
            ),
        )
    )


def sources(*calls: Call) -> str:
    """The adapter's own functions that some calls need, as they stand."""
    needed = dict.fromkeys(each for call in calls for each in functions_of(call))
    return "\n\n\n".join(map(source, needed))


@cache
def source(function: Callable[..., Any]) -> str:
    """The source of a function, as it stands; to find it takes as long as to write the rest of a script."""
    return inspect.getsource(function).rstrip()
