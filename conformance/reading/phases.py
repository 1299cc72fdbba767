"""The phases of a case, and whether all shapes fit together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from conformance.adapter import Part
from conformance.case import LARGEST_TENSOR, MOST_STEPS, PredictPhase, Printed, TensorSpec, TrainPhase
from conformance.errors import nearest
from conformance.operation import Kind, Operation, Shape, Sizes, operations, parts
from conformance.reading.entry import Entry, read_optional
from conformance.reading.nodes import Spot, shorten
from conformance.reading.parameters import point_text, read_parameters
from conformance.reading.tensors import read_printed, read_tensor


def read_train(spot: Spot, operation: Operation) -> TrainPhase | None:
    """The train phase; None where a fault was found in it."""
    if not (operation.differentiable or operation.kind == "optimizer"):
        raise spot.error(f"{operation.name} has no gradient, so it has no train phase")
    inputs, required, refused = operation.of_role("input"), operation.required_inputs, _stored_hints(operation)
    if is_own_objective(operation):
        noun = operation.name if operation.kind == "layer" else _article(operation.kind)
        extra = {key: f"{noun} takes no {key!r}" for key in ("target", "loss", "optimizer") if key not in inputs}
        fields = spot.fields((*inputs, "steps", "expect"), required, refused=refused | extra)
    else:
        needed = (*required, "target", "loss")
        fields = spot.fields((*inputs, "target", "loss", "optimizer", "steps", "expect"), needed, refused=refused)
    steps = read_optional(fields, "steps", Spot.integer, 1, 1, MOST_STEPS)
    batches = {
        name: read_optional(fields, name, _batches, None, steps, operation.tensors[name].integer)
        for name in inputs
        if name in fields or name in required
    }
    loss = read_optional(fields, "loss", _part, None, "loss", steps)
    optimizer = read_optional(fields, "optimizer", _part, None, "optimizer", steps)
    targets = read_optional(fields, "target", _targets, None, steps, loss)
    if any(each is None for each in batches.values()):
        return None
    phase = TrainPhase(_by_step(batches, steps), targets, loss, optimizer, steps, {})
    known = None if "optimizer" in fields and not optimizer else trained_names(operation, phase)
    return replace(phase, expect=read_optional(fields, "expect", _printeds, {}, known))


def _stored_hints(operation: Operation) -> dict[str, str]:
    return {
        name: f"{name!r} is a {each.role}: give it in 'tensors'"
        for name, each in operation.tensors.items()
        if each.role != "input"
    }


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def is_own_objective(operation: Operation) -> bool:
    """Whether it is trained without a target, a loss and an optimizer."""
    return "y" not in operation.results


def _batches(spot: Spot, steps: int, integer: bool = False) -> list[TensorSpec] | None:
    """A tensor for all steps, or one for each."""
    if not isinstance(spot.node.value, dict) or "per_step" not in spot.node.value:
        tensor = read_tensor(spot, integer)
        return [tensor] if tensor else None
    listed = spot.fields(("per_step",))["per_step"].items("one tensor per step", steps, steps)
    tensors = [spot.faults.attempt(read_tensor, each, integer) for each in listed]
    whole = [each for each in tensors if each]
    for each in whole:
        if each.shape != whole[0].shape:
            message = f"the shape {list(each.shape)}; the first step has {list(whole[0].shape)}"
            raise spot.error(message, each.place)
    if sum(each.size for each in whole) > LARGEST_TENSOR:
        raise spot.error(f"too large; expected at most {LARGEST_TENSOR} elements in all steps")
    return whole if len(whole) == len(tensors) else None


def _by_step(batches: Mapping[str, list[TensorSpec]], steps: int) -> tuple[Mapping[str, TensorSpec], ...]:
    if all(len(each) == 1 for each in batches.values()):
        return ({name: each[0] for name, each in batches.items()},) * steps
    return tuple({name: each[step % len(each)] for name, each in batches.items()} for step in range(steps))


def _targets(spot: Spot, steps: int, loss: Part | None) -> tuple[TensorSpec, ...] | None:
    targets = _batches(spot, steps)
    if not targets:
        return None
    if not targets[0].size:
        raise spot.error(f"a target without elements: the shape {list(targets[0].shape)}")
    if loss and "target" in operations()[loss.operation].tensors:
        try:
            operations()[loss.operation].sizes({"target": targets[0].shape}, loss.parameters)
        except ValueError as error:
            raise spot.error(str(error)) from None
    return tuple(targets) if len(targets) == steps else tuple(targets) * steps


def _part(spot: Spot, kind: Kind, steps: int) -> Part:
    """A loss or an optimizer: its name, or a mapping of its name to its parameters."""
    known = parts(kind)
    value = spot.node.value
    if isinstance(value, dict) and len(value) == 1:
        name, place = next(iter(value)), spot.key_place(next(iter(value)))
    elif isinstance(value, str):
        name, place = value, spot.place
    else:
        raise spot.expected(f"{_article(kind)}: its name, or a mapping of its name to its parameters")
    if name in operations() and name not in known:
        other = operations()[name].kind == kind
        what = f"no {kind} to train a layer with" if other else f"no {kind}"
        raise spot.error(f"{name!r} is {what}; known: {', '.join(known)}", place)
    if name not in known:
        raise spot.error(f"there is no {kind} {shorten(name)!r}; {nearest(shorten(name), known)}", place)
    given = {} if isinstance(value, str) else read_parameters(spot.child(name), known[name], steps)
    defaults = {key: each.default for key, each in known[name].parameters.items() if not each.own_default}
    return Part(name, {**defaults, **given})


def read_predict(spot: Spot, operation: Operation) -> PredictPhase | None:
    """The predict phase; None where a fault was found in it."""
    if operation.kind == "optimizer":
        raise spot.error("an optimizer has no predict phase")
    inputs, required = operation.of_role("input"), operation.required_inputs
    fields = spot.fields((*inputs, "expect"), required, refused=_stored_hints(operation))
    tensors = {
        name: read_optional(fields, name, read_tensor, None, operation.tensors[name].integer)
        for name in inputs
        if name in fields or name in required
    }
    expect = read_optional(fields, "expect", _printeds, {}, predicted_names(operation))
    if any(each is None for each in tensors.values()):
        return None
    return PredictPhase(tensors, expect)


def _printeds(spot: Spot, known: Iterable[str] | None) -> dict[str, Printed]:
    """Printed tensors by name; any name will do if ``known`` is None."""
    fields = spot.entries("a mapping of tensors") if known is None else spot.fields(sorted(known), noun="tensor")
    if not spot.node.value:
        raise spot.expected("at least one tensor")
    found = {name: spot.faults.attempt(read_printed, each) for name, each in fields.items()}
    return {name: each for name, each in found.items() if each}


def read_observed(spot: Spot, entry: Entry) -> dict[str, Printed]:
    """The numbers that somebody saw, of the entry's only phase."""
    if not entry.whole:
        return _printeds(spot, None)
    if len(entry.phases) != 1:
        raise spot.error("observed numbers are of one phase: expected 'train' or 'predict', not both")
    if entry.train and entry.train.steps != 1:
        raise spot.error(f"observed numbers are of one step, found {entry.train.steps} steps")
    return _printeds(spot, names_of(entry))


