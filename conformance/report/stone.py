"""The Rosetta stone of an operation: how each framework writes it, and how to get from one to another.

All of it comes from the run: the spellings that the adapters told, the defaults that the frameworks held, the dialects
that were measured.  A run file may come from anywhere, so what is not of its kind counts as not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from conformance.operation import Operation
from conformance.report.words import dialect_name, listed, literal
from conformance.results import Run, Values
from conformance.rosetta import CONVERSIONS, LAYOUT, conversion


@dataclass(frozen=True)
class Argument:
    """How a framework writes a parameter: the name of its argument, and by which convention (`1 − {}`)."""

    name: str = ""
    conversion: str = ""
    refused: str = ""

    def equation(self, name: str) -> str:
        """The conversion of a parameter of that name, as a formula."""
        return self.conversion.replace("{}", name)

    def value(self, ours: Any) -> str:
        """What the argument is where our parameter is this."""
        listed = _values(self.conversion)
        if listed:
            return listed.get(literal(ours), literal(ours))
        convert = CONVERSIONS.get(self.conversion)
        return literal(convert(ours) if convert and isinstance(ours, float) else ours)


@dataclass(frozen=True)
class Writing:
    """How some adapters write an operation, all alike.

    ``defaults`` are the frameworks' own, as measured, by our convention.
    """

    adapters: tuple[str, ...]
    call: str
    training: str
    functions: str
    arguments: Mapping[str, Argument]
    tensors: Mapping[str, str]
    defaults: Mapping[str, str]

    @property
    def title(self) -> str:
        return ", ".join(self.adapters)


@dataclass(frozen=True)
class Dialect:
    """Another formula than the published one, who computes it, and of which tensors.

    ``verdict`` is dialect, or imprecise where the other formula is the same mathematics; ``why`` has a reason and a
    reference each; ``conforming`` are the adapters that compute the published formula in a case that shows it.
    """

    name: str
    verdict: str
    tensors: tuple[str, ...]
    adapters: tuple[str, ...]
    conforming: frozenset[str]
    why: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stone:
    """All that a run says of an operation's spellings and dialects."""

    operation: str
    known: Operation | None
    writings: Sequence[Writing]
    spoken: Sequence[Dialect] = ()

    @cached_property
    def parameters(self) -> list[str]:
        """The parameters that a framework has an argument or a default for, in the formula's order."""
        named = [name for each in self.writings for name in (*each.arguments, *each.defaults)]
        order = list(self.known.parameters) if self.known else []
        return sorted(dict.fromkeys(named), key=lambda name: order.index(name) if name in order else len(order))

    @cached_property
    def tensors(self) -> list[str]:
        """The weights and states that a framework has a name for."""
        return list(dict.fromkeys(name for each in self.writings for name in each.tensors))

    def hints(self, one: Writing, other: Writing) -> Iterator[str]:
        """How to get from one framework to another, in sentences."""
        for name in self.parameters:
            yield from _parameter(name, one, other)
        for name in self.tensors:
            yield from self._tensor(name, one, other)
        for dialect in self.spoken:
            yield from self._difference(dialect, one, other)

    def _tensor(self, name: str, one: Writing, other: Writing) -> Iterator[str]:
        mine, theirs = one.tensors.get(name), other.tensors.get(name)
        if mine == theirs:
            return
        if self.known and name in self.known.tensors and self.known.tensors[name].role == "input":
            here, there = (_order(each) for each in (mine, theirs))
            if here != there:
                yield f"The axes of {name}: {here} here, {there} there."
        elif mine and theirs:
            yield f"{_called(mine, name)} is `{theirs}`."
        elif mine:
            yield f"{_called(mine, name)} has no name there."
        else:
            yield f"{_called(theirs or name, name)} has no name here."

    def _difference(self, dialect: Dialect, one: Writing, other: Writing) -> Iterator[str]:
        """A dialect that some adapters of one framework compute, where some of the other compute the formula."""
        for who, whom in ((one, other), (other, one)):
            speakers = [each for each in who.adapters if each in dialect.adapters]
            others = [each for each in whom.adapters if each in dialect.conforming and each not in dialect.adapters]
            if speakers and others:
                where = listed([f"`{who.tensors.get(name, name)}`" for name in dialect.tensors])
                told = f"{listed(speakers)}: {self.told(dialect)}; {listed(others)}: the published formula"
                yield f"The numbers differ in {where}. {told}."

    def told(self, dialect: Dialect) -> str:
        """A dialect with what it means."""
        meanings = "; ".join(self.meanings(dialect.name))
        return f"{dialect.name} ({meanings})" if meanings else dialect.name

    def meanings(self, dialect: str) -> list[str]:
        """What the settings of a dialect mean, as far as the formula says."""
        knobs = self.known.knobs if self.known else {}
        settings = [setting.partition("=") for setting in dialect.split(", ")]
        return [
            meaning
            for name, _, setting in settings
            if name in knobs
            for value, meaning in knobs[name].values.items()
            if str(value) == setting
        ]


