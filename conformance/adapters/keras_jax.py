"""Keras on JAX: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are eager, ``compile(run_eagerly=True)``, and xla, ``compile(jit_compile=True)``, which is Keras' own choice.
"""

from __future__ import annotations

from conformance.adapters._on_jax import OnJax
from conformance.adapters.keras import Keras


class KerasJax(Keras):
    """Keras on JAX: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend = OnJax()
    distributions = ("keras", "jax")
    extra = "keras-jax"
    modes = tuple(backend.modes)
