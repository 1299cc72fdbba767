"""Several runs one after another: what changed, what follows from what was run, and the trend."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.history import Gap, Trend, changes, gaps, trend, versions
from conformance.report import comparison, markdown
from conformance.results import Outcome, Run
from conformance.tests.test_report import HOSTILE, hostile
from conformance.tests.test_results import dialect, failing, outcome, run, tensor, written


def conformance(*arguments: object) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)))


def version(number: str, *outcomes: Outcome) -> Run:
    """A run on a version of torch."""
    return run(*outcomes, adapters={"torch": {"versions": {"torch": number, "numpy": "2.4"}}})


# --- what follows from what was run ---------------------------------------------------------------------------------


def _split(old: Run, new: Run) -> tuple[list[str], list[Gap]]:
    rest, found = gaps(changes(old, new), old, new)
    return [f"{change.kind} {change.case} {change.adapter}" for change in rest], found


def test_an_adapter_that_is_missing_is_told_once() -> None:
    old = run(*(outcome(f"relu/{number}", name) for number in range(50) for name in ("keras", "torch")))
    new = run(*(outcome(f"relu/{number}", "keras") for number in range(50)))
    lacking = replace(new, header=replace(new.header, adapters={"torch": {"missing": "torch is not installed"}}))
    reason = "run does not have the adapter torch"
    assert _split(old, new) == ([], [Gap("gone", 50, f"the new {reason}")])
    assert _split(old, lacking) == ([], [Gap("gone", 50, f"the new {reason}: torch is not installed")])
    assert _split(new, old) == ([], [Gap("new", 50, f"the old {reason}")])


def test_other_cases_are_told_once() -> None:
    old, new = run(outcome("relu/a"), outcome("relu/b")), run(outcome("relu/b"), outcome("relu/c"))
    assert _split(old, new) == (
        [],
        [
            Gap("gone", 1, "the new run does not have 1 case (relu/a)"),
            Gap("new", 1, "the old run does not have 1 case (relu/c)"),
        ],
    )
    many = run(*(outcome(f"relu/{number}") for number in range(5)))
    assert _split(many, run(outcome("relu/0")))[1][0].reason.endswith("4 cases (relu/1, relu/2, relu/3 ...)")


def test_what_is_new_and_not_as_declared_is_a_finding() -> None:
    assert _split(run(outcome()), run(outcome(), failing(), outcome("relu/new"))) == (
        ["new softmax/rows torch"],
        [Gap("new", 1, "the old run does not have 2 cases (relu/new, softmax/rows)")],
    )


def test_a_phase_that_is_gone_is_a_finding_unless_the_run_is_partial() -> None:
    old, new = run(outcome(), outcome(phase="train")), run(outcome())
    assert _split(old, new) == (["gone relu/zero torch"], [])
    partial = replace(new, header=replace(new.header, partial=True))
    assert _split(old, partial) == ([], [Gap("gone", 1, "the new run is partial")])


def test_versions_that_differ() -> None:
    old, new = version("2.12"), version("2.13")
    assert versions(old.header, old.header) == []
    assert versions(old.header, new.header) == [("torch", "torch", "2.12", "2.13")]
    assert versions(run().header, new.header) == [("torch", "numpy", "", "2.4"), ("torch", "torch", "", "2.13")]
    assert versions(new.header, run(adapters={"torch": {"missing": "gone"}}).header) == [
        ("torch", "numpy", "2.4", ""),
        ("torch", "torch", "2.13", ""),
    ]


# --- the trend ------------------------------------------------------------------------------------------------------


def _verdicts(each: Trend) -> list[str | None]:
    return [side and side.verdict for side in each.findings]


def test_a_trend_has_a_finding_per_run_and_gaps() -> None:
    runs = [
        run(outcome("relu/same"), outcome("relu/a"), outcome("relu/b")),
        run(outcome("relu/same"), failing("relu/a")),
        run(outcome("relu/same"), outcome("relu/a"), failing("relu/b"), outcome("relu/new")),
    ]
    found = trend(runs)
    assert [(each.case, each.kind, _verdicts(each)) for each in found] == [
        ("relu/b", "worse", ["conforms", None, "deviates"]),
        ("relu/new", "new", [None, None, "conforms"]),
        ("relu/a", "better", ["conforms", "deviates", "conforms"]),
    ]
    assert [each.case for each in found if each.gappy] == ["relu/new"]


def test_the_worst_change_of_the_newest_comes_first() -> None:
    old = run(outcome("relu/crash"), outcome("relu/worse"), failing("relu/old"), outcome("relu/gone"))
    new = run(outcome("relu/crash", verdict="crash", as_declared=False), failing("relu/worse"), failing("relu/old"))
    oldest = run(outcome("relu/old"))
    assert [each.case for each in trend([oldest, old, new])] == [
        "relu/crash", "relu/worse", "relu/gone", "relu/old",
    ]  # fmt: skip


def test_a_drift_that_no_single_step_shows_is_seen_against_the_first() -> None:
    runs = [run(failing(tensors=(tensor(verdict="deviates", error_ratio=ratio),))) for ratio in (1e6, 8e6, 6e7)]
    assert changes(*runs[:2]) == changes(*runs[1:]) == []
    assert len(trend(runs)) == 1


def test_one_run_and_equal_runs_have_no_trend() -> None:
    assert trend([run(outcome())]) == []
    assert trend([run(outcome(), failing()), run(failing(), outcome())]) == []


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three runs: something got worse, something better, an adapter came and went."""
    keras = [outcome(f"relu/{number}", "keras") for number in range(30)]
    old = written(
        tmp_path / "1", outcome("relu/a"), failing("relu/b"), adapters={"torch": {"versions": {"torch": "1"}}}
    )
    mid = written(tmp_path / "2", outcome("relu/a"), dialect("relu/b", phase="predict"), *keras)
    new = written(
        tmp_path / "3", failing("relu/a"), outcome("relu/b"), adapters={"torch": {"versions": {"torch": "3"}}}
    )
    return [old, mid, new]


