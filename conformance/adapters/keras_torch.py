"""Keras on PyTorch: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are eager and graph, which is ``compile(jit_compile=True)``: there Keras calls ``torch.compile``.
"""

from __future__ import annotations

from conformance.adapters._on_torch import OnTorch
from conformance.adapters.keras import Keras


class KerasTorch(Keras):
    """Keras on PyTorch: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend = OnTorch()
    distributions = ("keras", "torch")
    extra = "keras-torch"
    modes = tuple(backend.modes)
