"""The page that people read: one file, which needs nothing from anywhere and shows its findings without scripts too.

What one reads first, the overview and the page of each operation, is written here.  The rest, the numbers of every
case, is data that the page's scripts decode when it is asked for: see `data` and ``scripts/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conformance.arithmetic.precision import PRECISIONS
from conformance.operation import Operation, operations
from conformance.report import assets, data, words
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
from conformance.report.stone import Stone, stone
from conformance.results import Outcome, Run, values_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LIMITS = {name: precision.limit for name, precision in PRECISIONS.items()}
"""The error ratio up to which a tensor conforms, by format."""


def render(run: Run, earlier: Sequence[tuple[str, Run]] = ()) -> str:
    """The page of a run."""
    return "".join(parts(run, earlier))


def parts(run: Run, earlier: Sequence[tuple[str, Run]] = ()) -> Iterator[str]:
    """The page of a run, piece by piece, so that it need not be in memory as a whole.

    ``earlier`` are runs to compare it with, and what they are called, the oldest first.
    """
    seen = Cell(run.outcomes).counts
    stream = (
        _environment()
        .get_template("page.html")
        .stream(
            run=run,
            tally=tally(run),
            warnings=words.warnings(run),
            undeclared=undeclared(run),
            most_listed=MOST_LISTED,
            matrix=Matrix.of(run),
            causes=[cause for cause in causes(run) if cause.verdict != "unsupported"],
            lacking=seen.get("unsupported", 0),
            sections=_sections(run),
            summary=_block("summary", data.summary(run, LIMITS)),
            verdicts=[verdict for verdict in words.GLYPHS if verdict in seen],
            limits={name: words.power(limit) for name, limit in LIMITS.items()},
            policy=assets.policy(),
            style=_trusted(assets.style()),
            script=_trusted(assets.script()),
        )
    )
    stream.enable_buffering(1000)
    return iter(stream)


def case_address(outcome: Outcome) -> str:
    """The address of an outcome on the page: the scripts read it, and write the same."""
    case, adapter, phase = (quote(each, safe="/:") for each in outcome.key)
    return f"#?case={case}&adapter={adapter}&phase={phase}"


def cause_address(cause: Cause) -> str:
    """The address of the query for a cause."""
    said = cause.outcomes[0].dialect
    terms = [f"verdict:{cause.verdict}", *([f'dialect:"{cause.name}"'] if said else [])]
    return f"#?q={quote(' '.join(terms), safe='/:')}"


MOST_LISTED = 200
"""How many outcomes that are not as declared are listed; the page's query finds the rest."""


# --- what the templates are given -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A case with its outcomes on all adapters."""

    name: str
    cell: Cell

    @property
    def loud(self) -> dict[str, list[str]]:
        """The adapters that do not simply conform, by the gravest verdict of each."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.cell.outcomes:
            groups.setdefault(outcome.adapter, []).append(outcome)
        found: dict[str, list[str]] = {}
        for adapter in sorted(groups):
            if disagreement(groups[adapter]):
                found.setdefault(Cell(tuple(groups[adapter])).verdict, []).append(adapter)
        return found


@dataclass(frozen=True)
class Section:
    """An operation with its cases, those first in which most adapters disagree with the formula."""

    name: str
    family: str
    operation: Operation | None
    stone: Stone
    cases: Sequence[Case]
    block: Markup = field(repr=False)
    sees: Mapping[str, int]
    """How many cases of this run would fail with another setting of a knob, ``variance_correction=1``."""


def _sections(run: Run) -> Iterator[Section]:
    groups: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for outcome in run.outcomes:
        key = family_of(run, outcome.case), operation_of(run, outcome.case)
        groups.setdefault(key, {}).setdefault(outcome.case, []).append(outcome)
    for (family, name), cases in sorted(groups.items()):
        yield _section(run, family, name, cases)


def _section(run: Run, family: str, name: str, cases: Mapping[str, Sequence[Outcome]]) -> Section:
    operation = operations().get(name)
    values = {case: [values_of(outcome) for outcome in found] for case, found in cases.items()}
    told = stone(run, name, operation, [each for found in values.values() for each in found])
    about = {"latex": operation.formula, "source": operation.source} if operation else {}
    sorted_cases = [Case(case, Cell(tuple(found))) for case, found in cases.items()]
    sorted_cases.sort(key=lambda case: (not case.cell.undeclared, -disagreement(case.cell.outcomes), case.name))
    sees: dict[str, int] = {}
    for case in cases:
        for setting in run.header.cases.get(case, {}).get("sees") or ():
            sees[setting] = sees.get(setting, 0) + 1
    details = data.details(run.header.cases, values, ports=told.ports(), **about)
    return Section(name, family, operation, told, sorted_cases, _block(name, details), sees)


def _block(name: str, value: Any) -> Markup:
    """Data for the scripts of the page."""
    from markupsafe import Markup

    text = '<script type="application/octet-stream" id="{}">{}</script>'
    return Markup(text).format(words.anchor(name, "data"), data.packed(value))


def _trusted(text: str) -> Markup:
    from markupsafe import Markup

    return Markup(text)  # our own files


@cache
def typeset(formula: str) -> Markup:
    """A formula in LaTeX as MathML; as it stands, if it cannot be converted."""
    from latex2mathml.converter import convert
    from markupsafe import Markup

    try:
        return Markup(convert(formula, display="block"))  # our own formula, never a run file's text
    except Exception:  # the library raises what its parser stumbles over
        return Markup("<code>{}</code>").format(formula)


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


@cache
def empty() -> Markup:
    """A cell of the matrix that no case is about."""
    from markupsafe import Markup

    return Markup('<td class="empty"><span class="hidden">none</span></td>')


def cell(found: Cell | None, operation: str) -> Markup:
    """A cell of the matrix; its link leads to the operation."""
    from markupsafe import Markup

    if found is None:
        return empty()
    flagged, flag = (" flagged", words.FLAG) if found.undeclared else ("", "")
    text = '<td class="{0}{1}"><a href="#{2}" title="{0}">{3}<b>{4}</b>{5}</a></td>'
    place, power = words.anchor(operation), words.brief_power(found.leading.error_ratio)
    return Markup(text).format(found.verdict, flagged, place, found.glyph, power, flag)


def address(text: str) -> Markup | str:
    """A link, if it leads to the web; a case file may say anything."""
    from markupsafe import Markup

    web = str(text).startswith(("https://", "http://"))
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(words.printable(text)) if web else text


def breakable(text: str) -> Markup:
    """A long name that may be broken where its words end."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_/\[,=])", r"\1<wbr>", str(escape(words.printable(text)))))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from jinja2.ext import Extension

    class Unindented(Extension):
        """Takes the indentation out of the templates: a page repeats them many times."""

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
    environment.globals.update(glyphs=words.GLYPHS, meanings=words.MEANINGS, flag=words.FLAG, cell=cell)
    environment.filters.update(
        address=address,
        anchor=words.anchor,
        breakable=breakable,
        case_address=case_address,
        cause_address=cause_address,
        computed=words.computed,
        literal=words.literal,
        meanings_of=meanings_of,
        plural=words.plural,
        power=words.power,
        sign=sign,
        typeset=typeset,
        versions=words.versions,
    )
    return environment
