"""ONNX Runtime: a session on the CPU, with the graph optimizations that users get.

It optimizes the whole graph before it runs it, so its only mode is "graph".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conformance.adapter import Task, lazy
from conformance.adapters._onnx import OnnxAdapter
from conformance.adapters._onnx._nodes import OPSETS
from conformance.errors import Unsupported
from conformance.script import Script

if TYPE_CHECKING:
    import onnxruntime
else:
    onnxruntime = lazy("onnxruntime")

_NO_KERNEL = re.compile(r"Could not find an implementation for \w+\(\d+\)|\S+ is not a registered function/op")


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def choose(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors only
    return options


def prepare(model: Any, threads: int = 1) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString(), choose(threads), providers=["CPUExecutionProvider"])


# --- the adapter ----------------------------------------------------------------------------------------------------


class OnnxRuntime(OnnxAdapter):
    """ONNX Runtime: a session on the CPU, with the graph optimizations that users get."""

    distributions = ("onnxruntime", "onnx")
    modes = ("graph",)
    threads = 1

    def load(self, threads: int) -> None:
        self.threads = threads
        onnxruntime.set_seed(0)

    def switches(self) -> dict[str, str]:
        options = choose(self.threads)
        return {
            "seed": "0",
            "opset": str(OPSETS[""]),
            "graph_optimization_level": options.graph_optimization_level.name,
            "execution_mode": options.execution_mode.name,
            "deterministic_compute": "on" if options.use_deterministic_compute else "off",
        }

    def prepare(self, model: Any) -> Any:
        try:
            return prepare(model, self.threads)
        except Exception as error:  # its exceptions have no common base
            lacking = _NO_KERNEL.search(str(error))
            if lacking is None:
                raise
            raise Unsupported(f"no kernel: {lacking[0]}") from None

    def begun_script(self, task: Task) -> Script:
        script = Script(task, self.name, ["import numpy as np", "import onnx", "import onnxruntime"])
        script.functions(choose, prepare)
        return script
