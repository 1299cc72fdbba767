"""The reproduction scripts of both adapters on PyTorch: a training, a prediction, the steps of an optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.adapter import Part, Task
from conformance.adapters import _torch as shared
from conformance.adapters._function_scripts import partial
from conformance.adapters._torch import given, name_of, rate_of, spelled, start_of, update
from conformance.adapters._torch.modes import in_mode_text
from conformance.script import Script, literal
from conformance.spelling import Call, Function, Spelling, Spellings, functions_of, per_step, taking


def write(script: Script, task: Task, spellings: Spellings) -> None:
    """Write what the session of a task does."""
    if task.kind == "optimizer":
        _optimizer_steps(script, task, spellings)
    elif isinstance(spelling := spelled(task, spellings), Function):
        _function(script, task, spelling, spellings)
    else:
        _module(script, task, spelling, spellings)


@dataclass(frozen=True)
class Written:
    """How a script calls what is trained, and where it finds what is trained and what there is to see."""

    step: str
    called: str
    trained: str
    tensors: str


def _repeated(values: list[str]) -> str:
    same = len(set(values)) == 1
    return f"[{values[0]}] * {len(values)}" if same else f"[{', '.join(values)}]"


def _optimizer(script: Script, task: Task, call: Call, variables: str) -> None:
    script.line(f"optimizer = {call.text(variables)}")
    if task.mode == "graph":
        script.line("optimizer.step = torch.compile(optimizer.step)")


def _training(script: Script, task: Task, spelling: Spelling, spellings: Spellings, written: Written) -> None:
    train = task.train
    assert train is not None
    arrays = [given(task, spelling, batch) for batch in train.batches]
    batches = [f"[{', '.join(map(literal, batch.values()))}]" for batch in arrays]
    script.line(f"batches = {_repeated(batches)}")
    theirs = spelling.layout_of("y").theirs
    script.line(f"targets = {_repeated([literal(theirs(each)) for each in train.targets or []])}")
    script.line(f"loss = {in_mode_text(task, _loss(script, train.loss, spellings)) if train.loss else None}")
    if train.optimizer and list(task.tensors):
        call = spellings.spell(train.optimizer.operation, train.optimizer.parameters).call
        _optimizer(script, task, call, f"[each for each in {written.trained} if each.requires_grad]")
    else:
        script.line("optimizer = None")
    wanted = [name in task.differentiated for name in arrays[0]]
    rates = [rate_of(train.optimizer, number + 1) for number in range(len(train.batches))]
    script.block(f"""
        rates = {rates if len(set(rates)) > 1 else f"{rates[:1]} * {len(rates)}"}
        for step, (batch, rate) in enumerate(zip(batches, rates)):
            for group in optimizer.param_groups if optimizer and rate is not None else []:
                group["lr"] = rate
            inputs = [torch.tensor(each).requires_grad_(wanted) for each, wanted in zip(batch, {wanted})]
            target = torch.tensor(targets[step]) if targets else None
            y, value = {written.step}({written.called}, inputs, loss, target, optimizer)
            print(f"step {{step + 1}}: loss", value.numpy())
        print("y", {_shown(task)}, sep="\\n")
        for number, each in enumerate(inputs):
            print(f"gradient of input {{number}}", None if each.grad is None else each.grad.numpy(), sep="\\n")
        for name, each in {written.tensors}.items():
            print(name, each.detach().numpy(), sep="\\n")
            if each.grad is not None:
                print(f"gradient of {{name}}", each.grad.numpy(), sep="\\n")
    """)


def _shown(task: Task) -> str:
    return "*(each.numpy() for each in y)" if len(task.results) > 1 else "y.numpy()"


def _loss(script: Script, part: Part, spellings: Spellings) -> str:
    spelling = spellings.spell(part.operation, part.parameters)
    script.functions(*functions_of(spelling.call))
    return partial(spelling.call) if isinstance(spelling, Function) else str(spelling.call)


def _prediction(script: Script, task: Task, spelling: Spelling, called: str) -> None:
    inputs = [f"torch.tensor({literal(each)})" for each in given(task, spelling, task.predict or {}).values()]
    script.line("", f"y = {called}, [{', '.join(inputs)}])", f"print('predict', {_shown(task)}, sep='\\n')")


def _module(script: Script, task: Task, spelling: Spelling, spellings: Spellings) -> None:
    script.functions(*functions_of(spelling.call))
    if task.train:
        script.functions(shared.learn, shared.train_step)
    if task.predict is not None:
        script.functions(shared.predict)
    script.line(f"module = {spelling.call}.to(torch.{task.precision})", "with torch.no_grad():")
    for name, value in task.tensors.items():
        held = name_of(spelling, name)
        script.line(f"    module.{held.name}.copy_(torch.tensor({literal(held.layout.theirs(value))}))")
    for name, number in spelling.fixed.items():
        script.line(f"    module.{name_of(spelling, name).name}.fill_({number}).requires_grad_(False)")
    if not task.tensors and not spelling.fixed:
        script.line("    pass")
    if task.mode == "graph":
        script.line("module = torch.compile(module)")
    if task.train:
        tensors = "module.state_dict(keep_vars=True)"
        written = Written("train_step", "module", "module.parameters()", tensors)
        _training(script, task, spelling, spellings, written)
    if task.predict is not None:
        _prediction(script, task, spelling, "predict(module")


def _function(script: Script, task: Task, spelling: Function, spellings: Spellings) -> None:
    training, predicting = (taking(each, task.keywords) for each in (spelling.training, spelling.call))
    needed = [each for call in (training, predicting) for each in functions_of(call)]
    script.functions(*dict.fromkeys(needed))
    if task.train:
        script.functions(shared.learn, shared.function_step)
    if task.predict is not None:
        script.functions(shared.function_predict)
    script.line("weights = {")
    for name, value in task.tensors.items():
        held = name_of(spelling, name)
        made = f"torch.tensor({literal(held.layout.theirs(value))}, requires_grad={name not in spelling.states})"
        script.line(f"    {held.name!r}: {made},")
    script.line("}")
    if task.train:
        script.line(f"training = {in_mode_text(task, partial(training))}")
        written = Written("function_step", "training, weights", "weights.values()", "weights")
        _training(script, task, spelling, spellings, written)
    if task.predict is not None:
        script.line(f"predicting = {in_mode_text(task, partial(predicting))}")
        _prediction(script, task, spelling, "function_predict(predicting, weights")


def _optimizer_steps(script: Script, task: Task, spellings: Spellings) -> None:
    spelling: Spelling = spelled(task, spellings)
    assert task.train is not None
    script.functions(update)
    script.line(f"variable = torch.tensor({literal(task.tensors['variable'])}, requires_grad=True)")
    _optimizer(script, task, spelling.call, "[variable]")
    slots = [f"{name!r}: torch.tensor({literal(each)})" for name, each in start_of(task, spelling).items()]
    if slots:
        script.line(f"optimizer.state[variable] = {{{', '.join(slots)}}}")
    rates = [per_step(task.parameters.get("learning_rate"), number + 1) for number in range(len(task.train.batches))]
    script.line(f"gradients = [{', '.join(literal(batch['gradient']) for batch in task.train.batches)}]")
    script.block(f"""
        for step, (gradient, rate) in enumerate(zip(gradients, {rates})):
            update(optimizer, variable, torch.tensor(gradient), rate)
            print(f"step {{step + 1}}:", variable.detach().numpy())
            print("  state:", dict(optimizer.state[variable]))
    """)
