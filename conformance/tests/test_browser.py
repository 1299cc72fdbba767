"""The page in a real browser: what users see and do, on a page that opens from disk.

Each page's picture is kept in a folder beside the repository's tests' other leavings, so that somebody can look at it.
"""

from __future__ import annotations

import math
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from conformance.report import assets, html, packing, pieces, words
from conformance.report.packing import Integers, Numbers
from conformance.results import Curve, Element, Run
from conformance.tests.stories import CUBE, CUBE_ERRORS, SCRIPT, history, story
from conformance.tests.test_report import HOSTILE, hostile
from conformance.tests.test_results import failing, outcome, run, tensor

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
expect = playwright.expect

PICTURES = Path(os.environ.get("CONFORMANCE_PICTURES") or Path(tempfile.gettempdir()) / "conformance-pictures")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
CASE = "#?case=softmax/rows&adapter=torch&phase=predict"
TRAINED = "#?case=batch_normalization/trained&adapter=torch&phase=train"
VIEWS = {
    "overview": "",
    "query": "#?q=torch:dialect",
    "operation": "#?operation=batch_normalization",
    "case": CASE,
    "trained": TRAINED,
    "compare": "#?compare=1",
}


LOOKED_AT = "Rendering was performed in a subtree hidden by content-visibility"
"""What Chromium notes for developers when axe measures what a query has hidden: no fault of the page."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Writes the page of a run, and gives its address."""

    def write(made: Run, earlier: Sequence[tuple[str, Run]] = ()) -> str:
        path = tmp_path_factory.mktemp("page") / "page.html"
        path.write_text(html.render(made, earlier), encoding="utf-8", errors="backslashreplace")
        return path.as_uri()

    return write


