"""A value that carries the rounding error a sound implementation may make.

Running error analysis (N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., chapter 3): beside
each float64 value stands a bound on the error that any evaluation of the same formula at unit roundoff ``unit`` may
have made by then.  An operation passes on the errors of its operands and adds its own rounding.

Infinities and NaN are meant here, so whoever evaluates a formula silences NumPy's warnings about them (`np.errstate`).

The class takes part in NumPy's protocols (``__array_ufunc__``, ``__array_function__``), so a formula written in
NumPy calls needs no change; what has no rule here raises ``TypeError`` rather than losing the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_tuple

Floats: TypeAlias = npt.NDArray[np.float64]

ELEMENTARY = 4.0
"""Units of roundoff granted to an elementary function (exp, log, tanh, erf, pow): what vendors' libraries document."""


def growth(terms: int) -> float:
    """How many roundings a sum of ``terms`` terms adds: blocked or pairwise summation (Higham, section 4.3)."""
    return 0.0 if terms <= 1 else 2.0 + math.log2(terms)


class Bounded:
    """An array of float64 values with a bound on the absolute error of each.

    ``value`` and ``error`` have one shape; ``unit`` is the unit roundoff of the precision under test (2^-24 for
    float32, 2^-53 for float64).
    """

    __slots__ = ("error", "unit", "value")
    __array_priority__ = 50.0  # below autograd's boxes, which must get the first say
    __hash__ = None  # type: ignore[assignment]
    __add__: Any
    __radd__: Any
    __sub__: Any
    __rsub__: Any
    __mul__: Any
    __rmul__: Any
    __truediv__: Any
    __rtruediv__: Any
    __pow__: Any
    __rpow__: Any
    __lt__: Any
    __le__: Any
    __gt__: Any
    __ge__: Any
    __neg__: Any
    __pos__: Any
    __abs__: Any

    def __init__(self, value: npt.ArrayLike, unit: float, error: npt.ArrayLike = 0.0) -> None:
        self.value: Floats = np.asarray(value, dtype=np.float64)
        self.unit = unit
        bound = np.asarray(error, dtype=np.float64)
        if bound.shape != self.value.shape:
            bound = np.broadcast_to(bound, self.value.shape)
        self.error: Floats = bound

    @classmethod
    def rounded(cls, value: float, unit: float) -> Bounded:
        """A parameter as an implementation at ``unit`` must hold it: exact if it has that few digits, else rounded."""
        digits = -round(math.log2(unit))
        mantissa = math.frexp(value)[0] if math.isfinite(value) else 0.0
        exact = math.ldexp(mantissa, digits).is_integer()
        return cls(value, unit, 0.0 if exact else unit * abs(value))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"Bounded({self.value!r}, error={self.error!r}, unit={self.unit!r})"

    def __getitem__(self, index: Any) -> Bounded:
        return Bounded(self.value[index], self.unit, self.error[index])

    def reshape(self, *shape: Any) -> Bounded:
        return Bounded(self.value.reshape(*shape), self.unit, self.error.reshape(*shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("a bounded value does not turn into a plain array: its bound would be lost")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(not isinstance(each, (Bounded, np.ndarray, np.generic, int, float)) for each in inputs):
            if method == "at" and ufunc is np.add:
                return _add_at(*inputs)
            return NotImplemented
        if ufunc in _COMPARISONS and method == "__call__":
            return ufunc(*map(_value, inputs))
        if method == "at" and ufunc is np.add:
            return _add_at(*inputs)
        if method == "reduce" and ufunc is np.add:
            return _sum(*inputs, **options)
        rule = _UFUNCS.get(ufunc) or _by_name(ufunc)
        if rule is None or method != "__call__" or options.keys() - {"out"}:
            raise TypeError(f"no error bound is known for numpy.{ufunc.__name__} ({method})")
        value, error = rule(self.unit, *map(_pair, inputs))
        return _made(value, error, self.unit)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        if function in _METADATA:
            return function(*map(_value, args), **options)
        if function in _STRUCTURE:
            return _structural(function, self.unit, args, options)
        if function in _FUNCTIONS:
            return _FUNCTIONS[function](*args, **options)
        raise TypeError(f"no error bound is known for numpy.{getattr(function, '__name__', function)}")


def _operator(ufunc: np.ufunc, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def apply(self: Bounded, other: Any) -> Any:
        if not isinstance(other, (Bounded, np.ndarray, np.generic, int, float)):
            return NotImplemented  # an autograd box: it knows what to do
        return ufunc(other, self) if reflected else ufunc(self, other)

    return apply


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "pow": np.power,
}.items():  # fmt: skip
    setattr(Bounded, f"__{_name}__", _operator(_ufunc))
    setattr(Bounded, f"__r{_name}__", _operator(_ufunc, reflected=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(Bounded, f"__{_name}__", _operator(_ufunc))
Bounded.__neg__ = lambda self: np.negative(self)
Bounded.__pos__ = lambda self: self
Bounded.__abs__ = lambda self: np.abs(self)

Pair: TypeAlias = tuple[Floats, Floats]


def _value(operand: Any) -> Any:
    if isinstance(operand, Bounded):
        return operand.value
    if isinstance(operand, (list, tuple)):
        return type(operand)(_value(each) for each in operand)
    return operand


def _error(operand: Any) -> Any:
    if isinstance(operand, Bounded):
        return operand.error
    if isinstance(operand, (list, tuple)):
        return type(operand)(_error(each) for each in operand)
    return np.zeros(np.shape(operand))


def _pair(operand: Any) -> Pair:
    if isinstance(operand, Bounded):
        return operand.value, operand.error
    value = np.asarray(operand, dtype=np.float64)
    return value, np.zeros(value.shape)


def _made(value: Any, error: Any, unit: float) -> Bounded:
    """A result whose error is 0 where the value is not finite (compared as a fact) and infinite where undetermined.

    What overflows in the format under test is undetermined from there on; what underflows may have become 0.
    """
    value = np.asarray(value, dtype=np.float64)
    if not np.isfinite(error).all() or not np.isfinite(value).all():
        error = np.where(np.isfinite(value), np.where(np.isnan(error), np.inf, error), 0.0)
    smallest, largest = _RANGES.get(unit, (0.0, np.inf))
    size = np.abs(value)
    if ((size > largest) & (size < np.inf)).any():
        error = np.where((size > largest) & (size < np.inf), np.inf, error)
    if ((size < smallest) & (size > 0)).any():
        error = np.where((size < smallest) & (size > 0), np.maximum(error, smallest), error)
    return Bounded(value, unit, error)


_RANGES = {2.0**-24: (2.0**-126, float(np.finfo(np.float32).max))}
"""The smallest normal and the largest number of a format by its unit roundoff; float64's own range needs no care."""


# --- element by element: each rule passes on the operands' errors and adds the operation's own rounding -------------


def _add(unit: float, a: Pair, b: Pair) -> Pair:
    return _plus(unit, a, b, a[0] + b[0])


def _subtract(unit: float, a: Pair, b: Pair) -> Pair:
    return _plus(unit, a, b, a[0] - b[0])


def _plus(unit: float, a: Pair, b: Pair, value: Floats) -> Pair:
    exact = _zero(a) | _zero(b)  # adding an exact zero rounds nothing
    return value, a[1] + b[1] + np.where(exact, 0.0, unit * np.abs(value))


def _zero(a: Pair) -> npt.NDArray[np.bool_]:
    exact: npt.NDArray[np.bool_] = (a[0] == 0) & (a[1] == 0)
    return exact


def _power_of_two(a: Pair) -> npt.NDArray[np.bool_]:
    exact: npt.NDArray[np.bool_] = (np.abs(np.frexp(a[0])[0]) == 0.5) & (a[1] == 0)
    return exact


def _multiply(unit: float, a: Pair, b: Pair) -> Pair:
    value = a[0] * b[0]
    exact = _power_of_two(a) | _power_of_two(b)
    passed = np.abs(a[0]) * b[1] + np.abs(b[0]) * a[1] + a[1] * b[1]
    return value, passed + np.where(exact, 0.0, unit * np.abs(value))


def _divide(unit: float, a: Pair, b: Pair) -> Pair:
    value = a[0] / b[0]
    size = np.abs(b[0])
    room = size - b[1]
    passed = np.where(
        (a[1] == 0) & (b[1] == 0),
        0.0,
        np.where(room > 0, a[1] / room + np.abs(a[0]) / size * (b[1] / room), np.inf),
    )
    return value, passed + np.where(_power_of_two(b), 0.0, unit * np.abs(value))


def _sqrt(unit: float, a: Pair) -> Pair:
    value = np.sqrt(a[0])
    up = np.sqrt(a[0] + a[1]) - value
    down = value - np.sqrt(np.maximum(a[0] - a[1], 0.0))
    return value, np.maximum(up, down) + unit * np.abs(value)


def _power(unit: float, a: Pair, b: Pair) -> Pair:
    value = np.power(*np.broadcast_arrays(a[0], b[0]))
    if np.all(b[0] == 2) and not np.any(b[1]):
        return _multiply(unit, a, a)
    steepest = np.where(b[0] < 1, _nearest_zero(a), np.abs(a[0]) + a[1])
    by_base = np.where(a[1] == 0, 0.0, np.abs(b[0]) * np.power(steepest, b[0] - 1) * a[1])
    by_exponent = np.where(value == 0, 0.0, np.abs(value * np.log(np.abs(a[0]))) * b[1]) if np.any(b[1]) else 0.0
    return value, by_base + by_exponent + ELEMENTARY * unit * np.abs(value)


def _exp(unit: float, a: Pair) -> Pair:
    value = np.exp(a[0])
    passed = np.where(a[1] < 1, value * np.expm1(np.minimum(a[1], 1.0)), np.exp(a[0] + a[1]) - value)
    return value, passed + ELEMENTARY * unit * value


def _expm1(unit: float, a: Pair) -> Pair:
    value = np.expm1(a[0])
    return value, np.exp(a[0]) * np.expm1(a[1]) + ELEMENTARY * unit * np.abs(value)


def _log(unit: float, a: Pair) -> Pair:
    value = np.log(a[0])
    return value, _log_error(a[0], a[1]) + ELEMENTARY * unit * np.abs(value)


def _log1p(unit: float, a: Pair) -> Pair:
    value = np.log1p(a[0])
    return value, _log_error(1.0 + a[0], a[1]) + ELEMENTARY * unit * np.abs(value)


def _log_error(at: Floats, error: Floats) -> Floats:
    return np.where(error == 0, 0.0, np.where(error < at, -np.log1p(-error / at), np.inf))


def _nearest_zero(a: Pair) -> Floats:
    return np.maximum(np.abs(a[0]) - a[1], 0.0)


def _tanh(unit: float, a: Pair) -> Pair:
    value = np.tanh(a[0])
    steepest = 1.0 / np.cosh(np.minimum(_nearest_zero(a), 700.0)) ** 2
    return value, steepest * a[1] + ELEMENTARY * unit * np.abs(value)


def _cosh(unit: float, a: Pair) -> Pair:
    value = np.cosh(a[0])
    return value, np.sinh(np.abs(a[0]) + a[1]) * a[1] + ELEMENTARY * unit * value


def _cos(unit: float, a: Pair) -> Pair:
    value = np.cos(a[0])
    passed = np.minimum(np.abs(np.sin(a[0])) * a[1] + a[1] * a[1] / 2, 2.0)
    return value, passed + ELEMENTARY * unit * np.abs(value)


def _erf(unit: float, a: Pair) -> Pair:
    from scipy.special import erf  # imported only by formulas that need it: SciPy takes longer to load than NumPy

    value = np.asarray(erf(a[0]), dtype=np.float64)
    steepest = 2.0 / math.sqrt(math.pi) * np.exp(-(_nearest_zero(a) ** 2))
    return value, steepest * a[1] + ELEMENTARY * unit * np.abs(value)


def _gammaln(unit: float, a: Pair) -> Pair:
    from scipy.special import digamma, gammaln

    value = np.asarray(gammaln(a[0]), dtype=np.float64)
    slope = np.where(a[1] == 0, 0.0, np.maximum(np.abs(digamma(a[0] - a[1])), np.abs(digamma(a[0] + a[1]))))
    return value, slope * a[1] + ELEMENTARY * unit * np.abs(value)


def _exact(function: Callable[..., Any]) -> Callable[..., Pair]:
    """Functions that round nothing and stretch no error: sign changes, and the choice of one operand."""

    def rule(unit: float, *operands: Pair) -> Pair:
        errors = [np.broadcast_to(error, np.shape(value)) for value, error in operands]
        worst = errors[0] if len(errors) == 1 else np.maximum(*np.broadcast_arrays(*errors))
        return function(*(value for value, _ in operands)), worst

    return rule


def _sign(unit: float, a: Pair) -> Pair:
    return np.sign(a[0]), np.where((a[1] > 0) & (np.abs(a[0]) <= a[1]), 2.0, 0.0)


_UFUNCS: dict[np.ufunc, Callable[..., Pair]] = {
    np.add: _add, np.subtract: _subtract, np.multiply: _multiply, np.true_divide: _divide,
    np.power: _power, np.sqrt: _sqrt, np.exp: _exp, np.expm1: _expm1, np.log: _log, np.log1p: _log1p,
    np.tanh: _tanh, np.cosh: _cosh, np.cos: _cos, np.sign: _sign,
    np.negative: _exact(np.negative), np.absolute: _exact(np.absolute),
    np.maximum: _exact(np.maximum), np.minimum: _exact(np.minimum),
    np.square: lambda unit, a: _multiply(unit, a, a),
}  # fmt: skip
_COMPARISONS = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.isnan, np.isinf, np.isfinite, np.signbit,
}  # fmt: skip


def _by_name(ufunc: np.ufunc) -> Callable[..., Pair] | None:
    return {"erf": _erf, "gammaln": _gammaln}.get(ufunc.__name__)  # scipy.special's are ufuncs too


# --- sums and contractions -------------------------------------------------------------------------------------------


def _count(shape: Sequence[int], axis: Any) -> int:
    axes = range(len(shape)) if axis is None else normalize_axis_tuple(axis, len(shape))
    return math.prod(shape[each] for each in axes)


def _sum(a: Bounded, axis: Any = None, keepdims: bool = False, **unused: Any) -> Bounded:
    if any(value is not None and value is not np._NoValue for value in unused.values()):
        raise TypeError(f"no error bound is known for numpy.sum with {', '.join(unused)}")
    terms = _count(a.shape, axis)
    value = np.sum(a.value, axis=axis, keepdims=keepdims)
    if terms == 1:
        return Bounded(value, a.unit, a.error.reshape(value.shape))
    magnitude = np.sum(np.abs(a.value), axis=axis, keepdims=keepdims)
    passed = np.sum(a.error, axis=axis, keepdims=keepdims)
    return _made(value, passed + growth(terms) * a.unit * magnitude, a.unit)


def _mean(a: Bounded, axis: Any = None, keepdims: bool = False, **unused: Any) -> Bounded:
    mean: Bounded = _sum(a, axis=axis, keepdims=keepdims, **unused) / _count(a.shape, axis)
    return mean


def _extreme(function: Callable[..., Any]) -> Callable[..., Bounded]:
    def rule(a: Bounded, axis: Any = None, keepdims: bool = False, **unused: Any) -> Bounded:
        value = function(a.value, axis=axis, keepdims=keepdims)
        return _made(value, np.max(a.error, axis=axis, keepdims=keepdims), a.unit)

    return rule


def _einsum(pattern: str, *operands: Any, **options: Any) -> Bounded:
    if len(operands) > 2:
        raise TypeError("no error bound is known for numpy.einsum with more than two operands")
    unit = next(each.unit for each in operands if isinstance(each, Bounded))
    pairs = [_pair(each) for each in operands]
    value = np.einsum(pattern, *(v for v, _ in pairs))
    size = [np.abs(v) for v, _ in pairs]
    passed = np.zeros(value.shape)
    for index, (_, error) in enumerate(pairs):
        if np.any(error):
            passed = passed + np.einsum(pattern, *(error if index == i else s for i, s in enumerate(size)))
    terms = _contracted(pattern, [v.shape for v, _ in pairs])
    factors = 0.0 if len(pairs) == 1 else 1.0  # the products round once, then the sum
    return _made(value, passed + (growth(terms) + factors) * unit * np.einsum(pattern, *size), unit)


def _contracted(pattern: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """How many terms each element of the result sums: the sizes of the indices that the output lacks."""
    left, _, right = pattern.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for letters, shape in zip(left.split(","), shapes, strict=True):
        sizes.update(zip(letters, shape, strict=True))
    return math.prod(size for letter, size in sizes.items() if letter not in right)


def _add_at(target: Bounded, index: Any, addend: Any) -> None:
    """``np.add.at``, in place: how autograd gathers the gradient of an index expression."""
    value, error = _pair(addend)
    old, target.error = target.value.copy(), target.error.copy()
    np.add.at(target.value, index, value)
    np.add.at(target.error, index, error)
    hits = np.zeros(target.shape)
    np.add.at(hits, index, (value != 0) | (error != 0))  # adding an exact zero rounds nothing
    hits += old != 0
    magnitude = np.abs(old)
    np.add.at(magnitude, index, np.abs(value))
    target.error += np.where(hits > 1, (2.0 + np.log2(np.maximum(hits, 1.0))) * target.unit * magnitude, 0.0)


def iterated(step: Callable[[Any], Any], x: Any, times: int, steepness: Callable[[Floats], float]) -> Any:
    """``step`` applied so many times, of which is known how it stretches an error as a whole.

    A polynomial of a matrix multiplies the errors of its elements again and again, and their bounds know nothing of
    what cancels.  ``steepness`` says from the values how much longer, at most, a small change of them becomes (the
    root of its sum of squares).
    """
    length = math.sqrt(np.sum(x.error * x.error)) if isinstance(x, Bounded) else 0.0
    for number in range(times):
        if not isinstance(x, Bounded):
            x = step(x)
            continue
        own = step(Bounded(x.value, x.unit))
        passed = steepness(x.value) * length
        length = passed + math.sqrt(np.sum(own.error * own.error))
        last = number == times - 1
        x = _made(own.value, own.error + passed if last else own.error, x.unit)
    return x


# --- structure: the same rearrangement for values and for errors -----------------------------------------------------


def _structural(function: Callable[..., Any], unit: float, args: Any, options: Any) -> Any:
    if function is np.where:
        condition, *chosen = args
        return Bounded(
            np.where(_value(condition), *map(_value, chosen)), unit, np.where(_value(condition), *map(_error, chosen))
        )
    array, *rest = args
    value = function(_value(array), *rest, **options)
    zeroed = {**options, **({"constant_values": 0.0} if "constant_values" in options else {})}
    return Bounded(value, unit, function(_error(array), *rest, **zeroed))


def _like(function: Callable[..., Any]) -> Callable[..., Bounded]:
    return lambda a, *rest, **options: Bounded(function(a.value, *rest, **options), a.unit)


_METADATA = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.argmax, np.argmin, np.argsort}
_STRUCTURE = {
    np.where, np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims, np.broadcast_to,
    np.concatenate, np.stack, np.pad, np.take, np.repeat, np.tile, np.flip, np.roll, np.ravel, np.copy,
}  # fmt: skip
_FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.sum: _sum, np.mean: _mean, np.max: _extreme(np.max), np.min: _extreme(np.min), np.einsum: _einsum,
    np.zeros_like: _like(np.zeros_like), np.ones_like: _like(np.ones_like), np.full_like: _like(np.full_like),
}  # fmt: skip
