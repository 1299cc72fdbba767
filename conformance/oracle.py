"""What the formula gives for a task: the trace of each step and phase, in any arithmetic, with any dialect.

One train step has four stages: the operation's results, the loss, the gradients, and the optimizer's update.  Each
stage may start from what a framework observed of the stage before it, so that a deviation shows where it arises and
is not charged again downstream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from conformance.adapter import Task
from conformance.arithmetic.bounded import Bounded
from conformance.arithmetic.gradient import vjp
from conformance.arithmetic.precision import PRECISIONS, Precision
from conformance.errors import Undefined, UsageError, nearest
from conformance.operation import Array, Dialect, Operation, fill, get_operation
from conformance.spelling import per_step

Trace: TypeAlias = dict[str, Array]


@dataclass(frozen=True)
class Arithmetic:
    """How arrays and numbers enter a formula.

    ``array`` takes tensors that a step starts from, ``shown`` tensors that an implementation showed on its way (it
    may have gone on with more digits than it showed), ``number`` real parameters.
    """

    array: Callable[[Any], Array]
    shown: Callable[[Any], Array]
    number: Callable[[float], Array]


def plain(dtype: str) -> Arithmetic:
    """NumPy's own arithmetic in one format."""

    def array(value: Any) -> Any:
        return np.asarray(value, dtype=dtype)

    return Arithmetic(array, array, lambda value: value)


def bounded(unit: float) -> Arithmetic:
    """Values in float64 with the error bound of an implementation at this unit roundoff."""

    def array(value: Any) -> Bounded:
        return value if isinstance(value, Bounded) else Bounded(value, unit)

    def shown(value: Any) -> Bounded:
        return Bounded(value, unit, unit * np.abs(np.asarray(value, dtype=np.float64)))

    return Arithmetic(array, shown, lambda value: Bounded.rounded(value, unit))


