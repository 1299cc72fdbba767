"""What PyTorch has as a function only, for both adapters."""

from __future__ import annotations

from conformance.adapters._torch import argument
from conformance.spelling import Function, Spellings

spellings = Spellings(make=Function, reader=argument)

spellings.call("l2_normalization", "torch.nn.functional.normalize", dim="axis", eps="epsilon")
spellings.call("unit_normalization", "torch.nn.functional.normalize", dim="axis", p="order", eps="epsilon")
