"""Whole runs: what is kept when one breaks off and taken up again, what changes from run to run, other interpreters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import asked, runfile
from conformance.adapters.numpy import NumPy
from conformance.cli import main
from conformance.connection import Connection
from conformance.errors import Unsupported

ROOT = Path(__file__).parents[2]
RELU = str(ROOT / "cases" / "activation" / "relu.yaml")
SOFTMAX = str(ROOT / "cases" / "activation" / "softmax.yaml")
WRONG = str(Path(__file__).parent / "wrong.py")
PROGRAM = [sys.executable, "-c", "from conformance.cli import main; main()"]


def conformance(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def wrong(name):
    return f"{WRONG}:{name}"


def lines(path):
    header, *outcomes = (path / "run.jsonl").read_text().splitlines()
    return {**json.loads(header), "time": ""}, outcomes


# --- breaking off, and going on -------------------------------------------------------------------------------------

CASES = """
operation: relu
cases:
  - name: one
    matrix: {POINT: POINTS}
    predict: {x: [-1, 2]}
"""


@pytest.fixture
def many(tmp_path):
    """Twenty cases in a file of their own."""
    entries = "".join(f"  - {{name: case_{number}, predict: {{x: [-1, {number}]}}}}\n" for number in range(20))
    (tmp_path / "many.yaml").write_text(f"operation: relu\ncases:\n{entries}")
    return tmp_path / "many.yaml"


def broken_off(many, output, how, adapter, after=3):
    """A run that was ended by a signal after some outcomes."""
    command = [*PROGRAM, "run", str(many), "--adapter", adapter, "--output", str(output)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    journal = output / "run.jsonl.partial"
    end = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b'"as_declared"') > after):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_broke_off_is_taken_up_where_it_ended(many, tmp_path, how, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_TEST_WAIT", "0.1")
    output = tmp_path / "out"
    code = broken_off(many, output, how, wrong("Waits"))
    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    earlier = runfile.read(output / ("run.jsonl.partial" if how == signal.SIGKILL else "run.jsonl"))
    assert earlier.header.partial
    assert 3 <= len(earlier.outcomes) < 20
    assert earlier.header.adapters[wrong("Waits")]["versions"]["numpy"] == np.__version__
    monkeypatch.setenv("CONFORMANCE_TEST_WAIT", "0")
    done = conformance("run", many, "--adapter", wrong("Waits"), "--output", output, "--resume")
    assert done.exit_code == 0, done.output
    resumed = lines(output)
    assert not (output / "run.jsonl.partial").exists()
    conformance("run", many, "--adapter", wrong("Waits"), "--output", tmp_path / "whole")
    assert resumed == lines(tmp_path / "whole")


def test_what_is_kept_is_not_run_again(many, tmp_path, monkeypatch):
    output = tmp_path / "out"
    broken_off(many, output, signal.SIGTERM, wrong("Waits"))
    kept = len(runfile.read(output).outcomes)
    first_line, *rest = (output / "run.jsonl").read_text().splitlines()
    marked = [line.replace('"message": ""', '"message": "kept"') for line in rest]
    (output / "run.jsonl").write_text("\n".join([first_line, *marked, ""]))
    conformance("run", many, "--adapter", wrong("Waits"), "--output", output, "--resume")
    messages = [each.message for each in runfile.read(output).outcomes]
    assert messages == ["kept"] * kept + [""] * (20 - kept)


def test_a_line_cut_off_in_the_middle_is_run_again(many, tmp_path):
    output = tmp_path / "out"
    broken_off(many, output, signal.SIGKILL, wrong("Waits"))
    journal = output / "run.jsonl.partial"
    journal.write_bytes(journal.read_bytes() + b'{"case": "relu/case_19", "adap')
    done = conformance("run", many, "--adapter", wrong("Waits"), "--output", output, "--resume")
    assert done.exit_code == 0, done.output
    assert len(runfile.read(output).outcomes) == 20


def test_cases_that_have_changed_since_are_run_again(many, tmp_path):
    output = tmp_path / "out"
    broken_off(many, output, signal.SIGTERM, wrong("Waits"))
    many.write_text(many.read_text().replace("[-1, 0]", "[-7, 5]"))
    conformance("run", many, "--adapter", wrong("Waits"), "--output", output, "--resume")
    resumed = lines(output)
    conformance("run", many, "--adapter", wrong("Waits"), "--output", tmp_path / "whole")
    assert resumed == lines(tmp_path / "whole")


def test_there_must_be_something_to_go_on_from(tmp_path):
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--resume")
    assert done.exit_code == 2
    assert "nothing to go on from" in done.stderr
    (tmp_path / "run.jsonl").write_text("no run file\n")
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--resume")
    assert done.exit_code == 2
    assert (tmp_path / "run.jsonl").read_text() == "no run file\n"


def test_other_arguments_are_refused_and_lose_nothing(many, tmp_path):
    output, names = tmp_path / "out", ("numpy", wrong("Right"))
    adapters = [argument for name in names for argument in ("--adapter", name)]
    conformance("run", many, *adapters, "--output", output)
    before = (output / "run.jsonl").read_bytes()
    for fewer, said in (
        (["--adapter", "numpy"], "Right"),
        ([*adapters, "-k", "case_3"], "relu/case_0"),
        ([*adapters, "--repeat", 2], "--repeat 1"),
    ):
        done = conformance("run", many, *fewer, "--output", output, "--resume")
        assert done.exit_code == 2
        assert said in done.stderr
        assert (output / "run.jsonl").read_bytes() == before
    many.write_text(many.read_text().replace("  - {name: case_0, predict: {x: [-1, 0]}}\n", ""))
    assert conformance("run", many, *adapters, "--output", output, "--resume").exit_code == 0  # it is there no more
    assert len(runfile.read(output).outcomes) == 2 * 19


def test_what_a_run_dropped_does_not_come_back_with_the_next(many, tmp_path, monkeypatch):
    """Killed, the cases changed, resumed and killed, the cases changed back: nothing of the second kind is left."""
    output, text = tmp_path / "out", many.read_text()
    command = [*PROGRAM, "run", str(many), "--adapter", wrong("Waits"), "--output", str(output), "--resume"]
    broken_off(many, output, signal.SIGKILL, wrong("Waits"))
    many.write_text(text.replace("[-1, ", "[70, "))
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    time.sleep(2)
    process.kill()
    process.wait()
    many.write_text(text)
    monkeypatch.setenv("CONFORMANCE_TEST_WAIT", "0")
    conformance("run", many, "--adapter", wrong("Waits"), "--output", output, "--resume")
    resumed = lines(output)
    conformance("run", many, "--adapter", wrong("Waits"), "--output", tmp_path / "whole")
    assert resumed == lines(tmp_path / "whole")


def test_two_runs_do_not_write_into_one_folder(many, tmp_path):
    output = tmp_path / "out"
    command = [*PROGRAM, "run", str(many), "--adapter", wrong("Waits"), "--output", str(output)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (output / "run.jsonl.partial").exists() or not (output / "run.jsonl.partial").read_bytes():
        assert process.poll() is None
        time.sleep(0.02)
    for option in ([], ["--resume"]):
        done = conformance("run", many, "--adapter", "numpy", "--output", output, *option)
        assert done.exit_code == 2
        assert "another run is under way" in done.stderr
    assert process.wait(60) == 0
    assert len(runfile.read(output).outcomes) == 20


def test_a_full_disk_costs_what_does_not_fit(many, tmp_path):
    output = tmp_path / "out"
    small = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (12 << 10, 12 << 10))"
    arguments = ["run", str(many), "--adapter", "numpy", "--output", str(output)]
    command = [sys.executable, "-c", f"{small}; {PROGRAM[-1]}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "run.jsonl.partial: cannot be written" in done.stderr
    assert (output / "run.jsonl.partial").read_bytes().endswith(b"}\n")
    assert conformance(*arguments, "--resume").exit_code == 0
    assert len(runfile.read(output).outcomes) == 20


def test_a_run_that_is_interrupted_at_its_start_leaves_the_last_one_as_it_is(many, tmp_path):
    conformance("run", many, "--adapter", "numpy", "--output", tmp_path / "out")
    before = (tmp_path / "out" / "run.jsonl").read_bytes()
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(1000)\n")
    command = [*PROGRAM, "run", str(many), "--adapter", f"{slow}:Slow", "--output", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    assert "starts" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"run.jsonl", "index.html"}
    assert (tmp_path / "out" / "run.jsonl").read_bytes() == before


# --- from run to run ------------------------------------------------------------------------------------------------


def test_what_changes_from_run_to_run_is_unstable_with_both_values(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_TEST_FILE", str(tmp_path / "loaded"))
    arguments = (
        "run",
        RELU,
        "-k",
        "by_hand or kink",
        "--adapter",
        wrong("FirstTimeOnly"),
        "--output",
        tmp_path / "out",
    )
    done = conformance(*arguments, "--repeat", 3)
    assert done.exit_code == 1
    found = {(each.case, each.phase): each for each in runfile.read(tmp_path / "out").outcomes}
    assert found["relu/kink", "train"].verdict == "conforms"
    unstable = found["relu/kink", "predict"]
    assert (unstable.verdict, unstable.as_declared, unstable.dialect) == ("unstable", False, None)
    assert "y, float32, index [0, 0]: 1.40129846e-45 in run 1, 0 in run 2" in unstable.message
    assert conformance(*arguments).exit_code == 0  # one run, of a process that is not the first


def test_one_that_answers_only_sometimes_is_unstable(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_TEST_FILE", str(tmp_path / "loaded"))
    done = conformance(
        "run", RELU, "-k", "kink", "--adapter", wrong("FailsFirst"), "--output", tmp_path / "out", "--repeat", 2
    )
    assert done.exit_code == 1
    train, predict = runfile.read(tmp_path / "out").outcomes
    assert train.verdict == predict.verdict == "unstable"
    assert "it raised RuntimeError in predict (not this time) in run 1" in predict.message


def test_what_is_the_same_in_every_run_is_not_unstable(tmp_path):
    done = conformance("run", RELU, SOFTMAX, "--adapter", "numpy", "--output", tmp_path / "three", "--repeat", 3)
    assert done.exit_code == 0, done.output
    conformance("run", RELU, SOFTMAX, "--adapter", "numpy", "--output", tmp_path / "one")
    assert lines(tmp_path / "three")[1] == lines(tmp_path / "one")[1]
    assert lines(tmp_path / "three")[0]["repeat"] == 3


def test_numbers_made_up_where_the_formula_has_none_are_no_part_of_the_outcome(tmp_path):
    case = "operation: softmax\ncases:\n  - {name: no_such_axis, parameters: {axis: 5}, predict: {x: [[1, 2]]}}\n"
    (tmp_path / "softmax.yaml").write_text(case)
    arguments = ("run", tmp_path / "softmax.yaml", "--adapter", wrong("MakesUp"), "--output", tmp_path / "out")
    assert conformance(*arguments, "--repeat", 2).exit_code == 1
    (repeated,) = runfile.read(tmp_path / "out").outcomes
    conformance(*arguments)
    assert runfile.read(tmp_path / "out").outcomes == (repeated,)
    assert (repeated.verdict, "the framework gave an answer" in repeated.message) == ("error", True)


def test_a_declared_instability_must_show(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFORMANCE_TEST_FILE", str(tmp_path / "loaded"))
    declaration = """
