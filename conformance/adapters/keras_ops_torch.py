"""Keras ops on PyTorch: the functions of keras.ops, gradients by autograd.

The modes are eager (the default) and graph, the step in ``torch.compile``, which takes some ten seconds for each task.
"""

from __future__ import annotations

from conformance.adapters._keras import NARROWS
from conformance.adapters._on_torch import OnTorch
from conformance.adapters.keras_ops import KerasOps
from conformance.adapters.keras_ops.convolution import on_other_backends
from conformance.spelling import Spellings


class KerasOpsTorch(KerasOps):
    """Keras ops on PyTorch: the functions of keras.ops, gradients by autograd."""

    backend = OnTorch()
    distributions = ("keras", "torch")
    seconds_to_start = 5.0
    extra = "keras-torch"
    modes = tuple(backend.modes)
    narrows = NARROWS
    spellings = Spellings(KerasOps.spellings, on_other_backends)
