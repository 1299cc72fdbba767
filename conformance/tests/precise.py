"""Fifty-digit arithmetic for the formulas: mpmath's numbers in an array that takes part in NumPy's protocols."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

DIGITS = 50


def exact(value: Any) -> Any:
    """A float as it is; NaN and infinities too."""
    return mpmath.mpf(float(value))


def min_or_nan(one: Any, other: Any) -> Any:
    """The smaller of two numbers, NaN if one of them is, as NumPy has it."""
    return one if mpmath.isnan(one) else other if mpmath.isnan(other) else min(one, other)


def max_or_nan(one: Any, other: Any) -> Any:
    """The larger of two numbers, NaN if one of them is."""
    return -min_or_nan(-one, -other)


class Precise:
    """An object array of mpmath numbers."""

    __array_priority__ = 50.0
    __hash__ = None

    def __init__(self, values: Any) -> None:
        array = np.asarray(values, dtype=object)
        self.values = np.frompyfunc(lambda each: each if isinstance(each, mpmath.mpf) else exact(each), 1, 1)(array)
        self.values = np.asarray(self.values, dtype=object)

    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)
    size = property(lambda self: self.values.size)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __getitem__(self, index: Any) -> Precise:
        return Precise(self.values[index])

    def reshape(self, *shape: Any) -> Precise:
        return Precise(self.values.reshape(*shape))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [each.values if isinstance(each, Precise) else each for each in inputs]
        if ufunc.__name__ in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
            return np.asarray(ufunc(*arrays), dtype=bool)
        if ufunc.__name__ == "isnan":
            return np.asarray(np.frompyfunc(mpmath.isnan, 1, 1)(*arrays), dtype=bool)
        elementary = mpmath.loggamma if ufunc.__name__ == "gammaln" else getattr(mpmath, ufunc.__name__, None)
        if ufunc.__name__ in ("exp", "log", "sqrt", "tanh", "erf", "log1p", "expm1", "gammaln", "cos", "floor", "ceil"):
            return Precise(np.frompyfunc(elementary, 1, 1)(*arrays))
        if ufunc.__name__ in ("minimum", "maximum") and method == "__call__":
            return Precise(np.frompyfunc(min_or_nan if ufunc is np.minimum else max_or_nan, 2, 1)(*arrays))
        return Precise(getattr(ufunc, method)(*arrays, **options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        def plain(each: Any) -> Any:
            if isinstance(each, (list, tuple)):
                return type(each)(map(plain, each))
            return each.values if isinstance(each, Precise) else each

        result = function(*map(plain, args), **options)
        metadata = (np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.argmax)
        return result if function in metadata else Precise(result)


def _operator(ufunc: Any, reflected: bool = False) -> Any:
    return (lambda self, other: ufunc(other, self)) if reflected else (lambda self, other: ufunc(self, other))


_OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "pow": np.power,
}  # fmt: skip
for _name, _ufunc in _OPERATORS.items():
    setattr(Precise, f"__{_name}__", _operator(_ufunc))
    setattr(Precise, f"__r{_name}__", _operator(_ufunc, reflected=True))
for _name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"):
    _short = {
        "less": "lt",
        "less_equal": "le",
        "greater": "gt",
        "greater_equal": "ge",
        "equal": "eq",
        "not_equal": "ne",
    }
    setattr(Precise, f"__{_short[_name]}__", _operator(getattr(np, _name)))
Precise.__neg__ = lambda self: np.negative(self)  # type: ignore[attr-defined]