deviations:
  - adapter: wrong.py:{}
    tensor: "*"
    phase: predict
    verdict: unstable
    reason: it is wrong on purpose
    reference: none found
"""
    case = "operation: relu\ncases:\n  - {name: one, predict: {x: [-1, 2]}}\n"
    for name, code in (("FirstTimeOnly", 0), ("Right", 1)):
        (tmp_path / "relu.yaml").write_text(case + declaration.format(name))
        arguments = ["run", tmp_path / "relu.yaml", "--adapter", wrong(name), "--output", tmp_path / "out"]
        assert conformance(*arguments, "--repeat", 2).exit_code == code
    assert "declared as unstable, but the same in all runs" in runfile.read(tmp_path / "out").outcomes[0].message
    assert conformance(*arguments).exit_code == 0  # one run cannot tell


# --- adapters from outside ------------------------------------------------------------------------------------------


def test_an_adapter_with_one_precision_is_judged_in_that_one(tmp_path):
    case = "operation: relu\ncases:\n  - {name: one, predict: {x: [-1, 2]}}\n"
    (tmp_path / "relu.yaml").write_text(case + "  - {name: two, precisions: [float64], predict: {x: [-1, 2]}}\n")
    done = conformance("run", tmp_path / "relu.yaml", "--adapter", wrong("OnlyFloat32"), "--output", tmp_path)
    assert done.exit_code == 0, done.output
    one, two = runfile.read(tmp_path).outcomes
    assert (one.verdict, one.message) == ("conforms", "judged in float32 alone")
    assert (two.verdict, two.message) == ("unsupported", "no precision float64; it has float32")


FRAMEWORK = """
import numpy as np
def relu(x):
    return np.maximum(x, 0) {change}
