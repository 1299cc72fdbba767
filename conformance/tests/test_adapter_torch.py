"""What is PyTorch's own: what the adapters pin, the mode graph, and the three forms of its optimizers."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.adapter import Adapter, Task
from conformance.tests import test_adapters as shared
from conformance.tests.test_adapters import ON_TORCH, answer, ask, check_output, normalization_task, scripted_tasks

torch = pytest.importorskip("torch")


@pytest.fixture(params=ON_TORCH)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return shared.load(request.param)


def in_graph(task: Task) -> Task:
    return replace(task, mode="graph")


# --- what is pinned -------------------------------------------------------------------------------------------------


def test_the_switches_are_those_that_pytorch_holds(adapter: Adapter) -> None:
    assert adapter.switches() == {
        "seed": "0",
        "tf32_matmul": "off",
        "tf32_cudnn": "off",
        "float32_matmul_precision": "highest",
        "deterministic_algorithms": "on",
        "denormals": "kept",
        "mkldnn": "on" if torch.backends.mkldnn.is_available() else "off",
    }
    torch.set_flush_denormal(True)
    torch.set_deterministic_debug_mode("default")
    try:
        assert adapter.switches()["denormals"] == ("flushed" if torch.set_flush_denormal(True) else "kept")
        assert adapter.switches()["deterministic_algorithms"] == "off"
    finally:
        adapter.load(1)
    assert adapter.switches()["denormals"] == "kept"


# --- the functions --------------------------------------------------------------------------------------------------


def test_functions_take_more_axes_than_modules() -> None:
    """Of six axes, the module has no class; every channel is normalized by its own mean and variance."""
    x = np.arange(2.0 * 3).reshape(2, 1, 1, 1, 1, 3)
    task = ask(
        "batch_normalization",
        {"epsilon": 0, "momentum": 0.5, "center": False, "scale": False},
        {"moving_mean": [1, 2, 3], "moving_variance": [4, 4, 4]},
        predict={"x": x},
    )
    reply = answer(shared.load("torch_functional"), task)
    assert reply.predict is not None
    np.testing.assert_allclose(reply.predict["y"], (x - [1, 2, 3]) / 2)
    assert "2 to 5 axes" in (shared.load("torch").run(task).unsupported or "")


@pytest.mark.parametrize(("mode", "form"), [("", "fused"), ("graph", "foreach")])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_each_adapter_has_a_form_of_the_optimizers_of_its_own(name: str, mode: str, form: str) -> None:
    task = replace(shared.small_task(name, learning_rate=0.5), mode=mode)
    scripts = {each: shared.load(each).script(task) for each in ON_TORCH}
    assert f"{form}=True" in scripts["torch_functional"]
    assert "foreach" not in scripts["torch"]
    assert "fused" not in scripts["torch"]


# --- the mode graph -------------------------------------------------------------------------------------------------


def graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


@pytest.mark.slow
def test_a_graph_is_compiled_and_gives_what_it_gives_eagerly(adapter: Adapter) -> None:
    """Each of the module, the loss and the optimizer's step is compiled, and the module once more for prediction."""
    before = graphs()
    eager, graph = answer(adapter, normalization_task()), answer(adapter, in_graph(normalization_task()))
    assert graphs() >= before + 4
    for one, other in zip([*eager.train, eager.predict], [*graph.train, graph.predict], strict=True):
        assert one is not None
        assert other is not None
        assert set(one) == set(other)
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_a_graph_knows_nothing_of_earlier_tasks(adapter: Adapter) -> None:
    """More shapes than torch.compile is willing to compile again for: none of them is left uncompiled."""
    limit = torch._dynamo.config.recompile_limit
    for size in range(1, limit + 4):
        before = graphs()
        answer(adapter, in_graph(ask("relu", predict={"x": np.ones((1,) * (size % 5) + (size,))})))
        assert graphs() == before + 1


@pytest.mark.slow
def test_scripts_of_a_graph_show_the_same_numbers(adapter: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_, optimizer = scripted_tasks()
    for task in map(in_graph, (first, optimizer)):
        script = adapter.script(task)
        assert "torch.compile(" in script
        assert "conformance" not in script
        capsys.readouterr()
        exec(compile(script, f"{task.case}.py", "exec"), {"__name__": "__main__"})
        check_output(adapter.run(task), capsys.readouterr().out)


PROGRAM = """
import sys
import numpy as np
from conformance.adapter import Task
from conformance.discovery import get_adapter
adapter = get_adapter(sys.argv[1])
adapter.load(1)
x = np.array([[-1.0, 2]])
reply = adapter.run(Task("relu/c", "relu", "activation", "float64", {}, predict={"x": x}, mode="graph"))
print(reply.unsupported or reply.raised or reply.predict["y"].tolist())
"""


def alone(name: str, **environment: Any) -> str:
    """What a task in a graph gives in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, name],
        env={**{name: each for name, each in os.environ.items() if "CACHE" not in name}, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "reason"),
    [({"CXX": "/nowhere/g++"}, "C++ compiler"), ({"TORCHDYNAMO_DISABLE": "1"}, "it is switched off")],
)
def test_where_nothing_can_be_compiled_a_graph_is_unsupported(
    environment: dict[str, str], reason: str, tmp_path: Path
) -> None:
    said = alone("torch", **environment, TMPDIR=str(tmp_path))
    assert said.startswith("torch.compile does not work here: ")
    assert reason in said


@pytest.mark.slow
def test_nothing_that_is_compiled_is_left_behind(adapter: Adapter, tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    assert alone(adapter.name, HOME=str(home), TMPDIR=str(temporary)) == "[[0.0, 2.0]]\n"
    assert list(home.iterdir()) == list(temporary.iterdir()) == []
