"""Keras on TensorFlow: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are those of ``compile``: eager is ``run_eagerly=True``, graph is ``jit_compile=False``, which is what Keras
chooses by itself on a CPU, and xla is ``jit_compile=True``.  The default is eager: a graph is traced anew for every
task.  Over the catalogue, training of 100 steps included, that is 9 seconds against 15, and 78 for xla.
"""

from __future__ import annotations

from operator import attrgetter
from typing import ClassVar

from conformance.adapter import Arrays, Part, Session, Task
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters import _keras as base
from conformance.adapters._functions import Backend
from conformance.adapters._on_tensorflow import OnTensorFlow
from conformance.errors import Unsupported
from conformance.script import Script, literal
from conformance.spelling import Function, Made, Name, Spelling, Spellings, functions_of, spellings_of

spellings = Spellings(base.spellings, spellings_of(__name__))


# --- the sessions ---------------------------------------------------------------------------------------------------


class _Model(Session):
    """A layer in a model of its own."""

    def __init__(self, task: Task, backend: Backend, spelling: Spelling) -> None:
        self.task, self.backend, self.spelling = task, backend, spelling
        self.layer = spelling.call()
        self.parameters = {name: read(self.layer) for name, read in spelling.reads.items()}
        loss, optimizer = functions.parts(task)
        self.loss = base.loss_of(loss)
        self.optimizer = base.optimizer_of(optimizer, task.precision) if _learns(task) else None
        x = task.inputs["x"]
        self.model = backend.build_model(self.layer, x.shape, str(x.dtype), _learns(task))
        self.weights = {name: attrgetter(_name(spelling, name).name)(self.layer) for name in task.tensors}
        for name, value in task.tensors.items():
            self.weights[name].assign(_name(spelling, name).layout.theirs(value))
        made = self.optimizer.made if self.optimizer else IDLE
        self.model.compile(made, self.loss and self.loss(), **backend.compiling[backend.mode_of(task)])

    def step(self, number: int) -> Arrays:
        train = self.task.train
        assert train is not None
        if self.optimizer:
            self.optimizer.begin(number)
        target = self.backend.tensor(train.targets[number - 1]) if train.targets else None
        x = self.backend.tensor(train.batches[number - 1]["x"])
        y, loss, gradients = self.model.train_on_batch(x, target, return_dict=True)["seen"]
        trace = {"y": functions.array(y)}
        if self.loss:
            trace["loss"] = functions.array(loss)
        if "x" in self.task.differentiated:
            trace["x.gradient"] = functions.array(gradients[0])
        variables = self.model.trainable_variables
        of_weights = {id(each): gradient for each, gradient in zip(variables, gradients[1:], strict=True)}
        for name, weight in self.weights.items():
            ours = _name(self.spelling, name).layout.ours
            trace[name] = ours(functions.array(weight))
            if of_weights.get(id(weight)) is not None:
                trace[f"{name}.gradient"] = ours(functions.array(of_weights[id(weight)]))
            for slot, each in self.optimizer.slots(weight).items() if self.optimizer else ():
                trace[f"{name}.{slot}"] = ours(each)
        return trace

    def predict(self) -> Arrays:
        assert self.task.predict is not None
        return {"y": functions.array(self.model.predict_on_batch(self.backend.tensor(self.task.predict["x"])))}


IDLE = "sgd"
"""A model without an optimizer has one all the same, which it does not use: on JAX, Keras trains none without."""


def _learns(task: Task) -> bool:
    return bool(functions.parts(task)[1] and task.tensors)


def _spelled(task: Task) -> Spelling:
    spelling: Spelling = spellings.spell(task.operation, task.parameters, functions.shapes(task))
    if task.kind == "loss" and not isinstance(spelling, Function):
        return Function(Made(spelling.call.name, **spelling.call.arguments), reads=spelling.reads)
    if not isinstance(spelling, Function) and not task.inputs["x"].shape:
        raise Unsupported("a Keras model needs a batch axis")
    return spelling


def _name(spelling: Spelling, name: str) -> Name:
    """A weight as the layer names it: as we do, unless the spelling says otherwise."""
    return spelling.tensors.get(name, Name(name))


