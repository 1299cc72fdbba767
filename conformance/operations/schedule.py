"""Schedules of the learning rate: functions of how many steps were taken, and of the rate before the first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import autograd.numpy as np

from conformance.operation import Array, Example, Knob, input, operation, parameter
from conformance.operations.choices import Settings

BOUNDARY = Knob(
    "boundary",
    {
        "<": "a rate holds while fewer steps were taken than the boundary says",
        "<=": "it holds for the boundary itself, too: one step longer",
    },
    default="<",
)
AFTER_END = Knob(
    "after_end",
    {"stays": "the rate stays where it is after the last step of the decay", "climbs": "it climbs again as it fell"},
    default="stays",
)
CYCLE = Knob(
    "cycle",
    {
        False: "the rate stays where it is after the last step of the decay",
        True: "the decay is made twice as long, then three times, and the rate lies on the longer one",
    },
    default=False,
)
STAIRCASE = Knob(
    "staircase",
    {False: "the rate falls with every step", True: "it falls once in decay_steps steps, all at once"},
    default=False,
)
LENGTH = parameter(1000.0, "how many steps the decay takes", minimum=1)


@operation(
    formula=r"y = \eta \, \gamma^{\#\{i : b_i \le t\}}",
    source="https://arxiv.org/abs/1512.03385",
    example=Example(
        {"iteration": [0, 1, 3, 6, 9], "initial_learning_rate": 8},
        {"y": [8, 8, 2, 2, 0.5]},
        {"boundaries": (2, 7), "decay_rate": 0.25},
    ),
    knobs=(BOUNDARY,),
    differentiable=False,
)
def piecewise_constant_decay(
    iteration: Array = input("*shape", integer=True),
    initial_learning_rate: Array = input("", differentiable=False),
    *,
    boundaries: Sequence[int] = parameter(1000, "after how many steps the rate falls", minimum=1, many=True),
    decay_rate: Array = parameter(0.1, "what multiplies the rate each time", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """A rate that is divided when so many steps were taken. He, Zhang, Ren and Sun 2015, section 4.2."""
    listed = (boundaries,) if isinstance(boundaries, int) else boundaries
    early = dialect["boundary"] == "<"
    passed = [np.where(iteration >= each if early else iteration > each, decay_rate, 1.0) for each in listed]
    return {"y": initial_learning_rate * math.prod(passed[1:], start=passed[0])}


@operation(
    formula=r"y = \eta \, \gamma^{t / T}",
    source="https://arxiv.org/abs/1910.07454",
    example=Example(
        {"iteration": [0, 2, 4, 6, 8], "initial_learning_rate": 8},
        {"y": [8, 4, 2, 1, 0.5]},
        {"decay_steps": 2.0, "decay_rate": 0.5},
    ),
    knobs=(STAIRCASE,),
    differentiable=False,
)
def exponential_decay(
    iteration: Array = input("*shape", integer=True),
    initial_learning_rate: Array = input("", differentiable=False),
    *,
    decay_steps: Array = LENGTH,
    decay_rate: Array = parameter(0.5, "what multiplies the rate in that time", minimum=0),
    staircase: bool = parameter(False, "fall all at once"),
    dialect: Settings,
) -> dict[str, Array]:
    """A rate that is multiplied with every step. Li and Arora 2019, definition 1.1, gamma being their alpha ^ T."""
    return {"y": initial_learning_rate * np.power(decay_rate, _elapsed(iteration, decay_steps, dialect))}


@operation(
    formula=r"y = \frac{\eta}{1 + \gamma \, t / T}",
    source="https://leon.bottou.org/publications/pdf/tricks-2012.pdf",
    example=Example(
        {"iteration": [0, 2, 6], "initial_learning_rate": 8},
        {"y": [8, 4, 2]},
        {"decay_steps": 4.0, "decay_rate": 2.0},
    ),
    knobs=(STAIRCASE,),
    differentiable=False,
)
def inverse_time_decay(
    iteration: Array = input("*shape", integer=True),
    initial_learning_rate: Array = input("", differentiable=False),
    *,
    decay_steps: Array = LENGTH,
    decay_rate: Array = parameter(0.5, "how much is added to the divisor in that time", minimum=0),
    staircase: bool = parameter(False, "fall all at once"),
    dialect: Settings,
) -> dict[str, Array]:
    """A rate that falls as the reciprocal of time. Bottou 2012, section 5.2, lambda times gamma_0 being gamma / T."""
    return {"y": initial_learning_rate / (1 + decay_rate * _elapsed(iteration, decay_steps, dialect))}


def _elapsed(iteration: Array, decay_steps: Array, settings: Settings) -> Array:
    """The time in units of the decay; obeys STAIRCASE, and a whole number is exact."""
    return np.floor(iteration / float(decay_steps)) if settings["staircase"] else iteration / decay_steps


@operation(
    formula=r"y = \eta \left( \alpha + (1 - \alpha) \frac{1 + \cos(\pi \min(t, T) / T)}{2} \right)",
    source="https://arxiv.org/abs/1608.03983",
    example=Example(
        {"iteration": [0, 2, 4], "initial_learning_rate": 8},
        {"y": [8, 5, 2]},
        {"decay_steps": 4.0, "alpha": 0.25},
    ),
    knobs=(AFTER_END,),
    differentiable=False,
)
def cosine_decay(
    iteration: Array = input("*shape", integer=True),
    initial_learning_rate: Array = input("", differentiable=False),
    *,
    decay_steps: Array = LENGTH,
    alpha: Array = parameter(0.0, "the share of the rate that is left at the end", minimum=0),
    dialect: Settings,
) -> dict[str, Array]:
    """A rate that falls as half a cosine. Loshchilov and Hutter 2016, equation 5, without a restart."""
    ended = dialect["after_end"] == "stays"
    progress = (np.minimum(iteration, float(decay_steps)) if ended else iteration) / decay_steps
    return {"y": initial_learning_rate * (alpha + (1 - alpha) * (0.5 * (1 + np.cos(math.pi * progress))))}


@operation(
    formula=r"y = (\eta - \eta_T) \left( 1 - \frac{\min(t, T)}{T} \right)^p + \eta_T",
    source="https://arxiv.org/abs/1606.00915",
    example=Example(
        {"iteration": [0, 2, 3, 4], "initial_learning_rate": 8},
        {"y": [8, 2, 0.5, 0]},
        {"decay_steps": 4.0, "end_learning_rate": 0.0, "power": 2.0},
    ),
    knobs=(CYCLE,),
    differentiable=False,
)
def polynomial_decay(
    iteration: Array = input("*shape", integer=True),
    initial_learning_rate: Array = input("", differentiable=False),
    *,
    decay_steps: Array = LENGTH,
    end_learning_rate: Array = parameter(0.0, "the rate after the last step", minimum=0, own_default=True),
    power: Array = parameter(1.0, "the power of the time that is left", minimum=0),
    cycle: bool = parameter(False, "begin a longer decay after the last step"),
    dialect: Settings,
) -> dict[str, Array]:
    """A rate that falls as a power of the time left. Chen et al. 2016, section 4.1.2, whose rate ends at 0."""
    length = float(decay_steps)
    if dialect["cycle"]:
        times = np.maximum(np.ceil(iteration / length), 1.0)
        progress, ended = iteration / (decay_steps * times), iteration == length * times
    else:
        progress, ended = np.minimum(iteration, length) / decay_steps, iteration >= length
    left = np.where(ended, 0.0, 1 - progress)
    return {"y": (initial_learning_rate - end_learning_rate) * np.power(left, power) + end_learning_rate}
