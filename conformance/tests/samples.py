"""Small inputs for every operation, drawn at random, and what is built from them in the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapter import Part, Reply, Task, Train
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import Case
from conformance.operation import get_operation, operations
from conformance.oracle import Arithmetic, Oracle, filled, plain
from conformance.power import rehearsal
from conformance.reading import load
from conformance.replay import Replay
from conformance.spelling import per_step
from conformance.task import task_of

CASES = Path(__file__).parents[2] / "cases"

Draw = Callable[[np.random.Generator], tuple[dict[str, Any], dict[str, Any]]]


def _normalization(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    rank = int(rng.integers(2, 5))
    shape = rng.integers(2, 6, rank)
    axis = int(rng.integers(-1, 2))
    channel = shape[axis]
    return (
        {
            "x": rng.normal(rng.normal(), np.exp(rng.normal()), shape),
            "gamma": rng.normal(size=channel),
            "beta": rng.normal(size=channel),
        },
        {"axis": axis, "epsilon": float(2.0 ** rng.integers(-20, 0))},
    )


def _batch(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    tensors, parameters = _normalization(rng)
    channel = tensors["gamma"].shape
    tensors |= {"moving_mean": rng.normal(size=channel), "moving_variance": np.exp(rng.normal(size=channel))}
    return tensors, parameters | {"momentum": float(rng.uniform(0.1, 0.99))}


def _dense(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    n, i, o = rng.integers(1, 7, 3)
    size = int(rng.choice([i, o]))  # now and then a square kernel
    return {"x": rng.normal(size=(n, i)), "kernel": rng.normal(size=(i, size)), "bias": rng.normal(size=size)}, {}


def _conv(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    groups = int(rng.integers(1, 3))
    taps = rng.integers(1, 4, 2)
    channels, filters = int(rng.integers(1, 3)), int(rng.integers(1, 3)) * groups
    return {
        "x": rng.normal(size=(2, *rng.integers(4, 8, 2), channels * groups)),
        "kernel": rng.normal(size=(*taps, channels, filters)),
        "bias": rng.normal(size=filters),
    }, {"groups": groups, "strides": int(rng.integers(1, 3)), "padding": str(rng.choice(["valid", "same"]))}


def _activation(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"x": rng.normal(0, 3, rng.integers(1, 6, int(rng.integers(1, 4))))}, {}


def _gated(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"x": rng.normal(0, 3, (*rng.integers(1, 4, 2), 2 * int(rng.integers(1, 4))))}, {}


def _prelu(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    channel = int(rng.integers(1, 5))
    return {"x": rng.normal(0, 3, (*rng.integers(1, 4, 2), channel)), "alpha": rng.normal(size=channel)}, {}


def _loss(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    shape = rng.integers(1, 6, int(rng.integers(1, 4)))
    return {"prediction": rng.normal(size=shape), "target": rng.normal(size=shape)}, {
        "reduction": str(rng.choice(["mean", "sum", "none"]))
    }


def _sgd(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"variable": rng.normal(size=4), "gradient": rng.normal(size=4), "velocity": rng.normal(size=4)}, {
        "learning_rate": float(rng.uniform(0.01, 1)),
        "momentum": float(rng.uniform(0.1, 0.99)),
        "nesterov": bool(rng.integers(2)),
        "weight_decay": float(rng.choice([0.0, 0.1])),
        "dampening": float(rng.choice([0.0, 0.3])),
    }


def _adam(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    return {
        "variable": rng.normal(size=4),
        "gradient": rng.normal(size=4),
        "first_moment": rng.normal(size=4),
        "second_moment": np.exp(rng.normal(size=4)),
    }, {
        "beta_1": 0.875,
        "beta_2": 0.96875,
        "learning_rate": float(rng.uniform(0.01, 1)),
        "epsilon": float(10 ** rng.uniform(-8, -1)),
    }


DRAWS: Mapping[str, Draw] = {
    "batch_normalization": _batch,
    "layer_normalization": _normalization,
    "dense": _dense,
    "conv2d": _conv,
    **{name: _activation for name, each in operations().items() if each.family == "activation"},
    "glu": _gated,
    "prelu": _prelu,
    "mean_squared_error": _loss,
    "sgd": _sgd,
    "adam": _adam,
}
"""Where more variety is wanted than the cases have; the other operations draw the inputs of their cases anew."""


@cache
def cases_of(name: str) -> list[Case]:
    """The cases of an operation for which its formula gives an answer, without very long ones."""
    operation = get_operation(name)
    found = load([CASES / operation.family / f"{name}.yaml"])
    short = [case for case in found if not case.observed and (not case.train or case.train.steps <= 8)]
    return [case for case in short if rehearsal(case) is not None]


def drawn_case(name: str, seed: int) -> Case:
    """A case of an operation, with its inputs drawn anew."""
    known = cases_of(name)
    return known[seed % len(known)].reseeded(1000 * (seed // len(known)))


def draw(name: str, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors (all of them) and parameters of an operation, for a seed."""
    if name in DRAWS:
        return DRAWS[name](np.random.default_rng(seed))
    case = drawn_case(name, seed)
    inputs = case.predict.inputs if case.predict else case.train.inputs[0]
    operation = get_operation(name)
    tensors = {key: each.values() for key, each in {**inputs, **case.tensors}.items()}
    parameters = {
        key: per_step(value, 1) if operation.parameters[key].per_step else value
        for key, value in case.parameters.items()
    }
    return {key: each.astype(operation.tensors[key].dtype("float64")) for key, each in tensors.items()}, parameters


