"""Gradient descent: the step follows the gradient, or a velocity that collects it."""

from __future__ import annotations

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import LEARNING_RATE, decayed

DAMPENING = Knob(
    "dampening",
    {"every_step": "from the first step on", "after_first": "the first gradient enters the velocity whole"},
    default="every_step",
)


@operation(
    formula=r"v \leftarrow \mu v - \eta g, \qquad w \leftarrow w + v",
    source="https://proceedings.mlr.press/v28/sutskever13.html",
    example=Example(
        {"gradient": [2, 4, 0]}, {"variable": [0, -4, 8]}, {"learning_rate": 0.5}, {"variable": [1, -2, 8]}
    ),
    knobs=(LEARNING_RATE, WEIGHT_DECAY, DAMPENING),
    differentiable=False,
    results=(),
)
def sgd(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    velocity: Array = state("*shape", initial=0, when="momentum"),
    *,
    learning_rate: Array = parameter(0.01, "how far a step goes", minimum=0, per_step=True, own_default=True),
    momentum: Array = parameter(0.0, "how much of the last step goes on", minimum=0),
    nesterov: bool = parameter(False, "look ahead: apply the momentum once more"),
    dampening: Array = parameter(0.0, "how much less the gradient counts in the velocity", minimum=0),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Gradient descent with momentum, classical or Nesterov's. Sutskever, Martens, Dahl and Hinton 2013, eq. 1-4.

    With Nesterov's momentum the variable is the point at which the next gradient is taken, as in every framework.
    """
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    if not momentum:
        return {"variable": variable - learning_rate * gradient}
    whole = dialect["dampening"] == "after_first" and step == 1
    entering = (1 - dampening) * gradient if dampening and not whole else gradient
    if dialect["learning_rate"] == "outside":
        velocity = momentum * velocity + entering
        update = gradient + momentum * velocity if nesterov else velocity
        return {"variable": variable - learning_rate * update, "velocity": velocity}
    velocity = momentum * velocity - learning_rate * entering
    update = momentum * velocity - learning_rate * gradient if nesterov else velocity
    return {"variable": variable + update, "velocity": velocity}