def predicted_names(operation: Operation) -> set[str]:
    """The names of the tensors that a predict phase gives."""
    return {*operation.results, *operation.of_role("state")}


def trained_names(operation: Operation, phase: TrainPhase) -> set[str]:
    """The names of the tensors that a train phase gives."""
    weights = operation.of_role("weight")
    names = {*weights, *operation.of_role("state")}
    names |= predicted_names(operation)
    names |= {f"{name}.gradient" for name, each in operation.tensors.items() if each.differentiable}
    if phase.loss:
        names.add("loss")
    if phase.optimizer:
        names |= {f"{name}.{slot}" for name in weights for slot in _slots(operations()[phase.optimizer.operation])}
    return names


def _slots(optimizer: Operation) -> list[str]:
    """What an optimizer keeps beside each variable: its states that begin by themselves."""
    return [name for name in optimizer.of_role("state") if optimizer.tensors[name].initial is not None]


def names_of(entry: Entry) -> set[str]:
    """The names of the tensors that an entry's phases give."""
    trained = trained_names(entry.operation, entry.train) if entry.train else set()
    return trained | (predicted_names(entry.operation) if entry.predict else set())


def check_ruled_out(entry: Entry) -> None:
    """A tensor that no point of the matrix lets exist is a fault."""
    active = [entry.operation.active({**entry.parameters, **point}) for point in entry.points.values()]
    for name in entry.tensors:
        if not any(name in each for each in active):
            when = entry.operation.tensors[name].when
            spot = entry.spot.child("tensors")
            spot.fault(f"{name!r} does not exist here: {when!r} is off", spot.key_place(name))


