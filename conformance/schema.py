"""The JSON Schema of case files, for editors: made from the operations, in agreement with `conformance.reading`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from conformance.adapter import MODES, Part
from conformance.arithmetic.precision import PRECISIONS
from conformance.case import DECLARABLE, LARGEST_TENSOR, MOST_AXES, MOST_RULES, MOST_STEPS, TrainPhase
from conformance.discovery import OWN, adapter_names
from conformance.operation import Kind, Knob, Operation, Parameter, operations, parts
from conformance.reading.deviations import ADDRESS, BANDED, DEVIATION_REQUIRED, NO_REFERENCE, all_parts, part_knobs
from conformance.reading.document import CASE_NAME
from conformance.reading.phases import is_own_objective, predicted_names, trained_names
from conformance.reading.tensors import RECIPES

Schema: TypeAlias = dict[str, Any]
_TEXT: Schema = {"type": "string", "pattern": r"\S"}
_FINITE: Schema = {"type": "number"}


def schema() -> Schema:
    """The JSON Schema (draft 2020-12) of case files, for editors: what stands where, without what needs arithmetic."""
    known = operations()
    definitions: Schema = {
        "numbers": {"anyOf": [{"type": "number"}, _list(_reference_to("numbers"), least=0)]},
        "tensor": {"anyOf": [_reference_to("numbers"), *map(_recipe_schema, RECIPES)]},
        "tensors": {
            "anyOf": [_reference_to("tensor"), _mapping({"per_step": _list(_reference_to("tensor"))}, ("per_step",))]
        },
        "loss": _part_schema("loss"),
        "optimizer": _part_schema("optimizer"),
    }
    for name, operation in known.items():
        definitions[name] = _case_schema(operation)
        definitions[f"{name}.deviation"] = _deviation_schema(operation, file_level=True)
    properties = {
        "operation": {"oneOf": [{"const": name, "description": each.description} for name, each in known.items()]},
        "references": _list(_TEXT),
        "cases": _list({}),
        "deviations": _list({}, most=MOST_RULES),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cases of one operation",
        **_mapping(properties, ("operation", "cases")),
        "allOf": [_if_operation(name) for name in known],
        "$defs": definitions,
    }


def _if_operation(name: str) -> Schema:
    then = {"cases": {"items": _reference_to(name)}, "deviations": {"items": _reference_to(f"{name}.deviation")}}
    return {
        "if": {"properties": {"operation": {"const": name}}, "required": ["operation"]},
        "then": {"properties": then},
    }


def _reference_to(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _list(items: Schema, least: int = 1, most: int | None = None) -> Schema:
    made: Schema = {"type": "array", "items": items, "minItems": least}
    return made if most is None else {**made, "maxItems": most}


def _mapping(properties: Schema, required: Iterable[str] = (), least: int = 0) -> Schema:
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": list(required), "minProperties": least}


def _recipe_schema(name: str) -> Schema:
    integer, pair = {"type": "integer"}, {"minItems": 2, "maxItems": 2}
    size: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_TENSOR}
    arguments: Schema = {
        "normal": _mapping({"mean": _FINITE, "std": {**_FINITE, "minimum": 0}}),
        "uniform": {**_list(_FINITE), **pair},
        "integers": {**_list(integer), **pair},
        "linspace": {**_list(_FINITE), **pair},
        "full": _FINITE,
    }
    properties = {"shape": _list(size, 0, MOST_AXES), name: arguments[name]}
    random = RECIPES[name][1]
    if random:
        properties["seed"] = {**integer, "minimum": 0, "maximum": 2**64 - 1}
    return _mapping(properties, ("shape", name, *(("seed",) if random else ())))


def _parameter_schema(parameter: Parameter) -> Schema:
    if parameter.choices:
        return {"enum": list(parameter.choices), "description": parameter.meaning}
    kind = {bool: "boolean", int: "integer", float: "number"}.get(parameter.kind)
    made: Schema = {"type": kind} if kind else dict(_TEXT)
    if parameter.minimum is not None:
        made["minimum"] = parameter.minimum
    if parameter.many:
        made = {"anyOf": [made, _list(made, most=8)]}
    elif parameter.per_step:
        made = {"anyOf": [made, _list(made, most=MOST_STEPS)]}
    return {**made, "description": parameter.meaning}


def _parameters_schema(operation: Operation) -> Schema:
    return {name: _parameter_schema(each) for name, each in operation.parameters.items()}


def _part_schema(kind: Kind) -> Schema:
    known = parts(kind)
    one = [{**_mapping({name: _mapping(_parameters_schema(each))}, (name,))} for name, each in known.items()]
    return {"anyOf": [{"enum": list(known)}, *one]}


def _printed_schema(operation: Operation, phase: str) -> Schema:
    names = predicted_names(operation) if phase == "predict" else _possibly_trained(operation)
    return _mapping({name: _reference_to("numbers") for name in sorted(names)}, least=1)


def _possibly_trained(operation: Operation) -> set[str]:
    """The names of the tensors that some train phase gives, whatever its optimizer."""
    if is_own_objective(operation):
        return trained_names(operation, TrainPhase((), None, None, None, 1, {}))
    parts = [Part(each.name, {}) for each in all_parts()]
    phases = [TrainPhase((), None, part, part, 1, {}) for part in parts]
    return set[str]().union(*(trained_names(operation, each) for each in phases))


def _train_schema(operation: Operation) -> Schema:
    properties: Schema = {name: _reference_to("tensors") for name in operation.of_role("input")}
    if not is_own_objective(operation):
        properties["target"] = _reference_to("tensors")
        properties["loss"] = _reference_to("loss")
    required = [*operation.required_inputs, *(name for name in ("target", "loss") if not is_own_objective(operation))]
    if not is_own_objective(operation):
        properties["optimizer"] = _reference_to("optimizer")
    properties["steps"] = {"type": "integer", "minimum": 1, "maximum": MOST_STEPS}
    properties["expect"] = _printed_schema(operation, "train")
    return _mapping(properties, required)


def _case_schema(operation: Operation) -> Schema:
    parameters = _parameters_schema(operation)
    stored = {name: each for name, each in operation.tensors.items() if each.role != "input"}
    demanded = [name for name, each in stored.items() if each.initial is None and each.when is None]
    inputs = operation.of_role("input")
    phases: Schema = {}
    if operation.differentiable or operation.kind == "optimizer":
        phases["train"] = _train_schema(operation)
    if operation.kind != "optimizer":
        expect = {"expect": _printed_schema(operation, "predict")}
        tensors = {name: _reference_to("tensor") for name in inputs}
        phases["predict"] = _mapping({**tensors, **expect}, operation.required_inputs)
    observed = set(predicted_names(operation) if "predict" in phases else ())
    observed |= _possibly_trained(operation) if "train" in phases else set()
    properties: Schema = {
        "name": {"type": "string", "pattern": f"^{CASE_NAME.pattern}$"},
        "description": _TEXT,
        "parameters": _mapping(parameters),
        "matrix": _mapping({name: _list(each) for name, each in parameters.items()}, least=1),
        "exclude": _list(_mapping(parameters, least=1), most=MOST_RULES),
        "tensors": _mapping({name: _reference_to("tensor") for name in stored}, demanded),
        **phases,
        "observed": _mapping({name: _reference_to("numbers") for name in sorted(observed)}, least=1),
        "precisions": {**_list({"enum": list(PRECISIONS)}), "uniqueItems": True},
        "deviations": _list(_deviation_schema(operation, file_level=False), most=MOST_RULES),
        "references": _list(_TEXT),
    }
    one_phase = {"oneOf": [{"required": [each]} for each in phases]}
    return {
        **_mapping(properties, ("name", *(("tensors",) if demanded else ()))),
        "anyOf": [{"required": [each]} for each in phases],
        "dependentRequired": {"exclude": ["matrix"]},
        "dependentSchemas": {"observed": one_phase},
    }


def _knob_schema(knob: Knob) -> Schema:
    return {"oneOf": [{"const": value, "description": meaning} for value, meaning in knob.values.items()]}


def _one_or_more(item: Schema) -> Schema:
    return {"anyOf": [item, _list(item, most=MOST_RULES)]}


def _deviation_schema(operation: Operation, *, file_level: bool) -> Schema:
    knobs = {**operation.knobs, **part_knobs(all_parts())}
    band = {"type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 2, "maxItems": 2}
    tensors = predicted_names(operation) | _possibly_trained(operation) | {"*"}
    properties: Schema = {
        "adapter": _one_or_more({"anyOf": [{"enum": list(adapter_names())}, {"type": "string", "pattern": OWN}]}),
        "tensor": _one_or_more({"enum": sorted(tensors)}),
        "dialect": _mapping({name: _knob_schema(each) for name, each in knobs.items()}, least=1),
        "verdict": {"enum": list(DECLARABLE)},
        "error_ratio": _mapping(dict.fromkeys(PRECISIONS, band)),
        "phase": {"enum": ["train", "predict"]},
        "mode": _one_or_more({"enum": list(MODES)}),
        "cases": _list(_TEXT, most=MOST_RULES),
        "versions": {"type": "object", "additionalProperties": _TEXT},
        "reason": _TEXT,
        "reference": {"anyOf": [{"const": NO_REFERENCE}, {"type": "string", "pattern": f"^{ADDRESS}$"}]},
    }
    if not file_level:
        del properties["cases"]
    banded = {"properties": {"verdict": {"enum": list(BANDED)}}, "required": ["verdict"]}
    return {
        **_mapping(properties, DEVIATION_REQUIRED),
        "oneOf": [{"required": ["dialect"]}, {"required": ["verdict"]}],
        "dependentSchemas": {"error_ratio": banded},
    }