@dataclass(frozen=True)
class Oracle:
    """The formula of a task in one arithmetic.

    ``parameters`` are the operation's as the framework at hand holds them.  A dialect names knobs of the operation
    plainly and those of its loss or optimizer behind their name (``adam.epsilon``).
    """

    task: Task
    parameters: Mapping[str, Any]
    arithmetic: Arithmetic

    @property
    def operation(self) -> Operation:
        return get_operation(self.task.operation)

    def predict(self, tensors: Mapping[str, Any], dialect: Dialect | None = None) -> Trace:
        """The results in prediction, with the weights and states given."""
        assert self.task.predict is not None
        arrays = self._wrapped({**self._own(tensors), **self.task.predict})
        return self.operation(arrays, self._numbers(self.operation, self.parameters), dialect=_of(dialect))

    def results(self, number: int, before: Mapping[str, Any], dialect: Dialect | None = None) -> Trace:
        """The operation's results in train step ``number``, without loss, gradients and update."""
        assert self.task.train is not None
        arrays = self._wrapped({**self._own(before), **self.task.train.batches[number - 1]})
        return self._evaluate(arrays, number, dialect)

    def loss(
        self, number: int, before: Mapping[str, Any], observed: Mapping[str, Any], dialect: Dialect | None = None
    ) -> Trace:
        """The operation's results in train step ``number`` and the loss, without gradients and update."""
        trace = self.results(number, before, dialect)
        trace["loss"], _ = self._loss(number, trace["y"], observed, dialect)
        return trace

    def step(
        self,
        number: int,
        before: Mapping[str, Any],
        observed: Mapping[str, Any] | None = None,
        dialect: Dialect | None = None,
    ) -> Trace:
        """The trace of train step ``number`` from the weights, states and slots ``before`` it.

        ``observed`` are a framework's own tensors of this step: its results feed the loss, its gradients the
        optimizer, in place of the formula's.
        """
        train = self.task.train
        assert train is not None
        seen = observed or {}
        arrays = self._wrapped({**self._own(before), **train.batches[number - 1]})
        if not self.operation.differentiable:
            return self._evaluate(arrays, number, dialect)
        wanted = {
            name: arrays[name]
            for name in (*self.task.differentiated, *self.operation.of_role("weight"))
            if name in arrays
        }
        objective = self.operation.objective
        trace, pull = vjp(lambda values: self._evaluate({**arrays, **values}, number, dialect), wanted, objective)
        cotangents = {name: np.ones_like(trace[name]) for name in objective}
        if train.loss and train.targets:
            trace["loss"], cotangents["y"] = self._loss(number, trace["y"], seen, dialect)
        gradients = pull(cotangents)
        trace.update({f"{name}.gradient": each for name, each in gradients.items()})
        for name in self.operation.of_role("weight"):
            if name in arrays:
                own = seen.get(f"{name}.gradient")
                gradient = self.arithmetic.shown(own) if _usable(own, arrays[name]) else gradients[name]
                trace.update(self._update(name, before, gradient, number, dialect))
        return trace

    def run(self, dialect: Dialect | None = None) -> tuple[list[Trace], Trace | None]:
        """The oracle's own run: all train steps one after the other, then prediction."""
        before: dict[str, Any] = dict(self.task.tensors)
        steps: list[Trace] = []
        for number in range(1, len(self.task.train.batches) + 1 if self.task.train else 1):
            steps.append(self.step(number, before, dialect=dialect))
            before.update(steps[-1])
        return steps, self.predict(before, dialect) if self.task.predict is not None else None

    def _evaluate(self, arrays: Mapping[str, Array], number: int, dialect: Dialect | None) -> Trace:
        numbers = self._numbers(self.operation, self.parameters, number)
        return self.operation(arrays, numbers, training=True, step=number, dialect=_of(dialect))

    def _loss(
        self, number: int, result: Array, observed: Mapping[str, Any], dialect: Dialect | None
    ) -> tuple[Array, Array]:
        """The loss of a framework's own result, or else of the formula's, and its gradient."""
        assert self.task.train is not None
        assert self.task.train.loss is not None
        assert self.task.train.targets is not None
        part, target = self.task.train.loss, self.task.train.targets[number - 1]
        prediction = self.arithmetic.shown(observed["y"]) if _usable(observed.get("y"), result) else result
        operation = get_operation(part.operation)
        try:
            operation.sizes({"prediction": prediction.shape, "target": np.shape(target)}, part.parameters)
        except ValueError as misfit:
            raise Undefined(str(misfit)) from None
        numbers = self._numbers(operation, part.parameters)
        fixed = {"target": self.arithmetic.array(target)}
        settings = _of(dialect, part.operation)
        results, pull = vjp(
            lambda values: operation({**fixed, **values}, numbers, training=True, dialect=settings),
            {"prediction": prediction},
            ("loss",),
        )
        return results["loss"], pull({"loss": np.ones_like(results["loss"])})["prediction"]

    def _update(
        self, name: str, before: Mapping[str, Any], gradient: Any, number: int, dialect: Dialect | None
    ) -> Trace:
        part = self.task.train.optimizer if self.task.train else None
        if part is None:
            return {name: self.arithmetic.array(before[name])}
        operation = get_operation(part.operation)
        variable = self.arithmetic.array(before[name])
        tensors: Trace = {"variable": variable, "gradient": self.arithmetic.array(gradient)}
        for slot in operation.active(part.parameters):
            if slot not in tensors:
                initial = operation.tensors[slot].initial or 0.0
                tensors[slot] = self.arithmetic.array(before.get(f"{name}.{slot}", fill(variable.shape, initial)))
        numbers = self._numbers(operation, part.parameters, number)
        results = operation(tensors, numbers, training=True, step=number, dialect=_of(dialect, part.operation))
        return {name if slot == "variable" else f"{name}.{slot}": each for slot, each in results.items()}

    def _own(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        return {name: tensors[name] for name in self.task.tensors}

    def _wrapped(self, tensors: Mapping[str, Any]) -> Trace:
        return wrapped(self.operation, tensors, self.arithmetic)

    def _numbers(self, operation: Operation, parameters: Mapping[str, Any], step: int = 1) -> dict[str, Any]:
        """The parameters at a step; real numbers enter the arithmetic, choices and counts stay as they are."""
        given = {name: parameters.get(name, each.default) for name, each in operation.parameters.items()}
        return {
            name: self.arithmetic.number(float(per_step(value, step)))
            if operation.parameters[name].kind is float
            else value
            for name, value in given.items()
        }


def _of(dialect: Dialect | None, operation: str = "") -> Dialect:
    """The part of a dialect that belongs to the operation under test, or to a loss or optimizer by its name."""
    prefix = f"{operation}." if operation else ""
    return {
        name.removeprefix(prefix): value
        for name, value in (dialect or {}).items()
        if (name.startswith(prefix) if prefix else "." not in name)
    }


def _usable(own: Any, ours: Array) -> bool:
    return own is not None and np.shape(own) == ours.shape


def evaluate(
    operation: str,
    tensors: Mapping[str, Any],
    parameters: Mapping[str, Any] | None = None,
    phase: str = "predict",
    dialect: Dialect | None = None,
    *,
    bound: bool = False,
    precision: str = "float64",
) -> Any:
    """The formula's named results in float64, as a dict of arrays.

    ``tensors`` holds the inputs and any weights and states, by their canonical names; those left out take their
    initial values.  In the train phase the operation runs as in training (one step).  A tensor named
    ``"y.gradient"`` is the cotangent of the result ``y``: the gradients of all differentiable tensors are then
    among the results, as ``"x.gradient"``.  With ``bound=True`` the answer is a pair of dicts: the results, and for
    each the bound on the rounding error of an implementation in ``precision``.

    Raises `UsageError` for names that do not exist, `Undefined` where the formula gives no answer, `ValueError` for
    shapes that do not fit.
    """
    found, given = get_operation(operation), dict(parameters or {})
    found.check_dialect(dialect or {})
    _check_names("parameter", given, found.parameters, operation)
    if phase not in ("predict", "train"):
        raise UsageError(f"there is no phase {phase!r}; known: predict, train")
    if precision not in PRECISIONS:
        raise UsageError(f"there is no precision {precision!r}; {nearest(precision, PRECISIONS)}")
    cotangents = {name.removesuffix(".gradient"): each for name, each in tensors.items() if name.endswith(".gradient")}
    own = {name: each for name, each in tensors.items() if not name.endswith(".gradient")}
    _check_names("tensor", own, found.tensors, operation)
    own = {name: _given(found, name, each) for name, each in own.items()}
    arrays = filled(found, own, given)
    arithmetic = bounded(PRECISIONS[precision].unit) if bound else plain("float64")
    numbers = {
        name: arithmetic.number(float(value)) if found.parameters[name].kind is float else value
        for name, value in {**{name: each.default for name, each in found.parameters.items()}, **given}.items()
    }
    entered = wrapped(found, arrays, arithmetic)

    def formula(values: Mapping[str, Array]) -> Trace:
        return found({**entered, **values}, numbers, training=phase == "train", dialect=dialect)

    with np.errstate(all="ignore"):
        results = formula({})
        for name, cotangent in cotangents.items():
            _check_names("result", {name: None}, results, operation)
            wanted = {each: entered[each] for each in entered if found.tensors[each].differentiable}
            _, pull = vjp(formula, wanted, (name,))
            pulled = pull({name: arithmetic.array(cotangent)})
            results.update({f"{each}.gradient": value for each, value in pulled.items()})
    if not bound:
        return {name: np.asarray(each) for name, each in results.items()}
    values = {name: each.value for name, each in results.items()}
    return values, {name: each.error for name, each in results.items()}


def _given(operation: Operation, name: str, value: Any) -> Any:
    """A tensor that a caller gives, in float64, or as integers."""
    array = np.asarray(value)
    if not operation.tensors[name].integer:
        return array.astype(np.float64)
    if not np.array_equal(array, np.trunc(array)):
        raise UsageError(f"the tensor {name!r} of {operation.name} holds integers")
    return array.astype(np.int64)


def wrapped(operation: Operation, tensors: Mapping[str, Any], arithmetic: Arithmetic) -> Trace:
    """Tensors as they enter a formula: real ones in an arithmetic, integers as they are."""
    return {
        name: np.asarray(each) if operation.tensors[name].integer else arithmetic.array(each)
        for name, each in tensors.items()
    }


def filled(operation: Operation, tensors: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that a formula needs: those given, and the others at their initial values."""
    active = operation.active(parameters)
    sizes = operation.sizes({name: np.shape(each) for name, each in tensors.items()}, parameters)
    arrays = {name: each for name, each in tensors.items() if name in active}
    for name, tensor in active.items():
        if name not in arrays:
            shape = operation.shape(name, sizes, parameters)
            if tensor.optional:
                continue
            if tensor.initial is None or shape is None:
                raise UsageError(f"{operation.name} needs the tensor {name!r} ({tensor.role}, axes [{tensor.axes}])")
            arrays[name] = fill(shape, tensor.initial)
    return arrays


def _check_names(kind: str, given: Mapping[str, Any], known: Mapping[str, Any], operation: str) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"{operation} has no {kind} {name!r}; {nearest(name, known)}")


__all__ = ["Arithmetic", "Oracle", "Precision", "Undefined", "bounded", "evaluate", "filled", "plain"]
