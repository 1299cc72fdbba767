"""The adapters of the frameworks: what they make of a task, against numbers worked out here.

Each adapter runs in a process of its own, as it does in a run, and one after the other.  What an adapter refuses as
unsupported is not tested on it: see `where_supported`.
"""

from __future__ import annotations

import functools
import json
import math
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from conformance.adapter import Adapter, Arrays, Part, Reply, Task, Train
from conformance.connection import Connection
from conformance.discovery import adapter_names, get_adapter
from conformance.errors import WorkerMissing
from conformance.operation import get_operation
from conformance.spelling import Array
from conformance.task import differentiated, structural, supporting

FRAMEWORKS = tuple(name for name in adapter_names() if name != "numpy")
PRECISIONS = ("float32", "float64")

# The conventions in which frameworks differ, by names as `Subject.api` gives them.
KERAS = ("keras", "keras_ops")
ON_TORCH = ("torch", "torch_functional")
EPSILON_HAT = ("keras", "tensorflow", "onnx_reference")
LATE_CORRECTION = ("onnx_reference",)
WITHOUT_GRADIENTS = ("onnx_reference", "onnxruntime")
COARSE = ("keras_jax", "keras_torch", "keras_ops_jax", "keras_ops_torch")
"""They compute float64 in float32 here and there: https://github.com/keras-team/keras/issues/23704."""


@dataclass(frozen=True)
class Subject:
    """An adapter under test, at work in another process."""

    adapter: Adapter
    connection: Connection

    @property
    def name(self) -> str:
        return self.adapter.name

    @property
    def api(self) -> str:
        """The name without the backend: what the framework's interface is called."""
        return re.sub(r"^(keras|keras_ops)_(jax|torch)$", r"\1", self.name)

    def run(self, task: Task) -> Reply:
        return self.connection.run(task).reply


@pytest.fixture(scope="module", params=FRAMEWORKS)
def adapter(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """One adapter after the other, for all tests of this file together: two would take too much memory."""
    with Connection(request.param, timeout=300) as connection:  # torch.compile takes long where others work, too
        try:
            connection.start()
        except WorkerMissing as reason:
            pytest.skip(str(reason))
        yield Subject(get_adapter(request.param), connection)


@functools.cache
def load(name: str) -> Adapter:
    """An adapter in this process, for tests of its own that look into its framework."""
    adapter = get_adapter(name)
    for distribution in adapter.distributions:
        pytest.importorskip(distribution)
    adapter.load(1)
    return adapter


class Refused(Exception):
    """An adapter has no counterpart of what a test asks."""


class RefusedWarning(UserWarning):
    """A test that an adapter escapes, because it refuses the task."""


def where_supported(test: Callable[..., None]) -> Callable[..., None]:
    """A test of all adapters ends where one refuses a task as unsupported; the summary of warnings tells."""

    @functools.wraps(test)
    def run(adapter: Subject, **arguments: Any) -> None:
        try:
            test(adapter, **arguments)
        except Refused as reason:
            warnings.warn(f"{adapter.name}: {reason}", RefusedWarning, stacklevel=1)

    return run


def ask(
    operation: str,
    parameters: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Any] | None = None,
    *,
    batches: Sequence[Mapping[str, Any]] | None = None,
    targets: Sequence[Any] | None = None,
    optimizer: Part | None = None,
    predict: Mapping[str, Any] | None = None,
    precision: str = "float64",
) -> Task:
    """A task as the harness asks it: structural parameters complete, every array in the precision."""
    found = get_operation(operation)

    def arrays(given: Mapping[str, Any]) -> Arrays:
        return {name: np.array(each, dtype=precision) for name, each in given.items()}

    train = None
    if batches is not None:
        wanted = [np.array(each, dtype=precision) for each in targets] if targets is not None else None
        loss = supporting("mean_squared_error") if targets is not None else None
        train = Train([arrays(each) for each in batches], wanted, loss, optimizer)
    return Task(
        case=f"{operation}/test",
        operation=operation,
        kind=found.kind,
        results=found.results,
        precision=precision,
        parameters={**structural(found), **(parameters or {})},
        tensors=arrays(tensors or {}),
        train=train,
        predict=arrays(predict) if predict is not None else None,
        differentiated=differentiated(found),
    )


def answer(adapter: Subject | Adapter, task: Task) -> Reply:
    """The reply of an adapter that carries the task out; raises `Refused`."""
    reply = adapter.run(task)
    if reason := reply.lacking("train" if task.train else "predict"):
        raise Refused(reason)
    assert reply.raised is None, reply.raised
    return reply


def predicted(adapter: Subject | Adapter, task: Task, name: str = "y") -> Array:
    reply = answer(adapter, task)
    assert reply.predict is not None
    assert list(reply.predict) == [name]
    assert reply.predict[name].dtype == task.precision or adapter.name in COARSE
    return reply.predict[name]


