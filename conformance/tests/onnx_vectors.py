"""The node tests that come with the onnx package: what ONNX itself says that an operator gives, as plain data.

onnx makes them up in memory, module by module, when `onnx.backend.test.case.node` is imported; all of them take
seconds, so only the module of the operator at hand is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_PACKAGE = "onnx.backend.test.case.node"


@dataclass(frozen=True)
class Vector:
    """One node with its inputs and outputs, by the names that the operator's definition gives them.

    ``attributes`` hold the operator's defaults, too, where a test gives none; an input or output that the node
    leaves out is None.  ``given`` are the attributes that the node spells out.
    """

    name: str
    operator: str
    attributes: Mapping[str, Any]
    given: frozenset[str]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


def vectors(operator: str) -> Iterator[Vector]:
    """Every test of that operator whose model is the single node."""
    for test in _tests(operator):
        model = test.model
        if len(model.graph.node) != 1 or model.graph.node[0].op_type != operator:
            continue
        for inputs, outputs in test.data_sets:
            yield _vector(test.name, model, inputs, outputs)


def _vector(name: str, model: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Vector:
    import onnx

    (node,) = model.graph.node
    version = next(each.version for each in model.opset_import if each.domain == node.domain)
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    read = onnx.helper.get_attribute_value
    defaults = {each: read(of.default_value) for each, of in schema.attributes.items() if of.default_value.name}
    own = {each.name: read(each) for each in node.attribute}
    fixed = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    fed = dict(zip([each.name for each in model.graph.input if each.name not in fixed], inputs, strict=True)) | fixed
    found = dict(zip([each.name for each in model.graph.output], outputs, strict=True))
    return Vector(
        name.removeprefix("test_"),
        node.op_type,
        {each: value.decode() if isinstance(value, bytes) else value for each, value in {**defaults, **own}.items()},
        frozenset(own),
        _by_formal_name(schema.inputs, node.input, fed),
        _by_formal_name(schema.outputs, node.output, found),
    )


def _by_formal_name(formal: Sequence[Any], actual: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the definition's names; the further tensors of a variadic one are ``name_1``, ``name_2``..."""
    names = [each.name for each in formal]
    names += [f"{names[-1]}_{number}" for number in range(1, len(actual) - len(names) + 1)]
    given = [values.get(each) if each else None for each in actual]
    return dict(zip(names, [*given, *[None] * (len(names) - len(given))], strict=True))


def _tests(operator: str) -> Sequence[Any]:
    package = importlib.import_module(_PACKAGE)
    modules = {each.name.replace("_", ""): each.name for each in pkgutil.iter_modules(package.__path__)}
    with np.errstate(all="ignore"):
        if operator.lower() in modules:
            importlib.import_module(f"{_PACKAGE}.{modules[operator.lower()]}")
            return tuple(package._NodeTestCases)
        loader = importlib.import_module("onnx.backend.test.loader")
        return tuple(loader.load_model_tests(kind="node"))
