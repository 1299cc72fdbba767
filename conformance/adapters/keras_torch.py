"""Keras on PyTorch: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are eager (the default, and Keras' own choice) and graph, which is ``compile(jit_compile=True)``: there Keras
calls ``torch.compile``, which takes some ten seconds for each task.
"""

from __future__ import annotations

from conformance.adapters._keras import NARROWS
from conformance.adapters._on_torch import OnTorch
from conformance.adapters.keras import Keras


class KerasTorch(Keras):
    """Keras on PyTorch: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend = OnTorch()
    distributions = ("keras", "torch")
    seconds_to_start = 5.0
    extra = "keras-torch"
    modes = tuple(backend.modes)
    narrows = NARROWS