@pytest.fixture(scope="module")
def address(file: Callable[..., str]) -> str:
    return file(story(), history())


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens a view; afterwards, no page has complained or asked for anything but itself."""
    complaints: list[str] = []
    contexts = []

    def opened(
        hash: str = "", page_address: str = address, width: int = 1280, height: int = 900, **options: Any
    ) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on(
            "console", lambda message: LOOKED_AT in message.text or complaints.append(f"{message.type}: {message.text}")
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: request.url.split("#")[0] == page_address or _asked(request, complaints))
        page.goto(page_address + hash)
        if options.get("java_script_enabled", True):
            shown(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _asked(request: Any, complaints: list[str]) -> None:
    if not request.url.startswith("data:image/"):  # the icon, which is part of the page
        complaints.append(f"asked for {request.url}")


def shown(page: Any) -> None:
    """Wait until the page shows what its address asks for."""
    expect(page.locator("html")).to_have_attribute("data-shown", page.evaluate("location.hash"))


def texts(page: Any, selector: str) -> list[str]:
    return [" ".join(each.split()) for each in page.locator(selector).all_inner_texts()]


def case_names(page: Any) -> list[str]:
    return texts(page, "#case-list .name")


# --- every view -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_has_a_heading_a_picture_and_nothing_that_axe_objects_to(
    visit: Callable[..., Any], name: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(VIEWS[name], color_scheme=scheme)
    assert page.locator("main h2:visible").count() > 0
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = axe.run(page, options={"runOnly": {"type": "tag", "values": tags}})
    assert found.violations_count == 0, found.generate_report()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("width", [320, 360, 768, 3840])
def test_nothing_sticks_out_of_the_window(visit: Callable[..., Any], name: str, width: int) -> None:
    page = visit(VIEWS[name], width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.screenshot(path=PICTURES / f"{name}-{width}.png") if PICTURES.exists() else None


def test_dark_and_light_follow_the_system_until_one_chooses(visit: Callable[..., Any]) -> None:
    paper = "getComputedStyle(document.body.parentElement).backgroundColor"
    page = visit(color_scheme="dark")
    dark = page.evaluate(paper)
    assert sum(int(each) for each in dark[4:-1].split(",")) < 150
    page.click("#theme")
    expect(page.locator("#theme")).to_have_text("Colours: light")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.click("#theme")
    assert page.evaluate(paper) == dark


def test_print_shows_the_findings_and_not_the_controls(visit: Callable[..., Any]) -> None:
    page = visit()
    page.emulate_media(media="print")
    assert page.locator("table.matrix").is_visible()
    assert not page.locator("#search").is_visible()
    assert not page.locator("#theme").is_visible()


# --- without scripts ------------------------------------------------------------------------------------------------


def test_without_scripts_the_overview_and_the_operations_read(visit: Callable[..., Any]) -> None:
    page = visit(java_script_enabled=False)
    for text in ("Not as declared", "Operations by frameworks", "variance_correction=1", "jax is not installed"):
        assert page.get_by_text(text).first.is_visible()
    section = page.locator("#operation-batch_normalization")
    assert section.locator("math").is_visible()
    assert "torch.nn.BatchNorm1d(2, momentum=0.5)" in section.inner_text()
    assert "Cases\ntrained" in section.inner_text()
    assert not page.locator("#search").is_visible()
    page.locator("table.matrix a", has_text="softmax").click()
    assert page.url.endswith("#operation-softmax")
    cell = page.locator("tr[data-operation=softmax] td[title=deviates]")
    assert cell.inner_text().split() == ["✗", "+1.1", "⚑"]  # log10 of 12


# --- the query ------------------------------------------------------------------------------------------------------

QUERIES = {
    "torch:dialect": ["adam/steps", "batch_normalization/trained"],
    "torch:deviates": ["softmax/rows"],
    "torch:deviates keras:conforms": ["softmax/rows"],
    "keras:unsupported torch:conforms": ["relu/lacking"],
    "keras:dialect": [],
    "*:crash": ["adam/steps"],
    "@softmax": ["softmax/rows", "softmax/large"],
    "@soft": ["softmax/rows", "softmax/large"],
    "@relu !quiet": ["relu/lacking"],
    "ratio>10": ["batch_normalization/trained", "softmax/rows", "softmax/large"],
    "ratio>=12 ratio<2000": ["softmax/rows"],
    "keras:conforms ratio>10": [],  # of the outcomes of keras
    "verdict:imprecise ratio>1e3": ["softmax/large"],
    "verdict:imprecise ratio>1e4": [],
    "declared:no": ["adam/steps", "softmax/rows"],
    "torch:undeclared": ["softmax/rows"],
    "!declared:yes": ["adam/steps", "softmax/rows"],
    "phase:train": ["adam/steps", "batch_normalization/trained"],
    "family:optimizer": ["adam/steps"],
    "variance_correction": ["batch_normalization/trained"],
    "torch:variance_correction": ["batch_normalization/trained"],
    'message:"signal 11"': ["adam/steps"],
    '"no counterpart"': ["relu/lacking"],
    "dialect:late": ["adam/steps"],
    "!torch:conforms @softmax": ["softmax/rows", "softmax/large"],
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_leaves_the_cases_that_it_is_about(visit: Callable[..., Any], query: str) -> None:
    page = visit()
    page.fill("#query", query)
    page.locator("#case-list details").evaluate_all("all => all.forEach(each => each.open = true)")
    expect(page.locator("#case-list details > div")).to_have_count(page.locator("#case-list details").count())
    assert sorted(case_names(page)) == sorted(QUERIES[query])
    rows = set(texts(page, "tr[data-operation]:visible th"))
    assert rows == {name.partition("/")[0] for name in QUERIES[query]}


def test_an_adapter_of_one_s_own_may_have_colons_in_its_name(
    visit: Callable[..., Any], file: Callable[..., str]
) -> None:
    made = run(outcome("relu/a", "mine.py:Own"), outcome("relu/b", "torch@venvs/old/bin/python", verdict="imprecise"))
    page = visit("#?q=mine.py:Own:conforms", file(made))
    page.locator("#case-list summary").click()
    expect(page.locator("#case-list .name")).to_have_text(["relu/a"])
    page.fill("#query", "torch@*:imprecise")
    expect(page.locator("#case-list .name")).to_have_text(["relu/b"])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nobody:conforms", "there is no such adapter or field"),
        ("ratio>much", "expected a number"),
        ("verdict:wrong", "expected one of conforms"),
        ("phase:fit", "expected one of train, predict"),
        ("!", "expected something to look for"),
    ],
)
def test_a_query_that_makes_no_sense_is_told(visit: Callable[..., Any], query: str, said: str) -> None:
    page = visit()
    page.fill("#query", query)
    expect(page.locator("#found")).to_contain_text(said)
    assert page.locator("#query").get_attribute("aria-invalid") == "true"
    assert case_names(page) == []


def test_the_matrix_shows_what_the_query_leaves_and_comes_back(visit: Callable[..., Any]) -> None:
    page = visit()
    before = page.locator("table.matrix").inner_text()
    page.fill("#query", "@softmax large")
    assert texts(page, "tr[data-operation=softmax] td") == ["", "✓ −0.3", "", "≈ +3.3"]
    page.fill("#query", "")
    assert page.locator("table.matrix").inner_text() == before


ASK = """(queries) => queries.map((query) => {
  const field = document.getElementById("query");
  field.value = query;
  field.dispatchEvent(new Event("input"));
  return document.querySelectorAll("tr[data-operation]:not([hidden])").length;
})"""


def test_rows_below_the_screen_follow_unless_another_query_comes(
    visit: Callable[..., Any], file: Callable[..., str]
) -> None:
    names = ["adam", "celu", "elu", "gelu", "huber", "relu", "selu", "sgd", "sigmoid", "softmax", "softplus", "tanh"]
    page = visit("#?q=@relu", file(run(*(failing(f"{name}/some") for name in names))), height=150)  # five rows
    rows = page.locator("tr[data-operation]:visible")
    assert rows.count() == 1
    assert page.evaluate(ASK, [""]) == [6]
    expect(rows).to_have_count(len(names))
    expect(page.locator("#case-list .name")).to_have_count(len(names))
    assert page.evaluate(ASK, ["@relu", "some", "@sgd"]) == [1, 6, 1]
    expect(page.locator("html")).to_have_attribute("data-shown", "#?q=%40sgd")
    page.wait_for_timeout(300)  # in which the rows of the query before might come
    assert (rows.count(), case_names(page)) == (1, ["sgd/some"])


def test_chips_add_to_the_query_and_take_out_again(visit: Callable[..., Any]) -> None:
    page = visit()
    page.get_by_role("button", name="deviates").click()
    assert page.input_value("#query") == "verdict:deviates"
    assert case_names(page) == ["softmax/rows"]
    page.get_by_role("button", name="deviates").click()
    assert page.input_value("#query") == ""


def test_the_list_is_sorted_as_one_wishes(visit: Callable[..., Any]) -> None:
    page = visit("#?q=ratio>10")
    page.select_option("#sort", "ratio")
    assert case_names(page) == ["batch_normalization/trained", "softmax/large", "softmax/rows"]
    page.select_option("#sort", "name")
    assert case_names(page) == ["batch_normalization/trained", "softmax/large", "softmax/rows"]
    assert "sort=name" in page.url
    page.select_option("#sort", "disagreement")
    page.fill("#query", "declared:no")
    assert case_names(page) == ["adam/steps", "softmax/rows"]  # two adapters, one adapter


# --- addresses ------------------------------------------------------------------------------------------------------


def test_an_address_leads_to_the_same_whatever_else_is_in_the_report(
    visit: Callable[..., Any], file: Callable[..., str]
) -> None:
    made = story()
    shuffled = list(made.outcomes)
    random.Random(0).shuffle(shuffled)
    for outcomes in (made.outcomes, tuple(shuffled), tuple(each for each in made.outcomes if "softmax" in each.case)):
        page = visit(CASE, file(replace(made, outcomes=outcomes)))
        assert page.locator("#case h2").inner_text() == "rows"
        assert page.locator("#outcome-title").inner_text().startswith("torch, predict")


def test_back_and_forward(visit: Callable[..., Any]) -> None:
    page = visit()
    page.fill("#query", "torch:deviates")
    page.locator("#case-list .name").click()
    expect(page.locator("#case h2")).to_have_text("rows")
    page.get_by_role("link", name="softmax", exact=True).click()
    expect(page.locator("#operation-softmax h2")).to_be_visible()
    page.go_back()
    expect(page.locator("#case h2")).to_be_visible()
    page.go_back()
    expect(page.locator("table.matrix")).to_be_visible()
    assert page.input_value("#query") == "torch:deviates"
    page.go_back()
    assert page.input_value("#query") == ""
    page.go_forward()
    page.go_forward()
    expect(page.locator("#case h2")).to_be_visible()


def test_an_address_of_something_else_says_so(visit: Callable[..., Any]) -> None:
    for hash, said in (("#?case=no/such", "no case no/such"), ("#?operation=nothing", "no operation nothing")):
        expect(visit(hash).locator("#lost")).to_contain_text(said)
    assert visit("#%E0%A4%A").locator("table.matrix").is_visible()


def test_links_of_the_matrix_lead_to_the_most_telling_case(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("tr[data-operation=softmax] td.deviates a").click()
    assert page.url.endswith(CASE)


def test_the_query_goes_along_until_one_goes_home(visit: Callable[..., Any]) -> None:
    page = visit()
    page.fill("#query", "@softmax")
    page.locator("tr[data-operation=softmax] td.deviates a").click()
    assert page.url.endswith(f"{CASE}&q=%40softmax")
    expect(page.locator(".neighbours")).to_contain_text("2 of 2 cases")
    page.get_by_role("link", name="Overview").first.click()
    assert page.url.endswith("#?q=%40softmax")
    page.locator("h1 a").click()
    assert page.input_value("#query") == ""


# --- keys -----------------------------------------------------------------------------------------------------------


def test_keys(visit: Callable[..., Any]) -> None:
    page = visit("#?q=declared:no")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("j?")  # keys are text in a field
    assert page.input_value("#query") == "j?"
    page.fill("#query", "declared:no")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#case h2")).to_have_text("steps")
    page.keyboard.press("j")
    expect(page.locator("#case h2")).to_have_text("rows")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#case h2")).to_have_text("steps")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.screenshot(path=PICTURES / "help.png") if PICTURES.exists() else None
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    expect(page.locator("table.matrix")).to_be_visible()
    assert page.input_value("#query") == "declared:no"


def test_keys_can_be_switched_off(visit: Callable[..., Any]) -> None:
    page = visit()
    page.click("#help-button")
    page.uncheck("#keys")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "query"


def test_one_can_walk_through_the_page_with_the_tab_key(visit: Callable[..., Any]) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


# --- a case ---------------------------------------------------------------------------------------------------------


def test_a_case_tells_what_was_computed_and_apart_from_that_whether_it_is_as_declared(
    visit: Callable[..., Any],
) -> None:
    page = visit(CASE)
    assert rows_of(page, ".outcomes") == [
        ["torch", "✗ deviates unexplained +1.1", "⚑ no"],
        ["keras", "✓ conforms −0.3", "yes"],
    ]
    assert "y: found deviates" in page.locator(".outcome").inner_text()
    page.locator(".outcomes a", has_text="conforms").click()
    expect(page.locator("#outcome-title")).to_contain_text("keras, predict")
    assert "name: softmax/rows" in page.locator("#case pre").last.inner_text()


def test_phases_stand_side_by_side(visit: Callable[..., Any]) -> None:
    page = visit(TRAINED)
    assert texts(page, ".outcomes thead th") == ["Adapter", "train", "as declared", "predict", "as declared"]
    assert rows_of(page, ".outcomes")[0] == [
        "torch", "◆ dialect variance_correction=1 +6.3", "yes, declared", "✓ conforms −0.3", "yes",
    ]  # fmt: skip


def rows_of(page: Any, table: str) -> list[list[str]]:
    rows = page.locator(f"{table} tbody tr").all()
    return [[" ".join(cell.split()) for cell in row.locator("th, td").all_inner_texts()] for row in rows]


def slice_of(first: int) -> list[list[str]]:
    """What the map shows of the tensor at a place of its first axis: -12 is the first number, row by row."""
    part = [int(each) for each in CUBE_ERRORS[12 * first : 12 * first + 12]]
    signs = [f"+{each}" if each > 0 else str(each).replace("-", "−") for each in part]
    return [signs[row * 4 : row * 4 + 4] for row in range(3)]


def the_map(page: Any) -> list[list[str]]:
    return [row.locator("td").all_inner_texts() for row in page.locator(".map tbody tr").all()]


def test_the_error_map_shows_the_numbers_and_the_picker_every_slice(visit: Callable[..., Any]) -> None:
    page = visit(CASE)
    assert the_map(page) == slice_of(0)
    first = page.locator(".map tbody td").first
    assert first.get_attribute("title") == "[0, 0, 0]: −12"
    assert "below" in str(first.get_attribute("class"))
    page.select_option("select[aria-label='axis 0']", "1")
    assert the_map(page) == slice_of(1)
    assert page.locator(".map td").last.get_attribute("title") == "[1, 2, 3]: +11"
    page.select_option("select[aria-label='rows: axis']", "0")  # axis 0 by axis 2, at place 0 of axis 1
    assert the_map(page) == [slice_of(0)[0], slice_of(1)[0]]
    page.select_option("select[aria-label='axis 1']", "2")
    assert the_map(page) == [slice_of(0)[2], slice_of(1)[2]]


def test_what_rounding_explains_looks_other_than_what_it_does_not(visit: Callable[..., Any]) -> None:
    page = visit(CASE)
    kinds = {text: page.locator(".map td", has_text=text).first.get_attribute("class") for text in ("−12", "−4")}
    assert kinds == {"−12": "below", "−4": "within"}  # float32 conforms up to 4
    colours = {
        page.locator(f".map td.{kind}").first.evaluate("each => getComputedStyle(each).backgroundColor")
        for kind in ("below", "within")
    }
    assert len(colours) == 2


def test_the_worst_elements_stand_with_index_expected_actual_difference_and_bound(visit: Callable[..., Any]) -> None:
    page = visit(CASE)
    rows = [row.locator("td").all_inner_texts() for row in page.locator(".tensor .numbers tbody tr").all()]
    assert rows == [
        ["[0, 0, 0]", "1", "0.25", "−0.75", "0.062", "−12"],
        ["[1, 2, 3]", "2", "2.688", "+0.688", "0.062", "+11"],  # beyond the worst, to three digits
    ]
    assert CUBE.notes[0] in page.locator(".tensor").inner_text()


def test_a_case_opens_on_the_gravest_tensor(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    fine = tensor("x.gradient", shape=(1,), errors=(0.5,), error_ratio=1e9)
    page = visit("#?case=softmax/rows", file(run(failing("softmax/rows", tensors=(fine, CUBE, fine)))))
    assert page.locator("#tensor-title").inner_text().startswith("y ")


def test_what_cannot_be_compared_element_by_element_says_so(
    visit: Callable[..., Any], file: Callable[..., str]
) -> None:
    other = tensor("y", verdict="deviates", dialect=None, error_ratio=math.inf, index=(), shape=(2, 2), notes=("odd",))
    empty = tensor("y", index=(), shape=(0, 3))
    made = run(failing("softmax/other", tensors=(other,)), outcome("softmax/empty", tensors=(empty,)))
    page_address = file(made)
    said = visit("#?case=softmax/other", page_address).locator(".tensor").inner_text()
    assert "nothing can be compared element by element" in said
    assert "farther off" not in said
    assert "It has no elements." in visit("#?case=softmax/empty", page_address).locator(".tensor").inner_text()


def test_what_is_not_finite_is_shown_as_it_is(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    elements = (Element((0,), math.inf, 2.0, 0.5), Element((1,), -math.inf, 3.5, 0.5))
    odd = tensor("y", verdict="deviates", dialect=None, index=(0,), shape=(2,), errors=(-math.inf, math.inf))
    odd = replace(odd, expected=math.inf, actual=2.0, elements=elements)
    page = visit("#?case=softmax/odd", file(run(failing("softmax/odd", tensors=(odd,)))))
    assert [row[1:3] for row in rows_of(page, ".tensor .numbers")] == [["∞", "2"], ["−∞", "3.5"]]


def test_a_large_map_is_dense_and_still_tells_its_numbers(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    wide = replace(CUBE, shape=(2, 50), errors=tuple(float(each) for each in range(100)), index=(1, 49), elements=())
    page = visit("#?case=softmax/wide", file(run(outcome("softmax/wide", tensors=(wide,)))))
    assert page.locator(".map.dense td").count() == 101  # and the corner of the heads
    assert page.locator(".map td").last.get_attribute("title") == "[1, 49]: +99"


def test_two_steps_at_once_within_an_operation(visit: Callable[..., Any]) -> None:
    page = visit()
    page.evaluate("['#?case=softmax/large', '#?case=softmax/rows'].forEach((hash) => (location.hash = hash))")
    expect(page.locator("#case h2")).to_have_text("rows")
    expect(page.locator("#case .outcome h3")).to_be_visible()
    page.evaluate("location.hash = '#?case=softmax/large'")
    expect(page.locator("#case .outcome h3")).to_be_visible()


def test_curves_may_be_long_and_of_any_size(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    largest = 1.7976931348623157e308
    curves = (
        Curve("loss", (), (largest, -largest), (0.0, math.nan)),
        Curve("w", (0,), (0.5,) * 200_000, (1.5,) * 200_000),
    )
    page = visit("#?case=sgd/long", file(run(outcome("sgd/long", phase="train", curves=curves))))
    assert page.locator(".curve svg").count() == 2  # and nobody has complained


def test_curves_show_the_framework_beside_the_formula(visit: Callable[..., Any]) -> None:
    page = visit(TRAINED)
    captions = texts(page, ".curve figcaption")
    assert captions[0] == "loss after 3 steps 1.5, by the formula 1.5; difference 0"
    assert captions[1] == "moving_variance[1] after 3 steps 2.5, by the formula 2; difference +0.5"
    framework = page.locator(".curve").nth(1).locator("polyline.framework")
    heights = [float(point.split(",")[1]) for point in str(framework.get_attribute("points")).split()]
    low, high = heights[0], heights[2]
    assert heights[1] == pytest.approx((low + high) / 2, abs=0.1)  # 1.75 is in the middle of 1 and 2.5
    assert low > high  # up is more


def test_the_runners_up_and_the_framework_s_own_defaults_are_told(visit: Callable[..., Any]) -> None:
    page = visit(TRAINED)
    said = page.locator(".outcome").inner_text()
    assert "epsilon=outside: 3e6" in said
    assert "Declared: moving_*: variance_correction=1. the unbiased variance pytorch/pytorch#19902" in said
    page.get_by_text("Parameters as the framework holds them").click()
    assert "1e-05 the framework’s own default" in texts(page, ".outcome .values dd")


def test_copy_buttons(visit: Callable[..., Any]) -> None:
    page = visit(CASE, permissions=["clipboard-read", "clipboard-write"])
    copied = lambda: page.evaluate("navigator.clipboard.readText()")  # noqa: E731
    page.get_by_role("button", name="Copy the script").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert copied().rstrip("\n") == SCRIPT.rstrip("\n")
    page.get_by_role("button", name="Copy the command").click()
    assert copied() == "conformance repro softmax/rows --adapter torch --mode eager"
    page.get_by_role("button", name="Copy an issue text").click()
    text = copied()
    assert text.startswith("## softmax: torch deviates in predict\n")
    assert "| [0, 0, 0] | 1 | 0.25 | -0.75 | 0.062 |" in text
    assert f"```python\n{SCRIPT}```" in text
    assert "torch 1.0" in text


# --- an operation ---------------------------------------------------------------------------------------------------


def test_an_operation_puts_the_spellings_side_by_side(visit: Callable[..., Any]) -> None:
    page = visit("#?operation=batch_normalization")
    heads = texts(page, "#operation-batch_normalization .stone thead th")
    rows = {row.locator("th").inner_text(): [" ".join(each.split()) for each in row.locator("td").all_inner_texts()]
            for row in page.locator("#operation-batch_normalization .stone tbody tr").all()}  # fmt: skip
    torch = dict(zip(heads[1:], rows["torch"], strict=True))
    assert torch["Call"] == "torch.nn.BatchNorm1d(2, momentum=0.5)"
    assert torch["momentum"] == "momentum = 1 − momentum default 0.9"
    assert torch["epsilon"] == "eps default 1e-05"
    assert torch["moving_variance"] == "running_var"
    assert dict(zip(heads[1:], rows["keras"], strict=True))["epsilon"] == "epsilon default 0.001"


def test_porting_is_told_both_ways(visit: Callable[..., Any]) -> None:
    page = visit("#?operation=batch_normalization")
    port = page.locator("#operation-batch_normalization .port")
    port.locator("select").nth(0).select_option("torch")
    port.locator("select").nth(1).select_option("keras")
    said = texts(page, "#operation-batch_normalization .hints li")
    assert "momentum becomes momentum = 1 − momentum." in said
    assert "eps becomes epsilon." in said
    assert "epsilon=1e-05 must be given: the default for epsilon is 1e-05 here, 0.001 there." in said
    assert "running_var (moving_variance) is moving_variance." in said
    bessel = "variance_correction=1 (it is divided by n - 1 (unbiased, Bessel))"
    assert f"The numbers differ in running_var. torch: {bessel}; keras: the published formula." in said


# --- what is written twice ------------------------------------------------------------------------------------------


NUMBERS = [0.0, 1.0, -1.0, 0.1, 1 / 3, 12.0, 2000.0, 1e-5, 1e-4, 9.99e-5, 123456789.0, 1e9, 1e10, 1.5e-300, 1e300, 0.95]
RATIOS = [None, 0.0, 1.0, 0.5, 0.0094, 12.0, 1e10, 8.9e9, 1e-12, 2e15, math.inf]


def test_scripts_and_python_write_numbers_alike(visit: Callable[..., Any]) -> None:
    page = visit()
    load = assets.module("numbers")
    written = page.evaluate(
        f"([numbers, ratios]) => {{ {load} return [numbers.map($numbers.literal), ratios.map($numbers.power), "
        "ratios.map($numbers.briefPower)]; }",
        [NUMBERS, RATIOS],
    )
    assert written == [
        [words.literal(each) for each in NUMBERS],
        [words.power(each) for each in RATIOS],
        [words.brief_power(each) for each in RATIOS],
    ]


ADDRESSES = [
    "https://github.com/pytorch/pytorch/issues/19902#issuecomment-1",
    "https://www.example.org/short",
    "https://github.com/microsoft/onnxruntime/blob/0606f7d6a37fb8dfc2cde779e3cf4dd02fe457ea/core/cpu/nn/batch_norm.h",
    "https://tensorflow.org/versions/r2.13/api_docs/python/tf/keras/losses/MeanSquaredError",
    f"https://example.org/{'long' * 20}",
    f"https://example.org/a/b/{'long' * 20}?q=1",
    "http://a.example/",
    "https://keras.io/api/layers/preprocessing_layers/numerical/normalization/",
    "https://",
]


def test_scripts_and_python_shorten_addresses_alike(visit: Callable[..., Any]) -> None:
    shown = visit().evaluate(
        f"(given) => {{ {assets.module('elements')} return given.map($elements.brief); }}", ADDRESSES
    )
    assert shown == [pieces.brief(each) for each in ADDRESSES]
    assert shown[0] == "pytorch/pytorch#19902"
    assert shown[2] == "github.com/microsoft/onnxruntime/…/batch_norm.h"
    assert all(len(each) <= 50 for each in shown[:4])


TEXTS = ["plain", "é 漢 🎉", "\x1b[31m \x00 \x7f \x85", "\u202e right to left \u2066", "tab\tline\n", "\ufeff \uffff"]
NAMES = ["relu/a", "a b", "it's", "x[axis=-1]", "$(rm)", "`", "torch@venv/bin/python", "a;b", "é", '"']


def test_scripts_and_python_write_texts_and_commands_alike(visit: Callable[..., Any]) -> None:
    modules = "".join(map(assets.module, assets.ordered()[:-1]))
    texts, commands = visit().evaluate(
        f"""([texts, names]) => {{ {modules}
          return [texts.map($elements.printable), names.map((name) => $case.reproduction(name, name, "graph"))]; }}""",
        [TEXTS, NAMES],
    )
    assert texts == [words.printable(each) for each in TEXTS]
    assert commands == [words.reproduction(outcome(each, each, mode="graph")) for each in NAMES]


def test_scripts_read_the_numbers_that_python_has_packed(visit: Callable[..., Any]) -> None:
    values = [None, math.nan, math.inf, -math.inf, 0.0, 5e-324, -1.5e308, 0.3, 123.0, -99.0]
    inside: dict[str, Any] = {"column": Numbers(3, values)}
    inside["places"] = Integers([0, None, (1 << 30) - 1, 1 - (1 << 30), -1])
    packed = packing.packed({"before": [1], "inside": inside, "halves": Numbers(2, [1.4, -2.1], finest=0.5)})
    kept = visit().evaluate(
        f"""async (text) => {{ {assets.module("blocks")}
          const element = document.createElement("script");
          [element.type, element.id, element.textContent] = ["application/octet-stream", "some", text];
          document.body.append(element);
          return await $blocks.block("some"); }}""",
        packed,
    )
    assert kept["inside"]["column"] == pytest.approx(values, nan_ok=True, rel=0)
    assert kept["inside"]["places"] == [0, None, (1 << 30) - 1, 1 - (1 << 30), -1]
    assert (kept["before"], kept["halves"]) == ([1], [1.5, -2.0])


# --- several runs ---------------------------------------------------------------------------------------------------


def test_what_changed_since_the_last_run_is_told_with_its_numbers(visit: Callable[..., Any]) -> None:
    page = visit("#?compare=1")
    said = " ".join(page.locator("#compare").inner_text().split())
    assert "1 change: 1 new. From torch 2.12 to this run." in said
    assert "torch 2.12 -> 1.0 (torch)" in said
    assert rows_of(page, "[aria-labelledby=changes-new] table") == [
        ["softmax/rows", "torch", "predict", "– not in this run", "✗ deviates +1.1 ⚑"]
    ]
    page.locator("[aria-labelledby=changes-new] a").click()
    assert page.url.endswith(CASE)


def test_the_trend_has_a_column_for_each_run_and_draws_gaps_as_gaps(visit: Callable[..., Any]) -> None:
    page = visit("#?compare=1")
    assert texts(page, ".trend thead th") == [
        "Case", "Adapter", "Phase", "Error ratio", "torch 2.11", "torch 2.12", "this run",
    ]  # fmt: skip
    rows = {row[0]: row for row in rows_of(page, ".trend")}
    trained = rows["batch_normalization/trained"]
    assert trained[4:] == [
        "✓ conforms −0.3",
        "◆ dialect variance_correction=1 +6.3",
        "◆ dialect variance_correction=1 +6.3",
    ]
    assert rows["softmax/rows"][5] == "– not in this run"
    row = page.locator(".trend tbody tr", has_text="softmax/rows")
    assert row.locator("polyline").count() == 2  # before the gap and behind it


def test_two_columns_of_a_run_can_be_compared(visit: Callable[..., Any]) -> None:
    page = visit("#?compare=1")
    page.locator("#columns select").nth(0).select_option("keras")
    page.locator("#columns select").nth(1).select_option("torch")
    rows = rows_of(page, "#columns table")
    assert [
        "softmax/large",
        "predict",
        "✓ conforms −0.3",
        "≈ imprecise algorithm unknown +3.3",
    ] in rows
    assert {row[0] for row in rows} == {
        "adam/steps", "batch_normalization/trained", "relu/lacking", "softmax/large", "softmax/rows",
    }  # fmt: skip
    page.locator("#columns select").nth(1).select_option("keras")
    assert "Nothing sets them apart" in page.locator("#columns").inner_text()


# --- hostile and empty runs -----------------------------------------------------------------------------------------


def test_a_hostile_run_is_shown_as_text(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    made = hostile()
    name = quote(made.outcomes[0].case, safe="")
    page = visit(f"#?case={name}", file(made))
    assert HOSTILE in page.locator("#case").inner_text()
    assert page.evaluate("document.querySelectorAll('script:not([id])').length") == 2  # ours
    page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
    page.get_by_role("link", name="Overview").first.click()
    assert HOSTILE in page.locator("#case-list").inner_text()


NAMES = ("constructor", "__proto__", "toString", "10", "2", "a b", "\u202ebidi", "\ud800half", "summary", "common")


def test_names_that_mean_something_to_a_browser_mean_nothing_here(
    visit: Callable[..., Any], file: Callable[..., str]
) -> None:
    pairs = [(operation, name) for operation in NAMES for name in NAMES]
    made = run(*(outcome(f"{one}/{other}", adapter=other, message=f"{one} {other}") for one, other in pairs))
    page = visit("#?sort=constructor", file(made))
    assert page.locator("tr[data-operation]").count() == len(NAMES)
    for name in ("10", "2", "__proto__"):
        page.fill("#query", f"case:2/{name}")
        page.locator("#case-list summary").click()
        page.locator("#case-list .name", has_text=re.compile(f"^2/{name}$")).click()
        assert page.locator(".message").inner_text() == f"2 {name}"
    page.fill("#query", "verdict:constructor")
    expect(page.locator("#found")).to_contain_text("expected one of conforms")


def test_an_operation_in_two_families_is_one(visit: Callable[..., Any], file: Callable[..., str]) -> None:
    made = run(outcome("relu/a"), outcome("relu/b"))
    made.header.cases["relu/b"]["family"] = "other"
    page = visit("#?case=relu/b", file(made))
    assert "What is relu/b?" in page.locator("#case").inner_text()


@pytest.mark.parametrize("outcomes", [(), (outcome(),)])
def test_a_run_of_little_or_nothing_has_a_page(
    visit: Callable[..., Any], file: Callable[..., str], outcomes: tuple[Any, ...]
) -> None:
    page = visit("", file(run(*outcomes)))
    assert page.locator("#overview").is_visible()
    page.get_by_role("link", name="Compare").click()
    assert page.locator("#compare").is_visible()
