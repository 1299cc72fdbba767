"""How torch.optim.lr_scheduler spells schedules: an optimizer's learning rate is followed from step to step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from conformance.adapter import lazy
from conformance.errors import Unsupported
from conformance.spelling import Function, Local, Parameters, Shapes, Spellings, refuse_others

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

spellings = Spellings()


# --- what a user writes; these functions stand in the reproduction script as they are -------------------------------


def followed(schedule: Callable[[Any], Any], iteration: Any, initial_learning_rate: Any) -> Any:
    """The learning rate after so many steps; PyTorch holds it as a number of Python."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=initial_learning_rate.item())
    scheduler = schedule(optimizer)
    rates = []
    for _ in range(int(iteration.max()) + 1):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rates, dtype=initial_learning_rate.dtype)[iteration]


def multi_step(iteration: Any, initial_learning_rate: Any, milestones: Sequence[int], gamma: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma)

    return followed(schedule, iteration, initial_learning_rate)


def step(iteration: Any, initial_learning_rate: Any, step_size: int, gamma: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.StepLR(optimizer, step_size, gamma)

    return followed(schedule, iteration, initial_learning_rate)


def exponential(iteration: Any, initial_learning_rate: Any, gamma: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)

    return followed(schedule, iteration, initial_learning_rate)


def cosine(iteration: Any, initial_learning_rate: Any, steps: int, alpha: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, alpha * initial_learning_rate.item())

    return followed(schedule, iteration, initial_learning_rate)


def polynomial(iteration: Any, initial_learning_rate: Any, total_iters: int, power: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters, power)

    return followed(schedule, iteration, initial_learning_rate)


def straight(iteration: Any, initial_learning_rate: Any, total_iters: int, end: float) -> Any:
    def schedule(optimizer: Any) -> Any:
        end_factor = end / initial_learning_rate.item()
        return torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, end_factor, total_iters)

    return followed(schedule, iteration, initial_learning_rate)


# --- the spellings --------------------------------------------------------------------------------------------------


@spellings
def piecewise_constant_decay(p: Parameters, shapes: Shapes) -> Function:
    milestones = [p["boundaries"]] if isinstance(p["boundaries"], int) else list(p["boundaries"])
    return Function(Local(multi_step, [followed], milestones=milestones, gamma=p["decay_rate"]))


@spellings
def exponential_decay(p: Parameters, shapes: Shapes) -> Function:
    """PyTorch multiplies with every step, so the factor of ``decay_steps`` steps is spread over them."""
    if p["staircase"]:
        return Function(Local(step, [followed], step_size=_whole(p), gamma=p["decay_rate"]))
    return Function(Local(exponential, [followed], gamma=p["decay_rate"] ** (1 / p["decay_steps"])))


@spellings
def cosine_decay(p: Parameters, shapes: Shapes) -> Function:
    return Function(Local(cosine, [followed], steps=_whole(p), alpha=p["alpha"]))


@spellings
def polynomial_decay(p: Parameters, shapes: Shapes) -> Function:
    """To another rate than 0 PyTorch falls in a straight line only."""
    refuse_others(p, "torch.optim.lr_scheduler", p.keys() - {"cycle"}, {"cycle": False})
    reads = {"end_learning_rate": lambda _: 0.0}
    if not p.get("end_learning_rate"):
        return Function(Local(polynomial, [followed], total_iters=_whole(p), power=p["power"]), reads=reads)
    if p["power"] != 1:
        raise Unsupported("torch.optim.lr_scheduler.PolynomialLR has no end_learning_rate other than 0")
    return Function(Local(straight, [followed], total_iters=_whole(p), end=p["end_learning_rate"]))


def _whole(p: Parameters) -> int:
    if p["decay_steps"] % 1:
        raise Unsupported("torch.optim.lr_scheduler counts whole steps")
    return int(p["decay_steps"])
