"""The run file: what is written comes back, what is not whole is refused, and runs are merged and compared."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import history, results, runfile
from conformance.errors import RunFileError
from conformance.history import changes, merge
from conformance.results import VERDICTS, Header, Outcome, Run, TensorResult, to_json
from conformance.runfile import Journal

# --- small runs, for these tests and those of the report ------------------------------------------------------------


def tensor(name: str = "y", **changed: Any) -> TensorResult:
    made = TensorResult(
        name=name,
        step=0,
        dtype="float32",
        verdict="conforms",
        dialect={},
        max_abs=1e-8,
        max_rel=1e-7,
        max_ulp=1.0,
        error_ratio=0.5,
        tolerance=2.5e-7,
        index=(0, 1),
        expected=1.25,
        actual=1.25,
    )
    return replace(made, **changed)


def outcome(case: str = "relu/zero", adapter: str = "torch", phase: str = "predict", **changed: Any) -> Outcome:
    made = Outcome(case, adapter, phase, "conforms", {}, (), True, "", (tensor(),))
    return replace(made, **changed)


def dialect(case: str = "batch_normalization/trained", **changed: Any) -> Outcome:
    """An outcome that is a declared dialect."""
    knobs = {"variance_correction": 1}
    declared = {
        "tensor": "moving_*",
        "dialect": knobs,
        "reason": "the unbiased variance",
        "reference": "https://github.com/pytorch/pytorch/issues/19902",
    }
    moving = tensor(
        "moving_variance", step=3, verdict="dialect", dialect=knobs, held_to=knobs, error_ratio=0.25, published=2e6
    )
    made = outcome(case, phase="train", verdict="dialect", dialect=knobs, declared=(declared,), tensors=(moving,))
    return replace(made, **changed)


def failing(case: str = "softmax/rows", **changed: Any) -> Outcome:
    """An outcome that is not as declared."""
    wrong = tensor(verdict="deviates", dialect=None, error_ratio=4e6, actual=2.25, max_abs=1.0)
    made = outcome(case, verdict="deviates", dialect=None, as_declared=False, message="y: found deviates")
    return replace(made, **{"tensors": (tensor("x.gradient"), wrong), **changed})


def run(*outcomes: Outcome, **changed: Any) -> Run:
    adapters = sorted({each.adapter for each in outcomes})
    header = Header(
        schema=results.SCHEMA_VERSION,
        time="2026-01-02T03:04:05+00:00",
        platform={"system": "Linux", "python": "3.12.1"},
        adapters={name: {"versions": {name: "1.0"}, "device": "cpu", "precisions": ["float32"]} for name in adapters},
        cases={
            each.case: {
                "file": "cases/some.yaml",
                "operation": each.case.partition("/")[0],
                "family": "activation",
                "description": f"What is {each.case}?",
                "yaml": f"name: {each.case}\n",
            }
            for each in outcomes
        },
    )
    return Run(replace(header, **changed), outcomes)


def written(folder: Path, *outcomes: Outcome, **changed: Any) -> Path:
    made = run(*outcomes, **changed)
    runfile.write(folder / "run.jsonl", made.header, made.outcomes)
    return folder / "run.jsonl"


# --- writing and reading --------------------------------------------------------------------------------------------

_numbers = st.floats() | st.integers(-(2**40), 2**40)


def _mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=8), values, max_size=3)


_values = st.recursive(
    st.none() | st.booleans() | _numbers, lambda inner: st.lists(inner) | _mappings(inner), max_leaves=5
)
_tensors = st.builds(
    TensorResult,
    verdict=st.sampled_from(VERDICTS),
    dialect=st.none() | _mappings(st.integers() | st.text() | st.booleans()),
    step=st.integers(0, 2**53),
    index=st.lists(st.integers(0, 99)).map(tuple),
    notes=st.lists(st.text()).map(tuple),
)
_outcomes = st.builds(
    Outcome,
    verdict=st.sampled_from(VERDICTS),
    dialect=st.none() | _mappings(st.integers() | st.text() | st.booleans()),
    declared=st.lists(_mappings(st.text()), max_size=2).map(tuple),
    tensors=st.lists(_tensors, max_size=3).map(tuple),
    rivals=st.lists(
        st.fixed_dictionaries({"dialect": st.none() | _mappings(st.integers()), "error_ratio": st.none() | _numbers}),
        max_size=2,
    ).map(tuple),
    parameters=_mappings(_values),
    defaults=st.lists(st.text()).map(tuple),
    learned=_mappings(st.lists(_numbers)),
)


@given(st.lists(_outcomes, max_size=4))
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, outcomes: list[Outcome]) -> None:
    path = written(tmp_path_factory.mktemp("run"), *outcomes)
    back = runfile.read(path)
    assert repr(back) == repr(_sorted(run(*outcomes)))  # NaN is not equal to itself, but reads the same
    first = path.read_bytes()
    runfile.write(path, back.header, back.outcomes)
    assert path.read_bytes() == first


def _sorted(value: Any) -> Any:
    """The same run with the keys of its mappings sorted."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_sorted, value))
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{name: _sorted(each) for name, each in vars(value).items()})
    return value


