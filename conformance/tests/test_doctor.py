"""The doctor: what is broken is told apart from what deviates, and its tasks have the results that it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import evaluate
from conformance.cli import main
from conformance.doctor import examine
from conformance.operation import operations

WRONG = str(Path(__file__).parent / "wrong.py")
MINIATURES = str(Path(__file__).parent / "miniatures.py")


@pytest.mark.parametrize("operation", operations().values(), ids=lambda each: each.name)
def test_the_formula_gives_what_anyone_expects(operation):
    example = operation.example
    phase = "train" if operation.kind == "optimizer" else "predict"
    tensors = {**example.tensors, **example.inputs}
    found, bound = evaluate(operation.name, tensors, example.parameters, phase, bound=True)
    for name, expected in example.expected.items():
        assert found[name].shape == np.shape(expected)
        assert np.all(np.abs(found[name] - expected) <= bound[name] + np.spacing(np.abs(expected)))


@pytest.mark.parametrize(
    ("name", "operation", "message"),
    [
        ("WrongName", "relu", "it does not show y"),
        ("WrongShape", "relu", "y has the shape [3, 1], expected [1, 3]"),
        ("WrongFormat", "relu", "float32: y is in float64, expected float32"),
        ("Aborts", "softmax", "float32: the process was ended by signal 6 (Aborted)"),
        ("ForgetsTheOptimizer", "dense", "kernel is not trained: it stays as it is"),
        ("Remembers", "relu", "the same task has another answer the second time: y, float32, index [0, 0]: 1 in run 1"),
        ("Different", "dense", "y: deviates; and its own script, which runs without the harness, shows other numbers"),
    ],
)
def test_a_broken_adapter_is_told(name, operation, message):
    found = examine(f"{WRONG}:{name}")
    assert found.state == "broken"
    (finding,) = [each for each in found.findings if each.operation == operation]
    assert finding.state == "broken"
    assert message in finding.message


@pytest.mark.parametrize(
    ("name", "operation", "message"),
    [
        ("DrivesADeviatingFramework", "dense", "y: deviates"),
        ("DrivesADialect", "mean_squared_error", "loss: factor=0.5"),
    ],
)
def test_a_framework_that_deviates_does_not_make_its_adapter_broken(name, operation, message):
    found = examine(f"{WRONG}:{name}")
    assert found.state == "deviates"
    assert [(each.operation, each.message) for each in found.findings] == [(operation, message)]


def test_the_command_tells_and_exits(tmp_path):
    def doctor(*arguments):
        return CliRunner().invoke(main, ["doctor", *arguments])

    well = doctor("--adapter", "numpy")
    assert well.exit_code == 0
    assert f"numpy: healthy; {len(operations())} of {len(operations())} operations answer" in well.stdout
    ill = doctor("--adapter", f"{WRONG}:Aborts", "--format", "json")
    assert ill.exit_code == 1
    (row,) = json.loads(ill.stdout)["adapters"]
    assert (row["state"], row["findings"][0]["operation"]) == ("broken", "softmax")
    missing = doctor("--adapter", f"{MINIATURES}:NotInstalled")
    assert missing.exit_code == 1
    assert "missing: conformance-framework-that-is-nowhere is not installed" in missing.stdout
    assert doctor("--adapter", f"{WRONG}:DrivesADialect").exit_code == 0
