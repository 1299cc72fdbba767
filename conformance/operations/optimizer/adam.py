"""Adam and its kin: steps along the running mean of the gradient, scaled by its running size."""

from __future__ import annotations

import math

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter, state
from conformance.operations.choices import WEIGHT_DECAY, Settings
from conformance.operations.optimizer.knobs import ADAM_EPSILON, CORRECTION, decayed, direction, moments

NORM_EPSILON = Knob(
    "epsilon",
    {
        "outside": "added to the norm where the moment is divided by it",
        "inside": "added to the size of the gradient that enters the norm, and so kept in the norm",
    },
    default="outside",
)
MOMENTUM_SCHEDULE = Knob(
    "momentum_schedule",
    {
        "slow": "in step t, beta_1 * (1 - 0.96^(t * momentum_decay) / 2)",
        "fast": "in step t, beta_1 * (1 - 0.96^t / 2), whatever momentum_decay is",
        "constant": "always beta_1",
    },
    default="slow",
)
FIRST_MOMENT = Knob(
    "first_moment",
    {"scheduled": "it decays by the momentum of the step", "constant": "it decays by beta_1"},
    default="scheduled",
)
SECOND_MOMENT = Knob(
    "second_moment",
    {"damped": "corrected, and multiplied by beta_2", "corrected": "corrected as Adam does"},
    default="damped",
)
ANY_DECAY = Knob(
    WEIGHT_DECAY.name,
    {**WEIGHT_DECAY.values, "unscaled": "the variable shrinks by weight_decay * variable, whatever learning_rate is"},
    default="unscaled",
)
THRESHOLD = Knob(
    "threshold",
    {
        4: "the step is adaptive once the average is longer than 4 steps",
        5: "once it is longer than 5 steps",
    },
    default=4,
)
WITHOUT_EPSILON = {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.0}


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
    r"w \leftarrow w - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}",
    source="https://arxiv.org/abs/1412.6980",
    example=Example(  # the first step, without epsilon, is the learning rate in the direction of the gradient
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        WITHOUT_EPSILON,
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
    knobs=(ADAM_EPSILON, CORRECTION.without("before_maximum", "after_epsilon", "none"), WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def adam(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Steps scaled by running moments of the gradient. Kingma and Ba 2014, algorithm 1."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment, second_moment = moments(first_moment, second_moment, gradient, beta_1, beta_2)
    counted = step - 1 if dialect["correction"] == "late" else step
    first, second = (1 - beta_1**counted, 1 - beta_2**counted) if counted else (1.0, 1.0)
    update = direction(first_moment, second_moment, first, second, epsilon, dialect)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "second_moment": second_moment}


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
    r"w \leftarrow w - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} - \lambda w",
    source="https://arxiv.org/abs/1711.05101",
    example=Example(
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        {**WITHOUT_EPSILON, "weight_decay": 0.0},
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
    knobs=(ADAM_EPSILON, ANY_DECAY),
    differentiable=False,
    results=(),
)
def adamw(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.01, "how much the variable is drawn to 0", minimum=0, own_default=True),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam with a decay apart from the gradient. Loshchilov and Hutter 2019, algorithm 2, whose schedule stays at 1."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment, second_moment = moments(first_moment, second_moment, gradient, beta_1, beta_2)
    update = direction(first_moment, second_moment, 1 - beta_1**step, 1 - beta_2**step, epsilon, dialect)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "second_moment": second_moment}


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad u \leftarrow \max(\beta_2 u, |g|), \quad "
    r"w \leftarrow w - \frac{\eta}{1 - \beta_1^t} \frac{m}{u + \epsilon}",
    source="https://arxiv.org/abs/1412.6980",
    example=Example(  # the norm decays to 3, 4 and 6, and is then 3, 8 and 6
        {"gradient": [3, -8, 3]},
        {"variable": [0.5, -1.5, 7.75]},
        WITHOUT_EPSILON,
        {"variable": [1, -2, 8], "norm": [4, 4, 8], "first_moment": [0, 0, 0]},
    ),
    knobs=(NORM_EPSILON, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def adamax(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    norm: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.002, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the norm", minimum=0, own_default=True),
    epsilon: Array = parameter(0.0, "keeps the denominator from 0; the paper has none", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam with the largest recent gradient in place of the second moment. Kingma and Ba 2014, algorithm 2."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment = beta_1 * first_moment + (1 - beta_1) * gradient
    inside = dialect["epsilon"] == "inside"
    norm = np.maximum(beta_2 * norm, np.abs(gradient) + epsilon if inside else np.abs(gradient))
    update = first_moment / (1 - beta_1**step) / (norm if inside else norm + epsilon)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "norm": norm}


@operation(
    formula=r"m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad "
    r"\hat{v} \leftarrow \max(\hat{v}, v), \quad w \leftarrow w - \eta \frac{m}{\sqrt{\hat{v}} + \epsilon}",
    source="https://arxiv.org/abs/1904.09237",
    example=Example(  # with these decays the correction makes no difference in the first step
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        WITHOUT_EPSILON,
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0], "maximum": [0, 0, 0]},
    ),
    knobs=(CORRECTION.published("none").without("late"), WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def amsgrad(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    maximum: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0; the paper has none", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam with the largest second moment so far, and no bias correction. Reddi, Kale and Kumar 2018, algorithm 2."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment, second_moment = moments(first_moment, second_moment, gradient, beta_1, beta_2)
    corrected = dialect["correction"] != "none"
    first, second = (1 - beta_1**step, 1 - beta_2**step) if corrected else (1.0, 1.0)
    entering = second_moment
    if dialect["correction"] == "before_maximum":
        entering, second = second_moment / second, 1.0
    maximum = np.maximum(maximum, entering)
    epsilons = {"epsilon": "hat" if dialect["correction"] == "after_epsilon" else "after_correction"}
    return {
        "variable": variable - learning_rate * direction(first_moment, maximum, first, second, epsilon, epsilons),
        "first_moment": first_moment,
        "second_moment": second_moment,
        "maximum": maximum,
    }


@operation(
    formula=r"m \leftarrow \mu_t m + (1 - \mu_t) g, \quad n \leftarrow \nu n + (1 - \nu) g^2, \quad "
    r"w \leftarrow w - \eta \frac{\frac{\mu_{t+1} m}{1 - \prod_{i=1}^{t+1} \mu_i} + "
    r"\frac{(1 - \mu_t) g}{1 - \prod_{i=1}^{t} \mu_i}}{\sqrt{\nu n / (1 - \nu^t)} + \epsilon}, \quad "
    r"\mu_t = \beta_1 (1 - \tfrac{1}{2} 0.96^{\delta t})",
    source="https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
    example=Example(  # without a first moment, the gradient; and by half of its size, the root of a quarter
        {"gradient": [2, -4, 1]},
        {"variable": [0.5, -1.5, 7.5]},
        {"learning_rate": 0.25, "beta_1": 0.0, "beta_2": 0.25, "epsilon": 0.0},
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
    knobs=(MOMENTUM_SCHEDULE, FIRST_MOMENT, SECOND_MOMENT, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def nadam(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.002, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.975, "what the decay of the first moment rises to", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    momentum_decay: Array = parameter(0.004, "how fast the momentum rises", minimum=0),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam with Nesterov's momentum, which rises on a schedule. Dozat 2016, algorithm 2."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    schedule = [_momentum(beta_1, each, momentum_decay, dialect) for each in range(1, step + 2)]
    now, later = schedule[-2:]
    decay = now if dialect["first_moment"] == "scheduled" else beta_1
    first_moment, second_moment = moments(first_moment, second_moment, gradient, decay, beta_2)
    ahead = later * first_moment / (1 - math.prod(schedule))
    mean = ahead + (1 - now) * gradient / (1 - math.prod(schedule[:-1]))
    square = second_moment / (1 - beta_2**step)
    square = beta_2 * square if dialect["second_moment"] == "damped" else square
    update = mean / (np.sqrt(square) + epsilon)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "second_moment": second_moment}


def _momentum(beta_1: Array, step: int, momentum_decay: Array, settings: Settings) -> Array:
    """The momentum of a step; obeys MOMENTUM_SCHEDULE."""
    match settings["momentum_schedule"]:
        case "slow":
            return beta_1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
        case "fast":
            return beta_1 * (1 - 0.5 * 0.96**step)
        case _:
            return beta_1


@operation(
    formula=r"\rho_\infty = \frac{2}{1 - \beta_2} - 1, \quad "
    r"\rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t}, \quad "
    r"r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}}, \quad "
    r"w \leftarrow w - \eta \frac{m}{1 - \beta_1^t} \begin{cases} "
    r"\frac{r_t}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} & \rho_t > 4 \\ 1 & \text{otherwise} \end{cases}",
    source="https://arxiv.org/abs/1908.03265",
    example=Example(  # the first step is never adaptive: it follows the gradient
        {"gradient": [2, -4, 1]},
        {"variable": [0, 0, 7.5]},
        WITHOUT_EPSILON,
        {"variable": [1, -2, 8], "first_moment": [0, 0, 0], "second_moment": [0, 0, 0]},
    ),
    knobs=(ADAM_EPSILON.without("inside"), THRESHOLD, WEIGHT_DECAY),
    differentiable=False,
    results=(),
)
def radam(
    variable: Array = state("*shape"),
    gradient: Array = input("*shape", differentiable=False),
    first_moment: Array = state("*shape", initial=0),
    second_moment: Array = state("*shape", initial=0),
    *,
    learning_rate: Array = parameter(0.001, "how far a step goes", minimum=0, per_step=True, own_default=True),
    beta_1: Array = parameter(0.9, "the decay of the first moment", minimum=0, own_default=True),
    beta_2: Array = parameter(0.999, "the decay of the second moment", minimum=0, own_default=True),
    epsilon: Array = parameter(1e-8, "keeps the denominator from 0; the paper has none", minimum=0, own_default=True),
    weight_decay: Array = parameter(0.0, "how much the variable is drawn to 0", minimum=0),
    step: int,
    dialect: Settings,
) -> dict[str, Array]:
    """Adam, adaptive only once its second moment can be trusted. Liu et al. 2020, algorithm 2."""
    variable, gradient = decayed(variable, gradient, learning_rate, weight_decay, dialect)
    first_moment, second_moment = moments(first_moment, second_moment, gradient, beta_1, beta_2)
    first, second = 1 - beta_1**step, 1 - beta_2**step
    longest = 2 / (1 - beta_2) - 1
    length = longest - 2 * step * beta_2**step / second
    update = first_moment / first
    if length > dialect["threshold"]:
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        update = np.sqrt(rectified) * direction(first_moment, second_moment, first, second, epsilon, dialect)
    return {"variable": variable - learning_rate * update, "first_moment": first_moment, "second_moment": second_moment}