def test_the_file_is_a_header_and_a_line_per_outcome_with_the_fields_in_their_order(tmp_path: Path) -> None:
    lines = written(tmp_path, outcome(), dialect()).read_text().splitlines()
    header, first, second = map(json.loads, lines)
    assert list(header)[:5] == ["schema", "time", "platform", "adapters", "cases"]
    assert list(header)[5:] == ["partial", "repeat", "seed", "shards", "interrupted"]
    assert list(first)[:7] == ["case", "adapter", "phase", "verdict", "dialect", "declared", "as_declared"]
    assert second["tensors"][0]["name"] == "moving_variance"


def test_what_is_not_finite_is_valid_json(tmp_path: Path) -> None:
    odd = tensor(error_ratio=math.inf, expected=math.nan, actual=-math.inf)
    path = written(tmp_path, outcome(tensors=(odd,), learned={"gamma": [[math.nan, 1.0]]}))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    raw = json.loads(path.read_text().splitlines()[1], parse_constant=refuse)
    assert [raw["tensors"][0][key] for key in ("error_ratio", "expected", "actual")] == ["Infinity", "NaN", "-Infinity"]
    (back,) = runfile.read(path).outcomes
    assert back.tensors[0].error_ratio == math.inf
    assert math.isnan(back.learned["gamma"][0][0])


def test_text_that_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    (back,) = runfile.read(written(tmp_path, outcome(case="relu/NaN", message="Infinity"))).outcomes
    assert (back.case, back.message) == ("relu/NaN", "Infinity")


def test_numpy_values_are_written_as_plain_ones(tmp_path: Path) -> None:
    path = written(tmp_path, outcome(parameters={"epsilon": np.float32(0.5)}, learned={"gamma": np.ones(2)}))
    (back,) = runfile.read(path).outcomes
    assert (back.parameters, back.learned) == ({"epsilon": 0.5}, {"gamma": [1.0, 1.0]})


def test_the_order_in_which_adapters_finished_does_not_show(tmp_path: Path) -> None:
    made = run(outcome(adapter="keras"), outcome(adapter="torch"))
    turned = replace(made.header, adapters=dict(reversed(made.header.adapters.items())))
    runfile.write(tmp_path / "one", made.header, made.outcomes)
    runfile.write(tmp_path / "other", turned, made.outcomes)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = written(tmp_path, outcome())
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot hold"):
        runfile.write(path, run().header, [outcome(), outcome(parameters={"epsilon": object()})])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFileError, match=r"file/run\.jsonl: cannot be written"):
        runfile.write(tmp_path / "file" / "run.jsonl", run().header, [])
    with pytest.raises(RunFileError, match=r"run\.jsonl\.partial: cannot be written"):
        Journal(tmp_path / "file" / "run.jsonl", run().header)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run.jsonl").symlink_to("real/there.jsonl")
    for expected in ((outcome(),), (dialect(),)):
        written(tmp_path, *expected)
        assert (tmp_path / "run.jsonl").is_symlink()
        assert runfile.read(tmp_path / "real" / "there.jsonl").outcomes == expected
    assert [each.name for each in (tmp_path / "real").iterdir()] == ["there.jsonl"]


def test_links_in_a_circle_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").symlink_to("run.jsonl")
    with pytest.raises(RunFileError, match=r"run\.jsonl: cannot be written"):
        written(tmp_path)
    assert (tmp_path / "run.jsonl").is_symlink()


