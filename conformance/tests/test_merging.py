"""Runs merged: what belongs together becomes one, what does not is refused, what is missing is told."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conformance import history, runfile
from conformance.cli import main
from conformance.errors import RunFileError, UsageError
from conformance.history import merge
from conformance.report.words import warnings
from conformance.results import Run
from conformance.sharding import Shard, absent
from conformance.tests.test_results import outcome, run, tensor, written

RELU = str(Path(__file__).parents[2] / "cases" / "activation" / "relu.yaml")


def conformance(*arguments: object) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)))


# --- shards ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.text()), st.integers(1, 9))
def test_every_case_is_in_one_shard_whatever_others_there_are(cases: list[str], count: int) -> None:
    for case in cases:
        assert sum(case in Shard(number, count) for number in range(1, count + 1)) == 1


def test_a_case_stays_in_its_shard() -> None:
    """The parts are a promise to runs made elsewhere: a change of the hash would be a breaking one."""
    found = {number: [name for name in "abcdefgh" if f"relu/{name}" in Shard(number, 3)] for number in (1, 2, 3)}
    assert found == {1: ["a", "c", "e"], 2: ["b", "f"], 3: ["d", "g", "h"]}


def test_shards_are_of_similar_size() -> None:
    sizes = [sum(f"relu/case_{n}" in Shard(number, 5) for n in range(1000)) for number in range(1, 6)]
    assert min(sizes) > 150


@pytest.mark.parametrize("text", ["0/5", "6/5", "2", "a/b", "1/0", "", "1/2/3", "-1/5", "1.5/2", "²/3", " 1/2", "1/-2"])
def test_what_is_no_shard_is_wrong_usage(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(f"{text!r}, expected")):
        Shard.of(text)
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path / "out", f"--shard={text}")
    assert done.exit_code == 2
    assert f"Invalid value for '--shard': {text!r}, expected" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_what_is_absent() -> None:
    assert absent([]) == []
    assert absent(["3/5", "1/5", "5/5"]) == ["2/5", "4/5"]


def test_the_shards_of_a_run_are_the_run(tmp_path: Path) -> None:
    numpy = ("--adapter", "numpy", "--seed", 7)
    assert conformance("run", RELU, *numpy, "--output", tmp_path / "whole").exit_code == 0
    parts = []
    for number in (1, 2, 3, 4):
        parts.append(tmp_path / f"part{number}")
        done = conformance("run", RELU, *numpy, "--output", parts[-1], "--shard", f"{number}/4")
        assert done.exit_code == 0, done.output
    done = conformance("report", *parts, "--jsonl", tmp_path / "merged.jsonl")
    assert (done.exit_code, done.stderr) == (0, f"wrote {tmp_path / 'merged.jsonl'}\n")
    merged, whole = runfile.read(tmp_path / "merged.jsonl"), runfile.read(tmp_path / "whole")
    assert sorted(map(repr, merged.outcomes)) == sorted(map(repr, whole.outcomes))
    assert merged.header.seed == 7
    assert merged.header.shards == ("1/4", "2/4", "3/4", "4/4")
    assert merged.header.cases == whole.header.cases
    assert warnings(merged) == []


def test_a_shard_without_cases_is_a_whole_run_of_nothing(tmp_path: Path) -> None:
    number = next(number for number in range(1, 100) if "relu/kink" not in Shard(number, 99))
    done = conformance("run", RELU, "-k", "kink", "--adapter", "numpy", "--output", tmp_path, "--shard", f"{number}/99")
    assert done.exit_code == 0, done.output
    assert f"shard {number}/99 holds none of these 1 cases: there is nothing to run" in done.stderr
    found = runfile.read(tmp_path)
    assert (found.outcomes, found.header.shards, found.header.partial) == ((), (f"{number}/99",), False)


def test_another_shard_does_not_go_on_from_a_run(tmp_path: Path) -> None:
    conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--shard", "1/1")
    before = (tmp_path / "run.jsonl").read_bytes()
    for arguments in (["--shard", "1/2"], []):
        done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--resume", *arguments)
        assert done.exit_code == 2
        assert "the run that broke off was made with --shard 1/1" in done.stderr
    assert (tmp_path / "run.jsonl").read_bytes() == before
    assert (
        conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--resume", "--shard", "1/1").exit_code
        == 0
    )


# --- what does not belong together ----------------------------------------------------------------------------------


def _adapter(**changed: Any) -> dict[str, Any]:
    made = {
        "versions": {"torch": "1.0", "numpy": "2.0"},
        "device": "cpu",
        "precisions": ["float32"],
        "mode": "eager",
        "switches": {"threads": "1"},
    }
    return {"torch": {**made, **changed}}


_BASE = run(outcome(), adapters=_adapter(), platform={"conformance": "0.1.0"}, shards=("1/2",))


def _other(**changed: Any) -> Run:
    made = run(outcome("relu/other"), adapters=_adapter(), platform={"conformance": "0.1.0"}, shards=("2/2",))
    return replace(made, header=replace(made.header, **changed))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (_other(seed=3), "the seed differs: 0 in a.jsonl, 3 in b.jsonl; other inputs were drawn"),
        (_other(platform={"conformance": "0.2.0"}), "the version of conformance differs: 0.1.0 in a.jsonl, 0.2.0"),
        (_other(schema=2), "the schema differs: 1 in a.jsonl, 2 in b.jsonl"),
        (_other(shards=("2/3",)), "the shards are of different splits: 1/2 in a.jsonl, 2/3 in b.jsonl; all parts"),
        (
            _other(adapters=_adapter(versions={"torch": "2.0", "numpy": "2.0"})),
            'the adapter torch has different versions: {"torch": "1.0"} in a.jsonl, {"torch": "2.0"} in b.jsonl',
        ),
        (_other(adapters=_adapter(device="gpu")), "the adapter torch has different device: cpu in a.jsonl, gpu"),
        (_other(adapters=_adapter(precisions=["float64"])), "the adapter torch has different precisions"),
        (_other(adapters=_adapter(mode="graph")), "the adapter torch has different mode: eager in a.jsonl, graph"),
        (_other(adapters=_adapter(switches={"threads": "2"})), 'different switches: {"threads": "1"} in a.jsonl'),
        (_other(cases={"relu/zero": {"yaml": "name: x\nepsilon: 2\n"}}), "the case relu/zero has different yaml"),
        (
            run(outcome(verdict="deviates"), adapters=_adapter(), platform={"conformance": "0.1.0"}, shards=("1/2",)),
            "relu/zero, torch, predict has two outcomes: conforms in a.jsonl, deviates in b.jsonl; to see what "
            "differs: conformance compare a.jsonl b.jsonl",
        ),
    ],
    ids=lambda each: each[:40] if isinstance(each, str) else "",
)
def test_what_does_not_belong_together_is_refused_with_both_values_and_a_hint(other: Run, said: str) -> None:
    with pytest.raises(RunFileError, match=re.escape(said)) as caught:
        merge([_BASE, other], ["a.jsonl", "b.jsonl"])
    assert str(caught.value).startswith("these runs do not belong together: ")
    assert "; " in str(caught.value)


def test_what_is_refused_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    one = written(tmp_path / "a", outcome())
    other = written(tmp_path / "b", outcome("relu/other"), seed=1)
    page = tmp_path / "page.html"
    page.write_text("an earlier page")
    done = conformance("report", one, other, "-o", page)
    assert done.exit_code == 2
    assert f"0 in {one}, 1 in {other}" in done.stderr
    (tmp_path / "bad.jsonl").write_text("{")
    assert conformance("report", one, "--against", tmp_path / "bad.jsonl", "-o", page).exit_code == 2
    assert conformance("report", one, "--against", tmp_path / "none.jsonl", "-o", page).exit_code == 2
    assert page.read_text() == "an earlier page"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b", "bad.jsonl", "page.html"]


# --- what is missing ------------------------------------------------------------------------------------------------


def test_what_is_missing_is_told() -> None:
    first = run(outcome(), outcome("relu/other"), outcome(adapter="keras"), shards=("1/4",), partial=True)
    third = run(outcome("relu/third"), shards=("3/4",))
    gone = {**first.header.adapters, "jax": {"missing": "jax is not installed"}, "idle": {"versions": {}}}
    first = replace(first, header=replace(first.header, adapters=gone))
    merged = merge([first, third], ["a.jsonl", "b.jsonl"])
    assert merged.header.interrupted == ("a.jsonl",)
    assert warnings(merged) == [
        "The run a.jsonl is partial: not every case was measured.",
        "Of the shards, 2/4 and 4/4 are missing: this is not the whole run.",
        "The adapter jax is missing: jax is not installed",
        "The adapter idle has outcomes for 0 of 3 cases.",
        "The adapter keras has outcomes for 1 of 3 cases.",
    ]


def test_what_was_merged_can_be_merged_again(tmp_path: Path) -> None:
    parts = [run(outcome(f"relu/{number}"), shards=(f"{number}/3",), partial=number == 1) for number in (1, 2, 3)]
    some = merge(parts[:2], ["a", "b"])
    runfile.write(tmp_path / "some.jsonl", some.header, some.outcomes)
    merged = merge([runfile.read(tmp_path / "some.jsonl"), parts[2]], ["some", "c"])
    assert merged.header.shards == ("1/3", "2/3", "3/3")
    assert merged.header.interrupted == ("some", "a")


def test_the_warnings_are_told_by_the_command_and_in_the_markdown(tmp_path: Path) -> None:
    part = written(tmp_path, outcome(), shards=("1/2",))
    done = conformance("report", part, "--markdown", tmp_path / "m.md", "-o", tmp_path / "p.html")
    assert done.exit_code == 0
    told = "Of the shards, 2/2 is missing: this is not the whole run."
    assert f"warning: {told}" in done.stderr
    assert f"> **Note:** {told}" in (tmp_path / "m.md").read_text()
    assert told in (tmp_path / "p.html").read_text()


def test_the_spellings_of_all_runs_are_kept() -> None:
    one, other = (
        run(outcome(f"{name}/zero"), adapters={"torch": {"versions": {}, "spellings": {name: {"call": name}}}})
        for name in ("relu", "gelu")
    )
    assert merge([one, other]).header.adapters["torch"]["spellings"].keys() == {"relu", "gelu"}


# --- how long it takes ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_eight_shards_of_ten_thousand_outcomes_are_merged_in_seconds(tmp_path: Path) -> None:
    tensors = tuple(tensor(name, errors=(0.25,) * 64, shape=(8, 8)) for name in ("y", "x.gradient", "gamma"))
    paths = []
    for number in range(1, 9):
        cases = [f"relu/case_{case}" for case in range(1000) if f"relu/case_{case}" in Shard(number, 8)]
        found = [outcome(case, f"adapter{each}", tensors=tensors) for case in cases for each in range(10)]
        paths.append(written(tmp_path / str(number), *found, shards=(f"{number}/8",)))
    begin = time.process_time()
    merged = history.merge([runfile.read(path) for path in paths], [*map(str, paths)])
    runfile.write(tmp_path / "merged.jsonl", merged.header, merged.outcomes)
    assert time.process_time() - begin < 5
    assert len(merged.outcomes) == 10_000
