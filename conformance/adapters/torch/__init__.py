"""PyTorch: modules in train() and eval(), autograd, torch.optim."""

from __future__ import annotations

from typing import Any

from conformance.adapter import Adapter, Session, Task
from conformance.adapters import _torch as shared
from conformance.adapters._torch import modes, script
from conformance.adapters._torch.optimizer import optimizers
from conformance.script import Script
from conformance.spelling import Spellings, spellings_of

spellings = Spellings(optimizers(), spellings_of(__name__))


class Torch(Adapter):
    """PyTorch: modules in train() and eval(), autograd, torch.optim.

    Mode eager, the default and PyTorch's own: each operation runs when it is called.  Mode graph: the module, the loss
    and the optimizer's step are each compiled by torch.compile, with its default backend inductor, forwards and
    backwards.
    """

    distributions = ("torch",)
    seconds_to_start = 2.0
    modes = modes.MODES
    spellings = spellings

    def load(self, threads: int) -> None:
        modes.load(threads)

    def switches(self) -> dict[str, str]:
        return modes.switches()

    def spelled_in(self, task: Task) -> Spellings:
        """The spellings in the mode of a task."""
        return self.spellings

    def spelled(self, task: Task) -> Any:
        return shared.spelled(task, self.spelled_in(task))

    def open(self, task: Task) -> Session:
        modes.begin(task)
        return shared.open_session(task, self.spelled_in(task))

    def script(self, task: Task) -> str:
        begun = Script(task, self.name, ["from functools import partial", "", "import numpy as np", "import torch"])
        script.write(begun, task, self.spelled_in(task))
        return str(begun)