"""
ADAPTER = """
import importlib
from conformance.adapter import Adapter, Session, Spellings, lazy
toy = lazy("toyframework")
class _Relu(Session):
    def __init__(self, task):
        self.task, self.parameters = task, {}
    def step(self, number):
        raise NotImplementedError
    def predict(self):
        return {"y": toy.relu(self.task.predict["x"])}
class Toy(Adapter):
    "A toy."
    distributions = ("toyframework",)
    spellings = Spellings({"relu": lambda parameters, shapes: None})
    def load(self, threads):
        importlib.import_module("toyframework")
    def open(self, task):
        return _Relu(task)
    def script(self, task):
        return "print(1)"
"""


def framework(folder, version, change):
    """A framework of that version, as pip would install it."""
    about = folder / f"toyframework-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toyframework\nVersion: {version}\n")
    (about / "RECORD").write_text("")
    (folder / "toyframework.py").write_text(FRAMEWORK.format(change=change))
    return folder


def interpreter(folder):
    """A python whose packages are NumPy and what lies in a folder, and nothing else."""
    numpy = Path(np.__file__).parents[1]
    for each in ("numpy", "numpy.libs", f"numpy-{np.__version__}.dist-info"):
        if (numpy / each).exists():
            (folder / each).symlink_to(numpy / each)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    return python


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy.py").write_text(ADAPTER)
    old = interpreter(framework(tmp_path / "old", "1.0", "+ 1"))
    new = interpreter(framework(tmp_path / "new", "2.0", ""))
    return tmp_path / "toy.py", old, new


def test_two_versions_of_a_framework_are_two_columns(toy, tmp_path):
    """Each in an interpreter that has NumPy and the framework and not one of our dependencies."""
    file, old, new = toy
    names = [f"{file}:Toy@{each}" for each in (old, new)]
    (tmp_path / "relu.yaml").write_text("operation: relu\ncases:\n  - {name: one, predict: {x: [-1, 2]}}\n")
    arguments = [argument for name in names for argument in ("--adapter", name)]
    done = conformance("run", tmp_path / "relu.yaml", *arguments, "--output", tmp_path / "out")
    assert done.exit_code == 1
    run = runfile.read(tmp_path / "out")
    assert [run.header.adapters[name]["versions"]["toyframework"] for name in names] == ["1.0", "2.0"]
    assert [each.verdict for each in run.outcomes] == ["deviates", "conforms"]
    declared = """
