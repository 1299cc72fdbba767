"""What README, CONTRIBUTING, tox and CI say of this project, held against the project."""

from __future__ import annotations

import configparser
import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from conformance.cli import main
from conformance.discovery import adapter_names
from conformance.operation import operations
from conformance.task import load_valid

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", ".github/CONTRIBUTING.md", "reports/README.md")}
README, CONTRIBUTING = PAGES["README.md"], PAGES[".github/CONTRIBUTING.md"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NEEDS_NO_FRAMEWORK = ("explain", "check", "list")


def blocks(page, language):
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [block for marked, block in found if marked == language]


def commands(page):
    """Every command of ours that a page shows, in a console block or in a line of code."""
    shown = re.findall(r"^\$ (.*)$", page, re.MULTILINE) + re.findall(r"`([^`\n]+)`", page)
    return [shlex.split(re.split(" [#>] ", each)[0]) for each in shown if each.startswith("conformance ")]


def told(page):
    """Each command of a console block with what it prints; ``...`` stands for anything."""
    for block in blocks(page, "console"):
        command, _, output = block.partition("\n")
        if output and not output.startswith("$"):
            yield command.removeprefix("$ "), output


def tox_environments():
    config = configparser.RawConfigParser()
    config.read(ROOT / "tox.ini")
    names = [name.removeprefix("testenv:") for name in config.sections() if name.startswith("testenv:")]
    return set(chain.from_iterable(name.strip("{}").split(",") for name in names))


# --- the pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists_with_its_options(page):
    for _, name, *arguments in commands(PAGES[page]):
        assert name in main.commands
        with main.commands[name].make_context(name, arguments):
            pass  # it was understood


def test_every_command_is_known_by_its_help():
    for name in main.commands:
        done = CliRunner().invoke(main, [name, "--help"])
        assert done.exit_code == 0
        assert "Usage" in done.output


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        if not path.startswith("http"):
            found = (ROOT / page).parent / path
            assert found.exists(), target
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in [each.lower().replace(" ", "-") for each in headings]


def test_every_room_exists():
    (house,) = (block for block in blocks(README, "") if block.startswith("cases/"))
    rooms = re.findall(r"(?:^| {2,}|, )(\w+(?:/|\.py))", house, re.MULTILINE)
    assert len(rooms) > 15
    for room in rooms:
        assert (ROOT / room).exists() or (ROOT / "conformance" / room).exists(), room


def test_operations_and_adapters_are_all_told():
    rows = dict(re.findall(r"^\| (\w+) \| (`.*`) \|$", README, re.MULTILINE))
    told_of = {family: set(re.findall(r"`(\w+)`", row)) for family, row in rows.items()}
    families = {each.family for each in operations().values()}
    known = {family: {name for name, each in operations().items() if each.family == family} for family in families}
    assert {family: told_of.get(family) for family in families} == known
    (adapters,) = re.findall(r"^The adapters are (.*)$", README, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", adapters)) == set(adapter_names()) | {"jax"}


def test_the_python_of_the_readme_says_what_it_shows():
    (block,) = blocks(README, "python")
    test = doctest.DocTestParser().get_doctest(block, {}, "README.md", None, 0)
    assert doctest.DocTestRunner().run(test).failed == 0


SHOWING = [
    path for path in (ROOT / "conformance").rglob("*.py") if ">>> " in path.read_text() and path.parent.name != "tests"
]


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: path.stem)
def test_docstrings_say_what_they_show(path):
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = doctest.testmod(module)
    assert found.attempted > found.failed == 0


@pytest.fixture
def mine(tmp_path):
    """Where a reader of the README stands: with the cases and a file of his own."""
    entries, declaration = blocks(README, "yaml")
    (tmp_path / "mine.yaml").write_text(entries)
    (tmp_path / "declared.yaml").write_text(entries + declaration)
    (tmp_path / "cases").symlink_to(ROOT / "cases")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "output"),
    [
        pytest.param(*each, id=each[0], marks=[] if each[0].split()[1] in NEEDS_NO_FRAMEWORK else pytest.mark.slow)
        for each in told(README)
    ],
)
def test_the_readme_shows_what_is_printed(mine, command, output):
    program = [sys.executable, "-c", "from conformance.cli import main; main()", *shlex.split(command)[1:]]
    done = subprocess.run(program, cwd=mine, capture_output=True, text=True, timeout=300)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(output, done.stdout, flags), done.stdout + done.stderr


