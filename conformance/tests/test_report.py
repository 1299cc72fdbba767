"""The reports: every value escaped, every verdict in words, nothing left out."""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
import zlib
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import report, runfile
from conformance.errors import RunFileError
from conformance.history import changes
from conformance.operation import operations
from conformance.report import badge, html, junit, markdown, overview, packing, pieces, text, words
from conformance.report.markup import source_address
from conformance.report.stone import stone
from conformance.results import VERDICTS, Element, Run, values_of
from conformance.tests.test_results import dialect, failing, outcome, run, tensor

HOSTILE = "<script>alert(1)</script>"
CONTROL = "red \x1b[31m\x00 & \u202e \ud800 | `code`"


def hostile() -> Run:
    """A run whose every text tries to be markup."""
    knobs = {HOSTILE: HOSTILE}
    declared = {"tensor": HOSTILE, "dialect": knobs, "reason": HOSTILE, "reference": "javascript:alert(1)"}
    wrong = tensor(HOSTILE, dtype=HOSTILE, verdict="dialect", dialect=knobs, notes=(HOSTILE, CONTROL))
    bad = failing(
        f"{HOSTILE}/{HOSTILE}",
        adapter=HOSTILE,
        phase=HOSTILE,
        declared=(declared,),
        parameters=knobs,
        learned={HOSTILE: [HOSTILE]},
        rivals=({"dialect": knobs, "error_ratio": 2.0},),
    )
    bad = replace(bad, verdict="dialect", dialect=knobs, message=f"{HOSTILE}\n{CONTROL}", tensors=(wrong,))
    made = run(bad, outcome(), platform={HOSTILE: HOSTILE}, time=HOSTILE)
    adapters: dict[str, Any] = {
        HOSTILE: {"versions": {HOSTILE: HOSTILE}, "device": HOSTILE, "precisions": [HOSTILE]}
        | {"mode": HOSTILE, "switches": {HOSTILE: HOSTILE}},
        "gone": {"missing": HOSTILE},
    }
    about = dict.fromkeys(("file", "operation", "family", "description", "yaml"), HOSTILE)
    cases = {bad.case: {**about, "references": [HOSTILE, "javascript:alert(2)"]}}
    return replace(made, header=replace(made.header, adapters=adapters, cases=cases, partial=True))


def mixed() -> Run:
    """A run with something of everything."""
    return run(
        *(outcome(adapter=adapter, phase=phase) for adapter in ("keras", "torch") for phase in ("train", "predict")),
        *(outcome(f"relu/quiet_{number}", adapter="keras") for number in range(3)),
        dialect(parameters={"epsilon": 0.001, "momentum": 0.9}, defaults=("epsilon",)),
        dialect("batch_normalization/other"),
        failing(adapter="keras", rivals=({"dialect": {"axis": "flattened"}, "error_ratio": 80.0},)),
        outcome(
            "gelu/large", "keras", verdict="unsupported", dialect=None, message="no counterpart of gelu", tensors=()
        ),
        outcome("adam/steps", "keras", "train", verdict="crash", dialect=None, as_declared=False, message="signal 11"),
    )


# --- the page -------------------------------------------------------------------------------------------------------


def unpacked(text: str) -> Any:
    """What a block holds, with a list for each column of numbers."""
    line, _, planes = zlib.decompress(base64.b85decode(text.replace(",", "<"))).partition(b"\n")

    def column(value: Any) -> Any:
        return numbers(planes, **value) if value.keys() == {"kind", "at", "count"} else value

    return json.loads(line, object_hook=column)


