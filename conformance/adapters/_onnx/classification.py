"""How ONNX spells losses of classes."""

from __future__ import annotations

from conformance.adapters._onnx._nodes import Graph, node
from conformance.spelling import AS_IS, Layout, Parameters, Shapes, Spellings

spellings = Spellings()


def _of_labels(operator: str, p: Parameters, shapes: Shapes) -> Graph:
    inputs = ["prediction", "target", "class_weight"] if "class_weight" in shapes else ["prediction", "target"]
    rank = len(shapes["prediction"])
    return Graph(
        [node(operator, inputs, ["loss"], ignore_index=p["ignore_index"], reduction=p["reduction"])],
        layouts={"prediction": Layout.moving([rank - 1], 1, rank) if rank > 2 else AS_IS},
    )


@spellings
def sparse_categorical_crossentropy_with_logits(p: Parameters, shapes: Shapes) -> Graph:
    return _of_labels("SoftmaxCrossEntropyLoss", p, shapes)


@spellings
def negative_log_likelihood(p: Parameters, shapes: Shapes) -> Graph:
    return _of_labels("NegativeLogLikelihoodLoss", p, shapes)
