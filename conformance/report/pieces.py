"""Small pieces of markup: what the page shows too often, or too alike, for a template of its own.

Every value that comes from a run file is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup, escape

from conformance.history import Finding
from conformance.operation import operations
from conformance.report import words
from conformance.report.overview import Cause, Cell
from conformance.report.packing import packed
from conformance.results import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator


def trusted(text: str) -> Markup:
    """A text of our own that is markup already."""
    return Markup(text)


def block(place: str, value: Any) -> Markup:
    """Data for the scripts of the page, under an id."""
    text = Markup('<script type="application/octet-stream" id="{}">{}</script>')
    return text.format(place, Markup(packed(value)))  # in which no markup can begin


_QUOTED = re.compile(r'(?<=[a-z])="([\w#-]+)"(?=[ >])')
_ALONE = re.compile(r"<mrow>(<m[ion]>[^<]*</m[ion]>)</mrow>")
"""A sign that the library puts into a row of its own."""
_ENTITY = re.compile(r"&#x0*((?!26;|3C;|3E;)[0-9A-F]+);")
"""A sign that the library spells, but for those that are markup."""


@cache
def typeset(formula: str) -> Markup:
    """A formula in LaTeX as MathML; as it stands, if it cannot be converted."""
    from latex2mathml.converter import convert

    try:
        made = convert(formula, display="block")  # our own formula, never a run file's text
        made = made.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")  # HTML knows it
        made = _ENTITY.sub(lambda found: chr(int(found[1], 16)), made)
        return Markup(_ALONE.sub(r"\1", _QUOTED.sub(r"=\1", made)))
    except Exception:  # the library raises what its parser stumbles over
        return Markup("<code>{}</code>").format(formula)


@cache
def sign(verdict: str) -> Markup:
    """A verdict as it is shown everywhere: glyph and word."""
    text = '<span class="verdict {0}"><span aria-hidden="true">{1}</span> {0}</span>'
    return Markup(text).format(verdict, words.GLYPHS[verdict])


def cell(found: Cell | None) -> Markup:
    """A cell of the matrix, which the scripts make a link; there are thousands, so each is short."""
    if found is None:
        return Markup("<td>")
    flag = f" <span class=flag>{words.FLAG}</span>" if found.undeclared else ""
    power = words.brief_power(found.leading.error_ratio)
    return Markup(f"<td title={found.verdict}>{found.glyph} {power}{flag}")  # words and signs of our own


def address(text: str) -> Markup | str:
    """A link, if it leads to the web; a case file may say anything."""
    if not str(text).startswith(("https://", "http://")):
        return text
    return Markup('<a href="{}">{}</a>').format(words.printable(text), words.printable(brief(text)))


_THREAD = re.compile(r"https://github\.com/([^/]+/[^/]+)/(?:issues|pull|discussions)/(\d+)[^/]*")


_LONGEST = 50


def brief(address: str) -> str:
    """An address as it is read: a thread of GitHub as GitHub writes it, any other without its scheme and its middle."""
    thread = _THREAD.fullmatch(address)
    if thread:
        return f"{thread[1]}#{thread[2]}"
    text = address.partition("://")[2].removeprefix("www.").rstrip("/") or address
    *leading, last = text.split("/")
    if len(text) <= _LONGEST or len(leading) < 2:
        return text
    while len(leading) > 1 and len("/".join([*leading, "…", last])) > _LONGEST:
        leading.pop()
    return "/".join([*leading, "…", last])


def breakable(text: str) -> Markup:
    """A long name that may be broken where its words end."""
    return Markup(re.sub(r"([_/\[,=])", r"\1<wbr>", str(escape(words.printable(text)))))


def cause_address(cause: Cause) -> str:
    """The address of the query for a cause."""
    said = cause.outcomes[0].dialect
    terms = [f"verdict:{cause.verdict}", *([f'dialect:"{cause.name}"'] if said else [])]
    return f"#?q={quote(words.printable(' '.join(terms)), safe='/:')}"


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


# --- one outcome through several runs -------------------------------------------------------------------------------

_WIDTH, _HEIGHT, _MARGIN = 120, 24, 4


def finding(side: Finding | None) -> Markup:
    """What one run says of an outcome; a gap is a gap."""
    if side is None:
        return Markup('<span class="gap">–<span class="hidden"> not in this run</span></span>')
    formula = words.computed(side.verdict, side.dialect) if side.dialect else ""
    flag = Markup(' <span class="flag">{}</span>').format(words.FLAG) if not side.as_declared else ""
    power = words.power(side.error_ratio)
    return Markup('{} {} <span class="power">{}</span>{}').format(
        sign(side.verdict), words.printable(formula), power, flag
    )


def sparkline(findings: Sequence[Finding | None]) -> Markup:
    """The error ratios of several runs on a scale of powers of ten; where a run has none, the line is broken."""
    heights = [_exponent(side) for side in findings]
    known = [each for each in heights if each is not None]
    if not known:
        return Markup("")
    low, high = min(known), max(known)
    step = (_WIDTH - 2 * _MARGIN) / max(len(heights) - 1, 1)

    def point(place: int, height: float) -> str:
        share = (height - low) / (high - low) if high > low else 0.5
        return f"{_MARGIN + place * step:.1f},{_HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN):.1f}"

    points = [None if each is None else point(place, each) for place, each in enumerate(heights)]
    lines = "".join(f'<polyline class="framework" points="{" ".join(part)}"/>' for part in _unbroken(points))
    dots = "".join(
        '<circle class="framework" cx="{}" cy="{}" r="2"/>'.format(*each.split(",")) for each in points if each
    )
    picture = '<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    told = ", ".join("none" if each is None else words.power(10.0**each) for each in heights)
    return Markup(picture).format(_WIDTH, _HEIGHT, f"error ratios: {told}", Markup(lines + dots))


def _exponent(side: Finding | None) -> float | None:
    """The power of ten of an error ratio, within what a picture can show."""
    from math import isfinite, log10

    if side is None or side.error_ratio is None:
        return None
    return log10(min(max(side.error_ratio, 1e-3), 1e18)) if isfinite(side.error_ratio) else 18.0


def _unbroken(points: Sequence[str | None]) -> Iterator[list[str]]:
    part: list[str] = []
    for each in (*points, None):
        if each is not None:
            part.append(each)
        elif part:
            yield part
            part = []


# --- the templates --------------------------------------------------------------------------------------------------


class _Lean(Extension):
    """Takes out of the templates what a page repeats many times and HTML does without.

    That is indentation, some end tags, and the quotation marks of simple attributes.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _QUOTED.sub(r"=\1", re.sub(r"(?m)^[ \t]+|</(?:td|th|tr|thead|tbody|li|dt|dd)>", "", source))


def case_address(outcome: Outcome) -> str:
    """The address of an outcome on the page."""
    return words.case_address(*outcome.key)


@cache
def environment() -> Environment:
    """The templates, with these pieces as their filters."""
    made = Environment(
        extensions=[_Lean],
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        finalize=lambda value: words.printable(value) if type(value) is str else value,
    )
    pieces = (address, breakable, case_address, cause_address, finding, meanings_of, sign, sparkline, typeset)
    told = (words.anchor, words.computed, words.literal, words.plural, words.power, words.versions)
    made.filters.update({each.__name__: each for each in (*pieces, *told)})
    made.globals.update(
        glyphs=words.GLYPHS, meanings=words.MEANINGS, flag=words.FLAG, cell=cell, address_of=words.case_address
    )
    return made
