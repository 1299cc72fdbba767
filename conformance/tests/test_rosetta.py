"""How frameworks write operations: measured by asking, one parameter at a time, and never by hand."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import asked, runfile
from conformance.adapter import Adapter, Session, Task
from conformance.asked import Asked
from conformance.cli import main
from conformance.connection import Connection
from conformance.discovery import get_adapter
from conformance.errors import Unsupported, WorkerCrashed, WorkerNonsense
from conformance.history import merge
from conformance.messages import to_unsupported, to_written
from conformance.operation import get_operation
from conformance.reading import load
from conformance.results import measured_with, to_json
from conformance.rosetta import MOST_BASES, MOST_OTHERS, MOST_VALUES, GaveUp, Untold, conversion, equal, spellings
from conformance.spelling import Call, Function, Layout, Local, Name, Spelling, Spellings, Written
from conformance.tests.test_results import outcome, run
from conformance.writing import arguments_of, written

ROOT = Path(__file__).parents[2]
RELU = str(ROOT / "cases" / "activation" / "relu.yaml")
WRONG = str(Path(__file__).parent / "wrong.py")
EXAMPLE = str(Path(__file__).parent / "example_adapter.py")


@cache
def catalogue():
    return [case for case in load([ROOT / "cases"]) if not case.observed]


def cases_of(*operations):
    return [case for case in catalogue() if case.operation.name in operations]


def told(adapter, *operations):
    """What is found out of an adapter in this process."""
    found = spellings(adapter.written, operations, cases_of(*operations), "float32", adapter.modes[0])
    assert set(found) <= set(operations)
    return found


# --- an adapter that is written for this ----------------------------------------------------------------------------

toy = Spellings()


def normalize(x: Any, moving_mean: Any, moving_variance: Any, keep: Any = None) -> Any:
    """A user's own function."""
    return (x - moving_mean) / moving_variance


@toy
def batch_normalization(p: Any, shapes: Any) -> Function:
    if p["statistics"] == "frozen":
        raise Unsupported("a toy never freezes")
    if p["axis"] == 1:
        raise IndexError("a fault of the speller")
    momentum = None if "momentum" not in p else 1 - p["momentum"]
    return Function(
        Local(normalize, center=p["center"]),
        train=Local(normalize, center=p["center"], keep=momentum, range=(0.5, p.get("epsilon", 0.25))),
        tensors={"moving_mean": Name("mean", Layout.of("ab->ba"))},
    )


@toy
def adam(p: Any, shapes: Any) -> Spelling:
    both = {"betas": (p.get("beta_1", 0.5), p.get("beta_2", 0.5))} if {"beta_1", "beta_2"} & p.keys() else {}
    return Spelling(Call("toy.Adam", rate=p.get("learning_rate"), **both), {"first_moment": Name("m")})


@toy
def relu(p: Any, shapes: Any) -> str:
    return "toy.relu"


class Toy(Adapter):
    """Spells, and does nothing else: whatever would compute fails."""

    distributions = ("numpy",)
    spellings = toy

    def load(self, threads: int) -> None:
        raise AssertionError

    def open(self, task: Task) -> Session:
        raise AssertionError

    def script(self, task: Task) -> str:
        raise AssertionError

    def written(self, task: Task) -> Written:
        try:
            return super().written(task)
        except IndexError:
            raise Untold from None


def test_a_parameter_is_found_where_the_call_changes():
    found = told(Toy(), "batch_normalization")["batch_normalization"]
    weights = "gamma=gamma, beta=beta, mean=moving_mean, moving_variance=moving_variance"
    assert found["call"] == f"normalize(x, {weights}, center=True)"
    assert "range=(0.5, 0.25)" in found["training"]
    assert found["tensors"]["moving_mean"] == "mean, ab->ba"
    assert found["functions"].startswith("def normalize(x: Any")
    parameters = found["parameters"]
    assert parameters["momentum"]["argument"] == "keep"
    assert [0.495, 0.505] in parameters["momentum"]["values"]
    assert conversion(parameters["momentum"]["values"]) == "1 − {}"
    assert parameters["epsilon"]["argument"] == "range[1]"
    assert conversion(parameters["epsilon"]["values"]) == ""
    assert parameters["center"] == {"argument": "center", "values": [[True, True], [False, False]]}
    assert parameters["statistics"] == {"refused": "a toy never freezes"}
    assert "axis" not in parameters, "its speller fails with any other"