def _parameter(name: str, one: Writing, other: Writing) -> Iterator[str]:
    mine, theirs = one.arguments.get(name, Argument()), other.arguments.get(name, Argument())
    if mine.name and theirs.refused:
        yield f"{_sentence(mine.name)} cannot be had there: {theirs.refused}."
    elif mine.name and not theirs.name:
        yield f"{_sentence(mine.name)} has no argument of its own there, as far as was measured."
    elif mine.name and (mine.name, mine.conversion) != (theirs.name, theirs.conversion):
        become = "become" if ", " in mine.name else "becomes"
        yield f"{_sentence(mine.name)} {become} {_in_words(theirs.name)}{_by_convention(mine, theirs)}."
    default, there = one.defaults.get(name), other.defaults.get(name)
    if default is not None and there is not None and default != there:
        yield f"{_given(name, default, theirs)}: the default for {name} is {default} here, {there} there."


def _given(name: str, value: str, argument: Argument) -> str:
    """What must be written for a parameter to have a value."""
    if not argument.name:
        return f"{name} of {value} cannot be had"
    if " or " in value or argument.name == "call" or not argument.name.isidentifier():  # several, or another function
        return f"{name} of {value} must be given"
    return f"`{argument.name}={argument.value(_number(value))}` must be given"


def _called(theirs: str, name: str) -> str:
    return f"`{theirs}`" if theirs == name else f"`{theirs}` ({name})"


def _order(written: str | None) -> str:
    """The axes of an input, from its name and how they are arranged."""
    order = (written or "").partition(", ")[2].replace("of ours", "of the formula’s")
    return f"`{order}`" if order else "in the formula’s order"


def _in_words(argument: str) -> str:
    """What a parameter is written by: arguments, the layout of a tensor, another function that is called.

    >>> _in_words("call, weight_decay"), _in_words("layout of x"), _in_words("use_scale in training")
    ('another call and `weight_decay`', 'the layout of x', '`use_scale` in training')
    """
    parts = []
    for each in argument.split(", "):
        name, _, phase = each.partition(" in ")
        said = "another call" if each == "call" else f"the {each}" if each.startswith(LAYOUT) else f"`{name}`"
        parts.append(f"{said} in {phase}" if phase else said)
    return " and ".join([*([", ".join(parts[:-1])] if parts[1:] else []), parts[-1]])


def _sentence(argument: str) -> str:
    said = _in_words(argument)
    return said[:1].upper() + said[1:]


_LONG = 80
"""A conversion of so many characters is for a table, not for a sentence."""


def _by_convention(mine: Argument, theirs: Argument) -> str:
    if mine.conversion == theirs.conversion:
        return ""
    if not mine.conversion and theirs.conversion.count("{}") == 1:
        return " = " + theirs.conversion.format(mine.name)
    if not theirs.conversion and mine.conversion in ("1 − {}", "−{}", "1/{}"):  # these undo themselves
        return " = " + mine.conversion.format(mine.name)
    said = _value_by_value(mine.conversion, theirs.conversion)
    return f" ({said})" if 0 < len(said) < _LONG else ", by another convention: see the table"


def _value_by_value(here: str, there: str) -> str:
    """What becomes of each value, from what it is here and there of ours; nothing, if that is not told one by one.

    >>> _value_by_value("", "none → false, tanh → true"), _value_by_value("none → 0, tanh → 1", "")
    ('none → false, tanh → true', '0 → none, 1 → tanh')
    >>> _value_by_value("none → 0, tanh → 1", "tanh → true, none → false")
    '0 → false, 1 → true'
    """
    mine, theirs = _values(here), _values(there)
    if not here and "→" in there:
        return ", ".join(f"{ours} → {value}" for ours, value in theirs.items() if ours != value) or there
    if mine and not there:
        theirs = {ours: ours for ours in mine}
    if len({*mine.values()}) < len(mine) or mine.keys() != theirs.keys():
        return ""
    return ", ".join(f"{value} → {theirs[ours]}" for ours, value in mine.items() if value != theirs[ours])


