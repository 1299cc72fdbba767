"""How a JAX user trains and predicts: the functions that run and that a script shows, the sessions, the scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import Arrays, Part, Session, Task, lazy
from conformance.adapters import _function_scripts as written
from conformance.adapters import _functions as shared
from conformance.adapters.jax._spelling import Layer
from conformance.errors import Unsupported
from conformance.script import Script, literal
from conformance.spelling import (
    AS_IS,
    Array,
    Call,
    Function,
    Layout,
    Spelling,
    Spellings,
    functions_of,
    spellings_of,
    taking,
)

if TYPE_CHECKING:
    import jax
    import optax
else:
    jax, optax = lazy("jax"), lazy("optax")

# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def layer(module: Any, params: Any, batch_stats: Any, *inputs: Any) -> tuple[Any, Any]:
    """A module in training: its results and its new statistics."""
    y, updated = module.apply({"params": params, "batch_stats": batch_stats}, *inputs, mutable=["batch_stats"])
    return y, updated.get("batch_stats", {})


def function(call: Any, params: Any, batch_stats: Any, *inputs: Any) -> tuple[Any, Any]:
    """A function of the inputs and of the weights by name, called as a module is."""
    return call(*inputs, **params, **batch_stats), batch_stats


def train_step(
    forward: Any, loss: Any, optimizer: Any, params: Any, batch_stats: Any, slots: Any, inputs: Any, target: Any
) -> tuple[Any, Any, Any, Any]:
    """One step of training: results, loss and statistics; the gradients; and what the optimizer makes of them."""

    def objective(params: Any, inputs: Any) -> tuple[Any, Any]:
        y, learned = forward(params, batch_stats, *inputs)
        value = y if loss is None else loss(y, target)
        return sum(each.sum() for each in jax.tree.leaves(value)), (y, value, learned)

    gradient = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True, allow_int=True)
    (_, seen), gradients = gradient(params, inputs)
    if optimizer is not None:
        params, slots = update(optimizer, params, slots, gradients[0])
    return seen, gradients, params, slots


def update(optimizer: Any, params: Any, slots: Any, gradients: Any) -> tuple[Any, Any]:
    """One step of an optimizer."""
    updates, slots = optimizer.update(gradients, slots, params)
    return optax.apply_updates(params, updates), slots


def unmasked(path: Any, value: Any) -> bool:
    """Whether a slot is kept, and not the place of one that another optimizer would keep."""
    return not isinstance(value, optax.MaskedNode)


# --- the sessions ---------------------------------------------------------------------------------------------------


def array(value: Any) -> Array:
    """A copy of JAX's array, in the dtype that it has."""
    return np.array(value)


def _ordered(task: Task, inputs: Arrays) -> Arrays:
    """The inputs in their order, those by keyword last."""
    return {name: inputs[name] for name in sorted(inputs, key=task.keywords.__contains__)}


def _tensors(arrays: Arrays) -> list[Any]:
    return [jax.device_put(each) for each in arrays.values()]


@cache
def _spellings() -> Spellings:
    return spellings_of(__name__.rpartition(".")[0])


def _spelled(task: Task) -> Any:
    return _spellings().spell(task.operation, task.parameters, shared.shapes(task))


def _loss(part: Part | None) -> Call | None:
    return _spellings().spell(part.operation, part.parameters).call if part else None


def _optimizer(part: Part | None, params: Sequence[str]) -> Spelling | None:
    """The optimizer of a train phase, if it has something to train."""
    return _spellings().spell(part.operation, part.parameters) if part and params else None


def _held(task: Task, spelling: Spelling) -> tuple[dict[str, str], dict[str, str]]:
    """The names of a module's params and of its batch_stats, theirs by ours."""
    names = {name: spelling.tensors[name].name if name in spelling.tensors else name for name in task.tensors}
    states = spelling.states if isinstance(spelling, (Layer, Function)) else ()
    return (
        {ours: theirs for ours, theirs in names.items() if ours not in states},
        {ours: theirs for ours, theirs in names.items() if ours in states},
    )


def _layout(spelling: Spelling, name: str) -> Layout:
    """The layout in which a module keeps a weight."""
    return spelling.tensors[name].layout if name in spelling.tensors else AS_IS