def test_of_a_list_only_the_place_that_changes_is_the_parameters():
    parameters = told(Toy(), "adam")["adam"]["parameters"]
    assert (parameters["beta_1"]["argument"], parameters["beta_2"]["argument"]) == ("betas[0]", "betas[1]")
    assert parameters["learning_rate"]["argument"] == "rate"
    assert parameters["weight_decay"] == {"argument": "", "values": []}


def test_what_is_no_spelling_is_told_as_a_text():
    assert told(Toy(), "relu", "gelu") == {"relu": {"call": "toy.relu", "tensors": {}, "parameters": {}}}


def test_calls_inside_a_call_tell_their_arguments():
    inner = [Call("one.adam", b1=np.float32(0.5)), Call("two.adam", b1=0.25)]
    assert arguments_of([Call("chain", inner, step=(1, 2))]) == {"b1": 0.5, "adam.b1": 0.25, "step": [1, 2]}


def test_a_speller_that_gives_nothing_tells_nothing():
    with pytest.raises(Unsupported, match="tells nothing"):
        written(None, {"x": ""}, [])


# --- the adapters of this package -----------------------------------------------------------------------------------


def test_the_questions_are_few():
    adapter, asked_for = get_adapter("numpy"), dict.fromkeys({case.operation.name for case in catalogue()}, 0)

    def ask(task: Task) -> Written:
        asked_for[task.operation] += 1
        assert task.train is None or len(task.train.batches) == 1
        assert not any(np.any(each) for each in task.tensors.values()), "nothing is drawn for it"
        return adapter.written(task)

    found = spellings(ask, list(asked_for), catalogue(), "float32", "eager")
    assert set(found) == set(asked_for)
    assert sum(asked_for.values()) < 10 * len(asked_for)
    for name, count in asked_for.items():
        assert count <= 1 + MOST_VALUES * len(get_operation(name).parameters)
        for parameter, effect in found[name]["parameters"].items():
            assert (effect["argument"], conversion(effect["values"])) == (parameter, ""), name


def test_an_operation_that_is_always_refused_costs_a_few_questions():
    count = 0

    def ask(task: Task) -> Written:
        nonlocal count
        count += 1
        raise Unsupported("never")

    assert spellings(ask, ["batch_normalization"], cases_of("batch_normalization"), "float32", "eager") == {}
    assert 2 <= count <= MOST_BASES + 2


def test_a_parameter_that_another_stands_in_the_way_of_is_seen_where_it_does_not():
    pytest.importorskip("torch")
    adapter, count = get_adapter("torch"), 0

    def ask(task: Task) -> Written:
        nonlocal count
        count += 1
        return adapter.written(task)

    cases = [case for case in cases_of("conv2d") if re.match("trained|valid", case.name.rpartition("/")[2])]
    cases.sort(key=lambda each: each.parameters["padding"])  # "same" before "valid"
    found = spellings(ask, ["conv2d"], cases, "float32", "eager")["conv2d"]
    assert "padding='same'" in found["call"]
    assert found["parameters"]["strides"]["argument"] == "stride"
    assert count <= (1 + MOST_OTHERS) * (1 + MOST_VALUES * len(cases[0].operation.parameters))


def test_what_is_refused_everywhere_costs_a_few_tasks_more():
    count = 0

    def ask(task: Task) -> Written:
        nonlocal count
        count += 1
        if task.parameters.get("statistics") == "frozen":
            raise Unsupported("never")
        return Written("normalize(x)", arguments={"task": count})

    (found,) = spellings(ask, ["batch_normalization"], cases_of("batch_normalization"), "float32", "eager").values()
    assert found["parameters"]["statistics"] == {"refused": "never"}
    names = get_operation("batch_normalization").parameters
    assert count <= MOST_BASES + MOST_VALUES * (len(names) + MOST_OTHERS)


def test_what_was_told_before_it_ended_is_kept():
    def ask(task: Task) -> Written:
        if task.operation != "relu":
            raise GaveUp
        return Written("relu(x)")

    assert set(spellings(ask, ["relu", "gelu"], cases_of("relu", "gelu"), "float32", "eager")) <= {"relu"}


