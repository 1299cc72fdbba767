"""How PyTorch's modules spell activations."""

from __future__ import annotations

from conformance.spelling import Spellings

spellings = Spellings()

spellings.call("relu", "torch.nn.ReLU")
spellings.call("gelu", "torch.nn.GELU", approximate="approximate")
spellings.call("softmax", "torch.nn.Softmax", dim="axis")
