"""Keras on TensorFlow: layers in a Model, compile, train_on_batch, predict_on_batch.

The modes are those of ``compile``: eager is ``run_eagerly=True``, graph is ``jit_compile=False``, which is what Keras
chooses by itself on a CPU, and xla is ``jit_compile=True``.  The default is eager: a graph is traced anew for every
task.  Over the catalogue, training of 100 steps included, that is 9 seconds against 15, and 78 for xla.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.adapter import Arrays, Call, Parameters, Part, Session, Spelling, Spellings, Task, lazy
from conformance.adapters import _function_scripts as write
from conformance.adapters import _functions as functions
from conformance.adapters import _keras as base
from conformance.adapters._functions import Backend, Function, Local, Made, Shapes
from conformance.adapters._on_tensorflow import OnTensorFlow
from conformance.errors import Unsupported
from conformance.script import Script, literal

if TYPE_CHECKING:
    import keras
else:
    keras = lazy("keras")

spellings = Spellings(base.spellings)


# --- how Keras spells each operation --------------------------------------------------------------------------------


@spellings
def batch_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call(
            "keras.layers.BatchNormalization",
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            momentum=p.get("momentum"),
            center=p["center"],
            scale=p["scale"],
        ),
        reads={"epsilon": lambda layer: layer.epsilon, "momentum": lambda layer: layer.momentum},
    )


@spellings
def layer_normalization(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(
        Call(
            "keras.layers.LayerNormalization",
            axis=p["axis"],
            epsilon=p.get("epsilon"),
            center=p["center"],
            scale=p["scale"],
        ),
        reads={"epsilon": lambda layer: layer.epsilon},
    )


@spellings
def dense(p: Parameters, shapes: Shapes) -> Spelling:
    if len(shapes["x"]) < 2:
        raise Unsupported("keras.layers.Dense takes 2 axes or more")
    return Spelling(Call("keras.layers.Dense", shapes["kernel"][1], use_bias=p["use_bias"]))


@spellings
def conv2d(p: Parameters, shapes: Shapes) -> Spelling:
    height, width, _, filters = shapes["kernel"]
    base.refuse_strided_dilation(p, "keras.layers.Conv2D")
    return Spelling(
        Call(
            "keras.layers.Conv2D",
            filters,
            (height, width),
            strides=p["strides"],
            padding=p["padding"],
            dilation_rate=p["dilation"],
            groups=p["groups"],
            use_bias=p["use_bias"],
        )
    )


@spellings
def relu(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("keras.layers.ReLU"))


@spellings
def gelu(p: Parameters, shapes: Shapes) -> Spelling:
    asked = p.get("approximate")
    return Spelling(
        Call("keras.layers.Activation", "gelu") if asked is None else Local(gelu_layer, approximate=asked == "tanh"),
        reads={"approximate": lambda layer: "tanh" if functions.default(layer.activation, "approximate") else "none"},
    )


def gelu_layer(approximate: bool) -> Any:
    return keras.layers.Activation(partial(keras.activations.gelu, approximate=approximate))


@spellings
def softmax(p: Parameters, shapes: Shapes) -> Spelling:
    return Spelling(Call("keras.layers.Softmax", axis=p["axis"]))


# --- the sessions ---------------------------------------------------------------------------------------------------


class _Model(Session):
    """A layer in a model of its own."""

    def __init__(self, task: Task, backend: Backend) -> None:
        self.task, self.backend = task, backend
        spelling = _layer(task)
        self.layer = spelling.call()
        self.parameters = {name: read(self.layer) for name, read in spelling.reads.items()}
        loss, optimizer = functions.parts(task)
        self.loss = base.loss_of(loss)
        self.optimizer = base.optimizer_of(optimizer, task.precision) if _learns(task) else None
        self.model = backend.build_model(self.layer, task.inputs["x"].shape, _learns(task))
        for name, value in task.tensors.items():
            getattr(self.layer, name).assign(value)
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
        names = ["x", *(each.name for each in self.model.trainable_variables)]
        for name, gradient in zip(names, gradients, strict=True):
            if gradient is not None and (name in self.task.tensors or name in self.task.differentiated):
                trace[f"{name}.gradient"] = functions.array(gradient)
        for name in self.task.tensors:
            weight = getattr(self.layer, name)
            trace[name] = functions.array(weight)
            if self.optimizer:
                trace |= {f"{name}.{slot}": each for slot, each in self.optimizer.slots(weight).items()}
        return trace

    def predict(self) -> Arrays:
        assert self.task.predict is not None
        return {"y": functions.array(self.model.predict_on_batch(self.backend.tensor(self.task.predict["x"])))}


IDLE = "sgd"
"""A model without an optimizer has one all the same, which it does not use: on JAX, Keras trains none without."""


def _learns(task: Task) -> bool:
    return bool(functions.parts(task)[1] and task.tensors)


def _layer(task: Task) -> Spelling:
    if not task.inputs["x"].shape:
        raise Unsupported("a Keras model needs a batch axis")
    spelling: Spelling = spellings.spell(task.operation, task.parameters, functions.shapes(task))
    return spelling


class Keras(base.OnBackend):
    """Keras on TensorFlow: layers in a Model, compile, train_on_batch, predict_on_batch."""

    backend: ClassVar[Backend] = OnTensorFlow()
    distributions = ("keras", "tensorflow")
    seconds_to_start = 4.0
    modes = tuple(backend.modes)
    spellings = spellings

    def open(self, task: Task) -> Session:
        base.begin(task, self.backend)
        if task.kind == "optimizer":
            optimizer = base.optimizer_of(Part(task.operation, task.parameters), task.precision)
            assert optimizer is not None
            return functions.Applied(task, self.backend, optimizer, optimizer.made)
        if task.kind == "loss":
            return functions.Trained(task, self.backend, _loss(task))
        return _Model(task, self.backend)

    def script(self, task: Task) -> str:
        script = base.begun_script(task, self)
        if task.kind == "optimizer":
            _optimizer_script(script, self.backend, task)
        elif task.kind == "loss":
            write.trained_script(script, self.backend, task, _loss(task))
        else:
            _model_script(script, self.backend, task)
        return str(script)


def _loss(task: Task) -> Function:
    call = spellings.spell(task.operation, task.parameters).call
    return Function(Made(call.name, **call.arguments))


# --- scripts --------------------------------------------------------------------------------------------------------


def _optimizer_script(script: Script, backend: Backend, task: Task) -> None:
    names = spellings.spell(task.operation, task.parameters).tensors
    after = ["slots = {each.name: each for each in optimizer.variables}"]
    for name in names.keys() & task.tensors.keys():
        after.append(f"slots['variable_{names[name].name}'].assign({literal(task.tensors[name])})")
    made = base.optimizer_text(Part(task.operation, task.parameters))
    shown = "{name: np.asarray(each) for name, each in slots.items()}"
    write.applied_script(script, backend, task, made, shown, after)


def _model_script(script: Script, backend: Backend, task: Task) -> None:
    call, learns = _layer(task).call, _learns(task)
    script.functions(*([call.function] if isinstance(call, Local) else []), backend.build_model)
    script.line(f"layer = {call}", f"model = build_model(layer, {task.inputs['x'].shape}, learns={learns})")
    script.line(*(f"layer.{name}.assign({literal(value)})" for name, value in task.tensors.items()))
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
        x = write.tensor(backend, task.predict["x"])
        script.line("", f"y = model.predict_on_batch({x})", "print('predict', y, sep='\\n')")
