"""How keras.ops spells activations."""

from __future__ import annotations

from conformance.spelling import Converted, Function, Spellings, argument

spellings = Spellings(make=Function, reader=argument)


def _named(tanh: bool) -> str:
    return "tanh" if tanh else "none"


spellings.call("relu", "keras.ops.relu")
spellings.call("gelu", "keras.ops.gelu", approximate=Converted("approximate", "tanh".__eq__, _named))
spellings.call("softmax", "keras.ops.softmax", axis="axis")
