"""Tensors: given numbers, recipes for drawing them, and numbers that somebody printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from conformance.case import LARGEST_TENSOR, MOST_AXES, Printed, TensorSpec
from conformance.operation import Operation, Shape
from conformance.reading.entry import read_optional
from conformance.reading.nodes import Node, Spot


def read_tensors(spot: Spot, operation: Operation) -> dict[str, TensorSpec | None]:
    """The weights and states that an entry gives; None for one that is faulty."""
    refused = {name: f"{name!r} is an input: give it in the phases" for name in operation.of_role("input")}
    fields = spot.fields(operation.of_role("weight", "state"), noun="tensor", refused=refused)
    return {name: spot.faults.attempt(read_tensor, each) for name, each in fields.items()}


def read_tensor(spot: Spot, integer: bool = False) -> TensorSpec | None:
    """A tensor, of given numbers or by a recipe; None where a fault was found in it."""
    if isinstance(spot.node.value, dict):
        found = _recipe(spot)
        if found and integer and found.recipe not in ("integers", "full"):
            raise spot.error(f"the recipe {found.recipe!r} draws no integers; expected 'integers'")
        if found and integer and found.recipe == "full":
            spot.fields(("shape", *RECIPES, "seed"))["full"].integer(-(2**53), 2**53)
        return found
    numbers, shape = _numbers(spot)
    for each in numbers if integer else ():
        each.integer(-(2**53), 2**53)
    return TensorSpec.of(np.reshape([each.number() for each in numbers], shape), spot.place)


def _numbers(spot: Spot) -> tuple[list[Spot], Shape]:
    """The numbers of a nested list, row by row, and its shape."""
    shape: Shape = ()
    level = [spot.node]
    while level and isinstance(level[0].value, list):
        width = len(level[0].value)
        below: list[Node] = []
        for each in level:
            if not isinstance(each.value, list):
                raise spot.at(each).expected(f"a list of {width}, like the first at this depth")
            if len(each.value) != width:
                raise spot.at(each).error(f"ragged: a list of {len(each.value)}, the first at this depth has {width}")
            below += each.value
        shape += (width,)
        level = below
        if len(shape) > MOST_AXES:
            raise spot.error(f"nested deeper than {MOST_AXES} lists")
    leaves = [spot.at(each) for each in level]
    wrong = [leaf for leaf in leaves if not _is_number(leaf.node.value)]
    for leaf in wrong[:-1]:
        spot.faults.add(leaf.expected("a number"))
    if wrong:
        raise wrong[-1].expected("a number")
    return leaves, shape


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _recipe(spot: Spot) -> TensorSpec | None:
    fields = spot.fields(("shape", *RECIPES, "seed"), ("shape",))
    shape = read_optional(fields, "shape", _shape, None)
    chosen = [name for name in RECIPES if name in fields]
    if len(chosen) != 1:
        raise spot.error(f"expected one of {', '.join(RECIPES)}, found {' and '.join(chosen) or 'none'}")
    (recipe,) = chosen
    read, random = RECIPES[recipe]
    arguments = read_optional(fields, recipe, read, None)
    seed = read_optional(fields, "seed", Spot.integer, None, 0, 2**64 - 1)
    if random and "seed" not in fields:
        spot.fault("the key 'seed' is missing: random numbers are the same in every run")
    if not random and "seed" in fields:
        spot.fault(f"{recipe!r} takes no 'seed'", spot.key_place("seed"))
    if shape is None or arguments is None:
        return None
    return TensorSpec(shape, spot.place, recipe, arguments, seed)


def _shape(spot: Spot) -> Shape:
    shape = tuple(each.integer(0, LARGEST_TENSOR) for each in spot.items("a shape: a list of integers", 0, MOST_AXES))
    if math.prod(shape) > LARGEST_TENSOR:
        raise spot.error(f"the shape {spot.node.shown} is too large; expected at most {LARGEST_TENSOR} elements")
    return shape


def _normal(spot: Spot) -> tuple[float, float]:
    fields = spot.fields(("mean", "std"))
    mean = fields["mean"].finite() if "mean" in fields else 0.0
    deviation = fields["std"].finite() if "std" in fields else 1.0
    if deviation < 0:
        raise fields["std"].expected("a number of at least 0")
    return mean, deviation


def _ends(spot: Spot) -> tuple[float, float]:
    first, last = (each.finite() for each in spot.items("two numbers", 2, 2))
    if not math.isfinite(last - first):
        raise spot.expected("two numbers whose difference is finite")
    return first, last


def _range(spot: Spot) -> tuple[float, float]:
    low, high = _ends(spot)
    if low > high:
        raise spot.expected("the lower end first")
    return low, high


def _integer_range(spot: Spot) -> tuple[float, float]:
    low, high = (each.integer(-(2**53), 2**53) for each in spot.items("two integers", 2, 2))
    if low >= high:
        raise spot.expected("a lower end and a higher one, which is not reached")
    return low, high


def _full(spot: Spot) -> tuple[float]:
    return (spot.number(),)


RECIPES: Mapping[str, tuple[Callable[[Spot], tuple[float, ...]], bool]] = {
    "normal": (_normal, True),
    "uniform": (_range, True),
    "integers": (_integer_range, True),
    "linspace": (_ends, False),
    "full": (_full, False),
}
"""How each recipe's arguments are read, and whether it is random."""


def read_printed(spot: Spot) -> Printed:
    """Numbers as they are printed in the file, with half a unit of each one's last digit."""
    numbers, shape = _numbers(spot)
    values = np.reshape(np.array([each.number() for each in numbers], dtype=np.float64), shape)
    margin = np.reshape(np.array([_half_digit(each.node) for each in numbers], dtype=np.float64), shape)
    return Printed(values, margin, spot.place)


def _half_digit(node: Node) -> float:
    """Half a unit of the last digit as it is written; 0 for an integer, an infinity and NaN."""
    if not isinstance(node.value, float) or not math.isfinite(node.value):
        return 0.0
    mantissa, _, exponent = node.text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return float(f"5e{int(exponent or 0) - decimals - 1}")