def test_a_pipe_and_a_device_are_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        runfile.write_whole(pipe, ["one\n", "two\n"])
        assert reader.communicate(timeout=10)[0] == "one\ntwo\n"
    assert pipe.is_fifo()
    runfile.write_whole("/dev/null", ["nothing"])
    assert Path("/dev/null").is_char_device()
    with pytest.raises(RunFileError, match=r"/dev/full: cannot be written: No space left"):
        runfile.write_whole("/dev/full", ["much"])


def test_a_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="cannot be written: Is a directory"):
        runfile.write_whole(tmp_path, ["nothing"])


def test_a_folder_stands_for_the_run_file_in_it(tmp_path: Path) -> None:
    written(tmp_path, outcome())
    assert runfile.read(tmp_path).outcomes == (outcome(),)


def test_to_json_of_a_run_is_what_the_command_line_prints() -> None:
    document = to_json(run(outcome()))
    assert list(document) == ["header", "outcomes"]
    assert json.loads(json.dumps(document)) == document


def test_reading_a_run_file_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'jinja2', 'latex2mathml', 'autograd', 'pydantic', 'asyncio'}"
    code = f"import sys, conformance.results, conformance.report; print({heavy} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


# --- the journal ----------------------------------------------------------------------------------------------------


def test_the_journal_keeps_what_was_measured_when_the_run_crashes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "reports" / "run.jsonl", run().header)
    journal.append(outcome())
    back = runfile.read(journal.partial)  # as another process would find it
    assert back.outcomes == (outcome(),)
    assert back.header.partial
    assert not journal.path.exists()
    with pytest.raises(RunFileError, match=r"no such run file; a run that broke off left .*run\.jsonl\.partial"):
        runfile.read(journal.path)
    assert journal.close(run(outcome()).header, str).outcomes == (outcome(),)


def test_the_journal_ends_as_the_run_file_in_order(tmp_path: Path) -> None:
    first, second = outcome(adapter="keras"), outcome(adapter="torch")
    journal = Journal(tmp_path / "run.jsonl", run().header)
    journal.append(second)
    journal.append(first)
    journal.close(run(first, second).header, lambda key: key[1])
    assert runfile.read(tmp_path).outcomes == (first, second)
    assert not runfile.read(tmp_path).header.partial
    assert [each.name for each in tmp_path.iterdir()] == ["run.jsonl"]


# --- what cannot be read --------------------------------------------------------------------------------------------


def _lines(**changed: Any) -> list[str]:
    made = run(outcome())
    document = to_json(made)
    document["outcomes"][0].update(changed)
    return [json.dumps(document["header"]), json.dumps(document["outcomes"][0])]


def _without(key: str) -> str:
    document = to_json(outcome())
    del document[key]
    return json.dumps(document)


def _in_the_tensor(**changed: Any) -> str:
    return "\n".join(_lines(tensors=[{**to_json(tensor()), **changed}]))


def _in_the_case(**changed: Any) -> str:
    header, *rest = _lines()
    value = json.loads(header)
    value["cases"]["relu/zero"].update(changed)
    return "\n".join([json.dumps(value), *rest])


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


_HEADER, _OUTCOME = _lines()
_HUGE = "1" + "0" * 59 + "..."
_ELEMENT = {"index": [1], "expected": 1, "actual": 1, "bound": 1}
_CURVE = {"name": "w", "index": [0], "expected": [1], "actual": []}