class Keras(base.OnBackend):
    """Keras on TensorFlow: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend: ClassVar[Backend] = OnTensorFlow()
    distributions = ("keras", "tensorflow")
    seconds_to_start = 4.0
    modes = tuple(backend.modes)
    spellings = spellings

    def spelled(self, task: Task) -> Spelling:
        return super().spelled(task) if task.kind == "optimizer" else _spelled(task)

    def open(self, task: Task) -> Session:
        base.begin(task, self.backend)
        if task.kind == "optimizer":
            optimizer = base.optimizer_of(Part(task.operation, task.parameters), task.precision)
            assert optimizer is not None
            return functions.Applied(task, self.backend, optimizer, optimizer.made)
        spelling = _spelled(task)
        if isinstance(spelling, Function):
            loss, part = functions.parts(task)
            made = base.loss_of(loss)
            return functions.Trained(
                task, self.backend, spelling, made and made(), base.optimizer_of(part, task.precision)
            )
        return _Model(task, self.backend, spelling)

    def script(self, task: Task) -> str:
        script = base.begun_script(task, self)
        if task.kind == "optimizer":
            _optimizer_script(script, self.backend, task)
        elif isinstance(spelling := _spelled(task), Function):
            loss, optimizer = functions.parts(task)
            made, used = str(base.loss_of(loss)), base.optimizer_text(optimizer)
            write.trained_script(script, self.backend, task, spelling, made, used)
        else:
            _model_script(script, self.backend, task, spelling)
        return str(script)


# --- scripts --------------------------------------------------------------------------------------------------------


def _optimizer_script(script: Script, backend: Backend, task: Task) -> None:
    spelling: Spelling = spellings.spell(task.operation, task.parameters)
    after = ["slots = {each.name: each for each in optimizer.variables}"]
    for name, value in functions.given_slots(task, spelling).items():
        after.append(f"slots['variable_{spelling.tensors[name].name}'].assign({literal(value)})")
    made = base.optimizer_text(Part(task.operation, task.parameters))
    shown = "[(each.name, np.asarray(each)) for each in optimizer.variables]"
    write.applied_script(script, backend, task, made, shown, after)


def _model_script(script: Script, backend: Backend, task: Task, spelling: Spelling) -> None:
    call, learns, x = spelling.call, _learns(task), task.inputs["x"]
    script.functions(*functions_of(call), backend.build_model)
    script.line(f"layer = {call}", f"model = build_model(layer, {x.shape}, {str(x.dtype)!r}, learns={learns})")
    for name, value in task.tensors.items():
        held = _name(spelling, name)
        script.line(f"layer.{held.name}.assign({literal(held.layout.theirs(value))})")
    loss, part = functions.parts(task)
    optimizer = base.optimizer_text(part if learns else None, "model.optimizer")
    options = ", ".join(f"{name}={value}" for name, value in backend.compiling[backend.mode_of(task)].items())
    script.line(f"model.compile({optimizer.made if learns else repr(IDLE)}, {base.loss_of(loss)}, {options})")
    if task.train:
        batches = [write.tensor(backend, each["x"]) for each in task.train.batches]
        script.line(write.listing("batches", batches), write.targets(backend, task))
        script.line(write.rates(part, len(batches)))
        script.line("for step, (x, target, rate) in enumerate(zip(batches, targets, rates)):", *optimizer.in_loop)
        script.block("""
                y, loss, gradients = model.train_on_batch(x, target, return_dict=True)["seen"]
                print(f"step {step + 1}: loss", np.asarray(loss))
            print("y", np.asarray(y), sep="\\n")
            for name, gradient in zip(["x", *(each.name for each in model.trainable_variables)], gradients):
                print(f"gradient of {name}", None if gradient is None else np.asarray(gradient), sep="\\n")
            for each in model.variables:
                print(each.path, np.asarray(each), sep="\\n")
        """)
    if task.predict is not None:
        given = write.tensor(backend, task.predict["x"])
        script.line("", f"y = model.predict_on_batch({given})", "print('predict', y, sep='\\n')")