def test_the_declaration_of_the_readme_fits_its_cases(mine):
    declared = load_valid([mine / "declared.yaml"])
    assert {each.reason for case in declared for each in case.declarations} != set()
    assert load_valid([mine / "mine.yaml"])


ADDED = """
import sys, textwrap
from pathlib import Path
from conformance.adapters.torch import activation as spelled
from conformance.adapters import torch
from conformance.operations.activation import smooth as activation
from conformance.operation import operations
formula, spelling, cases = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
exec(compile(formula.read_text(), str(formula), "exec"), vars(activation))
exec(compile(spelling.read_text(), str(spelling), "exec"), vars(spelled))
torch.spellings.update(spelled.spellings)
from conformance.outcome import Trial, outcomes
from conformance.task import load_valid, task_of
from conformance.power import blind_spots
found = load_valid([cases])
assert blind_spots(found) == [], blind_spots(found)
adapter = torch.Torch()
adapter.load(1)
for case in found:
    trials = [Trial(task, adapter.run(task)) for task in (task_of(case, each) for each in case.precisions)]
    for outcome in outcomes(case, "torch", trials, adapter.versions()):
        assert (outcome.verdict, outcome.as_declared) == ("conforms", True), outcome
        print(outcome.phase)
"""


@pytest.mark.slow
def test_the_operation_that_contributing_adds(tmp_path):
    formula, spelling, *_ = blocks(CONTRIBUTING, "python")
    cases = blocks(CONTRIBUTING, "yaml")[0]
    for name, text in (("formula.py", formula), ("spelling.py", spelling), ("silu.yaml", cases), ("add.py", ADDED)):
        (tmp_path / name).write_text(text)
    program = [sys.executable, "add.py", "formula.py", "spelling.py", "silu.yaml"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["train", "predict"], done.stderr


def test_the_adapter_that_contributing_shows(tmp_path):
    adapter = str(ROOT / "conformance" / "tests" / "example_adapter.py") + ":SciPy"
    cases = str(ROOT / "cases" / "activation")
    done = CliRunner().invoke(main, ["run", cases, "--adapter", adapter, "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert re.search(r"softmax +✓5 –3", done.stdout)
    script = CliRunner().invoke(main, ["repro", "softmax/masked", "--adapter", adapter, "--cases", cases]).stdout
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.split() == ["[[0.", "0.2689414", "0.7310586]", "[", "nan", "nan", "nan]]"]


# --- tox and CI -----------------------------------------------------------------------------------------------------


def test_every_tox_environment_that_is_named_exists():
    known = tox_environments()
    assert {"run", "tests", "lint", "types", "benchmark"} <= known
    texts = [*PAGES.values(), (ROOT / ".ci" / "run").read_text(), *(each.read_text() for each in WORKFLOWS)]
    named = set(",".join(re.findall(r"tox (?:run )?(?:-qq )?-e ([a-z,]+)", "\n".join(texts))).split(","))
    assert named <= known
    assert len(named) > 4


def steps(workflow):
    for job in yaml.load(workflow.read_text(), yaml.BaseLoader)["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda each: each.name)
def test_a_workflow_runs_nothing_but_tox(workflow):
    document = yaml.load(workflow.read_text(), yaml.BaseLoader)
    assert document.keys() >= {"name", "on", "permissions", "jobs"}
    for job in document["jobs"].values():
        environments = {each["environment"] for each in job.get("strategy", {}).get("matrix", {}).get("include", [])}
        assert environments <= tox_environments()
    for step in steps(workflow):
        assert re.fullmatch(r"[\w/-]+@v\d+", step.get("uses", "a/b@v1"))
        allowed = ("python -m tox", "python -m pip install tox", ".ci/report", 'echo "$NUMBER"')
        assert workflow.name == "comment.yml" or step.get("run", ".ci/report").startswith(allowed)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda each: each.name)
def test_no_text_from_elsewhere_becomes_a_command(workflow):
    inserted = {found for step in steps(workflow) for found in re.findall(r"\$\{\{.*?\}\}", step.get("run", ""))}
    assert inserted <= {"${{ matrix.environment }}"}


def test_the_workflow_that_comments_runs_nothing_of_the_pull_request():
    document = yaml.load((ROOT / ".github" / "workflows" / "comment.yml").read_text(), yaml.BaseLoader)
    assert document["permissions"] == {}
    assert document["jobs"]["comment"]["permissions"] == {"actions": "read", "pull-requests": "write"}
    used = [step["uses"].partition("@")[0] for step in document["jobs"]["comment"]["steps"] if "uses" in step]
    assert used == ["actions/download-artifact"]


@pytest.mark.parametrize(
    ("number", "at", "posted"),
    [
        ("7\n", "abc", True),
        ("7", "another commit", False),
        ("7; touch owned", "abc", False),
        ("$(touch owned)", "abc", False),
        ("../7", "abc", False),
        ("", "abc", False),
    ],
)
def test_a_comment_goes_to_the_pull_request_that_was_run_and_to_no_other(tmp_path, number, at, posted):
    (script,) = [step["run"] for step in steps(ROOT / ".github" / "workflows" / "comment.yml") if "run" in step]
    (tmp_path / "comment").mkdir()
    (tmp_path / "comment" / "number").write_text(number)
    (tmp_path / "comment" / "comment.md").write_text("what changed")
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\necho "$*" >> calls\nif [ "$1" = api ]; then echo "$AT"; fi\n')
    gh.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "GH_REPO": "who/what", "COMMIT": "abc", "AT": at}
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    calls = (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""
    wanted = "pr comment 7 --edit-last --create-if-none --body-file comment/comment.md"
    assert (wanted in calls) == posted
    assert not (tmp_path / "owned").exists()


def test_every_workflow_is_held_against_the_schema():
    text = (ROOT / "tox.ini").read_text()
    assert all(f".github/workflows/{each.name}" in text for each in WORKFLOWS)


STUB = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
for each; do last=$each; done
case "$0 $*" in
  *curl*) [ -n "$PUBLISHED" ] && echo "$PUBLISHED" > published/run.jsonl ;;
  *"--format markdown") echo worse; exit 1 ;;
  *"compare published/run.jsonl published/run.jsonl") [ "$PUBLISHED" = readable ] ;;
