"""The adapters on ONNX: what their models give, against numbers worked out here, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.adapter import Adapter, Task
from conformance.errors import Unsupported
from conformance.task import supporting
from conformance.tests.test_adapters import (
    GRADIENTS,
    PRECISIONS,
    PREDICTION,
    TARGET,
    answer,
    ask,
    check_output,
    close,
    correlate,
    load,
    numbers,
    predicted,
    small_task,
)

NAMES = ("onnx_reference", "onnxruntime")
HELD = {"epsilon": 0.125, "momentum": 0.75}


@pytest.fixture(params=NAMES)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return load(request.param)


@pytest.fixture
def reference() -> Adapter:
    return load("onnx_reference")


def statistics(precision: str = "float64", axis: int = 1, **options) -> Task:
    """Two steps of batch normalization of the middle axis, with nothing but its statistics to learn."""
    return ask(
        "batch_normalization",
        {**HELD, "axis": axis},
        {"gamma": [0.5, 2, -1], "beta": [1, 0, -2], "moving_mean": [0.5, 0, 1], "moving_variance": [1, 2, 3]},
        batches=[{"x": numbers(4, 3, 2)}, {"x": numbers(4, 3, 2, seed=1)}],
        targets=[numbers(4, 3, 2, seed=2)] * 2,
        predict={"x": numbers(2, 3, 5, seed=3)},
        precision=precision,
        **options,
    )


# --- loading --------------------------------------------------------------------------------------------------------


def test_neither_is_imported_before_load() -> None:
    program = """
import sys, numpy as np
from conformance.adapter import Task
from conformance.discovery import get_adapter
task = Task("c", "softmax", "layer", "float32", {"axis": -1}, predict={"x": np.zeros((1, 2), "float32")})
for name in ("onnx_reference", "onnxruntime"):
    get_adapter(name).script(task)
