"""How PyTorch's functions spell activations."""

from __future__ import annotations

from conformance.adapters._torch import argument
from conformance.spelling import Function, Spellings

spellings = Spellings(make=Function, reader=argument)

spellings.call("relu", "torch.nn.functional.relu")
spellings.call("gelu", "torch.nn.functional.gelu", approximate="approximate")
spellings.call("softmax", "torch.nn.functional.softmax", dim="axis")