@pytest.mark.parametrize(
    ("adapter", "operation", "parameter", "argument", "named"),
    [
        ("torch", "batch_normalization", "momentum", "momentum", "1 − {}"),
        ("torch", "batch_normalization", "epsilon", "eps", ""),
        ("torch", "adam", "beta_2", "betas[1]", ""),
        ("jax", "adam", "beta_2", "b2", ""),
        ("jax", "adam", "learning_rate", "learning_rate", ""),
        ("jax", "batch_normalization", "center", "use_bias", ""),
        ("keras", "batch_normalization", "momentum", "momentum", ""),
        ("keras", "huber", "reduction", "reduction", "mean → sum_over_batch_size, sum → sum, none → none"),
        ("onnxruntime", "sgd", "dampening", "beta", "1 − {}"),
        ("onnxruntime", "conv2d", "use_bias", "B", "true → given, false → null"),
        ("torch_functional", "batch_normalization", "scale", "weight", "true → given, false → null"),
        ("torch_functional", "batch_normalization", "center", "bias", "true → given, false → null"),
        ("torch", "batch_normalization", "axis", "layout of x", "-1 → axes (0, 2, 1) of ours, 1 → null"),
        ("keras", "gelu", "approximate", "approximate", "none → false, tanh → true"),
        ("tensorflow", "adam", "learning_rate", "learning_rate", ""),
    ],
)
def test_adapters_tell_where_parameters_go(adapter, operation, parameter, argument, named):
    pytest.importorskip(
        {"onnxruntime": "onnx", "keras": "numpy", "tensorflow": "numpy", "torch_functional": "torch"}.get(
            adapter, adapter
        )
    )
    effect = told(get_adapter(adapter), operation)[operation]["parameters"][parameter]
    assert effect["argument"] == argument
    assert conversion(effect["values"]) == named


def test_layouts_and_refusals_are_told():
    found = told(get_adapter("torch"), "conv2d", "binary_crossentropy")
    assert found["conv2d"]["tensors"]["kernel"] == "weight, hwio->oihw"
    refused = found["binary_crossentropy"]["parameters"]["label_smoothing"]
    assert refused == {"refused": "torch.nn.BCELoss has no label_smoothing other than 0.0"}


def test_a_conversion_is_named_if_every_pair_fits():
    assert conversion([[0.75, 0.25], [0.5, 0.5]]) == "1 − {}"
    assert conversion([[0.75, 0.25], [0.5, 0.75]]) == "0.75 → 0.25, 0.5 → 0.75"
    assert conversion([[0.25, 0.5], [4.0, 2]]) == "√{}"
    assert conversion([[-0.8, 0.8]]) == "−{}"
    assert conversion([[-1, 1], [0, 0]]) == "-1 → 1, 0 → 0", "numbers that mean something else"
    assert conversion([[True, 1]]) == "true → 1"
    assert conversion([[1, 1.0], [(1, 2), [1, 2]]]) == ""
    assert not equal((True,), [1])


# --- on the way -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"call": "f(x)"},
        {"call": 1, "training": "", "arguments": {}, "tensors": {}, "functions": ""},
        {"call": "", "training": "", "arguments": {"x": {}}, "tensors": {}, "functions": ""},
        {"call": "", "training": "", "arguments": {"x": [[{}]]}, "tensors": {}, "functions": ""},
        {"call": "", "training": "", "arguments": [], "tensors": {}, "functions": ""},
        {"call": "", "training": "", "arguments": {}, "tensors": {"x": 1}, "functions": ""},
        None,
    ],
)
def test_what_is_said_must_be_of_its_kind(said):
    with pytest.raises(ValueError, match="must"):
        to_written(said)
    with pytest.raises(ValueError, match="a reason must be a text"):
        to_unsupported(said)


def test_a_worker_tells_how_it_writes_a_task_or_why_not():
    task = Task("c", "relu", "layer", "float32", {}, predict={"x": np.ones(2, "float32")})
    with Connection(f"{EXAMPLE}:SciPy") as connection:
        assert connection.written(task).call == "numpy.maximum(x, 0)"
        with pytest.raises(Unsupported, match="no counterpart of gelu"):
            connection.written(Task("c", "gelu", "layer", "float32", {}, predict={}))
        assert connection.runs
    assert not connection.runs
    for name, error in (("SaysNonsense", WorkerNonsense), ("CannotSayHow", WorkerNonsense)):
        with Connection(f"{WRONG}:{name}") as connection, pytest.raises(error):
            connection.written(task)
    with Connection(f"{WRONG}:EndsWithItsScript") as connection:
        with pytest.raises(WorkerCrashed):
            connection.written(task)
        assert not connection.runs


