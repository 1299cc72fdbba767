"""JAX: jax.nn, the modules of flax.linen, gradients by jax.value_and_grad, the optimizers of optax."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conformance.adapter import Adapter, Session, Task, lazy
from conformance.adapters._functions import XLA_FLAGS as EXACT
from conformance.adapters.jax._sessions import Applied, Trained, applied_script, trained_script
from conformance.script import Script
from conformance.spelling import spellings_of

if TYPE_CHECKING:
    import jax
else:
    jax = lazy("jax")


XLA_FLAGS = " ".join(
    [EXACT, "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false", os.environ.get("XLA_FLAGS", "")]
).strip()
"""Compiling takes nearly all the time, and less than half of it with these flags.  They leave the formulas as they
are, but not every rounding: where LLVM optimizes, it contracts a * b + c.  What the environment says comes last, and
wins: ``--xla_backend_optimization_level=3 --xla_cpu_use_fusion_emitters=true`` are XLA's defaults."""
CONFIGURATION = {"jax_platforms": "cpu", "jax_enable_x64": True, "jax_default_matmul_precision": "highest"}


class Jax(Adapter):
    """JAX: jax.nn, the modules of flax.linen, gradients by jax.value_and_grad, the optimizers of optax.

    Mode xla is jax.jit of a whole train step, and of a whole prediction; eager is the same functions without jax.jit:
    XLA then compiles one operation after the other, and as a whole only what JAX itself has under jax.jit, such as
    jax.nn.relu.  The default is xla: it is what users do, and over the catalogue it takes less than half the time,
    since eager compiles six times as many functions.
    """

    distributions = ("jax", "jaxlib", "flax", "optax")
    seconds_to_start = 2.0
    modes = ("xla", "eager")
    spellings = spellings_of(__name__)

    def load(self, threads: int) -> None:
        os.environ["XLA_FLAGS"] = XLA_FLAGS
        os.environ["NPROC"] = str(threads)  # XLA has no setting for it: it makes a thread for each processor
        for name, value in CONFIGURATION.items():
            jax.config.update(name, value)
        jax.jit(jax.nn.relu)(0.0).block_until_ready()

    def switches(self) -> dict[str, str]:
        held = {name: str(getattr(jax.config, name)) for name in CONFIGURATION}
        return held | {"XLA_FLAGS": os.environ["XLA_FLAGS"]}

    def _compiles(self, task: Task) -> bool:
        return (task.mode or self.modes[0]) == "xla"

    def open(self, task: Task) -> Session:
        run = jax.jit if self._compiles(task) else lambda function: function
        return Applied(task, run) if task.kind == "optimizer" else Trained(task, run)

    def script(self, task: Task) -> str:
        script = Script(
            task,
            self.name,
            [
                "import os",
                "from functools import partial",
                "",
                f'os.environ["XLA_FLAGS"] = "{XLA_FLAGS}"',
                "",
                "import flax.linen",
                "import jax",
                "import numpy as np",
                "import optax",
            ],
        )
        script.line(*(f"jax.config.update({name!r}, {value!r})" for name, value in CONFIGURATION.items()))
        run = "jax.jit" if self._compiles(task) else ""
        (applied_script if task.kind == "optimizer" else trained_script)(script, task, run)
        return str(script)