print({"onnx", "onnxruntime"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_what_they_say_of_themselves(adapter: Adapter) -> None:
    assert adapter.modes == {"onnx_reference": ("eager",), "onnxruntime": ("graph",)}[adapter.name]
    assert set(adapter.versions()) == set(adapter.distributions)
    assert adapter.distributions[0] in adapter.install("onnx")
    assert all(isinstance(each, str) for each in adapter.switches().values())


def test_what_onnx_runtime_pins() -> None:
    switches = load("onnxruntime").switches()
    assert switches["deterministic_compute"] == "on"
    assert switches["graph_optimization_level"] == "ORT_ENABLE_ALL"  # as users get it


def test_nothing_is_printed(adapter: Adapter, capfd: pytest.CaptureFixture[str]) -> None:
    answer(adapter, statistics())
    assert capfd.readouterr() == ("", "")


# --- prediction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_published_answer(adapter: Adapter, precision: str) -> None:
    learned = {"gamma": [0.80644524], "moving_mean": [0.05885344], "moving_variance": [0.91000736]}
    task = ask(
        "batch_normalization",
        {"epsilon": 0.001, "center": False},
        learned,
        predict={"x": [[[[1], [5]]]]},
        precision=precision,
    )
    np.testing.assert_allclose(predicted(adapter, task), [[[[0.79519051], [4.17485714]]]], rtol=3e-7)


@pytest.mark.parametrize("axis", [-1, 1, [1, 2]])
def test_layer_normalization(adapter: Adapter, axis: int | list[int]) -> None:
    x = numbers(2, 3, 4)
    axes = tuple(each % 3 for each in ([axis] if isinstance(axis, int) else axis))
    shape = tuple(x.shape[each] for each in axes)
    gamma, beta = numbers(*shape, seed=1), numbers(*shape, seed=2)
    task = ask("layer_normalization", {"axis": axis, "epsilon": 0.25}, {"gamma": gamma, "beta": beta}, predict={"x": x})
    spread = [x.shape[each] if each in axes else 1 for each in range(3)]
    normal = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.25)
    close(predicted(adapter, task), normal * gamma.reshape(spread) + beta.reshape(spread))


@pytest.mark.parametrize("scale", [True, False])
def test_layer_normalization_without_beta(adapter: Adapter, scale: bool) -> None:
    weights = {"gamma": [5.0, 6]} if scale else {}
    parameters = {"epsilon": 0.0, "center": False, "scale": scale}
    task = ask("layer_normalization", parameters, weights, predict={"x": [[1.0, 5]]})
    close(predicted(adapter, task), [[-5, 6]] if scale else [[-1, 1]])


@pytest.mark.parametrize("shape", [(3,), (5, 3), (5, 2, 3)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(adapter: Adapter, shape: tuple[int, ...], use_bias: bool) -> None:
    x, kernel, bias = numbers(*shape), numbers(3, 2, seed=1), np.array([1.0, -1])
    weights = {"kernel": kernel} | ({"bias": bias} if use_bias else {})
    y = predicted(adapter, ask("dense", {"use_bias": use_bias}, weights, predict={"x": x}))
    close(y, x @ kernel + (bias if use_bias else 0))


@pytest.mark.parametrize(("step", "gap", "groups"), [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)])
def test_conv2d_layouts(adapter: Adapter, step: int, gap: int, groups: int) -> None:
    x, kernel = numbers(2, 7, 8, 2 * groups), numbers(2, 3, 2, 4, seed=1)
    options = {"strides": step, "dilation": [gap, gap], "groups": groups, "use_bias": False}
    y = predicted(adapter, ask("conv2d", options, {"kernel": kernel}, predict={"x": x}, precision="float32"), "y")
    close(y, correlate(x, kernel, step, gap, groups), "float32")


def test_same_padding_goes_to_the_end(adapter: Adapter) -> None:
    kernel = np.array([1.0, 10, 100]).reshape(1, 3, 1, 1)
    task = ask(
        "conv2d",
        {"padding": "same", "strides": [1, 2], "use_bias": False},
        {"kernel": kernel},
        predict={"x": np.arange(1.0, 7).reshape(1, 1, 6, 1)},
        precision="float32",
    )
    close(predicted(adapter, task).ravel(), [321, 543, 65])


@pytest.mark.parametrize("axis", [0, -1])
def test_softmax(adapter: Adapter, axis: int) -> None:
    x = np.log([[1.0, 2], [3, 6]])
    shares = {0: [[0.25, 0.25], [0.75, 0.75]], -1: [[1 / 3, 2 / 3], [1 / 3, 2 / 3]]}
    close(predicted(adapter, ask("softmax", {"axis": axis}, predict={"x": x})), shares[axis])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mean_squared_error(adapter: Adapter, reduction: str) -> None:
    inputs = {"prediction": PREDICTION, "target": TARGET}
    squares = (PREDICTION - TARGET) ** 2
    loss = predicted(adapter, ask("mean_squared_error", {"reduction": reduction}, predict=inputs), "loss")
    close(loss, {"mean": squares.mean(), "sum": squares.sum(), "none": squares}[reduction])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("batch_normalization", {"epsilon": np.float32(1e-5), "momentum": np.float32(0.9)}),
        ("layer_normalization", {"epsilon": np.float32(1e-5)}),
        ("gelu", {"approximate": "none"}),
    ],
)
def test_defaults_are_those_of_the_standard(adapter: Adapter, operation: str, expected: dict[str, object]) -> None:
    task = Task(**{**vars(small_task(operation)), "precision": "float32"})
    inputs = {name: each.astype("float32") for name, each in (task.predict or {}).items()}
    weights = {name: each.astype("float32") for name, each in task.tensors.items()}
    held = answer(adapter, Task(**{**vars(task), "predict": inputs, "tensors": weights})).parameters
    assert held == expected


def test_an_attribute_is_read_back_as_it_is_held(adapter: Adapter) -> None:
    task = small_task("batch_normalization", epsilon=0.001, momentum=0.5)
    assert answer(adapter, task).parameters == {"epsilon": float(np.float32(0.001)), "momentum": 0.5}


