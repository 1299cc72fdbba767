"""PyTorch: torch.nn.functional on plain tensors, autograd, the fused optimizers of torch.optim."""

from __future__ import annotations

from conformance.adapter import Task
from conformance.adapters._torch.optimizer import optimizers
from conformance.adapters.torch import Torch
from conformance.spelling import Spellings, spellings_of

functions = spellings_of(__name__)
spellings = Spellings(optimizers(fused=True), functions)
spellings_in_graph = Spellings(optimizers(foreach=True), functions)


class TorchFunctional(Torch):
    """PyTorch: torch.nn.functional on plain tensors, autograd, the fused optimizers of torch.optim.

    Modes as of `torch`.  Of the optimizers, ``fused=True`` is another kernel, while ``foreach=True`` makes on a CPU the
    same calls as the loop of the adapter `torch`.  But torch.compile leaves the fused ones alone: in a graph, it gets
    ``foreach=True``.  (The functions behind the classes, torch.optim.sgd.sgd, no user can name: the package deletes its
    modules' names.)
    """

    spellings = spellings

    def spelled_in(self, task: Task) -> Spellings:
        return spellings_in_graph if task.mode == "graph" else spellings