_UNREADABLE = [
    ("", "1: the file is empty"),
    ("\n\n", "1: the file is empty"),
    ("not json\n", "1: not a run file: expected JSON lines, found 'not json'"),
    ("<!DOCTYPE html>\n<html>", "1: not a run file: expected JSON lines, found an HTML page"),
    ("PK\x03\x04 and so on", "1: not a run file: expected JSON lines, found binary data"),
    ("{ not json\n", "1: not JSON"),
    ("[1, 2]\n", "1: not a run file: expected a header with 'schema'"),
    (_OUTCOME + "\n", "1: not a run file"),
    ('{"schema": 2}\n', "1: the run file has the schema 2, newer than 1"),
    ('{"schema": "one"}\n', "1: schema: 'one', expected 1"),
    ('{"schema": 1}\n', "1: a field is missing: adapters, cases, platform, time"),
    (_HEADER.replace('"shards": []', '"shards": ["6/5"]'), "1: shards: '6/5', expected 1/5 to 5/5"),
    (_HEADER + "\n" + _OUTCOME[:60], "2: the file is truncated in this line; the run is partial"),
    (_HEADER[:60], "1: the file is truncated in this line"),
    (_HEADER + "\n" + _OUTCOME[:60] + "\n", "2: not JSON"),
    (_HEADER + "\n" + _OUTCOME.replace("0.5", "NaN") + "\n", "2: not JSON: NaN is no JSON number"),
    (_HEADER + "\n" + _without("verdict"), "2: a field is missing: verdict"),
    (_HEADER + "\n[]\n", "2: [], expected an object"),
    (_HEADER + "\n" + "[" * 100_000 + "\n", "2: not JSON"),
    ("\n".join(_lines(verdict="conform")), "2: verdict: there is no verdict 'conform'; did you mean 'conforms'?"),
    ("\n".join(_lines(verdict=["conforms"])), "2: verdict: there is no verdict ['conforms']"),
    ("\n".join(_lines(surplus=1)), "2: there is no field 'surplus'"),
    ("\n".join(_lines(as_declared=1)), "2: as_declared: 1, expected true or false"),
    ("\n".join(_lines(tensors={})), "2: tensors: {}, expected a list"),
    (_in_the_tensor(error_ratio=10**400), f"2: tensors: error_ratio: {_HUGE}, expected a number that a float can hold"),
    (_in_the_tensor(shape=[1], errors=[10**400]), f"2: tensors: errors: {_HUGE}, expected a number that a float"),
    (_HEADER + "\n" + _OUTCOME.replace("0.5", "1e400"), "2: tensors: error_ratio: Infinity, expected a number that"),
    (
        "\n".join(_lines(parameters={"p": [10**400]})),
        f"2: parameters: {_HUGE}, expected a number that a float can hold",
    ),
    (_in_the_tensor(step=2**53 + 1), "2: tensors: step: 9007199254740993, expected a whole number of at most 2**53"),
    (_in_the_tensor(index=[2**60]), "2: tensors: index: 1152921504606846976, expected a whole number of at most"),
    (_in_the_tensor(shape=[2, -1]), "2: tensors: shape: -1, expected a whole number from 0"),
    (_in_the_tensor(shape=[True]), "2: tensors: shape: true, expected a whole number"),
    (_in_the_tensor(shape=[2, 3], errors=[0.5]), "2: tensors: errors: 1 numbers, expected 6 for the shape [2, 3]"),
    (_in_the_tensor(shape=[2, 3], elements=[_ELEMENT]), "2: tensors: elements: index: [1], expected 2 numbers"),
    (_in_the_tensor(shape=[2**20, 2**20]), "2: tensors: shape: [1048576, 1048576], expected at most 2**30 elements"),
    (_in_the_tensor(shape=[2], index=[2]), "2: tensors: index: [2], expected one in the shape [2]"),
    (_in_the_tensor(shape=[1], elements=[_ELEMENT]), "2: tensors: elements: index: [1], expected one in the shape [1]"),
    ("\n".join(_lines(curves=[_CURVE])), "2: curves: actual: 0 numbers, expected 1"),
    ("\n".join(_lines(curves=[_CURVE | {"expected": []}])), "2: curves: expected: no numbers"),
    ("\n".join(_lines(rivals=[1])), "2: rivals: 1, expected an object"),
    ("\n".join(_lines(rivals=[{"dialect": "a"}])), '2: rivals: dialect: "a", expected an object'),
    ("\n".join(_lines(rivals=[{"error_ratio": "much"}])), '2: rivals: error_ratio: "much", expected a number'),
    ("\n".join(_lines(learned={"w": _nested(101)})), "2: learned: nested too deeply, expected at most 100 levels"),
    ("\n".join(_lines(case=_nested(900))), "2: "),
    (_in_the_case(sees=[1]), "1: cases: relu/zero: sees: 1, expected text"),
    (_in_the_case(references="x"), '1: cases: relu/zero: references: "x", expected a list'),
    (_in_the_case(operation=[]), "1: cases: relu/zero: operation: [], expected text"),
    (
        _HEADER.replace('"versions": {', '"spellings": null, "versions": {'),
        "1: adapters: torch: spellings: null, expected an",
    ),
    (_HEADER + '\n{"adapter": "torch", "about": []}\n', "2: about: [], expected an object"),
    (_HEADER + '\n{"adapter": [], "about": {}}\n', "2: adapter: [], expected text"),
    ("\n".join(_lines(dialect=[])), "2: dialect: [], expected an object"),
    (_HEADER + "\n" + _OUTCOME.replace("0.5", '"much"'), '2: tensors: error_ratio: "much", expected a number'),
    (_HEADER + "\n" + _OUTCOME.replace("0.5", "true"), "2: tensors: error_ratio: true, expected a number"),
]