def numbers(planes: bytes, kind: str, at: int, count: int) -> list[float | None]:
    def signed(*given: int) -> int:
        unsigned = int.from_bytes(bytes(given), "little")
        return -(unsigned + 1) // 2 if unsigned % 2 else unsigned // 2

    size = len(planes) // 4
    ranks = [planes[rank * size + at : rank * size + at + count] for rank in range(4)]
    if kind == "Integers":
        return [None if set(each) == {255} else signed(*each) for each in zip(*ranks, strict=True)]
    pairs = [(signed(low, high), signed(*power)) for low, high, *power in zip(*ranks, strict=True)]
    instead = {0: None, 1: math.nan, 2: math.inf, -2: -math.inf}
    return [instead[integer] if power == -32768 else float(f"{integer}e{power}") for integer, power in pairs]


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and their text."""

    VOID = ("meta", "br", "wbr", "link", "input", "mspace")
    OPTIONAL = ("td", "th", "tr", "thead", "tbody", "li", "dt", "dd")
    """HTML ends these by itself."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.blocks: dict[str, Any] = {}
        self.contents: dict[str, list[str]] = {}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "th", "dt", "dd", "p", "li", "option") else ""
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            while (closed := self.open.pop()) != tag:
                assert closed in self.OPTIONAL

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text += data
            return
        name = self.elements[-1][1].get("id")
        if name:
            self.blocks[name] = unpacked(data)
        else:
            self.contents.setdefault(self.open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def page(made: Run) -> Page:
    parsed = Page(html.render(made))
    assert parsed.open == []
    return parsed


def test_nothing_in_a_run_file_becomes_markup() -> None:
    source = html.render(hostile())
    parsed = Page(source)
    assert parsed.open == []
    assert {each.get("type") for each in parsed.all("script")} == {"application/octet-stream", "module", None}
    assert len(parsed.all("script")) == 6  # two operations, the summary, what is common, and two of ours
    assert HOSTILE in parsed.text
    links = [str(each["href"]) for each in parsed.all("a")]
    assert all(link.startswith(("#", "https://")) for link in links)
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert "\\x1b[31m\\x00" in parsed.text
    assert not re.search("[\x00-\x08\x0e-\x1f\u202e]", source)


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_any_name_is_shown_as_it_is(name: str) -> None:
    shown = page(run(failing(name, message=name, adapter=name)))
    assert " ".join(words.printable(name).split()) in shown.words


def test_the_page_needs_nothing_from_elsewhere() -> None:
    parsed = page(mixed())
    policy = next(each for each in parsed.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    scripts = " ".join(map(_hash, parsed.contents["script"]))
    (style,) = parsed.contents["style"]
    assert policy["content"] == (
        f"default-src 'none'; script-src {scripts}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not {name for name, _ in parsed.elements} & {"img", "iframe", "object", "embed", "base"}
    assert not any("src" in attributes or "style" in attributes for _, attributes in parsed.elements)
    assert [str(each["href"]).partition(",")[0] for each in parsed.all("link")] == ["data:image/svg+xml"]
    assert "url(" not in style


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def test_every_link_on_the_page_has_its_place_and_every_place_is_one() -> None:
    for made in (mixed(), hostile()):
        parsed = page(made)
        places = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
        assert len(places) == len(set(places))
        links = [str(each["href"]) for each in parsed.all("a") if str(each["href"]).startswith("#")]
        assert {_unquoted(link) for link in links if not link.startswith("#?")} - {""} <= set(places)
        named = {place for _, each in parsed.elements for place in str(each.get("aria-labelledby") or "").split()}
        assert named <= set(places)
        cases = {each.case for each in made.outcomes}
        assert {parse_qs(link[2:])["case"][0] for link in links if link.startswith("#?case")} <= cases


def _unquoted(link: str) -> str:
    from urllib.parse import unquote

    return unquote(link[1:])


def test_what_is_not_as_declared_stands_first() -> None:
    parsed = page(mixed())
    places = [str(attributes["id"]) for name, attributes in parsed.elements if name == "section" and "id" in attributes]
    assert places[:3] == ["undeclared", "overview", "causes"]
    listed = parsed.words.split("Operations by frameworks")[0]
    assert listed.index("adam/steps") < listed.index("softmax/rows")
    assert "batch_normalization" not in listed
    assert "Nothing: every framework either conforms" in page(run(outcome(), dialect())).words


def test_a_cell_has_a_sign_a_number_and_a_word() -> None:
    parsed = page(mixed())
    assert {"dialect", "conforms", "deviates", "unsupported", "crash"} <= {
        str(each.get("title")) for each in parsed.all("td")
    }
    assert "softmax ✗ +6.6 ⚑" in parsed.words


def test_the_legend_says_what_a_cell_means() -> None:
    shown = page(mixed()).words
    for verdict in ("conforms", "dialect", "deviates", "unsupported", "crash"):
        assert words.MEANINGS[verdict] in shown
    assert words.MEANINGS["timeout"] not in shown
    assert "+0.6 in float32, +1.8 in float64" in shown


def test_the_data_hold_everything_that_is_known_of_a_case() -> None:
    made = dialect(learned={"gamma": [0.80644524]}, parameters={"axis": -1, "epsilon": 0.001}, defaults=("epsilon",))
    blocks = page(run(made)).blocks
    kept = blocks["data-batch_normalization"]
    said = blocks["page-texts"]["operations"]["batch_normalization"]
    ((name, about),) = said["cases"]
    assert name == "batch_normalization/trained"
    assert about == {
        "description": "What is batch_normalization/trained?",
        "yaml": "name: batch_normalization/trained\n",
        "file": "cases/some.yaml",
        "outcomes": 1,
    }
    held = {name: column[0] for name, column in kept["outcomes"].items()}
    assert held["learned"] == {"gamma": [0.80644524]}
    assert (held["parameters"], held["defaults"]) == ({"axis": -1, "epsilon": 0.001}, ["epsilon"])
    what, reason, reference = blocks["page-texts"]["declarations"][held["declared"][0]]
    assert (what, reason) == ("moving_*: variance_correction=1", "the unbiased variance")
    assert reference == "https://github.com/pytorch/pytorch/issues/19902"
    assert (kept["kinds"]["name"], kept["kinds"]["step"]) == (["moving_variance"], [3])
    assert kept["findings"]["held_to"] == ["variance_correction=1"]
    assert said["latex"] == operations()["batch_normalization"].formula


def test_the_data_hold_the_worst_element_in_all_digits_and_the_others_by_their_difference() -> None:
    wide = tensor(
        dtype="float64", verdict="deviates", dialect=None, expected=0.1, actual=0.1 + 2**-50, shape=(2, 2),
        index=(1, 0),
        errors=(0.0, 123.0, -4567.0, math.inf),
        elements=(Element((1, 0), 0.1, 0.1 + 2**-50, 1e-17), Element((0, 1), 1234.56789, 1234.5, 0.5)),
    )  # fmt: skip
    kept = page(run(failing(tensors=(wide,)))).blocks["data-softmax"]
    row = {name: column[0] for name, column in kept["tensors"].items()}
    assert (row["expected"], row["ulps"], row["actual"]) == (0.1, 64, None)  # where an ulp is 2**-56
    assert kept["errors"] == [0.0, 120.0, -4600.0, math.inf]
    assert kept["elements"]["place"] == [2, 1]
    assert kept["elements"]["expected"] == [0.1, 1234.568]  # as many digits as it takes to show the difference
    assert kept["elements"]["difference"] == [8.88e-16, -0.0679]
    assert kept["elements"]["bound"] == [1e-17, 0.5]


@pytest.mark.parametrize(
    ("expected", "actual", "told"),
    [
        (0.123456, 0.123466, None),
        (1.23456e-134, 0.0, 0.0),  # the rest of a difference of three digits is no zero
        (123456.4, 98765432.0, 98765400.0),  # nor are six digits of a sum known
        (2.5, 2.5, None),
    ],
)
def test_an_actual_value_is_kept_if_it_does_not_follow(expected: float, actual: float, told: float | None) -> None:
    best = Element((0,), 1.0, 2.0, 1e-7)
    wrong = tensor(
        verdict="deviates",
        dialect=None,
        shape=(2,),
        index=(0,),
        errors=(9.0, 8.0),
        elements=(best, Element((1,), expected, actual, 1e-7)),
    )
    kept = page(run(failing(tensors=(wrong,)))).blocks["data-softmax"]["elements"]
    assert kept["actual"][1] == told


def test_the_largest_floats_are_not_rounded_to_infinity() -> None:
    largest = 1.7976931348623157e308
    made = run(outcome("relu/a", tensors=(tensor(dtype="float64", expected=largest, actual=largest, max_abs=largest),)))
    assert page(made).blocks["data-relu"]["tensors"]["expected"] == [largest]


def test_scripts_and_declarations_are_kept_once() -> None:
    script = "import numpy as np\n\n\nprint(1)\n"
    made = run(
        *(
            dialect(f"batch_normalization/{name}", adapter=adapter, script=script)
            for name in "ab"
            for adapter in ("torch", "jax")
        )
    )
    blocks = page(made).blocks
    assert len(blocks["page-texts"]["declarations"]) == 1
    paragraphs = blocks["page-texts"]["paragraphs"]
    for places in blocks["data-batch_normalization"]["outcomes"]["script"]:
        assert "\n\n".join(paragraphs[place] for place in places) == script


def test_adapters_that_write_an_operation_by_other_functions_are_not_alike() -> None:
    spelled = {name: {"call": "f(x)", "functions": f"def f(x):\n    return {name}.g(x)\n"} for name in ("jax", "torch")}
    made = run(*(outcome("relu/a", adapter) for adapter in spelled))
    for name, each in spelled.items():
        made.header.adapters[name]["spellings"] = {"relu": each}
    found = stone(made, "relu", operations()["relu"], [values_of(each) for each in made.outcomes])
    assert [each.adapters for each in found.writings] == [("jax",), ("torch",)]


def test_a_hint_names_only_those_that_were_measured() -> None:
    bessel = tensor("moving_variance", verdict="dialect", dialect={"variance_correction": 1})
    cases = "batch_normalization/a"
    made = run(
        outcome(cases, "torch", verdict="dialect", dialect={"variance_correction": 1}, tensors=(bessel,)),
        outcome(cases, "torch_functional"),
        outcome(cases, "keras"),
        outcome(cases, "keras_jax", verdict="unsupported", dialect=None, tensors=()),
    )
    for name, call in (("torch", "t"), ("torch_functional", "t"), ("keras", "k"), ("keras_jax", "k")):
        made.header.adapters[name]["spellings"] = {"batch_normalization": {"call": call}}
    known = operations()["batch_normalization"]
    found = stone(made, "batch_normalization", known, [values_of(each) for each in made.outcomes])
    one, other = sorted(found.writings, key=lambda each: each.call, reverse=True)
    (hint,) = found.hints(one, other)
    assert hint.startswith("The numbers differ in `moving_variance`. torch: variance_correction=1")
    assert hint.endswith("; keras: the published formula.")


def test_defaults_that_are_held_in_float32_are_told_as_they_are_written() -> None:
    held = {
        "parameters": {"epsilon": 9.999999747378752e-06, "momentum": 0.1 + 0.2},
        "defaults": ("epsilon", "momentum"),
    }
    made = run(outcome("batch_normalization/a", "torch", **held))
    made.header.adapters["torch"]["spellings"] = {"batch_normalization": {"call": "t"}}
    found = stone(made, "batch_normalization", None, [values_of(each) for each in made.outcomes])
    assert found.writings[0].defaults == {"epsilon": "1e-05", "momentum": "0.3"}


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_data_can_stand_in_a_page(value: Any) -> None:
    text = packing.packed(value)
    assert "<" not in text
    assert unpacked(text) == value


NUMBERS = st.none() | st.floats() | st.sampled_from([99.95, 9.995, 1000.0, 5e-324, 1.7976931348623157e308, -0.0])


@given(st.lists(NUMBERS), st.integers(1, 4))
def test_a_column_of_numbers_keeps_the_digits_that_are_meant(values: list[float | None], digits: int) -> None:
    kept = unpacked(packing.packed({"before": [1], "column": packing.Numbers(digits, values)}))["column"]
    assert len(kept) == len(values)
    for value, found in zip(values, kept, strict=True):
        if value is None or not math.isfinite(value):
            assert found == pytest.approx(value, nan_ok=True)
        else:  # the nearest with so many digits, or its neighbour if the value lies halfway
            size = 10.0 ** (math.floor(math.log10(abs(value))) + 1 - digits) if value else 0.0
            assert abs(found - value) <= (0.5001 if abs(value) < 1e308 else 1.0) * size  # none is rounded to infinity
            assert float(f"{found:.{digits - 1}e}") == found


@given(st.lists(st.none() | st.integers(1 - (1 << 30), (1 << 30) - 1)))
def test_a_column_of_integers(values: list[int | None]) -> None:
    assert unpacked(packing.packed(packing.Integers(values))) == values


@given(st.lists(st.floats(-64, 64)))
def test_what_conforms_is_kept_in_halves(values: list[float]) -> None:
    kept = unpacked(packing.packed(packing.Numbers(2, values, finest=0.5)))
    assert kept == [float(f"{round(2 * value) / 2:.2g}") for value in values]


def test_columns_stand_one_after_another() -> None:
    columns = {"one": packing.Numbers(2, [1.0, 2.5]), "other": packing.Numbers(3, ["Infinity", -123.0, None])}
    assert unpacked(packing.packed(columns)) == {"one": [1.0, 2.5], "other": [math.inf, -123.0, None]}
    assert unpacked(packing.packed(packing.Numbers(3, [1e306, -1234567.0, 0.26], finest=0.5))) == [1e306, -1.23e6, 0.5]


def test_the_summary_holds_every_outcome() -> None:
    made = mixed()
    kept = page(made).blocks["page-summary"]
    columns = kept["outcomes"]
    for place, each in enumerate(made.outcomes):
        assert kept["cases"][columns["case"][place]] == each.case
        assert kept["adapters"][columns["adapter"][place]] == each.adapter
        assert kept["phases"][columns["phase"][place]] == each.phase
        assert kept["verdicts"][columns["verdict"][place]]["name"] == each.verdict
        assert kept["messages"][columns["message"][place]] == each.message
        assert columns["declared"][place] == each.as_declared
        assert columns["ratio"][place] == each.error_ratio


def test_an_operation_that_no_longer_exists_is_shown_by_its_name() -> None:
    shown = page(run(failing("bygone/case"))).words
    assert "This version of conformance has no operation of that name." in shown
    assert "Cases case ✗ torch" in shown


def test_what_is_missing_is_said() -> None:
    adapters = {"jax": {"missing": "jax is not installed: pip install 'conformance[jax]'"}}
    shown = page(run(adapters=adapters, partial=True)).words
    assert "This run is partial" in shown
    assert "The adapter jax is missing: jax is not installed: pip install 'conformance[jax]'" in shown
    assert "Nothing was measured." in shown


def test_the_environment_is_shown() -> None:
    shown = page(mixed()).words
    assert "python 3.12.1 system Linux" in shown
    assert "torch torch 1.0 cpu float32" in shown
    assert "Measured 2026-01-02T03:04:05+00:00" in shown


def test_an_anchor_is_stable_and_its_own() -> None:
    assert words.anchor("relu") == "operation-relu"
    assert words.anchor("re[lu]", "data") == "data-re-lu-" + words.anchor("re[lu]", "data")[-8:]
    assert words.anchor("re[lu]") != words.anchor("re(lu)")


@pytest.mark.parametrize("operation", operations())
def test_every_formula_is_typeset(operation: str) -> None:
    assert pieces.typeset(operations()[operation].formula).startswith("<math")


def test_a_formula_that_cannot_be_typeset_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: Any, **__: Any) -> str:
        raise IndexError

    monkeypatch.setattr("latex2mathml.converter.convert", stumble)
    assert pieces.typeset("a < b") == "<code>a &lt; b</code>"


def test_headings_do_not_skip_a_level_and_scrolling_regions_can_be_reached() -> None:
    parsed = page(mixed())
    levels = [int(name[1]) for name, _ in parsed.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    scrolling = [each for _, each in parsed.elements if "scroll" in str(each.get("class", "")).split()]
    assert all(each.get("tabindex") == "0" for each in scrolling)
    assert all("scope" in each for each in parsed.all("th"))


def test_colours_contrast_in_light_and_dark() -> None:
    style = html.render(run()).partition("</style>")[0]
    colours = {
        name: (light, dark) for name, light, dark in re.findall(r"--(\S+): light-dark\((#\w{6}), (#\w{6})\)", style)
    }
    pairs = [(ink, paper) for ink in ("ink", "faint", "link") for paper in ("paper", "raised")]
    pairs += [(name, f"{name}-tint") for name in ("good", "near", "other", "bad", "none")]
    for ink, paper in [*pairs, ("bad", "paper"), ("bad", "raised")]:
        for scheme in (0, 1):
            assert _contrast(colours[ink][scheme], colours[paper][scheme]) >= 4.5, (ink, paper, scheme)


def _contrast(one: str, other: str) -> float:
    dark, light = sorted(_luminance(each) for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# --- the other forms ------------------------------------------------------------------------------------------------


def test_junit_counts_failures_errors_and_what_is_unsupported() -> None:
    root = ElementTree.fromstring(junit.render(mixed()))
    keras, torch = root.findall("testsuite")
    assert {key: keras.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "keras",
        "tests": "8",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert (torch.get("tests"), torch.get("failures")) == ("4", "0")
    assert torch.find("properties/property[@name='torch']") is not None
    failure = keras.find("testcase[@name='softmax/rows (predict)']/failure")
    assert failure is not None
    assert failure.get("message") == "deviates: unexplained: y: found deviates"
    assert "expected 1.25, actual 2.25" in (failure.text or "")
    skipped = keras.find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "unsupported: no counterpart of gelu"


def test_junit_stays_well_formed_whatever_a_framework_prints() -> None:
    root = ElementTree.fromstring(junit.render(hostile()))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert HOSTILE in (failure.text or "")
    assert r"red \x1b[31m\x00 & \u202e \ud800" in (failure.text or "")


@given(st.text(alphabet=st.characters(codec=None)))
def test_junit_keeps_any_message(message: str) -> None:
    root = ElementTree.fromstring(junit.render(run(failing(message=message))))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert all(line.strip() in (failure.text or "") for line in words.printable(message).splitlines())


def test_junit_does_not_hide_a_missing_adapter() -> None:
    adapters = {"jax": {"missing": "jax is not installed: pip install jax"}}
    root = ElementTree.fromstring(junit.render(run(adapters=adapters)))
    skipped = root.find("testsuite[@name='jax']/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "jax is not installed: pip install jax"


def test_markdown_has_the_matrix_what_is_undeclared_and_the_causes() -> None:
    lines = markdown.render(mixed()).splitlines()
    assert "| operation | keras | torch |" in lines
    assert "| batch_normalization |  | ◆2 |" in lines
    assert "| softmax | ✗1 ⚑1 |  |" in lines
    assert (
        "| softmax/rows | predict | keras | ✗ deviates | unexplained | +6.6 | y: found deviates | cases/some.yaml |"
        in lines
    )
    assert "| dialect | variance_correction=1 | torch | 2 |" in lines


def test_markdown_escapes_what_would_be_markup() -> None:
    shown = markdown.render(hostile())
    assert "<script" not in shown
    assert r"red \\x1b\[31m\\x00 &amp; \\u202e \\ud800 \| \`code\`" in shown
    widths = {
        len(re.findall(r"(?<!\\)\|", line)) for line in shown.split("## Causes")[1].splitlines() if line.startswith("|")
    }
    assert widths == {5}


def test_markdown_notifies_nobody() -> None:
    shown = markdown.render(run(failing(adapter="torch@old", message="@everyone: (@team/all)")))
    assert "torch@old" in shown
    assert "@\u200beveryone: (@\u200bteam/all)" in shown


def test_markdown_says_how_many_more_there_are() -> None:
    many = run(*(failing(f"softmax/{number}") for number in range(markdown.MOST_ROWS + 3)))
    assert "And 3 more." in markdown.render(many)


def test_markdown_of_nothing() -> None:
    assert markdown.render(run(partial=True)).splitlines()[2:] == [
        "Nothing was measured.",
        "",
        "> **Note:** This run is partial: it was interrupted, and not every case was measured.",
    ]


def test_markdown_links_to_the_page_the_source_and_who_published_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(failing("softmax/rows[axis=1] (x)|"))
    about = {**made.header.cases[made.outcomes[0].case], "references": ["https://arxiv.org/abs/1", "javascript:x"]}
    made = replace(made, header=replace(made.header, cases={made.outcomes[0].case: about}))
    for name in ("SERVER_URL", "REPOSITORY", "SHA"):
        monkeypatch.delenv(f"GITHUB_{name}", raising=False)
    shown = markdown.render(made, link="https://example.org/page.html")
    fragment = "case=softmax/rows%5Baxis%3D1%5D%20%28x%29%7C&adapter=torch&phase=predict"
    assert f"(https://example.org/page.html#?{fragment})" in shown
    assert "| cases/some.yaml [https://arxiv.org/abs/1](https://arxiv.org/abs/1) javascript:x |" in shown
    for name, value in (("SERVER_URL", "https://github.com"), ("REPOSITORY", "who/what"), ("SHA", "abc")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    assert "[cases/some.yaml](https://github.com/who/what/blob/abc/cases/some.yaml)" in markdown.render(made)


@pytest.mark.parametrize("file", ["/etc/passwd", "../outside.yaml", ""])
def test_a_file_outside_of_the_repository_has_no_link(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVER_URL", "REPOSITORY", "SHA"):
        monkeypatch.setenv(f"GITHUB_{name}", "https://x")
    assert source_address(file) == ""


def test_markdown_is_never_too_long_for_github() -> None:
    many = run(*(failing(f"softmax/{'x' * 3000}{number}") for number in range(markdown.MOST_ROWS)))
    shown = markdown.render(many)
    assert len(shown.encode()) <= markdown.LIMIT < 2**20
    assert re.search(r"And \d+ more\.", shown)
    assert markdown.render(many, limit=0) == ""


def test_a_jobs_summary_is_appended_to_and_any_other_file_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary, other = tmp_path / "summary", tmp_path / "other"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for path in (summary, other):
        path.write_text("what another command has told\n")
        report.write(mixed(), path, "markdown")
        report.write(mixed(), path, "markdown")
    assert summary.read_text().startswith("what another command has told\n# Conformance")
    assert summary.read_text().count("# Conformance\n") == 2
    assert other.read_text() == markdown.render(mixed())
    summary.write_text("x" * 2**20)
    report.write(mixed(), summary, "markdown")
    assert summary.stat().st_size == 2**20


@pytest.mark.parametrize(
    ("made", "message", "color"),
    [
        (run(*(outcome(f"relu/{number}") for number in range(1200))), "1,200 as declared", "brightgreen"),
        (run(outcome(), dialect(), failing()), "1 not as declared", "red"),
        (run(), "nothing measured", "lightgrey"),
        (run(outcome(), partial=True), "1 as declared, partial", "yellow"),
        (run(outcome(), shards=("1/2",)), "1 as declared, partial", "yellow"),
        (run(failing(), partial=True), "1 not as declared, partial", "red"),
    ],
)
def test_the_badge(made: Run, message: str, color: str) -> None:
    shown = json.loads(badge.render(made))
    assert shown == {"schemaVersion": 1, "label": "conformance", "message": message, "color": color}


def test_the_matrix_for_the_terminal() -> None:
    assert text.matrix(mixed()).splitlines() == [
        "                     keras  torch",
        "adam                 †1 ⚑1",
        "batch_normalization         ◆2",
        "gelu                 –1",
        "relu                 ✓5     ✓2",
        "softmax              ✗1 ⚑1",
        "",
        "✓ conforms   ◆ dialect   ✗ deviates   – unsupported   † crash   ⚑ not as declared",
        "12 outcomes of 9 cases on 2 adapters: 1 crash, 1 deviates, 2 dialect, 7 conforms, 1 unsupported; "
        "2 not as declared.",
    ]
    assert text.matrix(run()) == "Nothing was measured.\n"


def test_a_failure_says_all_that_one_needs() -> None:
    learned = dialect("batch_normalization/it's", as_declared=False, message="no longer\nas declared")
    assert text.failures(run(outcome(), learned)) == (
        "◆ batch_normalization/it's, torch, train: dialect (variance_correction=1)\n"
        "  tensor moving_variance, step 3, float32, index [0, 1]: dialect\n"
        "  expected (by variance_correction=1) 1.25, actual 1.25\n"
        "  deviation 0, tolerance 2.5e-07, error ratio 0.25\n"
        "  error ratio from the published formula 2e+06\n"
        "  declared: moving_*: variance_correction=1\n"
        "  no longer\n"
        "  as declared\n"
        "  to see it: conformance repro 'batch_normalization/it'\"'\"'s' --adapter torch\n"
    )


def test_no_control_character_reaches_the_terminal() -> None:
    shown = text.matrix(hostile()) + text.failures(hostile())
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_a_change_is_told_on_one_line() -> None:
    found = changes(run(outcome(), outcome("relu/gone")), run(failing("relu/zero")))
    assert [text.change(each) for each in found] == [
        "worse: relu/zero, torch, predict: conforms (−0.3) -> deviates (+6.6) ⚑",
        "gone: relu/gone, torch, predict: conforms (−0.3)",
    ]


# --- the arrangement ------------------------------------------------------------------------------------------------


def test_causes_group_what_does_not_conform() -> None:
    assert [cause.summary for cause in overview.causes(mixed())] == [
        "signal 11: keras, 1 case",
        "unexplained: keras, 1 case",
        "variance_correction=1: torch, 2 cases",
        "no counterpart of gelu: keras, 1 case",
    ]


def test_every_verdict_has_a_sign_and_a_meaning() -> None:
    assert set(words.GLYPHS) == set(words.MEANINGS) == set(VERDICTS)
    assert len(set(words.GLYPHS.values())) == len(VERDICTS)


def test_what_a_framework_lacks_does_not_hide_what_it_computes() -> None:
    lacking = outcome(verdict="unsupported", dialect=None, tensors=())
    cell = overview.Cell((lacking, outcome(), dialect()))
    assert (cell.verdict, cell.signs) == ("dialect", "◆1 ✓1 –1")
    assert overview.Cell((lacking,)).verdict == "unsupported"


@pytest.mark.parametrize(
    ("verdict", "setting", "shown"),
    [
        ("conforms", None, "the published formula"),
        ("conforms", {}, "the published formula"),
        ("dialect", {"epsilon": "outside"}, "epsilon=outside"),
        ("imprecise", {"variance": "fast"}, "variance=fast"),
        ("imprecise", None, "algorithm unknown"),
        ("deviates", None, "unexplained"),
        ("crash", None, ""),
    ],
)
def test_what_was_computed_in_words(verdict: str, setting: dict[str, Any] | None, shown: str) -> None:
    assert words.computed(verdict, setting) == shown


# --- files and figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["html", "junit", "markdown", "badge"])
def test_a_report_is_written_whole(tmp_path: Path, form: Any) -> None:
    report.write(hostile(), tmp_path / "new" / "report", form)
    assert (tmp_path / "new" / "report").read_text(encoding="utf-8").endswith("\n")
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("form", [html, junit, markdown, badge])
def test_a_run_file_gives_the_report_that_the_run_gave(tmp_path: Path, form: Any) -> None:
    knobs = {"variance_correction": 1, "epsilon": "outside"}
    adapters = {name: {"versions": {"b": "1", "a": "2"}, "precisions": ["float32"]} for name in ("torch", "keras")}
    made = run(dialect(dialect=knobs, parameters={"momentum": 0.9, "axis": -1}), outcome(), adapters=adapters)
    runfile.write(tmp_path / "run.jsonl", made.header, made.outcomes)
    assert form.render(runfile.read(tmp_path)) == form.render(made)


def test_a_report_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(RunFileError, match="cannot be written"):
        report.write(mixed(), tmp_path / "page.html")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]