# --- training -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_batch_normalization_learns_its_statistics(adapter: Adapter, precision: str) -> None:
    task = statistics(precision)
    assert task.train is not None
    assert task.train.targets is not None
    assert task.predict is not None
    reply = answer(adapter, task)
    gamma, beta, mean, variance = (task.tensors[name] for name in task.tensors)
    for trace, batch, target in zip(reply.train, task.train.batches, task.train.targets, strict=True):
        x = batch["x"]
        batch_mean, batch_variance = x.mean((0, 2)), x.var((0, 2))
        normal = (x - batch_mean[:, None]) / np.sqrt(batch_variance + 0.125)[:, None]
        mean, variance = 0.75 * mean + 0.25 * batch_mean, 0.75 * variance + 0.25 * batch_variance
        y = gamma[:, None] * normal + beta[:, None]
        expected = {"y": y, "loss": ((y - target) ** 2).mean(), "moving_mean": mean, "moving_variance": variance}
        assert set(trace) == {*expected, "gamma", "beta"}
        for name, each in expected.items():
            assert trace[name].dtype == precision
            close(trace[name], each, precision)
        np.testing.assert_array_equal(trace["gamma"], task.tensors["gamma"])
    normal = (task.predict["x"] - mean[:, None]) / np.sqrt(variance + 0.125)[:, None]
    assert reply.predict is not None
    close(reply.predict["y"], gamma[:, None] * normal + beta[:, None], precision)


def test_what_takes_a_gradient_is_predicted_untrained(adapter: Adapter) -> None:
    trained = statistics(optimizer=supporting("sgd", learning_rate=0.5))
    reply = adapter.run(trained)
    assert reply.untrained == "no kernel of ai.onnx.preview.training.Gradient, so nothing trains gamma and beta"
    assert reply.train == []
    alone = answer(adapter, Task(**{**vars(trained), "train": None}))
    assert reply.predict is not None
    assert alone.predict is not None
    np.testing.assert_array_equal(reply.predict["y"], alone.predict["y"])
    x = [[1.0, -2]]
    activation = adapter.run(ask("relu", batches=[{"x": x}], targets=[x], predict={"x": x}))
    assert activation.predict is not None
    assert (activation.untrained or "").endswith("nothing trains relu")
    close(activation.predict["y"], [[1, 0]])


def test_there_is_no_gradient_indeed(adapter: Adapter) -> None:
    """What the reason above says: the operator exists, and nobody implements it."""
    import onnx

    domain = "ai.onnx.preview.training"
    assert onnx.defs.has("Gradient", domain)
    gradient = onnx.helper.make_node("Gradient", ["x"], ["g"], xs=["x"], y="y", domain=domain)
    square = onnx.helper.make_node("Mul", ["x", "x"], ["y"])
    x, g = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, []) for name in ("x", "g"))
    opsets = [onnx.helper.make_opsetid("", 21), onnx.helper.make_opsetid(domain, 1)]
    graph = onnx.helper.make_graph([square, gradient], "square", [x], [g])
    model = onnx.helper.make_model_gen_version(graph, opset_imports=opsets)
    with pytest.raises((Unsupported, NotImplementedError), match="Gradient"):
        adapter.prepare(model).run(None, {"x": np.float32(3)})  # type: ignore[attr-defined]


def stepped(reference: Adapter, operation: str, tensors: dict[str, object], **parameters: object):
    batches = [{"gradient": each} for each in GRADIENTS]
    return answer(reference, ask(operation, parameters, {"variable": [3.0, 4], **tensors}, batches=batches)).train


def test_gradient_descent_without_momentum(reference: Adapter) -> None:
    first, second = stepped(reference, "sgd", {}, learning_rate=[0.5, 0.25], weight_decay=0.5)
    variable = np.array([3, 4]) - 0.5 * (GRADIENTS[0] + 0.5 * np.array([3, 4]))
    assert set(first) == {"variable"}
    close(first["variable"], variable)
    close(second["variable"], variable - 0.25 * (GRADIENTS[1] + 0.5 * variable))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_takes_the_first_gradient_whole(reference: Adapter, nesterov: bool) -> None:
    parameters = {"learning_rate": 0.5, "momentum": 0.5, "nesterov": nesterov, "dampening": 0.75}
    traces = stepped(reference, "sgd", {"velocity": [8, 16]}, **parameters)
    variable, velocity = np.array([3.0, 4]), np.array([8.0, 16])
    for trace, gradient, share in zip(traces, GRADIENTS, (1, 0.25), strict=True):
        velocity = 0.5 * velocity + share * gradient
        variable = variable - 0.5 * (gradient + 0.5 * velocity if nesterov else velocity)
        close(trace["velocity"], velocity)
        close(trace["variable"], variable)