def _values(conversion: str) -> dict[str, str]:
    """The values that a conversion lists, of one word each, and what it makes of them."""
    pairs = [each.split(" → ") for each in conversion.split(", ")]
    plain = all(len(pair) == 2 and not any(" " in each for each in pair) for pair in pairs)
    return dict(pairs) if plain else {}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


# --- reading it off a run -------------------------------------------------------------------------------------------


def stone(run: Run, name: str, known: Operation | None, found: Sequence[Values]) -> Stone:
    """What a run says of an operation; ``found`` are its outcomes."""
    groups: dict[str, Writing] = {}
    defaults = _defaults(found)
    for adapter in sorted(run.header.adapters):
        written = _mapping(_mapping(run.header.adapters[adapter].get("spellings")).get(name))
        if not written.get("call") or adapter == "numpy":  # which evaluates the formula itself
            continue
        made = _writing(adapter, written, defaults.get(adapter, {}))
        key = repr((made.call, made.training, made.functions, made.arguments, made.tensors, made.defaults))
        if key in groups:
            made = Writing(**{**vars(groups[key]), "adapters": (*groups[key].adapters, adapter)})
        groups[key] = made
    return Stone(name, known, tuple(groups.values()), tuple(_dialects(found)))


def _writing(adapter: str, written: Mapping[str, Any], defaults: Mapping[str, str]) -> Writing:
    return Writing(
        adapters=(adapter,),
        call=str(written["call"]),
        training=str(written.get("training") or ""),
        functions=str(written.get("functions") or ""),
        arguments={name: _argument(_mapping(each)) for name, each in _mapping(written.get("parameters")).items()},
        tensors={name: str(each) for name, each in _mapping(written.get("tensors")).items()},
        defaults=defaults,
    )


def _argument(said: Mapping[str, Any]) -> Argument:
    if said.get("refused"):
        return Argument(refused=str(said["refused"]))
    values = said.get("values")
    pairs = [each for each in values if isinstance(each, list) and len(each) == 2] if isinstance(values, list) else []
    passed = [pair for pair in pairs if pair[1] not in (None, "given")]  # to give it or leave it out is no conversion
    return Argument(str(said.get("argument") or ""), conversion(passed))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _defaults(found: Iterable[Values]) -> dict[str, dict[str, str]]:
    """The defaults of each adapter's framework, as its objects held them."""
    seen: dict[str, dict[str, dict[str, None]]] = {}
    for values in found:
        for name in values.get("defaults", ()):
            if name in values.get("parameters", {}):
                texts = seen.setdefault(values["adapter"], {}).setdefault(name, {})
                texts[literal(_shortest(values["parameters"][name]))] = None
    return {adapter: {name: " or ".join(texts) for name, texts in each.items()} for adapter, each in seen.items()}


def _shortest(value: Any) -> Any:
    """A number as one writes it in float32, where a framework holds it in that format: 0.9, not 0.899999976."""
    if not isinstance(value, float):
        return value
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return float(str(single)) if float(single) == value else value


def _dialects(found: Iterable[Values]) -> list[Dialect]:
    """The dialects of single tensors, with those who speak them; several tensors of one dialect are one finding."""
    tensors: dict[tuple[str, str], dict[str, None]] = {}
    speakers: dict[tuple[str, str], dict[str, None]] = {}
    reasons: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    shown: dict[tuple[str, str], set[tuple[str, str]]] = {}
    conforming: dict[tuple[str, str], set[str]] = {}
    for values in found:
        place = str(values["case"]), str(values["phase"])
        if values["verdict"] == "conforms":
            conforming.setdefault(place, set()).add(str(values["adapter"]))
        for tensor in values.get("tensors", ()):
            if tensor["verdict"] not in ("dialect", "imprecise") or not tensor["dialect"]:
                continue
            key = str(tensor["verdict"]), dialect_name(tensor["dialect"])
            shown.setdefault(key, set()).add(place)
            tensors.setdefault(key, {})[str(tensor["name"])] = None
            speakers.setdefault(key, {})[str(values["adapter"])] = None
            for entry in values.get("declared", ()):
                if entry.get("dialect") == tensor["dialect"] and entry.get("reason"):
                    why = str(entry["reason"]), str(entry.get("reference") or "")
                    reasons.setdefault(key, {})[why] = None
    return [
        Dialect(
            name=name,
            verdict=verdict,
            tensors=tuple(tensors[verdict, name]),
            adapters=tuple(sorted(adapters)),
            conforming=frozenset().union(*(conforming.get(place, ()) for place in shown[verdict, name])),
            why=tuple(reasons.get((verdict, name), ())),
        )
        for (verdict, name), adapters in sorted(speakers.items())
    ]