def test_two_runs_as_json(paths: list[Path]) -> None:
    done = conformance("compare", paths[0], paths[2], "--format", "json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document.keys() == {"changes", "versions"}
    assert [(each["kind"], each["case"]) for each in document["changes"]] == [("worse", "relu/a"), ("better", "relu/b")]
    assert document["versions"] == [{"adapter": "torch", "distribution": "torch", "old": "1", "new": "3"}]


def test_several_runs_as_json(paths: list[Path]) -> None:
    document = json.loads(conformance("compare", *paths, "--format", "json").stdout)
    assert {each["kind"] for each in document["changes"]} == {"worse", "gone", "better"}  # of the newest
    rows = {each["case"]: [side and side["verdict"] for side in each["findings"]] for each in document["trend"]}
    assert rows["relu/b"] == ["deviates", "dialect", "conforms"]
    assert rows["relu/7"] == [None, "conforms", None]


def test_several_runs_as_text(paths: list[Path], tmp_path: Path) -> None:
    done = conformance("compare", *paths, "-o", tmp_path / "page.html")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "version: torch 1.0 -> 3 (torch)"
    assert lines[1] == "30 outcomes gone: the new run does not have the adapter keras"
    assert lines[-1] == "32 changes, 1 for the worse"
    assert lines[-2] == "2 outcomes changed through these 3 runs; 30 are not in all of them and the same otherwise."
    assert re.search(r"^relu/b, torch, predict +✗ \+6\.6 ⚑ +◆ \+6\.3 +✓$", done.stdout, re.MULTILINE)
    assert len(lines) < 10
    assert (tmp_path / "page.html").exists()


def test_a_comment_for_a_pull_request(paths: list[Path]) -> None:
    done = conformance("compare", *paths, "--format", "markdown")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[2].startswith("32 changes: 1 worse, 30 gone, 1 better. From ")
    assert "- torch 1.0 -&gt; 3 (torch)" in lines
    assert "> **Note:** 30 outcomes gone: the new run does not have the adapter keras" in lines
    assert "| worse | relu/a | predict | torch | ✓ conforms | ✗ deviates ⚑ | −0.3 → +6.6 |" in lines
    assert "| better | relu/b | predict | torch | ◆ dialect variance_correction=1 | ✓ conforms | +6.3 → −0.3 |" in lines
    assert lines.index("## Worse") < lines.index("## Better") < lines.index("## Trend")
    assert "| relu/b | predict | torch | ✗ +6.6 ⚑ | ◆ +6.3 | ✓ |" in lines


def test_nothing_changed(tmp_path: Path) -> None:
    path = written(tmp_path, outcome())
    done = conformance("compare", path, path, "--format", "markdown")
    assert (done.exit_code, done.stdout.splitlines()[2].partition(". ")[0]) == (0, "Nothing changed")
    assert conformance("compare", path, path).stdout == "0 changes, 0 for the worse\n"


def test_a_comment_is_never_too_long_for_github() -> None:
    cases = [f"relu/{'x' * 200}_{number}" for number in range(2000)]
    old, new = run(*map(outcome, cases)), run(*map(failing, cases))
    shown = comparison.render([("old", old), ("new", new)])
    assert "And 1,900 more." in shown
    assert len(shown.encode()) <= comparison.LIMIT
    short = comparison.render([("old", old), ("new", new)], limit=3000)
    assert len(short.encode()) <= 3000
    assert re.search(r"And 1,99\d more\.", short)


def test_nothing_in_a_run_file_becomes_markup() -> None:
    shown = comparison.render([(HOSTILE, run(outcome())), (HOSTILE, run()), (HOSTILE, hostile())], "https://x.org/")
    assert "<script" not in shown
    assert "`code`" not in shown.replace("\\`code\\`", "")
    assert "javascript:" not in re.sub(r"\\\[.*", "", shown)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a/run.jsonl"], "Missing argument"),
        (["a/run.jsonl", "none.jsonl"], "none.jsonl: there is no such run file"),
        (["a", "a", "--format", "xml"], "xml"),
        (["a", "a", "-o", "a/run.jsonl"], "a/run.jsonl would be written over a; name another file"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = written(tmp_path / "a", outcome()).read_bytes()
    done = conformance("compare", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert (tmp_path / "a" / "run.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [("compare", "old", "new"), ("report", "new", "--against", "old", "--markdown", "new.md")]
)
def test_runs_with_other_inputs_are_not_compared(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "old", outcome())
    written(tmp_path / "new", outcome(), seed=3)
    done = conformance(*arguments)
    assert done.exit_code == 2
    one, other = sorted(("0 in old", "3 in new"), key=lambda each: arguments.index(each[5:]))
    assert f"the seed differs: {one}, {other}; other inputs were drawn: give one --seed to both" in done.stderr
    assert not Path("new.md").exists()
    assert conformance("compare", "new", "new").exit_code == 0


def test_another_name_of_a_run_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path / "a", outcome())
    before = path.read_bytes()
    Path("hard").hardlink_to(path)
    Path("soft").symlink_to(path)
    for name in ("hard", "soft"):
        done = conformance("compare", "a", "a", "-o", name)
        assert done.exit_code == 2
        assert f"{name} would be written over a; name another file" in done.stderr
    assert path.read_bytes() == before


# --- in a job's summary ---------------------------------------------------------------------------------------------


def test_the_summary_tells_what_is_new() -> None:
    shown = markdown.render(run(failing(), outcome()), [("oldest", run()), ("old", run(outcome("softmax/rows")))])
    assert "## Changes since old" in shown
    assert "| worse | softmax/rows | predict | torch | ✓ conforms | ✗ deviates ⚑ | −0.3 → +6.6 |" in shown
    assert "> **Note:** 1 outcome new: the old run does not have 1 case (relu/zero)" in shown
    same = run(outcome())
    assert "## Changes since old\n\nNone.\n" in markdown.render(same, [("old", same)])
