"""The command line as its users meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import runfile
from conformance.cli import main

CASES = Path(__file__).parents[2] / "cases"
MINIATURES = Path(__file__).parent / "miniatures.py"
RELU = str(CASES / "activation" / "relu.yaml")
BN = str(CASES / "normalization" / "batch_normalization.yaml")


def conformance(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def broken(tmp_path):
    """A folder with a copy of relu's cases in which the formula is told to give something else."""
    text = Path(RELU).read_text().replace("y: [[0, 0, 0, 0, 0.5, 3]]", "y: [[0, 0, 0, 0, 0.75, 3]]")
    (tmp_path / "relu.yaml").write_text(text)
    return tmp_path


def test_run_writes_both_files_and_says_so(tmp_path):
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "relu  ✓5" in done.stdout
    run = runfile.read(tmp_path / "out")
    assert {(each.case, each.phase) for each in run.outcomes} >= {("relu/kink", "train"), ("relu/kink", "predict")}
    assert "<math" in (tmp_path / "out" / "index.html").read_text()
    assert not list((tmp_path / "out").glob("*.partial"))


def test_run_as_json_is_one_document_and_everything_else_is_elsewhere(tmp_path):
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--format", "json")
    document = json.loads(done.stdout)
    assert document.keys() == {"header", "outcomes"}
    assert document["outcomes"][0].keys() >= {
        "case", "adapter", "phase", "verdict", "dialect", "declared", "as_declared", "message", "tensors",
    }  # fmt: skip
    assert document["outcomes"][0]["tensors"][0].keys() >= {
        "name", "step", "dtype", "max_abs", "max_rel", "max_ulp", "error_ratio", "tolerance", "index", "expected",
        "actual", "notes",
    }  # fmt: skip


def test_what_is_not_as_declared_is_told_and_exits_with_1(broken, tmp_path):
    done = conformance("run", broken, "--adapter", "numpy", "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert "expected 0.75" in done.stdout
    assert "conformance repro relu/kink --adapter numpy" in done.stdout
    assert conformance("check", broken).exit_code == 1


def test_two_runs_give_the_same_lines(tmp_path):
    for name in ("one", "two"):
        conformance("run", BN, "-k", "small_batch", "--adapter", "numpy", "--output", tmp_path / name)
    one, two = ((tmp_path / name / "run.jsonl").read_text().splitlines() for name in ("one", "two"))
    assert one[1:] == two[1:]
    assert {**json.loads(one[0]), "time": ""} == {**json.loads(two[0]), "time": ""}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no_such_folder"], "no file or folder 'no_such_folder'"),
        (["run", RELU, "--adapter", "numpyy"], "did you mean 'numpy'?"),
        (["run", RELU, "--adapter", "numpy@"], "no interpreter behind the @"),
        (["run", RELU, "--adapter", "numpy@/nowhere/python"], "there is no interpreter /nowhere/python"),
        (["run", RELU, "--adapter", "mine.py:Mine"], "there is no file mine.py"),
        (["run", RELU, "--adapter", "mine.py"], "for one of your own, path/to/file.py:Class"),
        (["run", RELU, "--adapter", "json:JSONDecoder"], "json has no Adapter named 'JSONDecoder'"),
        (["run", RELU, "--mode", "fast"], "'eager', 'graph', 'xla'"),
        (["run", RELU, "--repeat", "0"], "--repeat"),
        (["run", RELU, "--memory", "-1"], "--memory"),
        (["doctor", "--adapter", "nosuch*"], "there is no adapter 'nosuch*'"),
        (["repro", "relu/kink", "--adapter", "*", "--cases", RELU], "a script is for one of them"),
        (["run", RELU, "--adapter", "numpy", "--output", RELU], f"{RELU}: File exists"),
        (["run", RELU, "--adapter", "numpy", "--output", "/proc/nothing/here"], "/proc/nothing: No such file"),
        (["report", "cases", "-o", "/proc/nothing/x.html"], "cases"),
        (["list", "cases", RELU, "-k", "nothing_like_it"], "no case matches"),
        (["run", RELU, "-k", "nothing_like_it"], "no case matches 'nothing_like_it'"),
        (["run", RELU, "-k", "a and (b"], "column 9: expected ')'"),
        (["check", MINIATURES.parent], "has no case files"),
        (["repro", "relu/kinkk", "--adapter", "numpy", "--cases", RELU], "did you mean 'relu/kink'"),
        (["repro", "relu/kink", "--adapter", "numpyy", "--cases", RELU], "did you mean 'numpy'?"),
        (["report", "nothing.jsonl", "-o", "x.html"], "nothing.jsonl"),
        (["report", "nothing.jsonl"], "name at least one of"),
        (["report", "nothing.jsonl", "-o", "nothing.jsonl"], "nothing.jsonl would be written over nothing.jsonl"),
        (["report", "x.jsonl", "-o", "page", "--badge", "page"], "page would be written over page"),
        (["report", "x.jsonl", "--against", "old.jsonl", "--jsonl", "old.jsonl"], "would be written over old.jsonl"),
        (["report", "x.jsonl", "--markdown", "m", "--link", "javascript:x"], "expected the page's address"),
        (["report", "x.jsonl", "--markdown", "m", "--link", "https://x.org/a b"], "expected the page's address"),
        (["run", RELU, "--junit", "reports/run.jsonl"], "reports/run.jsonl would be written over"),
        (["run", RELU, "--open", "--format", "json"], "--open is for people, --format json for programs"),
        (["compare", "one.jsonl", "two.jsonl"], "one.jsonl"),
        (["runn"], "did you mean 'run'?"),
        (["list", "formulas"], "formulas"),
    ],
)
def test_wrong_usage_is_told_without_a_traceback(arguments, said):
    done = conformance(*arguments)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_faults_of_a_case_file_are_told_all_at_once(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "operation: relu\ncases:\n  - name: one\n    predict: {z: [1]}\n"
        "  - name: one\n    predict: {x: [[1], [2, 3]]}\n"
    )
    done = conformance("check", tmp_path)
    assert done.exit_code == 2
    lines = done.stderr.splitlines()
    assert len(lines) >= 3
    assert all("x.yaml:" in line for line in lines)


