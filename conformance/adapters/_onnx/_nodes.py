"""What an operation is in ONNX: one node, or the few that an exporter writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.spelling import (
    AS_IS,
    Array,
    Call,
    Converted,
    Layout,
    Parameters,
    Shapes,
    Spellings,
    refuse_others,
    same,
)

if TYPE_CHECKING:
    import onnx
else:
    onnx = lazy("onnx")

TRAINING = "ai.onnx.preview.training"
OPSETS = {"": 21, TRAINING: 1}
"""The version of each set of operators: the newest that the oldest supported ONNX and ONNX Runtime both have."""

# --- what an operation is in ONNX -----------------------------------------------------------------------------------


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Call:
    """The call that makes a node; an attribute that is None is left to the operator's default."""
    return Call("onnx.helper.make_node", operator, list(inputs), list(outputs), **attributes)


@dataclass(frozen=True)
class Graph:
    """An operation as nodes, whose inputs and results bear the canonical names.

    ``training`` are the nodes in training, if there is such a thing: they give each of the ``states`` anew, under the
    name of `renewed`.  ``layout`` is that of the inputs and results, ``layouts`` those of weights and of single inputs
    and results that differ; ``inert`` are
    tensors that a node cannot leave out, with values that change nothing; ``reads`` names the attributes of the first
    node that hold canonical parameters, ``implied`` are those that no attribute holds; ``ranks``
    are those of results whose shape ONNX does not infer.
    """

    nodes: Sequence[Call] = ()
    training: Sequence[Call] = ()
    states: Sequence[str] = ()
    layout: Layout = AS_IS
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    inert: Mapping[str, Array] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    implied: Parameters = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)

    def held(self) -> dict[str, Any]:
        """The canonical parameters as the node holds them, or the operator's defaults."""
        made = (*self.nodes, *self.training)[0]()
        schema = onnx.defs.get_schema(made.op_type, OPSETS[made.domain], made.domain)
        given = {each.name: each for each in made.attribute}
        held = {
            name: onnx.helper.get_attribute_value(given.get(attribute, schema.attributes[attribute].default_value))
            for name, attribute in self.reads.items()
        }
        return {**self.implied} | {
            name: value.decode() if isinstance(value, bytes) else value for name, value in held.items()
        }

    def layout_of(self, name: str) -> Layout:
        """The layout of an input or a result; a loss has lost the axes of its inputs."""
        return self.layouts.get(name, AS_IS if name == "loss" else self.layout)


class Nodes(Spellings):
    """The spellings of one family in ONNX."""

    def node(
        self,
        operation: str,
        operator: str,
        implied: Parameters | None = None,
        /,
        *,
        inputs: Sequence[str] = ("x",),
        results: Sequence[str] = ("y",),
        **attributes: str | Converted,
    ) -> None:
        """Spell an operation as one node; for the rest see `Spellings.call`."""
        mapped = {
            name: Converted(each, same, same) if isinstance(each, str) else each for name, each in attributes.items()
        }
        known = {each.name for each in mapped.values()}

        def speller(p: Parameters, shapes: Shapes) -> Graph:
            refuse_others(p, f"the operator {operator}", known, implied or {})
            given = {
                name: None if p.get(each.name) is None else each.theirs(p[each.name]) for name, each in mapped.items()
            }
            reads = {each.name: name for name, each in mapped.items() if each.ours is same}
            return Graph([node(operator, inputs, results, **given)], reads=reads)

        self[operation] = speller


def renewed(state: str) -> str:
    """The name under which a model gives a state anew."""
    return f"new_{state}"
