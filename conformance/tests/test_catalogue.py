"""The catalogue as it stands, on every framework that is measured: all of it is as declared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import runfile
from conformance.discovery import adapter_names, get_adapter
from conformance.power import blind_spots, broken_expectations, stale
from conformance.task import load_valid

CASES = Path(__file__).parents[2] / "cases"


def run(output, *arguments):
    program = [sys.executable, "-c", "from conformance.cli import main; main()", "run", "cases"]
    return subprocess.run(
        [*program, "--output", output, *arguments],
        cwd=CASES.parent,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=900,
    )


@pytest.mark.slow
def test_every_case_on_every_framework_is_as_declared(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = runfile.read(tmp_path / "run.jsonl")
    assert not measured.header.partial
    assert set(measured.header.adapters) == set(adapter_names())
    assert [name for name, each in measured.header.adapters.items() if "missing" in each] == []
    cases = [case for case in load_valid([CASES]) if not case.observed]
    asked = {(case.id, name, phase) for case in cases for name in adapter_names() for phase in phases(case)}
    assert {(each.case, each.adapter, each.phase) for each in measured.outcomes} == asked
    assert all(each.as_declared for each in measured.outcomes)
    assert {each.verdict for each in measured.outcomes if each.adapter == "numpy"} == {"conforms"}
    for name in adapter_names():
        spelled = {case.id for case in cases if case.operation.name in get_adapter(name).spellings}
        seen = [
            each
            for each in measured.outcomes
            if each.adapter == name and each.phase == "predict" and each.case in spelled
        ]
        assert sum(each.verdict == "unsupported" for each in seen) < len(seen) / 2, name


def phases(case):
    return [name for name in ("train", "predict") if getattr(case, name)]


@pytest.mark.slow
def test_two_runs_give_the_same_lines(tmp_path):
    lines = []
    for name in ("one", "two"):
        done = run(tmp_path / name, "-k", "batch_normalization", "--adapter", "torch", "--adapter", "numpy")
        assert done.returncode == 0, done.stdout + done.stderr
        lines.append((tmp_path / name / "run.jsonl").read_text().splitlines())
    one, two = lines
    assert {**json.loads(one[0]), "time": ""} == {**json.loads(two[0]), "time": ""}
    assert one[1:] == two[1:]


def test_the_catalogue_has_no_blind_spot_and_nothing_stale():
    cases = load_valid([CASES])
    assert blind_spots(cases) == []
    assert broken_expectations(cases) == []
    assert stale(cases) == []
