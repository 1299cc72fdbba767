"""The mode in which a framework runs is part of what is measured: an adapter that is right in one, wrong in another."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from conformance.adapter import Adapter, Arrays, Session, Task
from conformance.case import Case, Declaration
from conformance.errors import Unsupported
from conformance.outcome import Trial, outcomes
from conformance.reading import load
from conformance.results import Header, Outcome
from conformance.runfile import Journal
from conformance.runner import Runner
from conformance.spelling import Spellings
from conformance.task import task_of
from conformance.tests.test_verdict import declaring

ADAPTER = f"{__file__}:DropsNaN"
RELU = Path(__file__).parents[2] / "cases" / "activation" / "relu.yaml"


class Relu(Session):
    """The larger of x and 0. In a graph, NaN is dropped, as fmax does."""

    def __init__(self, task: Task) -> None:
        self.task, self.parameters = task, {}

    def step(self, number: int) -> Arrays:
        raise Unsupported("it has no gradients")

    def predict(self) -> Arrays:
        larger = np.fmax if self.task.mode == "graph" else np.maximum
        return {"y": larger((self.task.predict or {})["x"], 0)}


class DropsNaN(Adapter):
    """NumPy's relu, with a compiler that is wrong on purpose."""

    distributions = ("numpy",)
    modes = ("eager", "graph")
    spellings = Spellings({"relu": lambda parameters, shapes: None})

    def load(self, threads: int) -> None:
        np.seterr(all="ignore")

    def open(self, task: Task) -> Session:
        return Relu(task)

    def script(self, task: Task) -> str:
        return ""


def relu_of_nan(**declared: Any) -> Case:
    (case,) = [each for each in load([RELU]) if each.id == "relu/special_values"]
    known = {"adapters": (Path(ADAPTER).name,), "tensor": "y", "dialect": {"nan": "drop"}}
    return declaring(case, **known, **declared) if declared else case


def run(mode: str, *cases: Case) -> tuple[Header, list[Outcome]]:
    runner = Runner(cases, [ADAPTER], mode=mode, jobs=1)
    with TemporaryDirectory() as folder:
        measured = runner.run(Journal(Path(folder) / "run.jsonl", runner.header()))
    return measured.header, list(measured.outcomes)


def judged(case: Case, mode: str) -> Outcome:
    """The outcome without a process: of the task in every precision."""
    tasks = [task_of(case, precision, mode) for precision in case.precisions]
    (found,) = outcomes(case, ADAPTER, [Trial(task, DropsNaN().run(task)) for task in tasks], {})
    return found


@pytest.mark.parametrize("asked", ["eager", ""])
def test_what_conforms_in_one_mode(asked: str) -> None:
    """Asked for no mode, it runs in its first."""
    header, (found,) = run(asked, relu_of_nan())
    assert (found.mode, found.verdict, found.as_declared) == ("eager", "conforms", True)
    assert header.adapters[ADAPTER]["mode"] == "eager"


def test_may_deviate_in_another() -> None:
    header, (found,) = run("graph", relu_of_nan())
    assert (found.mode, found.verdict, found.dialect) == ("graph", "dialect", {"nan": "drop"})
    assert not found.as_declared
    assert header.adapters[ADAPTER]["mode"] == "graph"


def test_a_declaration_of_a_mode_applies_to_that_mode_alone() -> None:
    case = relu_of_nan(modes=("graph",))
    _, (graph,) = run("graph", case)
    assert (graph.verdict, graph.as_declared, len(graph.declared)) == ("dialect", True, 1)
    _, (eager,) = run("eager", case)
    assert (eager.verdict, eager.as_declared, eager.declared) == ("conforms", True, ())


def test_a_declaration_of_a_mode_is_strict_there() -> None:
    """Declared of the mode that conforms, it is stale there, and no excuse for the mode that deviates."""
    case = relu_of_nan(modes=("eager",))
    eager, graph = judged(case, "eager"), judged(case, "graph")
    assert (eager.verdict, eager.as_declared) == ("conforms", False)
    assert "nan=drop no longer shows" in eager.message
    assert (graph.verdict, graph.as_declared) == ("dialect", False)
    assert "not declared" in graph.message


def test_a_declaration_without_a_mode_is_of_every_mode() -> None:
    case = relu_of_nan(modes=())
    assert judged(case, "graph").as_declared
    assert not judged(case, "eager").as_declared


def test_a_mode_that_an_adapter_lacks_is_unsupported_and_says_which_it_has() -> None:
    _, (found,) = run("xla", relu_of_nan(modes=("xla",)))
    assert (found.mode, found.verdict, found.as_declared) == ("xla", "unsupported", True)
    assert found.message == "no mode xla; it has eager, graph"


def test_a_declaration_says_its_mode_in_a_case_file(tmp_path: Path) -> None:
    """One name or a list of names; another adapter or another mode is none of its affair."""
    (tmp_path / "relu.yaml").write_text("""
operation: relu
cases:
  - name: nan
    predict: {x: [.nan, 1]}
    deviations:
      - {adapter: numpy, tensor: y, mode: graph, dialect: {nan: drop}, reason: r, reference: none found}
      - {adapter: numpy, tensor: y, mode: [eager, xla], dialect: {nan: drop}, reason: r, reference: none found}
""")
    (case,) = load([tmp_path])

    def applying(mode: str) -> list[Declaration]:
        return [each for each in case.declarations if each.applies("numpy", "predict", mode, {})]

    one, other = case.declarations
    assert applying("graph") == [one]
    assert applying("eager") == applying("xla") == [other]
