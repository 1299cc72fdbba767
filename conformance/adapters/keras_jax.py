"""Keras on JAX: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are xla, ``compile(jit_compile=True)``, and eager, ``compile(run_eagerly=True)``.  The default is xla: Keras
chooses it by itself on JAX, and over the catalogue it takes half the time, for eagerly each step is traced anew.
"""

from __future__ import annotations

from conformance.adapters._keras import NARROWS
from conformance.adapters._on_jax import OnJax
from conformance.adapters.keras import Keras


class KerasJax(Keras):
    """Keras on JAX: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend = OnJax()
    distributions = ("keras", "jax")
    seconds_to_start = 4.0
    extra = "keras-jax"
    modes = tuple(backend.modes)
    narrows = NARROWS
