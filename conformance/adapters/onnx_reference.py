"""ONNX's reference: onnx.reference.ReferenceEvaluator, which says in NumPy what each operator means.

It evaluates one node after the other, so its only mode is "eager".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.adapter import Task, lazy
from conformance.adapters._onnx import OnnxAdapter
from conformance.adapters._onnx._nodes import OPSETS
from conformance.script import Script

if TYPE_CHECKING:
    import onnx
else:
    onnx = lazy("onnx")


# --- what a user writes; this function stands in the reproduction script as it is -----------------------------------


def prepare(model: Any) -> Any:
    return onnx.reference.ReferenceEvaluator(model)


# --- the adapter ----------------------------------------------------------------------------------------------------


class OnnxReference(OnnxAdapter):
    """ONNX's reference: onnx.reference.ReferenceEvaluator, one node after the other in NumPy."""

    distributions = ("onnx",)

    def load(self, threads: int) -> None:
        import onnx.reference  # noqa: F401

    def switches(self) -> dict[str, str]:
        return {"opset": str(OPSETS[""])}

    def prepare(self, model: Any) -> Any:
        return prepare(model)

    def begun_script(self, task: Task) -> Script:
        script = Script(task, self.name, ["import numpy as np", "import onnx", "import onnx.reference"])
        script.functions(prepare)
        return script
