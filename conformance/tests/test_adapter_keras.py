"""What is particular to Keras: its backends and its modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conformance.connection import Connection
from conformance.discovery import get_adapter
from conformance.errors import Unsupported
from conformance.tests.test_adapters import Subject, ask, check_output, normalization_task, outputs, small_task

BACKENDS = {"": "tensorflow", "_torch": "torch", "_jax": "jax"}
MODES = {
    "keras": {"": "run_eagerly=True", "graph": "run_eagerly=False, jit_compile=False", "xla": "jit_compile=True"},
    "keras_torch": {"": "run_eagerly=True", "graph": "jit_compile=True"},
    "keras_jax": {"": "jit_compile=True", "eager": "run_eagerly=True"},
    "keras_ops": {"graph": "compiled = tf.function\n", "xla": "compiled = partial(tf.function, jit_compile=True)"},
    "keras_ops_torch": {"": "compiled = eagerly\n", "graph": "compiled = torch.compile\n"},
    "keras_ops_jax": {"": "compiled = jax.jit\n", "eager": "compiled = eagerly\n"},
    "tensorflow": {"": "compiled = eagerly\n", "graph": "compiled = tf.function\n"},
}


@pytest.mark.parametrize("api", ["keras", "keras_ops"])
@pytest.mark.parametrize("suffix", BACKENDS)
def test_a_script_chooses_the_backend_before_it_imports_keras(api: str, suffix: str) -> None:
    script = get_adapter(api + suffix).script(small_task("softmax"))
    assert f'os.environ["KERAS_BACKEND"] = "{BACKENDS[suffix]}"' in script.partition("import keras")[0]


@pytest.mark.parametrize("name", MODES)
def test_a_script_runs_in_the_mode_of_its_task(name: str) -> None:
    for mode, said in MODES[name].items():
        assert said in get_adapter(name).script(replace(normalization_task(), mode=mode))


def test_only_tensorflow_has_no_strides_with_dilation() -> None:
    task = small_task("conv2d", strides=[1, 2], dilation=2)
    with pytest.raises(Unsupported, match="strides > 1"):
        get_adapter("keras_ops").script(task)
    assert get_adapter("keras_ops_torch").script(task)
    assert get_adapter("keras_ops_jax").script(task)


@pytest.mark.parametrize("name", ["keras_ops_torch", "keras_ops_jax"])
def test_strides_with_dilation(name: str) -> None:
    """The taps at 0 and 2 of [1, 2, 3, 4, 5], two places apart: 1 + 10 * 3 and 3 + 10 * 5."""
    task = ask(
        "conv2d",
        {"strides": 2, "dilation": 2, "use_bias": False},
        {"kernel": [[[[1]], [[10]]]]},
        predict={"x": np.arange(1.0, 6).reshape(1, 1, 5, 1)},
    )
    with Connection(name) as connection:
        reply = connection.run(task).reply
    assert reply.predict is not None
    assert reply.predict["y"].ravel().tolist() == [31, 53]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorflow", "keras", "keras_ops", "keras_jax", "keras_ops_jax", "keras_torch"])
def test_scripts_show_the_same_numbers_in_every_mode(name: str) -> None:
    optimizer = "sgd" if "ops" not in name else "relu"
    tasks = [normalization_task(), small_task(optimizer, **({"learning_rate": 0.5} if optimizer == "sgd" else {}))]
    with Connection(name, timeout=300) as connection:
        subject = Subject(get_adapter(name), connection)
        asked = [replace(task, mode=mode) for mode in subject.adapter.modes[1:] for task in tasks]
        replies = [subject.run(task) for task in asked]
    for reply, output in zip(replies, outputs([subject.adapter.script(task) for task in asked]), strict=True):
        assert reply.unsupported is None
        assert reply.raised is None
        check_output(reply, output)