esac
"""


@pytest.mark.parametrize("published", ["", "readable", "garbage"])
@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/pull/7/merge"])
def test_what_ci_makes_of_a_run(tmp_path, published, ref):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "report").write_text((ROOT / ".ci" / "report").read_text())
    (tmp_path / ".tox" / "measured" / "bin").mkdir(parents=True)
    for stub in (tmp_path / "curl", tmp_path / ".tox" / "measured" / "bin" / "conformance"):
        stub.write_text(STUB)
        stub.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "PUBLISHED": published,
        "GITHUB_STEP_SUMMARY": "summary.md",
        "GITHUB_REPOSITORY_OWNER": "who",
        "GITHUB_REPOSITORY": "who/what",
        "GITHUB_REF": ref,
    }
    done = subprocess.run(["bash", ".ci/report"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text()
    assert "https://who.github.io/what/run.jsonl" in calls
    assert ("--against published/run.jsonl" in calls) == (published == "readable")
    assert ("--link https://who.github.io/what/" in calls) == (ref == "refs/heads/main")
    comment = (tmp_path / "comment" / "comment.md").read_text()
    assert comment == (
        "worse\n" if published == "readable" else "No run is published yet: there is nothing to compare with.\n"
    )


def test_the_measured_versions_stand_once():
    text = (ROOT / "pyproject.toml").read_text()
    for framework in ("flax", "jax", "jaxlib", "keras", "numpy", "onnx", "onnxruntime", "optax", "tensorflow", "torch"):
        assert text.count(f'"{framework}==') == 1


PARENT = """
import sys
import conformance.cli, conformance.runner, conformance.pytest_plugin, conformance.explanation, conformance.report
conformance.cli.main(["check", sys.argv[1]], standalone_mode=False)
conformance.cli.main(["list", "adapters"], standalone_mode=False)
frameworks = {"flax", "jax", "keras", "onnx", "onnxruntime", "optax", "tensorflow", "torch"}
print(*sorted(frameworks & set(sys.modules)), file=sys.stderr, end="")
"""


def test_the_parent_imports_no_framework():
    program = [sys.executable, "-c", PARENT, str(ROOT / "cases" / "optimizer" / "adam.yaml")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    assert "valid" in done.stdout
    assert done.stderr == ""