class Trained(Session):
    """A layer, an activation or a loss, with its loss and optimizer if it is trained.

    ``run`` is `jax.jit`, or what gives a function back as it is.
    """

    def __init__(self, task: Task, run: Callable[[Any], Any]) -> None:
        self.task, self.run = task, run
        self.spelling: Spelling = _spelled(task)
        self.trained, self.learned = _held(task, self.spelling)
        self.params = {
            theirs: jax.device_put(_layout(self.spelling, ours).theirs(task.tensors[ours]))
            for ours, theirs in self.trained.items()
        }
        self.batch_stats = {
            theirs: jax.device_put(_layout(self.spelling, ours).theirs(task.tensors[ours]))
            for ours, theirs in self.learned.items()
        }
        loss, optimizer = shared.parts(task)
        self.loss, self.optimizer = _loss(loss), _optimizer(optimizer, list(self.params))
        made = self.optimizer and self.optimizer.call()
        self.slots = made.init(self.params) if made else None
        if isinstance(self.spelling, Layer):
            module = (self.spelling.train or self.spelling.call)()
            forward, held = partial(layer, module), module
        else:
            held = self.spelling.training if isinstance(self.spelling, Function) else self.spelling.call
            if task.train and isinstance(self.spelling, Function) and self.spelling.untrained:
                raise Unsupported(self.spelling.untrained)
            forward = partial(function, taking(held, task.keywords))
        self.parameters = {name: read(held) for name, read in self.spelling.reads.items()}
        self.train_step = run(partial(train_step, forward, self.loss, made))

    def _results(self, y: Any) -> Arrays:
        return {name: array(each) for name, each in self.task.named(y).items()}

    def step(self, number: int) -> Arrays:
        train = self.task.train
        assert train is not None
        batch = _ordered(self.task, train.batches[number - 1])
        target = jax.device_put(train.targets[number - 1]) if train.targets else None
        (y, value, self.batch_stats), (of_params, of_inputs), self.params, self.slots = self.train_step(
            self.params, self.batch_stats, self.slots, _tensors(batch), target
        )
        trace = self._results(y)
        if self.loss is not None:
            trace["loss"] = array(value)
        for name, gradient in zip(batch, of_inputs, strict=True):
            if name in self.task.differentiated:
                trace[f"{name}.gradient"] = array(gradient)
        for ours, theirs in self.learned.items():
            trace[ours] = _layout(self.spelling, ours).ours(array(self.batch_stats[theirs]))
        for ours, theirs in self.trained.items():
            canonical = _layout(self.spelling, ours).ours
            trace[ours] = canonical(array(self.params[theirs]))
            trace[f"{ours}.gradient"] = canonical(array(of_params[theirs]))
        for slot, held in self.optimizer.tensors.items() if self.optimizer else ():
            values = optax.tree_utils.tree_get(self.slots, held.name)
            trace |= {
                f"{ours}.{slot}": held.layout.ours(_layout(self.spelling, ours).ours(array(values[theirs])))
                for ours, theirs in self.trained.items()
            }
        return trace

    def predict(self) -> Arrays:
        inputs = _tensors(_ordered(self.task, self.task.predict or {}))
        if not isinstance(self.spelling, Layer):
            forward = taking(self.spelling.call, self.task.keywords)
            return self._results(self.run(partial(forward))(*inputs, **self.params, **self.batch_stats))
        variables = {"params": self.params, "batch_stats": self.batch_stats}
        return self._results(self.run(self.spelling.call().apply)(variables, *inputs))


class Applied(Session):
    """An optimizer, stepped on gradients that the case gives."""

    def __init__(self, task: Task, run: Callable[[Any], Any]) -> None:
        self.task = task
        self.spelling: Spelling = _spelled(task)
        self.parameters = {name: read(self.spelling.call) for name, read in self.spelling.reads.items()}
        self.variable = jax.device_put(task.tensors["variable"])
        self.names = {ours: each for ours, each in self.spelling.tensors.items() if ours in task.tensors}
        optimizer = self.spelling.call()
        given = {name: jax.device_put(each) for name, each in _given_slots(task, self.spelling).items()}
        self.slots = optimizer.init(self.variable)
        if given:
            self.slots = optax.tree_utils.tree_set(self.slots, unmasked, **given)
        self.update = run(partial(update, optimizer))

    def step(self, number: int) -> Arrays:
        assert self.task.train is not None
        gradient = jax.device_put(self.task.train.batches[number - 1]["gradient"])
        self.variable, self.slots = self.update(self.variable, self.slots, gradient)
        slots = {
            ours: array(optax.tree_utils.tree_get(self.slots, each.name, filtering=unmasked))
            for ours, each in self.names.items()
        }
        return {"variable": array(self.variable)} | {
            ours: self.names[ours].layout.ours(each) for ours, each in slots.items()
        }

    def predict(self) -> Arrays:
        raise Unsupported("an optimizer has no predict phase")


def _given_slots(task: Task, spelling: Spelling) -> Arrays:
    """The slots that a case gives, as optax names and keeps them."""
    return {
        spelling.tensors[ours].name: spelling.tensors[ours].layout.theirs(each)
        for ours, each in shared.given_slots(task, spelling).items()
    }