def random_task(name: str, seed: int, precision: str) -> Task:
    """A task with both phases, drawn at random."""
    operation = get_operation(name)
    if name not in DRAWS:
        return as_held(task_of(drawn_case(name, seed), precision))
    tensors, parameters = draw(name, seed)
    arrays = {key: np.asarray(each, dtype=precision) for key, each in filled(operation, tensors, parameters).items()}
    inputs = {key: each for key, each in arrays.items() if operation.tensors[key].role == "input"}
    rng = np.random.default_rng(seed + 10_000)
    target, loss, optimizer = None, None, None
    if operation.kind not in ("loss", "optimizer"):
        with np.errstate(all="ignore"):
            shape = operation(arrays, parameters, training=True)["y"].shape
        target = [rng.uniform(size=shape).astype(precision)] * 2
        loss = Part("mean_squared_error", {"reduction": "mean"})
        optimizer = Part("sgd", {"learning_rate": 0.3, "momentum": 0.7})
    defaults = {key: each.default for key, each in operation.parameters.items()}
    return Task(
        case=f"{name}/random[{seed}]",
        operation=name,
        kind=operation.kind,
        results=operation.results,
        precision=precision,
        parameters={**defaults, **parameters},
        tensors={key: each for key, each in arrays.items() if key not in inputs},
        train=Train([inputs] * 2, target, loss, optimizer),
        predict=None if operation.kind == "optimizer" else inputs,
        differentiated=tuple(
            key for key in inputs if operation.differentiable and operation.tensors[key].differentiable
        ),
    )


def as_held(task: Task) -> Task:
    """A task as an adapter holds it whose defaults are the formula's."""
    own = {name: each.default for name, each in get_operation(task.operation).parameters.items()}
    return replace(task, parameters={**own, **task.parameters})


def computed(task: Task, dialect: Mapping[str, Any] | None = None, arithmetic: Arithmetic | None = None) -> Replay:
    """A task as an adapter would have run it that computes this dialect in this arithmetic (NumPy's own by default)."""
    oracle = Oracle(task, task.parameters, arithmetic or plain(task.precision))
    with np.errstate(all="ignore"):
        steps, predicted = oracle.run(dialect)
    rounded = [{name: np.asarray(each).astype(task.precision) for name, each in trace.items()} for trace in steps]
    prediction = predicted and {name: np.asarray(each).astype(task.precision) for name, each in predicted.items()}
    return Replay(task, Reply(dict(task.parameters), rounded, prediction))


BOTH = tuple(PRECISIONS)