def conformance(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_a_run_holds_the_spellings_and_two_runs_are_the_same(tmp_path):
    for name in ("one", "two"):
        done = conformance("run", RELU, "--adapter", f"{EXAMPLE}:SciPy", "--output", tmp_path / name)
        assert done.exit_code == 0, done.output
    one, two = ((tmp_path / name / "run.jsonl").read_text().splitlines() for name in ("one", "two"))
    assert {**json.loads(one[0]), "time": ""} == {**json.loads(two[0]), "time": ""}
    assert one[1:] == two[1:]
    (adapter,) = runfile.read(tmp_path / "one").header.adapters.values()
    assert adapter["spellings"] == {"relu": {"call": "numpy.maximum(x, 0)", "tensors": {}, "parameters": {}}}


@pytest.mark.parametrize(
    "name", ["HangsOverItsScript", "EndsWithItsScript", "CannotSayHow", "SaysNonsense", "SaysNothing"]
)
def test_one_that_cannot_say_how_costs_no_run(name, tmp_path, monkeypatch):
    monkeypatch.setattr(asked, "PATIENCE", 0.3)
    done = conformance("run", RELU, "--adapter", f"{WRONG}:{name}", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    found = runfile.read(tmp_path)
    assert {each.verdict for each in found.outcomes} == {"conforms"}
    (adapter,) = found.header.adapters.values()
    assert "spellings" not in adapter


def test_the_journal_keeps_outcomes_when_it_learns_the_spellings(tmp_path):
    about = {"versions": {"torch": "2"}, "mode": "eager"}
    journal = runfile.Journal(tmp_path / "run.jsonl", run().header)
    journal.describe("torch", about)
    journal.append(outcome())
    journal.describe("torch", {**about, "spellings": {"relu": {"call": "torch.relu(x)"}}})
    journal.describe("torch", about)  # a run that went on, and broke off again
    read = runfile.read(tmp_path / "run.jsonl.partial")
    assert len(read.outcomes) == 1
    assert read.header.adapters["torch"]["spellings"] == {"relu": {"call": "torch.relu(x)"}}
    journal.describe("torch", {**about, "versions": {"torch": "3"}})
    read = runfile.read(tmp_path / "run.jsonl.partial")
    assert not read.outcomes
    assert "spellings" not in read.header.adapters["torch"]


def test_the_parts_of_a_run_know_together_how_an_adapter_writes():
    def part(**known: Any) -> Any:
        about = {"versions": {}, "device": "cpu", "precisions": [], **({"spellings": known} if known else {})}
        return run(adapters={"torch": about})

    merged = merge([part(relu={"call": "relu"}), part(), part(gelu={"call": "gelu"}, relu={"call": "other"})])
    assert merged.header.adapters["torch"]["spellings"] == {"relu": {"call": "relu"}, "gelu": {"call": "gelu"}}
    assert "spellings" not in merge([part(), part()]).header.adapters["torch"]


def test_a_run_that_is_taken_up_keeps_the_spellings(tmp_path):
    options = (RELU, "--adapter", f"{EXAMPLE}:SciPy", "--output", tmp_path)
    conformance("run", *options)
    first, *rest = (tmp_path / "run.jsonl").read_text().splitlines()
    partial = {**json.loads(first), "partial": True}
    (tmp_path / "run.jsonl").write_text("\n".join([json.dumps(partial), *rest[:-1], ""]))
    done = conformance("run", *options, "--resume")
    assert done.exit_code == 0, done.output
    again, *lines = (tmp_path / "run.jsonl").read_text().splitlines()
    assert {**json.loads(again), "time": ""} == {**json.loads(first), "time": ""}
    assert lines == rest


def test_spellings_are_no_other_version():
    assert measured_with({"mode": "eager", "spellings": {"relu": {}}}) == {"mode": "eager"}
    assert to_json(Asked("numpy").describe()) == {"missing": "not started"}