# --- the scripts ----------------------------------------------------------------------------------------------------


def _text(value: Array) -> str:
    return f"jax.device_put({literal(value)})"


def _dictionary(task: Task, spelling: Spelling, names: Mapping[str, str]) -> str:
    written = {theirs: _text(_layout(spelling, ours).theirs(task.tensors[ours])) for ours, theirs in names.items()}
    return f"{{{', '.join(f'{theirs!r}: {text}' for theirs, text in written.items())}}}"


def _list(arrays: Arrays) -> str:
    return f"[{', '.join(map(_text, arrays.values()))}]"


def _run(run: str, text: str) -> str:
    return f"{run}({text})" if run else text


def trained_script(script: Script, task: Task, run: str) -> None:
    """Write what `Trained` does; ``run`` is the name of what compiles, or nothing."""
    spelling: Spelling = _spelled(task)
    trained, learned = _held(task, spelling)
    predicting = taking(spelling.call, task.keywords)
    training = taking(spelling.training, task.keywords) if isinstance(spelling, Function) else predicting
    needed = [each for call in (training, predicting) for each in functions_of(call)]
    script.functions(*dict.fromkeys(needed))
    script.line(
        f"params = {_dictionary(task, spelling, trained)}", f"batch_stats = {_dictionary(task, spelling, learned)}"
    )
    if task.train:
        _loop(script, task, spelling, training, trained, run)
    if task.predict is not None:
        inputs = ", ".join(map(_text, _ordered(task, task.predict).values()))
        script.line("")
        if isinstance(spelling, Layer):
            script.line(f"predict = {_run(run, f'{spelling.call}.apply')}")
            script.line(f'y = predict({{"params": params, "batch_stats": batch_stats}}, {inputs})')
        else:
            script.line(f"predict = {_run(run, written.partial(predicting))}")
            script.line(f"y = predict({inputs}, **params, **batch_stats)")
        script.line(f"print('predict', {'*' if len(task.results) > 1 else ''}y, sep='\\n')")


def _loop(script: Script, task: Task, spelling: Spelling, training: Call, trained: Mapping[str, str], run: str) -> None:
    assert task.train is not None
    part, optimizer = shared.parts(task)
    loss, made = _loss(part), _optimizer(optimizer, list(trained))
    if isinstance(spelling, Layer):
        script.functions(layer)
        script.line(f"forward = partial(layer, {spelling.train or spelling.call})")
    else:
        script.functions(function)
        script.line(f"forward = partial(function, {written.partial(training)})")
    script.functions(*(functions_of(loss) if loss else []), train_step, update)
    script.line(f"loss = {written.partial(loss) if loss else None}", f"optimizer = {made.call if made else None}")
    script.line(f"step = {_run(run, 'partial(train_step, forward, loss, optimizer)')}")
    script.line(f"slots = {'optimizer.init(params)' if made else None}")
    script.line(written.listing("batches", [_list(_ordered(task, each)) for each in task.train.batches]))
    script.line(
        written.listing(
            "targets", [_text(each) for each in task.train.targets or []] or ["None"] * len(task.train.batches)
        )
    )
    script.block("""
        for number, (inputs, target) in enumerate(zip(batches, targets)):
            (y, value, batch_stats), gradients, params, slots = step(params, batch_stats, slots, inputs, target)
            print(f"step {number + 1}: loss", value)
        print("y", y, sep="\\n")
        print("gradients of params and inputs", *gradients[0].items(), *gradients[1], sep="\\n")
        print("params and batch_stats", *params.items(), *batch_stats.items(), sep="\\n")
    """)


def applied_script(script: Script, task: Task, run: str) -> None:
    """Write what `Applied` does."""
    assert task.train is not None
    spelling: Spelling = _spelled(task)
    given = ", ".join(f"{name}={_text(each)}" for name, each in _given_slots(task, spelling).items())
    script.functions(update)
    script.line(f"variable = {_text(task.tensors['variable'])}", f"optimizer = {spelling.call}")
    script.line("slots = optimizer.init(variable)")
    if given:
        script.functions(unmasked)
        script.line(f"slots = optax.tree_utils.tree_set(slots, unmasked, {given})")
    script.line(f"step = {_run(run, 'partial(update, optimizer)')}")
    script.line(written.listing("gradients", [_text(each["gradient"]) for each in task.train.batches]))
    script.block("""
        for number, gradient in enumerate(gradients):
            variable, slots = step(variable, slots, gradient)
            print(f"step {number + 1}:", variable)
            print("  slots:", slots)
    """)