@pytest.mark.parametrize(("content", "reason"), _UNREADABLE, ids=[reason for _, reason in _UNREADABLE])
def test_what_is_no_run_file_is_refused_with_line_and_reason(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(content)
    with pytest.raises(RunFileError) as caught:
        runfile.read(path)
    assert str(caught.value).startswith(f"{path}:{reason}")


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match=r"run\.jsonl: there is no such run file$"):
        runfile.read(tmp_path)
    for content in (b"\xff\xfe\x00\n", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"\x1f\x8b\x08" * 100):
        (tmp_path / "run.jsonl").write_bytes(content)
        with pytest.raises(RunFileError, match=r"run\.jsonl:1: not a run file: .*, found binary data"):
            runfile.read(tmp_path)


def test_a_text_that_is_cut_inside_a_letter_is_shown(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text("a" + "é" * 60)
    with pytest.raises(RunFileError, match=r"found 'aé+'$"):
        runfile.read(tmp_path)


def test_the_largest_numbers_can_be_read(tmp_path: Path) -> None:
    large = tensor(step=2**53, index=(2**53, 0), errors=(1.7976931348623157e308, -(10**308)), shape=(2,))
    (back,) = runfile.read(written(tmp_path, outcome(tensors=(large,), parameters={"p": [10**308]}))).outcomes
    assert back.tensors == (large,)


@given(st.data())
def test_a_file_cut_off_anywhere_is_refused_or_a_shorter_run(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = written(tmp_path_factory.mktemp("cut"), outcome(), dialect())
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = runfile.read(path).outcomes
    except RunFileError:
        return
    assert found == (outcome(), dialect())[: len(found)]


# --- merging --------------------------------------------------------------------------------------------------------


def test_runs_of_different_adapters_become_one() -> None:
    merged = merge([run(outcome(adapter="keras")), run(outcome(adapter="torch"), partial=True)])
    assert [each.adapter for each in merged.outcomes] == ["keras", "torch"]
    assert list(merged.header.adapters) == ["keras", "torch"]
    assert merged.header.partial


def test_what_was_repeated_less_often_says_how_often_the_whole_was() -> None:
    twice, thrice = run(outcome(adapter="keras"), repeat=2), run(outcome(), repeat=3)
    assert merge([thrice, twice]).header.repeat == 2


def test_merging_a_run_with_itself_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, outcome(tensors=(tensor(expected=math.nan),)), dialect())
    one, other = runfile.read(path), runfile.read(path)
    assert repr(merge([one, other])) == repr(one)


def test_an_adapter_that_is_missing_in_one_run_may_be_in_another() -> None:
    absent = run(adapters={"torch": {"missing": "torch is not installed"}})
    present = run(outcome())
    for runs in ([absent, present], [present, absent]):
        assert merge(runs).header.adapters == present.header.adapters


def test_the_platforms_of_several_machines_stand_side_by_side() -> None:
    merged = merge([run(time="2"), run(time="1", platform={"system": "Darwin", "python": "3.12.1"})])
    assert merged.header.platform == {"system": "Linux, Darwin", "python": "3.12.1"}
    assert merged.header.time == "1"


def test_runs_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(RunFileError, match=r"two outcomes: conforms in a\.jsonl, deviates in b\.jsonl"):
        merge([run(outcome()), run(outcome(verdict="deviates"))], ["a.jsonl", "b.jsonl"])
    newer = {"torch": {"versions": {"torch": "2.0"}, "device": "cpu", "precisions": ["float32"]}}
    with pytest.raises(RunFileError, match=r"the adapter torch has different versions.*1\.0.*run 1.*2\.0.*run 2"):
        merge([run(outcome()), run(outcome(case="relu/other"), adapters=newer)])
    edited = run(outcome(adapter="keras"), cases={"relu/zero": {"yaml": "name: edited"}})
    with pytest.raises(RunFileError, match="the case relu/zero has different yaml"):
        merge([run(outcome()), edited])
    with pytest.raises(RunFileError, match="no run to merge"):
        merge([])


# --- comparing ------------------------------------------------------------------------------------------------------


def _kinds(old: Outcome, new: Outcome) -> list[str]:
    return [change.kind for change in changes(run(old), run(new))]


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ({}, {}, []),
        ({}, {"verdict": "imprecise"}, ["worse"]),
        ({"verdict": "imprecise"}, {}, ["better"]),
        ({}, {"as_declared": False}, ["worse"]),
        ({"as_declared": False}, {}, ["better"]),
        ({"verdict": "deviates", "as_declared": False}, {"verdict": "dialect"}, ["better"]),
        ({"verdict": "unsupported"}, {"verdict": "deviates", "as_declared": False}, ["worse"]),
        ({"verdict": "unsupported"}, {"verdict": "dialect"}, ["better"]),
        ({"verdict": "deviates"}, {"verdict": "unsupported"}, ["worse"]),
        ({"verdict": "dialect", "dialect": {"a": 1}}, {"verdict": "dialect", "dialect": {"a": 2}}, ["changed"]),
        ({"verdict": "dialect", "dialect": {"a": 1}}, {"verdict": "dialect", "dialect": None}, ["changed"]),
    ],
)
def test_a_change_has_a_kind(old: dict[str, Any], new: dict[str, Any], kinds: list[str]) -> None:
    assert _kinds(outcome(**old), outcome(**new)) == kinds