deviations:
  - adapter: toy.py:Toy
    tensor: y
    verdict: deviates
    versions: {toyframework: "<2"}
    reason: it adds one
    reference: none found
"""
    with (tmp_path / "relu.yaml").open("a") as cases:
        cases.write(declared)
    done = conformance("run", tmp_path / "relu.yaml", *arguments, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output


def test_an_installed_package_may_offer_an_adapter(toy, tmp_path):
    """By an entry point: it is listed, chosen by its name or a pattern, and declared by its name."""
    file, _, new = toy
    site = new.parent
    (site / "their_package.py").write_text(file.read_text())
    entry = site / "toyframework-2.0.dist-info" / "entry_points.txt"
    entry.write_text("[conformance.adapters]\ntoy = their_package:Toy\ntoy[1] = their_package:Toy\n")
    (tmp_path / "relu.yaml").write_text("operation: relu\ncases:\n  - {name: one, predict: {x: [-1, 2]}}\n")
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}

    def run(*arguments):
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    done = run("run", "relu.yaml", "--adapter", "to?", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert [each.adapter for each in runfile.read(tmp_path / "out").outcomes] == ["toy"]
    done = run("run", "relu.yaml", "--adapter", "toy[1]", "--output", "out")  # a name that looks like a pattern
    assert [each.adapter for each in runfile.read(tmp_path / "out").outcomes] == ["toy[1]"]
    listed = json.loads(run("list", "adapters", "--format", "json").stdout)["adapters"]
    (row,) = [each for each in listed if each["name"] == "toy"]
    assert row["versions"]["toyframework"] == "2.0"
    assert row["operations"] == ["relu"]
    assert "did you mean 'toy'" in run("run", "relu.yaml", "--adapter", "toi").stderr


def test_a_fault_of_an_adapter_from_outside_costs_that_adapter(tmp_path):
    """Not the run, and it is no fault of the harness."""
    names = ["numpy", wrong("RunFails"), wrong("GreetsWithAnObject"), wrong("UnknownMode")]
    adapters = [argument for name in names for argument in ("--adapter", name)]
    done = conformance("run", RELU, "-k", "kink", *adapters, "--output", tmp_path)
    assert done.exit_code == 1
    assert "Traceback" not in done.stderr
    run = runfile.read(tmp_path)
    assert [each.verdict for each in run.outcomes] == ["conforms", "conforms", "crash", "crash"]
    assert "the adapter itself failed: RuntimeError: nothing was prepared at <object object at 0x...>" in (
        run.outcomes[2].message
    )
    assert "builtins.object cannot be sent" in run.header.adapters[names[2]]["missing"]
    assert "modes must be some of eager, graph, xla, not fast" in run.header.adapters[names[3]]["missing"]


def test_a_script_of_an_adapter_from_outside_is_written_in_its_own_process(tmp_path):
    relu = ("repro", "relu/kink", "--cases", RELU)
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "noisy.py").write_text("from conformance.tests.wrong import Right\nprint('noise')\n")
    for adapter, said in (
        (f"{tmp_path}/exits.py:Mine", "the process ended with exit code 0"),
        (wrong("WithoutAScript"), "the adapter itself failed: today"),
    ):
        done = conformance(*relu, "--adapter", adapter)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
    done = conformance(*relu, "--adapter", f"{tmp_path}/noisy.py:Right")
    assert done.exit_code == 0
    assert "noise" not in done.stdout


# --- the script of what does not conform ----------------------------------------------------------------------------

DENSE = """
operation: dense
cases:
  - name: trained
    precisions: [float32, float64]
    tensors: {kernel: [[1, 2]], bias: [0, 0]}
    train: {x: [[1]], target: [[0, 1]], loss: mean_squared_error, optimizer: {sgd: {learning_rate: 0.125}}}
    predict: {x: [[1], [2]]}
