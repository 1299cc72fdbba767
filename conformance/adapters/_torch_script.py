"""The reproduction scripts of both adapters on PyTorch: a training, a prediction, the steps of an optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.adapter import Call, Spelling, Spellings, Task, per_step
from conformance.adapters._torch import rate_of, spelled, start_of, update
from conformance.adapters._torch_modes import in_mode_text
from conformance.script import Script, literal


@dataclass(frozen=True)
class Written:
    """How a script calls what is trained, and where it finds what is trained and what there is to see."""

    called: str
    trained: str
    tensors: str
    loss: str


def _repeated(values: list[str]) -> str:
    same = len(set(values)) == 1
    return f"[{values[0]}] * {len(values)}" if same else f"[{', '.join(values)}]"


def _optimizer_script(script: Script, task: Task, call: Call, variables: str) -> None:
    script.line(f"optimizer = {call.text(variables)}")
    if task.mode == "graph":
        script.line("optimizer.step = torch.compile(optimizer.step)")


def training_script(script: Script, task: Task, spellings: Spellings, written: Written) -> None:
    train = task.train
    assert train is not None
    theirs = spelled(task, spellings).layout.theirs
    batches = [f"[{', '.join(literal(theirs(each)) for each in batch.values())}]" for batch in train.batches]
    script.line(f"batches = {_repeated(batches)}")
    script.line(f"targets = {_repeated([literal(theirs(each)) for each in train.targets or []])}")
    script.line(f"loss = {in_mode_text(task, written.loss) if train.loss else None}")
    if train.optimizer and list(task.tensors):
        call = spellings.spell(train.optimizer.operation, train.optimizer.parameters).call
        _optimizer_script(script, task, call, f"[each for each in {written.trained} if each.requires_grad]")
    else:
        script.line("optimizer = None")
    wanted = [name in task.differentiated for name in train.batches[0]]
    rates = [rate_of(train.optimizer, number + 1) for number in range(len(train.batches))]
    script.block(f"""
        rates = {rates if len(set(rates)) > 1 else f"{rates[:1]} * {len(rates)}"}
        for step, (batch, rate) in enumerate(zip(batches, rates)):
            for group in optimizer.param_groups if optimizer and rate is not None else []:
                group["lr"] = rate
            inputs = [torch.tensor(each).requires_grad_(wanted) for each, wanted in zip(batch, {wanted})]
            target = torch.tensor(targets[step]) if targets else None
            y, value = train_step({written.called}, inputs, loss, target, optimizer)
            print(f"step {{step + 1}}: loss", value.numpy())
        print("y", y.numpy(), sep="\\n")
        for number, each in enumerate(inputs):
            print(f"gradient of input {{number}}", None if each.grad is None else each.grad.numpy(), sep="\\n")
        for name, each in {written.tensors}.items():
            print(name, each.detach().numpy(), sep="\\n")
            if each.grad is not None:
                print(f"gradient of {{name}}", each.grad.numpy(), sep="\\n")
    """)


def prediction_script(script: Script, task: Task, spelling: Spelling, called: str) -> None:
    inputs = [f"torch.tensor({literal(spelling.layout.theirs(each))})" for each in (task.predict or {}).values()]
    script.line("", f"y = predict({called}, [{', '.join(inputs)}])", "print('predict', y.numpy(), sep='\\n')")


def optimizer_script(script: Script, task: Task, spellings: Spellings) -> None:
    spelling: Spelling = spelled(task, spellings)
    assert task.train is not None
    script.functions(update)
    script.line(f"variable = torch.tensor({literal(task.tensors['variable'])}, requires_grad=True)")
    _optimizer_script(script, task, spelling.call, "[variable]")
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