def test_a_target_of_the_wrong_shape_is_a_fault_of_the_case(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "operation: dense\ncases:\n  - name: one\n    tensors: {kernel: [[1, 2]]}\n"
        "    train: {x: [[1]], target: [[1]], loss: mean_squared_error}\n"
    )
    done = conformance("check", tmp_path)
    assert done.exit_code == 2
    assert "x.yaml:5:31: dense/one: train.target: the target has the shape [1, 1], expected" in done.stderr


def test_a_fault_of_the_harness_has_an_exit_code_of_its_own(monkeypatch):
    monkeypatch.setattr("conformance.schema.schema", lambda: 1 / 0)
    done = conformance("schema")
    assert done.exit_code == 3
    assert "the harness failed; this is no verdict" in done.stderr


def test_an_adapter_that_is_missing_is_told_and_the_others_run(tmp_path):
    done = conformance(
        "run", RELU, "--adapter", "numpy", "--adapter", f"{MINIATURES}:FailsToLoad", "--output", tmp_path
    )
    assert "missing" in done.stderr
    assert "✓5" in done.stdout
    assert done.exit_code == 1  # it was asked for by name


def test_a_run_in_which_nothing_starts_leaves_the_last_one_as_it_is(tmp_path):
    conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    done = conformance("run", RELU, "--adapter", f"{MINIATURES}:NotInstalled", "--output", tmp_path)
    assert done.exit_code == 2
    assert "is not installed: pip install" in done.stderr
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_memory_that_is_not_there_costs_the_adapter(tmp_path):
    done = conformance("run", RELU, "--adapter", "numpy", "--memory", 0.01, "--output", tmp_path)
    assert done.exit_code == 2
    assert "it took more than 10.24 MiB of memory" in done.stderr