def fit_shapes(entry: Entry, point: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """The weights and states at a point, all shapes checked, and filled where the entry does not give them."""
    operation, parameters = entry.operation, {**entry.parameters, **point}
    spot = Spot(entry.spot.node, entry.spot.where + point_text(point), entry.spot.faults)
    stored = [name for name, each in operation.active(parameters).items() if each.role != "input"]
    given = {name: entry.tensors[name] for name in stored if name in entry.tensors}
    inputs = entry.train.inputs[0] if entry.train else entry.predict.inputs if entry.predict else {}
    sizes = _sizes(spot, operation, parameters, {**inputs, **given})
    missing = [name for name in stored if name not in given and operation.tensors[name].initial is None]
    for name in missing:
        spot.fault(f"the tensor {name!r} is missing in 'tensors'")
    if missing:
        sizes = None
    filled: dict[str, TensorSpec] = {}
    for name in stored:
        tensor = given[name] if name in given else _filled(spot, operation, name, sizes, parameters)
        if tensor is not None:
            filled[name] = tensor
    if entry.train and entry.predict and sizes is not None:
        predict = Spot(entry.spot.child("predict").node, f"{spot.where}.predict", spot.faults)
        _check_predict(predict, operation, parameters, {**entry.predict.inputs, **given}, filled)
    _check_printed(entry, spot, filled)
    return filled


def _sizes(
    spot: Spot, operation: Operation, parameters: Mapping[str, Any], specs: Mapping[str, TensorSpec | None]
) -> Sizes | None:
    """The sizes of the named axes; None, with the faults kept, if some tensors do not fit the first ones."""
    shapes = {name: each.shape for name, each in specs.items() if each}
    try:
        sizes = operation.sizes(shapes, parameters)
        return sizes if len(shapes) == len(specs) else None
    except ValueError:
        pass  # which of them do not fit is found below
    fitting: dict[str, Shape] = {}
    for name, shape in shapes.items():
        try:
            operation.sizes({**fitting, name: shape}, parameters)
            fitting[name] = shape
        except ValueError as error:
            tensor = specs[name]
            spot.fault(str(error), tensor.place if tensor else None)
    return None


def _check_predict(
    spot: Spot,
    operation: Operation,
    parameters: Mapping[str, Any],
    given: Mapping[str, TensorSpec | None],
    tensors: Mapping[str, TensorSpec],
) -> None:
    """Prediction goes on with the weights and states of the train phase, so its inputs must fit them."""
    try:
        sizes = operation.sizes({name: each.shape for name, each in given.items() if each}, parameters)
    except ValueError as error:
        spot.fault(f"the inputs do not fit: {error}")
        return
    for name, tensor in tensors.items():
        shape = operation.shape(name, sizes, parameters)
        if shape is not None and shape != tensor.shape:
            spot.fault(f"the inputs need {name} of the shape {list(shape)}, training has {list(tensor.shape)}")


def _filled(
    spot: Spot, operation: Operation, name: str, sizes: Sizes | None, parameters: Mapping[str, Any]
) -> TensorSpec | None:
    """A tensor of its initial value, in the shape that follows from the others; None if that is not known."""
    if sizes is None:
        return None
    shape, initial = operation.shape(name, sizes, parameters), operation.tensors[name].initial
    if shape is None or initial is None or math.prod(shape) > LARGEST_TENSOR:
        spot.fault(f"the shape of {name!r} does not follow from the others: give it in 'tensors'")
        return None
    return TensorSpec.full(shape, initial, spot.place)


def _check_printed(entry: Entry, spot: Spot, tensors: Mapping[str, TensorSpec]) -> None:
    """Printed numbers have the shape of the tensor they belong to, where that is known."""
    inputs = entry.train.inputs[0] if entry.train else {}
    shapes = {name: each.shape for name, each in {**inputs, **tensors}.items()}
    for printed in (*(each.expect for each in entry.phases), entry.observed):
        for name, each in printed.items():
            shape = shapes.get(name.partition(".")[0])
            if shape is not None and each.values.shape != shape:
                spot.fault(f"{name} has the shape {list(each.values.shape)}, expected {list(shape)}", each.place)