@pytest.mark.parametrize(
    ("verdict", "old", "new", "kinds"),
    [
        ("conforms", 0.001, 3.9, []),
        ("deviates", 1e6, 9e6, []),
        ("deviates", 1e6, 1e8, ["changed"]),
        ("deviates", 1e8, 1e6, ["changed"]),
        ("deviates", math.inf, math.inf, []),
        ("deviates", math.nan, math.inf, []),
        ("deviates", 1e6, math.inf, ["changed"]),
    ],
)
def test_a_wobble_inside_one_verdict_is_no_change(verdict: str, old: float, new: float, kinds: list[str]) -> None:
    one, other = (outcome(verdict=verdict, tensors=(tensor(error_ratio=ratio),)) for ratio in (old, new))
    assert _kinds(one, other) == kinds


def test_what_measured_nothing_before_has_changed() -> None:
    assert _kinds(outcome(verdict="deviates", tensors=()), outcome(verdict="deviates")) == ["changed"]


def test_changes_come_with_both_sides_the_worse_first() -> None:
    old = run(outcome("relu/gone"), outcome("relu/same"), outcome("relu/worse"), failing("relu/better"))
    new = run(outcome("relu/better"), outcome("relu/new"), outcome("relu/same"), failing("relu/worse"))
    found = changes(old, new)
    assert [(change.kind, change.case) for change in found] == [
        (kind, f"relu/{kind}") for kind in ("worse", "gone", "new", "better")
    ]
    worse, gone, *_ = found
    assert worse.old is not None
    assert worse.new is not None
    assert (worse.old.verdict, worse.new.verdict, worse.new.error_ratio) == ("conforms", "deviates", 4e6)
    assert gone.new is None
    assert history.worse_count(found) == 1
    assert to_json(found)[0]["new"]["as_declared"] is False


@given(st.lists(_outcomes, max_size=4, unique_by=lambda each: each.key))
def test_a_run_has_not_changed_from_itself(outcomes: list[Outcome]) -> None:
    assert changes(Run(run().header, tuple(outcomes)), Run(run().header, tuple(outcomes))) == []


# --- what an outcome says of itself ---------------------------------------------------------------------------------


def test_the_worst_tensor_is_one_that_nobody_declared() -> None:
    declared = tensor("moving_variance", verdict="dialect", error_ratio=1e9)
    fine = tensor("x.gradient", error_ratio=1e-3)
    surprise = tensor("y", verdict="imprecise", error_ratio=30.0)
    assert dialect(tensors=(declared, fine, surprise)).worst == surprise
    assert dialect(tensors=(declared, fine)).worst == declared
    assert dialect(tensors=(declared, fine, surprise)).error_ratio == 1e9


def test_what_cannot_be_compared_is_worse_than_any_number() -> None:
    lost = tensor("y", error_ratio=math.nan)
    assert outcome(tensors=(tensor("z", error_ratio=1e9), lost)).worst == lost
    assert outcome(tensors=(lost,)).error_ratio == math.inf
    assert outcome(tensors=()).error_ratio is None
    assert outcome(tensors=()).worst is None
