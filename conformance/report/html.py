"""The page that people read: one file, without scripts and without anything from elsewhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from conformance.operation import Operation, operations
from conformance.report import words
from conformance.report.overview import (
    Cause,
    Cell,
    Matrix,
    causes,
    disagreement,
    family_of,
    operation_of,
    tally,
    undeclared,
)
from conformance.results import Outcome, Run, TensorResult, whole

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def render(run: Run) -> str:
    """The page of a run."""
    return "".join(parts(run))


def parts(run: Run, earlier: Sequence[tuple[str, Run]] = ()) -> Iterator[str]:
    """The page of a run, piece by piece, so that it need not be in memory as a whole."""
    seen = Cell(run.outcomes).counts
    stream = (
        _environment()
        .get_template("page.html")
        .stream(
            run=run,
            tally=tally(run),
            warnings=words.warnings(run),
            undeclared=undeclared(run),
            matrix=Matrix.of(run),
            causes=causes(run),
            sections=_sections(run),
            verdicts=[verdict for verdict in words.GLYPHS if verdict in seen],
            limits=_limits(),
        )
    )
    stream.enable_buffering(1000)
    return iter(stream)


def anchor(name: str, kind: str = "case") -> str:
    """The place of a case or an operation on the page: the same in every report, whatever else is in it.

    >>> anchor("relu/negative_zero")
    'case-relu/negative_zero'
    """
    slug = re.sub(r"[^A-Za-z0-9_./-]+", "-", name).strip("-")
    if slug != name:
        slug += "-" + hashlib.blake2b(name.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
    return f"{kind}-{slug}"


# --- what the templates are given -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A case with its outcomes on all adapters."""

    name: str
    about: Mapping[str, Any]
    cell: Cell
    by_adapter: Mapping[str, Cell]

    @property
    def quiet(self) -> bool:
        """Whether all adapters agree with the formula."""
        return disagreement(self.cell.outcomes) == 0


@dataclass(frozen=True)
class Section:
    """An operation with its cases, those first in which most adapters disagree with the formula."""

    name: str
    family: str
    operation: Operation | None
    formula: Markup | None
    loud: list[Case]
    quiet: list[Case]

    def seen(self, knob: str, setting: Any) -> int:
        """How many cases of this run would fail with another setting of a knob."""
        return sum(f"{knob}={setting}" in case.about.get("sees", ()) for case in (*self.loud, *self.quiet))


def _sections(run: Run) -> list[Section]:
    outcomes: dict[str, list[Outcome]] = {}
    for outcome in run.outcomes:
        outcomes.setdefault(outcome.case, []).append(outcome)
    groups: dict[tuple[str, str], list[Case]] = {}
    for name, found in outcomes.items():
        key = family_of(run, name), operation_of(run, name)
        groups.setdefault(key, []).append(_case(name, run.header.cases.get(name, {}), found))
    return [_section(family, name, cases) for (family, name), cases in sorted(groups.items())]


def _case(name: str, about: Mapping[str, Any], outcomes: list[Outcome]) -> Case:
    adapters = sorted({outcome.adapter for outcome in outcomes})
    by_adapter = {
        adapter: Cell(tuple(outcome for outcome in outcomes if outcome.adapter == adapter)) for adapter in adapters
    }
    return Case(name, about, Cell(tuple(each for cell in by_adapter.values() for each in cell.outcomes)), by_adapter)


def _section(family: str, name: str, cases: list[Case]) -> Section:
    operation = operations().get(name)
    loud = [case for case in cases if not case.quiet]
    loud.sort(key=lambda case: (not case.cell.undeclared, -disagreement(case.cell.outcomes)))
    formula = typeset(operation.formula) if operation else None
    return Section(name, family, operation, formula, loud, [case for case in cases if case.quiet])


@cache
def typeset(formula: str) -> Markup:
    """A formula in LaTeX as MathML; as it stands, if it cannot be converted."""
    from latex2mathml.converter import convert
    from markupsafe import Markup

    try:
        return Markup(convert(formula, display="block"))  # our own formula, never a run file's text
    except Exception:  # the library raises what its parser stumbles over
        return Markup("<code>{}</code>").format(formula)


def _limits() -> dict[str, str]:
    """The error ratio up to which a tensor conforms, as a power of ten, by format."""
    from conformance.arithmetic.precision import PRECISIONS

    return {name: words.power(precision.limit) for name, precision in PRECISIONS.items()}


def meanings_of(cause: Cause) -> list[str]:
    """What the settings of a dialect mean, as far as the formulas say."""
    first = cause.outcomes[0]
    found = []
    for name, setting in sorted((first.dialect or {}).items()):
        operation, _, knob = name.rpartition(".")  # the knobs of a loss or optimizer bear its name
        known = operations().get(operation or first.case.partition("/")[0])
        if known and knob in known.knobs:
            found += [meaning for value, meaning in known.knobs[knob].values.items() if value == setting]
    return found


# --- small pieces of markup: what is shown too often, or too alike, for a template of its own -----------------------


@cache
def sign(verdict: str) -> Markup:
    """A verdict as it is shown everywhere: glyph and word."""
    from markupsafe import Markup

    text = '<span class="verdict {0}"><span aria-hidden="true">{1}</span> {0}</span>'
    return Markup(text).format(verdict, words.GLYPHS[verdict])


def address(text: str) -> Markup | str:
    """A link, if it leads to the web; a case file may say anything."""
    from markupsafe import Markup

    web = str(text).startswith(("https://", "http://"))
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(words.printable(text)) if web else text


def breakable(text: str) -> Markup:
    """A long name that may be broken where its words end."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_/\[,])", r"\1<wbr>", str(escape(words.printable(text)))))


def numbers(tensor: TensorResult) -> Markup:
    """The numbers of a tensor as table cells."""
    from markupsafe import Markup, escape

    shown = (
        words.inline(tensor.dtype),
        tensor.step or "–",
        words.number(tensor.error_ratio),
        list(tensor.index),
        words.exact(tensor.expected, tensor.dtype),
        words.exact(tensor.actual, tensor.dtype),
        words.number(tensor.tolerance),
        words.number(tensor.max_abs),
        words.number(tensor.max_rel),
        words.number(tensor.max_ulp),
        words.number(tensor.drift),
    )
    cells = str(escape("\t".join(map(str, shown)))).replace("\t", "</td><td>")
    return Markup(f"<td>{cells}</td>")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from jinja2.ext import Extension

    class Unindented(Extension):
        """Takes the indentation out of the templates: a page repeats them ten thousand times."""

        def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
            return re.sub(r"(?m)^[ \t]+", "", source)

    environment = Environment(
        extensions=[Unindented],
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        finalize=lambda value: words.printable(value) if type(value) is str else value,
    )
    environment.globals.update(glyphs=words.GLYPHS, meanings=words.MEANINGS, flag=words.FLAG)
    environment.filters.update(
        address=address,
        anchor=anchor,
        breakable=breakable,
        computed=words.computed,
        declaration=words.declaration,
        dialect=words.dialect_name,
        literal=words.literal,
        meanings_of=meanings_of,
        number=words.number,
        numbers=numbers,
        plural=words.plural,
        power=words.power,
        reproduction=words.reproduction,
        sign=sign,
        whole=whole,
    )
    return environment
