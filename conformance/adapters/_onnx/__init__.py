"""What the two adapters on ONNX share: the models made of an operation's nodes, how they run, the scripts.

A model predicts with its weights as initializers, as an exporter writes them.  ONNX trains little: batch normalization
has a training mode, and ai.onnx.preview.training two optimizers; what these update goes round as input and output.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conformance.adapter import Adapter, Arrays, Session, Task, lazy
from conformance.adapters._onnx._nodes import OPSETS, TRAINING, Graph, node, renewed
from conformance.errors import Unsupported
from conformance.script import Script, literal
from conformance.spelling import AS_IS, Array, Call, Name, Parameters, Written, per_step, spellings_of
from conformance.writing import arguments_of, in_words, named, of_both

if TYPE_CHECKING:
    import onnx
else:
    onnx = lazy("onnx")

spellings = spellings_of(__name__)
NO_GRADIENT = f"no kernel of {TRAINING}.Gradient"


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def build(nodes: Any, inputs: Any, weights: Any, results: Any, dtype: Any) -> Any:
    """A model of these nodes, checked. Shapes of results are given or inferred; None is a size that is left open."""

    def described(name: Any, dtype: Any, shape: Any) -> Any:
        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(dtype), shape)

    graph = onnx.helper.make_graph(
        nodes,
        "model",
        [described(name, each.dtype, each.shape) for name, each in inputs.items()],
        [described(name, np.dtype(dtype), shape) for name, shape in results.items()],
        [onnx.numpy_helper.from_array(each, name) for name, each in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid(each, OPSETS[each]) for each in sorted({each.domain for each in nodes})]
    model = onnx.helper.make_model_gen_version(graph, opset_imports=opsets)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(evaluator: Any, inputs: Any, results: Any) -> Any:
    """The results of a model by name."""
    return dict(zip(results, evaluator.run(list(results), inputs), strict=True))


# --- the sessions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """What `build` makes a model of; ``inputs`` are those of a first run."""

    nodes: Sequence[Call]
    inputs: Arrays
    weights: Arrays
    results: Mapping[str, Sequence[int | None] | None]
    dtype: str

    def built(self) -> Any:
        """Raises `Unsupported` for an operator that ONNX does not define for this format."""
        try:
            return build([each() for each in self.nodes], self.inputs, self.weights, self.results, self.dtype)
        except onnx.shape_inference.InferenceError as error:
            if "has unsupported type" not in str(error):
                raise
            raise Unsupported(f"no such operator: {error}") from None


class Evaluated(Session):
    """Models of one operation, run by an evaluator, which `OnnxAdapter.prepare` makes of a model."""

    def __init__(self, task: Task, adapter: OnnxAdapter) -> None:
        self.task, self.adapter = task, adapter
        self.graph = spelled(task)
        self.parameters = self.graph.held()
        self.weights = weights_of(task, self.graph)
        if task.train:
            self.training = training_model(task, self.graph)
            self.trainer = adapter.prepare(self.training.built())

    def step(self, number: int) -> Arrays:
        state = {name: self.weights[name] for name in states_of(self.task, self.graph)}
        found = run(self.trainer, fed(self.task, self.graph, number) | state, self.training.results)
        self.weights |= {name: found.pop(renewed(name)) for name in state}
        held = {name: self.weights[name] for name in self.task.tensors}
        return self._ours(found) | held

    def predict(self) -> Arrays:
        model = predicting_model(self.task, self.graph, self.weights)
        return self._ours(run(self.adapter.prepare(model.built()), model.inputs, model.results))

    def _ours(self, results: Arrays) -> Arrays:
        return {name: self.graph.layout_of(name).ours(each) for name, each in results.items()}


def spelled(task: Task) -> Graph:
    shapes = {name: each.shape for name, each in {**task.inputs, **task.tensors}.items()}
    graph: Graph = spellings.spell(task.operation, task.parameters, shapes)
    return graph


def weights_of(task: Task, graph: Graph) -> Arrays:
    """The weights and states from which a task starts, in ONNX's layouts, and the inert ones."""
    given = {name: graph.layouts.get(name, AS_IS).theirs(each) for name, each in task.tensors.items()}
    inert = {name: each.astype(task.precision) for name, each in graph.inert.items() if name in _read(graph)}
    return {**inert, **given}


def _read(graph: Graph) -> set[str]:
    return {name for each in (*graph.nodes, *graph.training) for name in each.positional[1]}


def states_of(task: Task, graph: Graph) -> list[str]:
    return [name for name in graph.states if name in task.tensors]


def fed(task: Task, graph: Graph, number: int) -> Arrays:
    """What a step of training is fed beside the states."""
    assert task.train is not None
    batch = {name: graph.layout_of(name).theirs(each) for name, each in task.train.batches[number - 1].items()}
    if task.kind == "optimizer":
        rate = np.array(per_step(task.parameters["learning_rate"], number), task.precision)
        return {"learning_rate": rate, "iterations": np.array(number - 1), **batch}  # as ONNX documents: 0 at first
    if task.train.targets:
        batch["target"] = graph.layout_of("y").theirs(task.train.targets[number - 1])
    return batch