def test_adam_does_not_correct_its_first_step(reference: Adapter) -> None:
    parameters = {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125}
    traces = stepped(reference, "adam", {"first_moment": [0, 0], "second_moment": [0, 0]}, **parameters)
    variable, first, second = np.array([3.0, 4]), np.zeros(2), np.zeros(2)
    for trace, gradient, rate in zip(traces, GRADIENTS, (0.5, 0.5 * np.sqrt(1 - 0.75) / (1 - 0.5)), strict=True):
        first, second = 0.5 * first + 0.5 * gradient, 0.75 * second + 0.25 * gradient**2
        variable = variable - rate * first / (np.sqrt(second) + 0.125)
        close(trace["first_moment"], first)
        close(trace["second_moment"], second)
        close(trace["variable"], variable)


# --- refusals and exceptions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "parameters", "reason"),
    [
        ("sgd", {"learning_rate": 1}, "no kernel: ai.onnx.preview.training:Momentum(-1) is not a registered"),
        ("adam", {"learning_rate": 1}, "no kernel: ai.onnx.preview.training:Adam(-1) is not a registered"),
        ("conv2d", {}, "no kernel: Could not find an implementation for Conv(11)"),
        ("gelu", {}, "no kernel: Could not find an implementation for Erf(13)"),
    ],
)
def test_what_onnx_runtime_has_no_kernel_for(operation: str, parameters: dict[str, object], reason: str) -> None:
    reply = load("onnxruntime").run(small_task(operation, **parameters))
    assert (reply.unsupported or "").startswith(reason)
    assert reply.raised is None


@pytest.mark.parametrize("operation", ["sgd", "adam"])
def test_a_learning_rate_has_no_default(adapter: Adapter, operation: str) -> None:
    assert "learning rate as an input, which has no default" in (adapter.run(small_task(operation)).unsupported or "")


def test_an_exception_is_an_observation(adapter: Adapter) -> None:
    raised = adapter.run(ask("softmax", {"axis": 3}, predict={"x": [[1, 2]]})).raised
    assert raised is not None
    assert (raised.phase, raised.step) == ("predict", 0)
    assert "axis" in raised.message


# --- scripts --------------------------------------------------------------------------------------------------------


def scripted(name: str) -> list[Task]:
    """A task of every kind that is written in its own way."""
    tasks = [
        statistics("float32"),
        statistics(optimizer=supporting("sgd", learning_rate=0.5)),
        ask("conv2d", {}, {"kernel": numbers(2, 3, 1, 2), "bias": [1, 2]}, predict={"x": numbers(1, 3, 4, 1)}),
        ask("dense", {}, {"kernel": numbers(3, 2), "bias": [1, 2]}, predict={"x": numbers(2, 2, 3)}),
        ask("mean_squared_error", predict={"prediction": PREDICTION, "target": TARGET}),
    ]
    if name == "onnxruntime":
        return [task for task in tasks if task.operation != "conv2d"]  # in float64
    batches = [{"gradient": each} for each in GRADIENTS]
    parameters = {"learning_rate": [0.5, 0.25], "momentum": 0.5}
    return [*tasks, ask("sgd", parameters, {"variable": [3.0, 4], "velocity": [1, 2]}, batches=batches)]


def test_scripts_show_the_same_numbers(adapter: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    for task in scripted(adapter.name):
        script = adapter.script(task)
        assert "import conformance" not in script
        capsys.readouterr()
        exec(compile(script, f"{task.operation}.py", "exec"), {"__name__": "__main__"})
        check_output(adapter.run(task), capsys.readouterr().out)


@pytest.mark.slow
def test_a_script_runs_on_its_own(adapter: Adapter, tmp_path: Path) -> None:
    task = statistics()
    (tmp_path / "script.py").write_text(adapter.script(task))
    done = subprocess.run([sys.executable, "-P", "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    check_output(adapter.run(task), done.stdout)