def close(actual: Array, expected: Any, precision: str = "float64") -> None:
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-7 if precision == "float64" else 1e-4, atol=1e-6)


def near(adapter: Subject, actual: Array, expected: Any, precision: str = "float64") -> None:
    """Close, as far as the adapter's framework computes in the precision that it is asked for."""
    close(actual, expected, "float32" if adapter.name in COARSE else precision)


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


# --- loading --------------------------------------------------------------------------------------------------------


def test_no_framework_is_imported_before_load() -> None:
    """The parent imports adapters and writes scripts, and stays light."""
    program = """
import sys, numpy as np
from conformance.adapter import Task
from conformance.discovery import adapter_names, get_adapter
task = Task("c", "softmax", "activation", "float32", {"axis": -1}, predict={"x": np.zeros((1, 2), "float32")})
for name in adapter_names():
    get_adapter(name).script(task)
print({"flax", "jax", "keras", "onnx", "onnxruntime", "optax", "tensorflow", "torch"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_what_an_adapter_says_of_itself(adapter: Subject) -> None:
    hello = adapter.connection.start()
    assert hello.device == "cpu"
    assert hello.precisions
    assert set(hello.precisions) <= set(PRECISIONS)
    assert hello.modes
    assert set(hello.versions) == {"python", "numpy", *adapter.adapter.distributions}
    assert hello.switches["threads"] == "1"


def test_what_every_framework_can_no_adapter_refuses(adapter: Subject) -> None:
    for operation in ("relu", "softmax", "dense"):
        assert adapter.run(small_task(operation)).unsupported is None


# --- batch normalization --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
@where_supported
def test_published_answers(adapter: Subject, precision: str) -> None:
    x = {"x": [[[[1], [5]]]]}
    learned = {"gamma": [0.80644524], "moving_mean": [0.05885344], "moving_variance": [0.91000736]}
    task = ask("batch_normalization", {"epsilon": 0.001, "center": False}, learned, predict=x, precision=precision)
    np.testing.assert_allclose(predicted(adapter, task), [[[[0.79519051], [4.17485714]]]], rtol=3e-7)
    learned = {
        "gamma": [0.22297101],
        "beta": [0.49253803],
        "moving_mean": [0.36868709],
        "moving_variance": [0.41429576],
    }
    task = ask("batch_normalization", {"epsilon": 0.001}, learned, predict=x, precision=precision)
    np.testing.assert_allclose(predicted(adapter, task), [[[[0.71096909], [2.09494853]]]], rtol=3e-7)


def normalization_task(steps: int = 2, precision: str = "float64", **parameters: Any) -> Task:
    """Batch normalization of the middle axis, all sizes different, trained by momentum."""
    return ask(
        "batch_normalization",
        {"epsilon": 0.125, "momentum": 0.75, "axis": 1, **parameters},
        {"gamma": [0.5, 2, -1], "beta": [1, 0, -2], "moving_mean": [0.5, 0, 1], "moving_variance": [1, 2, 3]},
        batches=[{"x": numbers(4, 3, 2)}] * steps,
        targets=[numbers(4, 3, 2, seed=1)] * steps,
        optimizer=supporting("sgd", learning_rate=0.25, momentum=0.5),
        predict={"x": numbers(2, 3, 5, seed=2)},
        precision=precision,
    )


@pytest.mark.parametrize("precision", PRECISIONS)
@where_supported
def test_a_step_of_batch_normalization(adapter: Subject, precision: str) -> None:
    task = normalization_task(precision=precision)
    assert task.train is not None
    assert task.train.targets is not None
    reply = answer(adapter, task)
    x, target = task.train.batches[0]["x"], task.train.targets[0]
    gamma, beta = (task.tensors[name][:, None] for name in ("gamma", "beta"))
    mean, variance = x.mean(axis=(0, 2)), x.var(axis=(0, 2))
    deviation = np.sqrt(variance + 0.125)[:, None]
    normal = (x - mean[:, None]) / deviation
    y = gamma * normal + beta
    dy = 2 * (y - target) / y.size
    gradients = {"gamma": (dy * normal).sum(axis=(0, 2)), "beta": dy.sum(axis=(0, 2))}
    centred = dy - dy.mean(axis=(0, 2), keepdims=True) - normal * (dy * normal).mean(axis=(0, 2), keepdims=True)
    learned_variance = variance * 8 / 7 if adapter.api in ON_TORCH else variance
    velocity = -0.25 if adapter.api in KERAS else 1
    expected = {
        "y": y,
        "loss": ((y - target) ** 2).mean(),
        "x.gradient": gamma * centred / deviation,
        "moving_mean": 0.75 * task.tensors["moving_mean"] + 0.25 * mean,
        "moving_variance": 0.75 * task.tensors["moving_variance"] + 0.25 * learned_variance,
    }
    for name, gradient in gradients.items():
        expected[f"{name}.gradient"] = gradient
        expected[name] = task.tensors[name] - 0.25 * gradient
        expected[f"{name}.velocity"] = velocity * gradient
    assert len(reply.train) == 2
    assert set(reply.train[0]) == set(reply.train[1]) == set(expected)
    for name, each in reply.train[0].items():
        assert each.dtype == precision or adapter.name in COARSE
        near(adapter, each, expected[name], precision)
    assert not np.array_equal(reply.train[0]["gamma"], reply.train[1]["gamma"])


@where_supported
def test_predict_uses_what_was_learned(adapter: Subject) -> None:
    task = normalization_task(steps=3)
    reply = answer(adapter, task)
    last = {name: each[:, None] for name, each in reply.train[-1].items() if each.ndim == 1}
    assert task.predict is not None
    assert reply.predict is not None
    normal = (task.predict["x"] - last["moving_mean"]) / np.sqrt(last["moving_variance"] + 0.125)
    near(adapter, reply.predict["y"], last["gamma"] * normal + last["beta"])


@where_supported
def test_tasks_do_not_touch_each_other(adapter: Subject) -> None:
    first = answer(adapter, normalization_task())
    answer(adapter, normalization_task(precision="float32", momentum=0.5))
    again = answer(adapter, normalization_task())
    for one, other in zip(first.train, again.train, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
@where_supported
def test_batch_normalization_without_beta_or_gamma(adapter: Subject, center: bool, scale: bool) -> None:
    weights = ({"beta": [3.0, 4]} if center else {}) | ({"gamma": [5.0, 6]} if scale else {})
    x = numbers(4, 2)
    task = ask(
        "batch_normalization",
        {"epsilon": 0.5, "momentum": 0.5, "center": center, "scale": scale},
        {**weights, "moving_mean": [0, 0], "moving_variance": [1, 1]},
        batches=[{"x": x}],
        targets=[np.zeros((4, 2))],
        optimizer=supporting("sgd", learning_rate=0.5),
    )
    trace = answer(adapter, task).train[0]
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.5)
    expected = expected * weights.get("gamma", 1) + weights.get("beta", 0)
    near(adapter, trace["y"], expected)
    trained = {f"{name}.gradient" for name in weights} | set(weights)
    shown = {"y", "loss", "moving_mean", "moving_variance"} | trained
    assert set(trace) == shown | (set() if adapter.api in WITHOUT_GRADIENTS else {"x.gradient"})


@pytest.mark.slow
@where_supported
def test_every_mode_gives_the_same_numbers(adapter: Subject) -> None:
    first, *others = adapter.adapter.modes
    expected = answer(adapter, replace(normalization_task(), mode=first))
    for mode in others:
        reply = answer(adapter, replace(normalization_task(), mode=mode))
        for one, other in zip(expected.train, reply.train, strict=True):
            assert set(one) == set(other)
            for name in one:
                near(adapter, other[name], one[name])
        assert expected.predict is not None
        assert reply.predict is not None
        near(adapter, reply.predict["y"], expected.predict["y"])


def test_a_mode_that_it_lacks_is_unsupported(adapter: Subject) -> None:
    for mode in {"eager", "graph", "xla"} - set(adapter.adapter.modes):
        assert f"no mode {mode}" in (adapter.run(replace(normalization_task(), mode=mode)).unsupported or "")


# --- the other layers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, [1, 2], [-2, -1]])
@where_supported
def test_layer_normalization(adapter: Subject, axis: Any) -> None:
    x = numbers(2, 3, 4)
    axes = (2,) if axis == -1 else (1, 2)
    shape = tuple(x.shape[each] for each in axes)
    gamma, beta = numbers(*shape, seed=1), numbers(*shape, seed=2)
    task = ask("layer_normalization", {"axis": axis, "epsilon": 0.25}, {"gamma": gamma, "beta": beta}, predict={"x": x})
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.25) * gamma + beta
    near(adapter, predicted(adapter, task), expected)


@where_supported
def test_layer_normalization_of_an_axis_in_the_middle(adapter: Subject) -> None:
    x, gamma = numbers(2, 3, 4), numbers(3, seed=1)
    task = ask("layer_normalization", {"axis": 1, "epsilon": 0.25, "center": False}, {"gamma": gamma}, predict={"x": x})
    if adapter.name in ("keras_torch", "keras_ops_torch"):  # https://github.com/keras-team/keras/pull/23510
        assert "Given normalized_shape=[3]" in str(adapter.run(task).raised)
        return
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.25) * gamma[:, None]
    near(adapter, predicted(adapter, task), expected)


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3)])
@pytest.mark.parametrize("use_bias", [True, False])
@where_supported
def test_a_step_of_dense(adapter: Subject, shape: tuple[int, ...], use_bias: bool) -> None:
    x, kernel, bias = numbers(*shape), numbers(3, 2, seed=1), np.array([1.0, -1])
    tensors = {"kernel": kernel} | ({"bias": bias} if use_bias else {})
    target = np.zeros((*shape[:-1], 2))
    task = ask(
        "dense",
        {"use_bias": use_bias},
        tensors,
        batches=[{"x": x}],
        targets=[target],
        optimizer=supporting("adam", learning_rate=0.125, beta_1=0.5, beta_2=0.75),
    )
    trace = answer(adapter, task).train[0]
    y = x @ kernel + (bias if use_bias else 0)
    dy = 2 * y / y.size
    gradient = x.reshape(-1, 3).T @ dy.reshape(-1, 2)
    near(adapter, trace["y"], y)
    near(adapter, trace["kernel.gradient"], gradient)
    near(adapter, trace["kernel.first_moment"], 0.5 * gradient)
    near(adapter, trace["kernel.second_moment"], 0.25 * gradient**2)
    assert ("bias" in trace) == ("bias.gradient" in trace) == use_bias


def correlate(x: Array, kernel: Array, step: int = 1, gap: int = 1, groups: int = 1) -> Array:
    """Convolution without padding, by loops."""
    height, width, channels, filters = kernel.shape
    rows = (x.shape[1] - gap * (height - 1) - 1) // step + 1
    columns = (x.shape[2] - gap * (width - 1) - 1) // step + 1
    y = np.zeros((len(x), rows, columns, filters))
    for o in range(filters):
        first = o // (filters // groups) * channels
        for i in range(height):
            for j in range(width):
                for c in range(channels):
                    taken = x[:, i * gap :, j * gap :, first + c]
                    y[..., o] += kernel[i, j, c, o] * taken[:, ::step, ::step][:, :rows, :columns]
    return y


@pytest.mark.parametrize(("step", "gap", "groups"), [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)])
@where_supported
def test_conv2d_layouts(adapter: Subject, step: int, gap: int, groups: int) -> None:
    """Every tap has a digit of its own, and all sizes differ, so that no swapped axis can pass."""
    kernel = 10.0 ** np.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4)[..., ::-1] / 1e24
    x = numbers(2, 7, 8, 2 * groups)
    task = ask(
        "conv2d",
        {"strides": step, "dilation": [gap, gap], "groups": groups},
        {"kernel": kernel, "bias": [1, 2, 3, 4]},
        predict={"x": x},
    )
    expected = correlate(x, kernel, step, gap, groups) + np.arange(1, 5)
    np.testing.assert_allclose(predicted(adapter, task), expected, rtol=1e-9)


@where_supported
def test_conv2d_pads_at_the_end(adapter: Subject) -> None:
    x, kernel = np.arange(1.0, 7).reshape(1, 1, 6, 1), np.array([1.0, 10]).reshape(1, 2, 1, 1)
    task = ask("conv2d", {"padding": "same", "use_bias": False}, {"kernel": kernel}, predict={"x": x})
    near(adapter, predicted(adapter, task).ravel(), [21, 32, 43, 54, 65, 6])


@where_supported
def test_conv2d_with_strides_pads_at_the_end(adapter: Subject) -> None:
    x, kernel = np.arange(1.0, 7).reshape(1, 1, 6, 1), np.array([1.0, 10, 100]).reshape(1, 3, 1, 1)
    task = ask(
        "conv2d", {"padding": "same", "strides": [1, 2], "use_bias": False}, {"kernel": kernel}, predict={"x": x}
    )
    near(adapter, predicted(adapter, task).ravel(), [321, 543, 65])


@where_supported
def test_gradients_of_conv2d(adapter: Subject) -> None:
    """Without a loss, the gradient is that of the sum of the results."""
    x, kernel = numbers(2, 4, 5, 3), numbers(2, 3, 3, 2, seed=1)
    task = ask("conv2d", {}, {"kernel": kernel, "bias": [0, 0]}, batches=[{"x": x}])
    trace = answer(adapter, task).train[0]
    seen = np.array([[x[:, i : i + 3, j : j + 3].sum(axis=(0, 1, 2)) for j in range(3)] for i in range(2)])
    near(adapter, trace["kernel.gradient"], np.repeat(seen[..., None], 2, axis=-1))
    near(adapter, trace["bias.gradient"], [18, 18])
    near(adapter, trace["x.gradient"][0, 0, 0], kernel[0, 0].sum(axis=-1))
    near(adapter, trace["x.gradient"][1, 3, 4], kernel[1, 2].sum(axis=-1))
    near(adapter, trace["kernel"], kernel)
    assert "loss" not in trace


@where_supported
def test_activations(adapter: Subject) -> None:
    x = np.array([[-1.5, 0.0, 2.0], [0.5, -3.0, 1.0]])
    near(adapter, predicted(adapter, ask("relu", predict={"x": x})), np.maximum(x, 0))
    exponential = np.exp(x)
    for axis in (0, -1):
        task = ask("softmax", {"axis": axis}, predict={"x": x})
        near(adapter, predicted(adapter, task), exponential / exponential.sum(axis=axis, keepdims=True))


@where_supported
def test_gelu_and_its_approximation(adapter: Subject) -> None:
    x = np.array([[-3.0, -1, 0.5]])
    exact = [[each / 2 * (1 + math.erf(each / math.sqrt(2))) for each in x[0]]]
    tanh = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    near(adapter, predicted(adapter, ask("gelu", {"approximate": "none"}, predict={"x": x})), exact)
    near(adapter, predicted(adapter, ask("gelu", {"approximate": "tanh"}, predict={"x": x})), tanh)
    own = answer(adapter, ask("gelu", predict={"x": x}))
    assert own.predict is not None
    near(adapter, own.predict["y"], tanh if own.parameters["approximate"] == "tanh" else exact)


@where_supported
def test_a_step_of_an_activation(adapter: Subject) -> None:
    x = np.array([[-1.0, 2.0]])
    task = ask("relu", batches=[{"x": x}], targets=[[[0, 1]]], optimizer=supporting("sgd"))
    trace = answer(adapter, task).train[0]
    assert set(trace) == {"y", "loss", "x.gradient"}
    near(adapter, trace["loss"], 0.5)
    near(adapter, trace["x.gradient"], [[0, 1]])


# --- losses ---------------------------------------------------------------------------------------------------------

PREDICTION, TARGET = np.array([[1.0, 2, 3], [4, 5, 6]]), np.array([[1.0, 1, 1], [2, 2, 2]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@where_supported
def test_mean_squared_error(adapter: Subject, reduction: str) -> None:
    inputs = {"prediction": PREDICTION, "target": TARGET}
    task = ask("mean_squared_error", {"reduction": reduction}, batches=[inputs], predict=inputs)
    squares = (PREDICTION - TARGET) ** 2
    if adapter.api == "keras":  # averages the last axis before anything else
        squares = squares.mean(axis=-1)
    loss = {"mean": squares.mean(), "sum": squares.sum(), "none": squares}[reduction]
    count = {"mean": 6, "sum": 3, "none": 3}[reduction] if adapter.api == "keras" else 6 if reduction == "mean" else 1
    reply = answer(adapter, task)
    assert reply.predict is not None
    near(adapter, reply.predict["loss"], loss)
    assert set(reply.train[0]) == {"loss", "prediction.gradient"}
    near(adapter, reply.train[0]["loss"], loss)
    near(adapter, reply.train[0]["prediction.gradient"], 2 * (PREDICTION - TARGET) / count)


# --- optimizers -----------------------------------------------------------------------------------------------------

GRADIENTS = [np.array([1.0, -2]), np.array([0.5, 4])]


def steps_of(adapter: Subject | Adapter, operation: str, tensors: Mapping[str, Any], **parameters: Any) -> list[Arrays]:
    batches = [{"gradient": each} for each in GRADIENTS]
    traces = answer(adapter, ask(operation, parameters, {"variable": [3.0, 4], **tensors}, batches=batches)).train
    assert all(set(trace) == {"variable", *tensors} for trace in traces)
    return traces


@where_supported
def test_sgd(adapter: Subject) -> None:
    first, second = steps_of(adapter, "sgd", {}, learning_rate=[0.5, 0.25])
    near(adapter, first["variable"], [2.5, 5])
    near(adapter, second["variable"], [2.375, 4])


@pytest.mark.parametrize("nesterov", [False, True])
@where_supported
def test_sgd_with_momentum_and_a_learning_rate_that_changes(adapter: Subject, nesterov: bool) -> None:
    traces = steps_of(adapter, "sgd", {"velocity": [0, 0]}, learning_rate=[0.5, 0.25], momentum=0.5, nesterov=nesterov)
    variable, velocity = np.array([3.0, 4]), np.zeros(2)
    for trace, gradient, rate in zip(traces, GRADIENTS, (0.5, 0.25), strict=True):
        if adapter.api == "keras":  # the learning rate inside the velocity
            velocity = 0.5 * velocity - rate * gradient
            variable = variable + (0.5 * velocity - rate * gradient if nesterov else velocity)
        else:
            velocity = 0.5 * velocity + gradient
            variable = variable - rate * (gradient + 0.5 * velocity if nesterov else velocity)
        near(adapter, trace["velocity"], velocity)
        near(adapter, trace["variable"], variable)


@where_supported
def test_a_velocity_to_start_from(adapter: Subject) -> None:
    first, _ = steps_of(adapter, "sgd", {"velocity": [8, 16]}, learning_rate=1, momentum=0.5)
    sign = -1 if adapter.api == "keras" else 1
    near(adapter, first["velocity"], 0.5 * np.array([8, 16]) + sign * GRADIENTS[0])
    near(adapter, first["variable"], np.array([3, 4]) - sign * first["velocity"])


@where_supported
def test_two_steps_of_adam(adapter: Subject) -> None:
    parameters = {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.125}
    traces = steps_of(adapter, "adam", {"first_moment": [0, 0], "second_moment": [0, 0]}, **parameters)
    variable, first, second = np.array([3.0, 4]), np.zeros(2), np.zeros(2)
    for step, (trace, gradient) in enumerate(zip(traces, GRADIENTS, strict=True), 1):
        first = 0.5 * first + 0.5 * gradient
        second = 0.75 * second + 0.25 * gradient**2
        corrected = max(step - 1, 0) if adapter.api in LATE_CORRECTION else step
        root = math.sqrt(1 - 0.75**corrected) or 1.0
        epsilon = 0.125 / root if adapter.api in EPSILON_HAT else 0.125  # the paper's is added before the correction
        variable = variable - 0.5 * first / ((1 - 0.5**corrected) or 1.0) / (np.sqrt(second) / root + epsilon)
        near(adapter, trace["first_moment"], first)
        near(adapter, trace["second_moment"], second)
        near(adapter, trace["variable"], variable)


@where_supported
def test_weight_decay(adapter: Subject) -> None:
    """Decoupled and L2 are the same without momentum."""
    first, _ = steps_of(adapter, "sgd", {}, learning_rate=0.5, weight_decay=0.25)
    near(adapter, first["variable"], np.array([3, 4]) * (1 - 0.125) - 0.5 * GRADIENTS[0])


# --- defaults, refusals, exceptions ---------------------------------------------------------------------------------

DEFAULTS = [
    ("torch", "batch_normalization", {"epsilon": 1e-5, "momentum": 0.9}),
    ("keras", "batch_normalization", {"epsilon": 1e-3, "momentum": 0.99}),
    ("keras_ops", "batch_normalization", {"epsilon": 1e-3, "momentum": 0.99}),
    ("torch", "layer_normalization", {"epsilon": 1e-5}),
    ("torch_functional", "batch_normalization", {"epsilon": 1e-5, "momentum": 0.9}),
    ("torch_functional", "layer_normalization", {"epsilon": 1e-5}),
    ("torch_functional", "gelu", {"approximate": "none"}),
    ("torch_functional", "sgd", {"learning_rate": 1e-3}),
    ("torch_functional", "adam", {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ("jax", "batch_normalization", {"epsilon": 1e-5, "momentum": 0.99}),
    ("jax", "layer_normalization", {"epsilon": 1e-6}),
    ("jax", "gelu", {"approximate": "tanh"}),
    ("keras", "layer_normalization", {"epsilon": 1e-3}),
    ("keras_ops", "layer_normalization", {"epsilon": 1e-7}),
    ("torch", "gelu", {"approximate": "none"}),
    ("keras", "gelu", {"approximate": "none"}),
    ("keras_ops", "gelu", {"approximate": "tanh"}),
    ("tensorflow", "gelu", {"approximate": "none"}),
    ("torch", "sgd", {"learning_rate": 1e-3}),
    ("keras", "sgd", {"learning_rate": 0.01}),
    ("torch", "adam", {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ("keras", "adam", {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    ("tensorflow", "adam", {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ("torch", "rmsprop", {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8}),
    ("keras", "rmsprop", {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7}),
    ("torch", "adagrad", {"learning_rate": 0.01, "epsilon": 1e-10, "initial_accumulator": 0}),
    ("keras", "adagrad", {"learning_rate": 0.001, "epsilon": 1e-7, "initial_accumulator": 0.1}),
    ("torch", "adadelta", {"learning_rate": 1, "rho": 0.9, "epsilon": 1e-6}),
    ("keras", "adadelta", {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7}),
    ("torch", "adamw", {"weight_decay": 0.01, "epsilon": 1e-8}),
    ("keras", "adamw", {"weight_decay": 0.004, "epsilon": 1e-7}),
]


def small_task(operation: str, **parameters: Any) -> Task:
    """A task with as few numbers as the operation allows."""
    found = get_operation(operation)
    if found.kind == "optimizer":
        slots = {name: [0, 0] for name in found.active(parameters) if name not in ("variable", "gradient")}
        return ask(operation, parameters, {"variable": [3, 4], **slots}, batches=[{"gradient": [1, 2]}])
    shapes = {"kernel": (1, 1, 1, 2), "bias": (2,)} if operation == "conv2d" else {"kernel": (2, 2), "bias": (2,)}
    weights = {
        name: np.ones(shapes.get(name, (2,)))
        for name in found.active(parameters)
        if name in found.of_role("weight", "state")
    }
    x = np.arange(9.0).reshape(1, 3, 3, 1) if operation == "conv2d" else [[1.0, 2]]
    inputs = {"prediction": x, "target": x} if found.kind == "loss" else {"x": x}
    return ask(operation, parameters, weights, predict=inputs)


@where_supported
def test_defaults_are_the_frameworks_own(adapter: Subject) -> None:
    for name, operation, expected in DEFAULTS:
        if name == adapter.api:
            held = answer(adapter, small_task(operation)).parameters
            assert {each: held[each] for each in expected} == pytest.approx(expected)


@where_supported
def test_given_parameters_are_passed(adapter: Subject) -> None:
    task = small_task("batch_normalization", epsilon=0.25, momentum=0.5)
    assert answer(adapter, task).parameters in ({"epsilon": 0.25, "momentum": 0.5}, {})
    near(adapter, predicted(adapter, task), [[0 / 1.25**0.5 + 1, 1 / 1.25**0.5 + 1]])


REFUSED = [
    ("torch", "conv2d", {"padding": "same", "strides": 2}, "torch.nn.Conv2d has no padding='same' with strides"),
    ("keras", "conv2d", {"strides": 2, "dilation": [1, 2]}, "keras.layers.Conv2D has no strides > 1 together"),
    ("torch_functional", "conv2d", {"padding": "same", "strides": 2}, "conv2d has no padding='same'"),
    ("jax", "sgd", {"dampening": 0.5, "momentum": 0.5, "learning_rate": 1}, "no dampening"),
    ("jax", "sgd", {}, "no default learning rate"),
    ("jax", "adam", {}, "no default learning rate"),
    ("keras", "sgd", {"dampening": 0.5, "momentum": 0.5, "learning_rate": 1}, "no dampening"),
    ("tensorflow", "sgd", {"dampening": 0.5, "momentum": 0.5, "learning_rate": 1}, "no dampening"),
    ("tensorflow", "sgd", {"weight_decay": 0.5, "learning_rate": 1}, "no weight_decay"),
    ("tensorflow", "sgd", {}, "no default learning rate"),
    ("tensorflow", "adam", {"weight_decay": 0.5}, "no weight_decay"),
    ("tensorflow", "batch_normalization", {}, "no default epsilon"),
    ("tensorflow", "layer_normalization", {}, "no default epsilon"),
    ("keras_ops", "mean_squared_error", {}, "no counterpart of mean_squared_error"),
    ("keras_ops", "adam", {}, "no counterpart of adam"),
]


def test_what_a_framework_lacks_is_unsupported(adapter: Subject) -> None:
    for name, operation, parameters, reason in REFUSED:
        if name == adapter.api:
            reply = adapter.run(small_task(operation, **parameters))
            assert reason in (reply.unsupported or "")
            assert reply.raised is None


def test_what_depends_on_the_phase_or_the_tensors_is_unsupported(adapter: Subject) -> None:
    task = without_momentum()
    velocity = {"variable": [1], "velocity": [1]}
    moving = ask("sgd", {"momentum": 0.5, "learning_rate": 1}, velocity, batches=[{"gradient": [1]}])
    scalar = ask("relu", predict={"x": 1.0})
    row = ask("dense", {"use_bias": False}, {"kernel": np.ones((2, 3))}, predict={"x": [1, 2]})
    for name, refused, reason in (
        ("tensorflow", task, "no default momentum"),
        ("tensorflow", moving, "slots of zeros"),
        ("tensorflow", row, "2 axes"),
        ("keras", scalar, "batch axis"),
        ("keras", row, "2 axes"),
    ):
        if name == adapter.api:
            reply = adapter.run(refused)
            assert reason in (reply.untrained or reply.unsupported or "")
    assert adapter.run(replace(task, train=None)).unsupported is None


def without_momentum() -> Task:
    task = normalization_task()
    return replace(task, parameters={name: each for name, each in task.parameters.items() if name != "momentum"})


@where_supported
def test_an_exception_of_the_framework_is_an_observation(adapter: Subject) -> None:
    task = ask("softmax", {"axis": 3}, predict={"x": [[1, 2]]})
    raised = adapter.run(task).raised
    assert raised is not None
    assert (raised.phase, raised.step) == ("predict", 0)
    assert raised.kind
    assert raised.message


@where_supported
def test_an_exception_in_a_step_keeps_the_steps_before(adapter: Subject) -> None:
    task = ask("relu", batches=[{"x": [[1.0, 2]]}, {"x": [[1.0, 2]]}], targets=[[[0, 0]], [[0, 0, 0]]])
    reply = adapter.run(task)
    if reply.unsupported:
        raise Refused(reply.unsupported)
    assert reply.raised is not None
    assert (reply.raised.phase, reply.raised.step) == ("train", 2)
    assert len(reply.train) == 1


@where_supported
def test_only_torch_wants_more_than_one_value_per_channel(adapter: Subject) -> None:
    task = ask(
        "batch_normalization",
        {"epsilon": 0.5, "momentum": 0.5},
        {"gamma": [1], "beta": [0], "moving_mean": [0], "moving_variance": [1]},
        batches=[{"x": [[2.0]]}],
        targets=[[[0.0]]],
        optimizer=supporting("sgd"),
    )
    if adapter.api not in ON_TORCH:
        near(adapter, answer(adapter, task).train[0]["y"], [[0.0]])
        return
    raised = adapter.run(task).raised
    assert raised is not None
    assert (raised.phase, raised.step, raised.kind) == ("train", 1, "ValueError")


# --- scripts --------------------------------------------------------------------------------------------------------


def scripted_tasks() -> list[Task]:
    """A task of every kind that an adapter writes in its own way."""
    both = {"prediction": PREDICTION, "target": TARGET}
    sgd: dict[str, Any] = {"learning_rate": [0.5, 0.25], "momentum": 0.5}
    gradients = [{"gradient": each} for each in GRADIENTS]
    return [
        normalization_task(),
        normalization_task(precision="float32"),
        without_momentum(),
        ask("gelu", {"approximate": "tanh"}, predict={"x": [[-1.0, 2]]}),
        ask("softmax", {"axis": 0}, batches=[{"x": [[1.0, 2], [3, 5]]}], predict={"x": [[1.0, 2], [3, 7]]}),
        ask("layer_normalization", {"epsilon": 0.5}, {"gamma": [1, 2], "beta": [3, 4]}, predict={"x": [[1.0, 2]]}),
        ask(
            "conv2d",
            {"strides": 1},
            {"kernel": numbers(2, 3, 1, 2), "bias": [1, 2]},
            batches=[{"x": numbers(1, 3, 4, 1)}, {"x": numbers(1, 3, 4, 1, seed=1)}],
            targets=[numbers(1, 2, 2, 2)] * 2,
            optimizer=supporting("sgd", learning_rate=[0.5, 0.25], momentum=0.5),
        ),
        ask("dense", {"use_bias": False}, {"kernel": numbers(2, 3)}, predict={"x": numbers(2, 2)}),
        ask("mean_squared_error", {"reduction": "sum"}, batches=[both], predict=both),
        ask("sgd", sgd, {"variable": [3.0, 4], "velocity": [0, 0]}, batches=gradients),
        ask("sgd", sgd, {"variable": [3.0, 4], "velocity": [1, 2]}, batches=gradients),
        small_task("adam", learning_rate=0.5),
        small_task("adam"),
    ]


RUN_ALL = """
import json, sys
for script in json.load(sys.stdin):
    exec(compile(script, "script.py", "exec", dont_inherit=True), {"__name__": "__main__"})
    print("=== end of a script ===")
