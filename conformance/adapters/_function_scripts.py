"""How a reproduction script writes what the sessions of `_functions` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.adapter import Part, Task
from conformance.adapters._functions import Backend, ordered
from conformance.script import Script, literal
from conformance.spelling import Array, Built, ByName, Call, Function, Local, Made, functions_of, per_step, taking


def written(call: Call, *first: str) -> str:
    """A call as a script writes it, with TensorFlow by its usual short name."""
    return call.text(*first).replace("tensorflow.", "tf.", 1)


def partial(call: Call) -> str:
    """A function with its arguments but not its inputs, as a script writes it."""
    if isinstance(call, ByName):
        return f"partial(by_name, {partial(call.call)}, {call.names})"
    if isinstance(call, (Made, Built)):
        return str(call)
    arguments = [f"{name}={value!r}" for name, value in call.arguments.items()]
    name = call.name.replace("tensorflow.", "tf.", 1)
    return f"partial({', '.join([name, *arguments])})" if arguments else name


@dataclass(frozen=True)
class WrittenOptimizer:
    """How a script makes an optimizer, what it does before, and in each step to learn at the rate ``rate``.

    ``after`` is what it does behind, to some variables that it has named.
    """

    made: str
    before: Sequence[str] = ()
    in_loop: Sequence[str] = ()
    prepared: str = ""


NO_OPTIMIZER = WrittenOptimizer("None")


def tensor(backend: Backend, value: Array) -> str:
    """A tensor as a script writes it."""
    return written(backend.tensor, literal(value))


def variable(backend: Backend, value: Array, name: str, trained: bool = True) -> str:
    """A variable as a script writes it."""
    return written(backend.variable(str(value.dtype), name, trained), literal(value))


def listing(name: str, items: Sequence[str]) -> str:
    """A list as a script writes it, short if all its items are the same."""
    same = len(set(items)) == 1
    return f"{name} = [{items[0]}] * {len(items)}" if same else f"{name} = [{', '.join(items)}]"


def rates(part: Part | None, steps: int) -> str:
    """The learning rate of each step, as a script writes it; None leaves it as it is."""
    given = part.parameters.get("learning_rate") if part else None
    return listing("rates", [repr(per_step(given, number + 1)) for number in range(steps)])


def targets(backend: Backend, task: Task) -> str:
    """The target of each step, or None, as a script writes it."""
    assert task.train is not None
    made = [tensor(backend, each) for each in task.train.targets or []]
    return listing("targets", made or ["None"] * len(task.train.batches))


def _compiled(script: Script, backend: Backend, task: Task) -> str:
    call = backend.compiled(task)
    if isinstance(call, Local):
        script.functions(call.function)
    return f"compiled = {partial(call)}"


def trained_script(
    script: Script,
    backend: Backend,
    task: Task,
    spelling: Function,
    loss: str = "None",
    optimizer: WrittenOptimizer = NO_OPTIMIZER,
) -> None:
    """Write what `Trained` does; the strings say how the adapter's framework makes these things."""
    train, predict = taking(spelling.training, task.keywords), taking(spelling.call, task.keywords)
    needed = [each for call in ([train] if task.train else []) + [predict] for each in functions_of(call)]
    script.functions(*dict.fromkeys(needed))
    script.line(_compiled(script, backend, task), "weights = {")
    for name, value in task.tensors.items():
        script.line(f"    {name!r}: {variable(backend, value, name, name not in spelling.states)},")
    script.line("}")
    if task.train:
        script.functions(backend.build_step)
        trained = [name for name in task.tensors if name not in spelling.states]
        _loop(script, backend, task, train, trained, loss, optimizer if trained else NO_OPTIMIZER)
    if task.predict is not None:
        script.functions(backend.build_predict)
        inputs = ", ".join(tensor(backend, each) for each in ordered(task, task.predict).values())
        script.line("", f"predict = build_predict({partial(predict)}, weights, compiled)", f"y = predict({inputs})")
        several = len(task.results) > 1
        script.line(f"print('predict', {'*map(np.asarray, y)' if several else 'np.asarray(y)'}, sep='\\n')")


def _loop(
    script: Script,
    backend: Backend,
    task: Task,
    forward: Call,
    trained: Sequence[str],
    loss: str,
    optimizer: WrittenOptimizer,
) -> None:
    assert task.train is not None
    batches = [ordered(task, each) for each in task.train.batches]
    script.line(f"loss = {loss}", *optimizer.before, f"optimizer = {optimizer.made}")
    if optimizer.prepared:
        script.line(optimizer.prepared.format(variables=f"[weights[name] for name in {list(trained)}]"))
    script.line(f"step = build_step({partial(forward)}, weights, loss, optimizer, compiled)")
    made = [", ".join(tensor(backend, each) for each in batch.values()) for batch in batches]
    script.line(listing("batches", [f"[{each}]" for each in made]), targets(backend, task))
    script.line(rates(task.train.optimizer, len(batches)))
    script.line("for number, (inputs, target, rate) in enumerate(zip(batches, targets, rates)):", *optimizer.in_loop)
    script.block(f"""
            y, value, gradients = step(inputs, target)
            print(f"step {{number + 1}}: loss", {"value" if len(task.results) > 1 else "np.asarray(value)"})
        print("y", {"*map(np.asarray, y)" if len(task.results) > 1 else "np.asarray(y)"}, sep="\\n")
        for name, gradient in zip({[*batches[0], *trained]}, gradients):
            print(f"gradient of {{name}}", None if gradient is None else np.asarray(gradient), sep="\\n")
        for name, weight in weights.items():
            print(name, np.array(weight), sep="\\n")
    """)


def applied_script(
    script: Script, backend: Backend, task: Task, optimizer: WrittenOptimizer, slots: str, after: Sequence[str] = ()
) -> None:
    """Write what `Applied` does; ``slots`` is what a script prints of them, ``after`` how it fills them first."""
    assert task.train is not None
    script.functions(backend.build_update)
    gradients = [tensor(backend, each["gradient"]) for each in task.train.batches]
    script.line(
        _compiled(script, backend, task), f"variable = {variable(backend, task.tensors['variable'], 'variable')}"
    )
    script.line(*optimizer.before, f"optimizer = {optimizer.made}")
    if optimizer.prepared:
        script.line(optimizer.prepared.format(variables="[variable]"))
    script.line(*after, "update = build_update(optimizer, variable, compiled)")
    script.line(listing("gradients", gradients), rates(Part(task.operation, task.parameters), len(gradients)))
    script.line("for step, (gradient, rate) in enumerate(zip(gradients, rates)):", *optimizer.in_loop)
    script.line("    update(gradient)", "    print(f'step {step + 1}:', np.array(variable))")
    script.line(f"    print('  slots:', {slots})")