def test_explain_says_what_an_adapter_lacks():
    done = conformance("explain", RELU, "-k", "kink", "--adapter", "numpy", "--mode", "xla")
    assert done.exit_code == 1
    assert "relu/kink  numpy  predict: unsupported: no mode xla; it has eager" in done.stdout


def test_explain_names_the_formula_behind_the_published_expectation():
    done = conformance("explain", BN, "-k", "asked_expectation", "--format", "json")
    assert done.exit_code == 0
    (found,) = json.loads(done.stdout)["explanations"]
    assert found["dialect"] == {"statistics": "batch", "epsilon": "none"}
    assert (found["case"], found["adapter"], found["phase"]) == (
        "batch_normalization/asked_expectation", "observed", "predict",
    )  # fmt: skip
    assert found["rivals"]
    assert all(rival["error_ratio"] > 1000 for rival in found["rivals"])


def test_numbers_that_no_formula_gives_stay_unexplained(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "operation: gelu\ncases:\n  - name: odd\n    predict: {x: [1, 2]}\n    observed: {y: [0.9, 1.9]}\n"
    )
    done = conformance("explain", tmp_path)
    assert done.exit_code == 1
    assert "unexplained" in done.stdout


@pytest.mark.parametrize(
    ("approximate", "y"), [("none", 0.841345), ("tanh", 0.841192), ("quick", 0.845795)], ids=lambda each: str(each)
)
def test_printed_digits_are_enough_to_name_a_formula(tmp_path, approximate, y):
    """gelu(1) to six digits: by the normal distribution's table, by the tanh form, by the logistic form."""
    (tmp_path / "x.yaml").write_text(
        f"operation: gelu\ncases:\n  - name: seen\n    predict: {{x: [1]}}\n    observed: {{y: [{y}]}}\n"
    )
    done = conformance("explain", tmp_path, "--format", "json")
    (found,) = json.loads(done.stdout)["explanations"]
    assert found["dialect"] == ({} if approximate == "none" else {"approximate": approximate})


@pytest.mark.parametrize("what", ["operations", "cases", "adapters", "knobs"])
def test_list_shows_the_same_things_to_people_and_to_programs(what):
    paths = [str(CASES)] if what == "cases" else []
    rows = json.loads(conformance("list", what, *paths, "--format", "json").stdout)[what]
    text = conformance("list", what, *paths).stdout
    names = {row.get("case") or row.get("knob") or row["name"] for row in rows}
    assert names
    assert all(name in text for name in names)


def test_repro_prints_a_script_that_shows_the_numbers():
    script = conformance("repro", "relu/kink", "--adapter", "numpy", "--cases", RELU).stdout
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "3." in done.stdout
    assert "0.5" in done.stdout


def test_report_and_compare(tmp_path, broken):
    conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path / "old")
    conformance("run", broken, "--adapter", "numpy", "--output", tmp_path / "new")
    for option, name in (("-o", "page.html"), ("--junit", "j.xml"), ("--markdown", "m.md")):
        assert conformance("report", tmp_path / "old" / "run.jsonl", option, tmp_path / name).exit_code == 0
        assert (tmp_path / name).stat().st_size > 100
    same = conformance("compare", tmp_path / "old", tmp_path / "old")
    assert (same.exit_code, same.stdout) == (0, "0 changes, 0 for the worse\n")
    worse = conformance("compare", tmp_path / "old", tmp_path / "new", "--format", "json")
    assert worse.exit_code == 1
    assert json.loads(worse.stdout)["changes"][0]["kind"] == "worse"