def training_model(task: Task, graph: Graph) -> Model:
    """The model of a step of training; raises `Unsupported` where it would take a gradient."""
    train, states = task.train, states_of(task, graph)
    assert train is not None
    weights = weights_of(task, graph)
    trained = [name for name in task.tensors if name not in states]
    if not graph.training or (train.optimizer and trained):
        raise Unsupported(f"{NO_GRADIENT}, so nothing trains {' and '.join(trained) or task.operation}")
    nodes, inputs = list(graph.training), fed(task, graph, 1)
    results: dict[str, Sequence[int | None] | None] = {}
    if "y" in nodes[0].positional[2]:
        results["y"] = [None] * inputs["x"].ndim
    if train.loss:
        loss: Graph = spellings.spell(train.loss.operation, train.loss.parameters)
        nodes += [node("Identity", ["y"], ["prediction"]), *loss.nodes]
        results["loss"] = _loss_shape(train.loss.parameters, inputs["target"])
    results |= {renewed(name): list(weights[name].shape) for name in states}
    inputs |= {name: weights.pop(name) for name in states}
    return Model(nodes, inputs, weights, results, task.precision)


def predicting_model(task: Task, graph: Graph, weights: Arrays) -> Model:
    if not graph.nodes:
        raise Unsupported("an optimizer has no predict phase")
    inputs = {name: graph.layout_of(name).theirs(each) for name, each in (task.predict or {}).items()}
    results = {name: graph.shapes.get(name) for name in task.results}
    return Model(graph.nodes, inputs, weights, results, task.precision)


def _loss_shape(parameters: Parameters, elements: Array) -> Sequence[int | None]:
    return list(elements.shape) if parameters["reduction"] == "none" else []


# --- the adapter and its scripts ------------------------------------------------------------------------------------


class OnnxAdapter(Adapter):
    """A program that evaluates ONNX models."""

    spellings = spellings

    @abstractmethod
    def prepare(self, model: Any) -> Any:
        """What runs a model: ``run(names of results, inputs)``. Raises `Unsupported` for a node without a kernel."""

    def open(self, task: Task) -> Session:
        return Evaluated(task, self)

    def written(self, task: Task) -> Written:
        graph = spelled(task)
        predicting, training = ("\n".join(map(str, nodes)) for nodes in (graph.nodes, graph.training))
        attributes = [
            arguments_of(Call(each.positional[0], **each.arguments) for each in nodes)
            for nodes in (graph.nodes, graph.training)
        ]
        names = {name: Name(_called(graph, name), graph.layouts.get(name, AS_IS)) for name in task.tensors}
        moved = {name: Name(_called(graph, name), graph.layout_of(name)) for name in task.inputs}
        return Written(
            predicting or training,
            training if predicting else "",
            _inputs(task, graph) | of_both(*attributes),
            {name: named(each) for name, each in names.items()}
            | {name: named(each) for name, each in moved.items() if in_words(each.layout)},
        )

    @abstractmethod
    def begun_script(self, task: Task) -> Script:
        """A script that has done what `load` does, and defines ``prepare``."""

    def script(self, task: Task) -> str:
        script, graph = self.begun_script(task), spelled(task)
        script.functions(build, run)
        script.line(f"OPSETS = {OPSETS}", f"dtype = {task.precision!r}")
        weights = weights_of(task, graph)
        script.line("weights = {", *(f"    {name!r}: {literal(each)}," for name, each in weights.items()), "}")
        if task.train:
            try:
                _training_script(script, task, graph)
            except Unsupported as reason:
                script.line("", f"# Not trained: {reason}.")
        if task.predict is not None:
            model = predicting_model(task, graph, weights)
            script.line("", f"inputs = {_dictionary(model.inputs)}")
            _model_lines(script, model, "inputs", "weights")
            script.line("print('predict', *run(prepare(model), inputs, results).items(), sep='\\n')")
        return str(script)


def _inputs(task: Task, graph: Graph) -> dict[str, Any]:
    """The parameters that a graph takes as tensors."""
    read = _read(graph)
    held = {name: each.tolist() for name, each in graph.inert.items() if name in read and name not in task.tensors}
    rate = {name: task.parameters[name] for name in ("learning_rate",) if name in read and name in task.parameters}
    return {name: value for name, value in (rate | held).items() if name in task.parameters}


def _called(graph: Graph, name: str) -> str:
    """What the first operator that takes a tensor calls it."""
    for each in (*graph.nodes, *graph.training):
        operator, inputs, _ = each.positional
        if name in inputs:
            domain = each.arguments.get("domain", "")
            known = onnx.defs.get_schema(operator, OPSETS[domain], domain).inputs
            place = known[min(inputs.index(name), len(known) - 1)]
            return name if place.option.name == "Variadic" else str(place.name)  # one of many has no name
    return name


def _training_script(script: Script, task: Task, graph: Graph) -> None:
    assert task.train is not None
    model, states = training_model(task, graph), states_of(task, graph)
    batches = [_dictionary(fed(task, graph, number + 1)) for number in range(len(task.train.batches))]
    script.line(f"state = {{name: weights.pop(name) for name in {states}}}")
    script.line("batches = [", *(f"    {each}," for each in batches), "]")
    _model_lines(script, model, "batches[0] | state", "weights")
    script.block("""
        evaluator = prepare(model)
        for step, inputs in enumerate(batches):
            found = run(evaluator, inputs | state, results)
            state = {name: found["new_" + name] for name in state}
            print(f"step {step + 1}:", *found.items(), sep="\\n")
        weights |= state
        print("weights", *weights.items(), sep="\\n")
    """)


def _model_lines(script: Script, model: Model, inputs: str, weights: str) -> None:
    script.line("nodes = [", *(f"    {each}," for each in model.nodes), "]", f"results = {dict(model.results)}")
    script.line(f"model = build(nodes, {inputs}, {weights}, results, dtype)")


def _dictionary(arrays: Arrays) -> str:
    return f"{{{', '.join(f'{name!r}: {literal(each)}' for name, each in arrays.items())}}}"
