"""How ONNX spells activations."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Nodes

spellings = Nodes()

spellings.node("relu", "Relu")
spellings.node("gelu", "Gelu", approximate="approximate")
spellings.node("softmax", "Softmax", axis="axis")