def test_a_run_writes_what_ci_wants(tmp_path, broken):
    names = {"--junit": "j.xml", "--markdown": "m.md", "--badge": "b.json"}
    options = [each for option, name in names.items() for each in (option, tmp_path / name)]
    arguments = ["run", broken, "--adapter", "numpy", "--output", tmp_path / "out", "--link", "https://x.org/"]
    done = conformance(*arguments, *options, "--format", "json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["outcomes"]  # and nothing else
    assert f"wrote {tmp_path / 'j.xml'}" in done.stderr
    assert json.loads((tmp_path / "b.json").read_text())["color"] == "red"
    assert "https://x.org/#?case=relu/kink&adapter=numpy&phase=predict" in (tmp_path / "m.md").read_text()
    for option, name in names.items():
        again = tmp_path / f"again-{name}"
        assert conformance("report", tmp_path / "out", option, again, "--link", "https://x.org/").exit_code == 0
        assert again.read_bytes() == (tmp_path / name).read_bytes()


def test_a_document_that_cannot_be_written_loses_nothing_of_the_run(tmp_path):
    done = conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path, "--junit", "/proc/nothing/j.xml")
    assert done.exit_code == 2
    assert "error: /proc/nothing/j.xml: cannot be written" in done.stderr
    assert "relu  ✓5" in done.stdout
    assert runfile.read(tmp_path).outcomes


def test_a_report_against_earlier_runs(tmp_path, broken, monkeypatch):
    conformance("run", RELU, "--adapter", "numpy", "--output", tmp_path / "old")
    conformance("run", broken, "--adapter", "numpy", "--output", tmp_path / "new")
    seen = []
    monkeypatch.setattr(
        "conformance.report.html.parts", lambda run, earlier: seen.append([name for name, _ in earlier]) or ["page"]
    )
    older, old, new = tmp_path / "old" / "run.jsonl", tmp_path / "old", tmp_path / "new"
    arguments = ["report", new, "--against", older, "--against", old, "-o", tmp_path / "p.html"]
    assert conformance(*arguments, "--markdown", tmp_path / "m.md").exit_code == 0
    assert seen == [[str(older), str(old)]]
    assert "| worse | relu/kink | predict | numpy | ✓ conforms |" in (tmp_path / "m.md").read_text()


@pytest.mark.parametrize("found", [True, False, OSError])
def test_a_run_opens_its_page(tmp_path, monkeypatch, found):
    opened = []

    def browser(address):
        opened.append(address)
        if found is OSError:
            raise webbrowser.Error("could not locate runnable browser")
        return found

    monkeypatch.setattr("webbrowser.open", browser)
    done = conformance("run", RELU, "-k", "kink", "--adapter", "numpy", "--output", tmp_path, "--open")
    assert done.exit_code == 0
    assert opened == [(tmp_path / "index.html").as_uri()]
    assert ("no browser was found here" in done.stderr) == (found is not True)


def test_the_help_comes_at_once():
    program = ["-X", "importtime", "-c", "from conformance.cli import main; main()", "--help"]
    done = subprocess.run([sys.executable, *program], capture_output=True, text=True, check=True)
    loaded = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert loaded & {"numpy", "scipy", "yaml", "jinja2", "http.server", "webbrowser", "conformance.results"} == set()


def test_schema_is_a_schema():
    schema = json.loads(conformance("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_with_an_example_or_a_reason(command):
    done = conformance(command, "--help")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) > 4


def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(tmp_path):
    """A worker that hangs in the second case: the first case's outcomes are kept, and the run says it is partial."""
    (tmp_path / "x.yaml").write_text(
        "operation: relu\ncases:\n  - {name: Echo, predict: {x: [1]}}\n"
        "  - {name: Hangs, predict: {x: [1]}}\n  - {name: Never, predict: {x: [1]}}\n"
    )
    command = [sys.executable, "-c", "from conformance.cli import main; main()", "run", str(tmp_path / "x.yaml")]
    command += ["--adapter", "numpy", "--adapter", f"{MINIATURES}:Whichever", "--output", str(tmp_path / "out")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    partial = tmp_path / "out" / "run.jsonl.partial"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        partial.exists() and "Whichever" in partial.read_text().partition("\n")[2]
    ):
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130, (out, error)
    assert "partial" in error
    run = runfile.read(tmp_path / "out")
    assert run.header.partial
    assert "relu/Echo" in {each.case for each in run.outcomes if "Whichever" in each.adapter}
    assert "relu/Hangs" not in {each.case for each in run.outcomes if "Whichever" in each.adapter}
    assert not partial.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
