"""How torch.optim spells optimizers."""

from __future__ import annotations

from conformance.spelling import Call, Name, Parameters, Shapes, Spelling, Spellings, per_step


def optimizers(**form: bool) -> Spellings:
    """The optimizers; PyTorch has each in three forms, a loop, ``foreach`` and ``fused``, and the loop by default."""
    spellings = Spellings()

    @spellings
    def sgd(p: Parameters, shapes: Shapes) -> Spelling:
        return Spelling(
            Call(
                "torch.optim.SGD",
                lr=per_step(p.get("learning_rate"), 1),
                momentum=p["momentum"],
                nesterov=p["nesterov"],
                dampening=p["dampening"],
                weight_decay=p["weight_decay"],
                **form,
            ),
            tensors={"velocity": Name("momentum_buffer")},
            reads={"learning_rate": lambda optimizer: optimizer.defaults["lr"]},
        )

    @spellings
    def adam(p: Parameters, shapes: Shapes) -> Spelling:
        betas = None
        if "beta_1" in p or "beta_2" in p:
            betas = (p.get("beta_1", 0.9), p.get("beta_2", 0.999))
        return Spelling(
            Call(
                "torch.optim.Adam",
                lr=per_step(p.get("learning_rate"), 1),
                betas=betas,
                eps=p.get("epsilon"),
                weight_decay=p["weight_decay"],
                **form,
            ),
            tensors={"first_moment": Name("exp_avg"), "second_moment": Name("exp_avg_sq")},
            reads={
                "learning_rate": lambda optimizer: optimizer.defaults["lr"],
                "beta_1": lambda optimizer: optimizer.defaults["betas"][0],
                "beta_2": lambda optimizer: optimizer.defaults["betas"][1],
                "epsilon": lambda optimizer: optimizer.defaults["eps"],
            },
        )

    return spellings