"""


def scripts(tmp_path, name, text=DENSE):
    """The scripts of a run, by phase."""
    (tmp_path / "mine.yaml").write_text(text)
    done = conformance("run", tmp_path / "mine.yaml", "--adapter", wrong(name), "--output", tmp_path)
    assert done.exit_code == 1, done.output
    return {each.phase: (each.verdict, each.script) for each in runfile.read(tmp_path).outcomes}


def test_the_first_phase_that_does_not_conform_has_its_script(tmp_path):
    """`Different` shows other numbers in its prediction."""
    found = scripts(tmp_path, "Different")
    assert found["train"] == ("conforms", "")
    verdict, script = found["predict"]
    assert verdict == "deviates"
    assert "dense/trained on" in script
    assert ", float32: the same calls" in script or ", float64: the same calls" in script
    compile(script, "script.py", "exec")


@pytest.mark.parametrize("name", ["WithoutAScript", "EndsWithItsScript", "HangsOverItsScript"])
def test_a_script_that_cannot_be_made_costs_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setattr(asked, "PATIENCE", 0.3)
    two = DENSE + DENSE.partition("cases:\n")[2].replace("trained", "again")
    (tmp_path / "mine.yaml").write_text(two)
    starts = []
    monkeypatch.setattr(Connection, "_greet", lambda self, greet=Connection._greet: starts.append(1) or greet(self))
    found = scripts(tmp_path, name, two)
    assert {phase: (verdict, script) for phase, (verdict, script) in found.items()} == {
        "train": ("conforms", ""),
        "predict": ("deviates", ""),
    }
    assert len(starts) == (1 if name == "WithoutAScript" else 2), "of one that ends, only the next case starts another"


def test_a_worker_that_is_gone_is_not_started_again_for_a_script(tmp_path, monkeypatch):
    starts = []
    monkeypatch.setattr(Connection, "_greet", lambda self, greet=Connection._greet: starts.append(1) or greet(self))
    text = "operation: softmax\ncases:\n  - {name: ends, predict: {x: [[1, 2]]}}\n"
    assert scripts(tmp_path, "Aborts", text) == {"predict": ("crash", "")}
    assert len(starts) == 1


def test_a_built_in_adapter_that_lacks_a_script_has_none(tmp_path, monkeypatch):
    def refuses(self, task):
        raise Unsupported("no script")

    monkeypatch.setattr(NumPy, "script", refuses)
    text = DENSE.replace("predict: {x: [[1], [2]]}", "predict: {x: [[1]], expect: {y: [[7, 7]]}}")
    (tmp_path / "mine.yaml").write_text(text)
    done = conformance("run", tmp_path / "mine.yaml", "--adapter", "numpy", "--output", tmp_path)
    assert done.exit_code == 1, done.output
    assert [(each.as_declared, each.script) for each in runfile.read(tmp_path).outcomes] == [(True, ""), (False, "")]
    monkeypatch.undo()
    conformance("run", tmp_path / "mine.yaml", "--adapter", "numpy", "--output", tmp_path)
    train, predict = runfile.read(tmp_path).outcomes
    assert train.script == ""
    assert "evaluate(" in predict.script, "it conforms, but not to the digits expected"


@pytest.mark.parametrize("command", [["run", "--output", "out"], ["explain"]])
def test_what_no_encoding_can_say_is_told_all_the_same(command, tmp_path):
    first, *options = command
    arguments = [first, RELU, *options, "-k", "kink", "--adapter", wrong("SaysNoEncoding")]
    done = subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "half \\ud800" in done.stdout


def test_an_interpreter_that_is_not_there_is_wrong_usage():
    done = conformance("run", RELU, "--adapter", "numpy@/nowhere/python")
    assert done.exit_code == 2
    assert "there is no interpreter /nowhere/python" in done.stderr
