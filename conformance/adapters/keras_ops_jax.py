"""Keras ops on JAX: the functions of keras.ops, gradients by jax.value_and_grad.

The modes are xla, the step in ``jax.jit``, and eager; xla is the default, for it takes less time over the catalogue.
"""

from __future__ import annotations

from conformance.adapters._keras import NARROWS
from conformance.adapters._on_jax import OnJax
from conformance.adapters.keras_ops import KerasOps
from conformance.adapters.keras_ops.convolution import on_other_backends
from conformance.spelling import Spellings


class KerasOpsJax(KerasOps):
    """Keras ops on JAX: the functions of keras.ops, gradients by jax.value_and_grad."""

    backend = OnJax()
    distributions = ("keras", "jax")
    seconds_to_start = 4.0
    extra = "keras-jax"
    modes = tuple(backend.modes)
    narrows = NARROWS
    spellings = Spellings(KerasOps.spellings, on_other_backends)