assert "conformance" not in sys.modules
"""


def outputs(scripts: Sequence[str]) -> list[str]:
    """What some scripts print, all in one process that knows nothing of this package."""
    program = [sys.executable, "-P", "-c", RUN_ALL]
    done = subprocess.run(program, input=json.dumps(scripts), capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split("=== end of a script ===\n")[:-1]


def scripts_of(adapter: Subject, tasks: Sequence[Task]) -> dict[str, Reply]:
    """The scripts of those tasks that an adapter carries out, each with its reply."""
    found = {}
    for task in tasks:
        reply = adapter.run(task)
        reason = reply.lacking("train" if task.train else "predict")
        if reason is None:
            assert reply.raised is None, reply.raised
            found[adapter.adapter.script(task)] = reply
            continue
        warnings.warn(f"{adapter.name}: {reason}", RefusedWarning, stacklevel=1)
    return found


def check_output(reply: Reply, output: str) -> None:
    """Every number of the last step and of the prediction was printed, in whatever layout and under whatever name."""
    printed = np.array([float(each) for each in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", output)])
    values = {**(reply.train[-1] if reply.train else {}), **(reply.predict or {})}
    for name, value in values.items():
        if name.partition(".")[2] not in ("", "gradient"):
            continue  # the slots of a layer's optimizer are not shown
        for each in value.ravel():
            assert np.isclose(printed, each, rtol=1e-6, atol=1e-8).any(), (name, each, output)


def test_scripts_show_the_same_numbers(adapter: Subject) -> None:
    replies = scripts_of(adapter, scripted_tasks())
    assert replies
    for (script, reply), output in zip(replies.items(), outputs(list(replies)), strict=True):
        assert "conformance" not in script
        check_output(reply, output)
