"""What is JAX's own in the adapter jax: its modes, one compilation for all steps, chains and schedules of optax."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from conformance.adapter import Adapter
from conformance.tests.test_adapters import answer, ask, check_output, close, load, normalization_task, steps_of


@pytest.fixture
def adapter() -> Adapter:
    return load("jax")


def test_both_modes_give_the_same_numbers(adapter: Adapter) -> None:
    compiled, eager = (
        answer(adapter, dataclasses.replace(normalization_task(), mode=mode)) for mode in ("xla", "eager")
    )
    for one, other in zip(compiled.train, eager.train, strict=True):
        assert set(one) == set(other)
        for name in one:
            close(other[name], one[name])
    assert compiled.predict is not None
    assert eager.predict is not None
    close(eager.predict["y"], compiled.predict["y"])


def test_xla_is_the_default_and_there_is_no_graph(adapter: Adapter) -> None:
    assert adapter.modes[0] == "xla"
    assert "no mode graph" in (adapter.run(dataclasses.replace(normalization_task(), mode="graph")).unsupported or "")


def test_a_script_compiles_only_in_mode_xla(adapter: Adapter, capsys: pytest.CaptureFixture[str]) -> None:
    for mode, compiles in (("", True), ("xla", True), ("eager", False)):
        task = dataclasses.replace(normalization_task(), mode=mode)
        script = adapter.script(task)
        assert ("jax.jit" in script) == compiles
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
        check_output(adapter.run(task), capsys.readouterr().out)


def test_all_steps_share_one_compilation(adapter: Adapter) -> None:
    session = adapter.open(normalization_task(steps=5))
    for number in range(1, 6):
        session.step(number)
    assert session.train_step._cache_size() == 1  # type: ignore[attr-defined]


def test_what_is_pinned(adapter: Adapter) -> None:
    held = adapter.switches()
    assert held["jax_enable_x64"] == "True"
    assert held["jax_default_matmul_precision"] == "highest"
    assert held["jax_platforms"] == "cpu"
    assert "--xla_cpu_enable_fast_math=false" in held["XLA_FLAGS"].split()


def test_a_learning_rate_that_changes_is_a_schedule(adapter: Adapter) -> None:
    ones = [{"gradient": [1.0]}] * 4
    rates = [0.5, 0.5, 0.25, 2]
    task = ask("sgd", {"learning_rate": rates}, {"variable": [8.0]}, batches=ones)
    assert [float(each["variable"][0]) for each in answer(adapter, task).train] == [7.5, 7, 6.75, 4.75]
    assert "boundaries=[2, 3]" in adapter.script(task)


def test_a_decay_of_weights_enters_the_moments_of_adam(adapter: Adapter) -> None:
    slots = {"first_moment": [0, 0], "second_moment": [0, 0]}
    first, _ = steps_of(adapter, "adam", slots, learning_rate=0.5, beta_1=0.5, beta_2=0.75, weight_decay=0.25)
    gradient = np.array([1, -2]) + 0.25 * np.array([3, 4])
    close(first["first_moment"], 0.5 * gradient)
    close(first["second_moment"], 0.25 * gradient**2)
    close(first["variable"], np.array([3, 4]) - 0.5 * np.sign(gradient))


def test_adam_starts_from_given_moments(adapter: Adapter) -> None:
    slots = {"first_moment": [4, 8], "second_moment": [16, 0]}
    first, _ = steps_of(adapter, "adam", slots, learning_rate=0.5, beta_1=0.5, beta_2=0.75)
    close(first["first_moment"], [2.5, 3])
    close(first["second_moment"], [12.25, 1])
