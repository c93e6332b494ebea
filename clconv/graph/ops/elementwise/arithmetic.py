"""Arithmetic of the element-wise table, and what of it is more than a C operator on integers.

Quotients, remainders, powers, shifts and Shrink: a NumPy function and the OpenCL expression that does the same. Nothing
stops a device: dividing by zero gives 0, and what does not fit keeps its low bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.elementwise.row import ExpressionUse, Row, c_float, c_number
from clconv.graph.ops.numeric import converted
from clconv.graph.rules.gradient.elementwise import arithmetic as gradient
from clconv.graph.rules.gradient.elementwise import trigonometric
from clconv.graph.rules.gradient.flat import flat


def divide(at: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """C's division for integers: towards zero, and 0 where the divisor is 0."""
    if x.dtype.kind == "f":
        return x / y
    safe = _safe_divisor(y)
    quotient = x // safe
    rounded_down = (quotient * safe != x) & ((x < 0) != (safe < 0))
    quotient = np.where(rounded_down, quotient + 1, quotient)
    negated = np.subtract(0, x, dtype=x.dtype)  # the least integer stays what it is
    return np.where(y == 0, 0, np.where(safe == y, quotient, negated)).astype(x.dtype)


def _safe_divisor(y: np.ndarray) -> np.ndarray:
    """Integer divisors with 1 for 0 and -1, which stop a CPU or overflow."""
    return np.where((y == 0) | ((y < 0) & (y + 1 == 0)), 1, y).astype(y.dtype)


def _is_signed(use: ExpressionUse) -> bool:
    return use.dtypes[0].numpy.kind == "i"


def _divisor(use: ExpressionUse) -> str:
    """Dividing by 0 and the least integer by -1 stop a CPU: those divisors are replaced beforehand."""
    return f"(b == 0{' || b == (T)(-1)' if _is_signed(use) else ''} ? (T)(1) : b)"


def divide_expression(use: ExpressionUse) -> str:
    if use.is_float:
        return "a / b"
    if use.numbers[1] is None:
        return "clconv_quotient((T)(a), (T)(b))"
    quotient = f"(T)(a / {_divisor(use)})"  # compilers make a product of it
    if _is_signed(use):
        quotient = f"(b == (T)(-1) ? (T)(0 - a) : {quotient})"
    return f"b == 0 ? (T)(0) : {quotient}"


def extreme_expression(better: str) -> Callable[[ExpressionUse], str]:
    """a where it is better than b. A NaN of either is the result; compilers warn of asking integers for one."""

    def expression(use: ExpressionUse) -> str:
        return f"(a {better} b{' || a != a' if use.is_float else ''}) ? a : b"

    return expression


def mod(at: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """C's remainder with fmod, else that with the sign of the divisor; 0 for integers if it is 0."""
    if x.dtype.kind == "f":
        return np.fmod(x, y) if at.fmod else np.mod(x, y)
    return np.asarray((np.fmod if at.fmod else np.mod)(x, _safe_divisor(y)))


def mod_expression(use: ExpressionUse) -> str:
    rest = "fmod(a, b)" if use.is_float else f"(a % {_divisor(use)})"
    if use.attrs.fmod:
        return rest if use.is_float else f"b == 0 ? (T)(0) : (T){rest}"
    fixed = f"({rest} != 0 && ({rest} < 0) != (b < 0) ? {rest} + b : {rest})"
    return fixed if use.is_float else f"b == 0 ? (T)(0) : (T){fixed}"


def power(at: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x ** y. Integers wrap around; their negative powers are cut to integers, 0 for those of 0. Powers of integers with
    fractions are cut towards zero and end at the limits of 64 bits, before what is narrower takes the low bits."""
    if x.dtype.kind == "f":
        return np.power(x, y)
    if y.dtype.kind == "f":
        real = converted(np.power(x.astype(np.float64), y), np.int64)
        is_whole = (y == np.rint(y)) & (np.abs(y) < 1e6)
        whole = power(at, x, np.where(is_whole, y, 0).astype(np.int64))
        return np.where(is_whole, whole, real.astype(x.dtype))
    base, exponent = x.astype(np.int64), y.astype(np.int64)
    odd = np.where(exponent % 2 == 0, 1, base)
    negative = np.where(np.abs(base) == 1, odd, 0)
    whole = np.power(base, np.maximum(exponent, 0))
    return np.where(exponent < 0, negative, whole).astype(x.dtype)


_POWERS = {
    -1.0: "(T)(1) / a", -0.5: "(T)(1) / sqrt(a)", 0.0: "(T)(1)", 0.5: "sqrt(a)", 1.0: "a",
    2.0: "a * a", 3.0: "a * a * a", 4.0: "(a * a) * (a * a)",
}  # fmt: skip


def power_expression(use: ExpressionUse) -> str:
    exponent = use.numbers[1]
    if exponent in _POWERS and (use.is_float or (exponent or 0.0) in (0, 1, 2, 3, 4)):
        return _POWERS[exponent]
    if use.is_float:
        return f"clconv_pow(a, {'b' if use.dtypes[0] is use.dtypes[1] else '(T)(b)'})"
    kind = "double" if use.dtypes[1] is DType.FLOAT64 else "float"
    return f"(T)clconv_power((long)(a), ({kind if use.dtypes[1].is_float else 'long'})(b))"


def shift(at: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bits that leave are lost, the sign fills from the left. A shift below 0, or by all bits or more,
    leaves only the fill."""
    bits = x.dtype.itemsize * 8
    outside = (y < 0) | (y >= bits)
    near = np.where(outside, 0, y).astype(x.dtype)
    if at.direction == "LEFT":
        return np.where(outside, 0, np.left_shift(x, near)).astype(x.dtype)
    return np.where(outside, np.where(x < 0, -1, 0), np.right_shift(x, near)).astype(x.dtype)


def shift_expression(use: ExpressionUse) -> str:
    outside = f"b < 0 || b >= (T)({use.dtypes[0].itemsize * 8})"
    if use.attrs.direction == "LEFT":
        return f"{outside} ? (T)(0) : (T)((ulong)(a) << b)"
    return f"{outside} ? (a < 0 ? (T)(-1) : (T)(0)) : (T)(a >> b)"


def shrink(at: Any, x: np.ndarray) -> np.ndarray:
    """x + bias below -lambd, x - bias above lambd, 0 between. bias and lambd are no integers where x is: the result is cut
    towards zero, and what does not fit keeps the low bits."""
    if x.dtype.kind == "f":
        return np.where(x < -at.lambd, x + at.bias, np.where(x > at.lambd, x - at.bias, 0))
    below, above, lowered, raised = _whole_shrink(at)
    # Python's integers: exact for all of uint64 and beyond. With an axis, or NumPy makes its own of them.
    wide = x.reshape(-1).astype(object)
    cut = [np.where(wide < b[1], wide - b[0], wide - b[1]) for b in (raised, lowered)]
    result = np.asarray(np.where(wide < below, cut[0], np.where(wide > above, cut[1], 0)))
    bits = 8 * x.dtype.itemsize
    unsigned = np.asarray(result & (2**bits - 1)).astype(f"u{x.dtype.itemsize}")
    return unsigned.view(x.dtype).reshape(x.shape)


_FAR = 1 << 65  # beyond every integer


def _whole(value: float, rounding: Any) -> int:
    if math.isnan(value):
        return 0
    return int(rounding(min(max(value, -_FAR), _FAR)))


def _whole_shrink(at: Any) -> tuple[int, int, tuple[int, int], tuple[int, int]]:
    """What Shrink's numbers say of integers: x is below or above two whole numbers; and for each of bias and -bias its
    (floor, ceiling), of which x - bias, cut towards zero, is less the floor if x < ceiling and else less the ceiling."""
    below, above = _whole(-at.lambd, math.ceil), _whole(at.lambd, math.floor)
    if math.isnan(at.lambd):
        below, above = -_FAR, _FAR
    lowered, raised = ((_whole(b, math.floor), _whole(b, math.ceil)) for b in (at.bias, -at.bias))
    return below, above, lowered, raised


def shrink_expression(use: ExpressionUse) -> str:
    if use.is_float:
        return "a < {below} ? a + {bias} : (a > {lambd} ? a - {bias} : (T)(0))".replace(
            "{below}", c_float(-use.attrs.lambd)
        )
    dtype = use.dtypes[0]
    limits = np.iinfo(dtype.numpy)
    below, above, lowered, raised = _whole_shrink(use.attrs)

    def less(number: int) -> str:
        """a < number, where the number may lie outside the type."""
        if not limits.min < number <= limits.max:
            return "0" if number <= limits.min else "1"
        return f"a < {c_number(number, dtype)}"

    def cut(pair: tuple[int, int]) -> str:
        floor, ceiling = (number % 2**64 for number in pair)
        return f"({less(pair[1])} ? (ulong)a - {floor}UL : (ulong)a - {ceiling}UL)"

    return f"{less(below)} ? (T){cut(raised)} : (!({less(above + 1)}) ? (T){cut(lowered)} : (T)(0))"


# fmt: off
ARITHMETIC = (
    Row("Add", 2, lambda at, x, y: x + y, "a + b", kind="number", gradient=gradient.total),
    Row("Sub", 2, lambda at, x, y: x - y, "a - b", kind="number", gradient=gradient.sub),
    Row("Mul", 2, lambda at, x, y: x * y, "a * b", kind="number", gradient=gradient.mul),
    Row("Div", 2, divide, divide_expression, kind="number", gradient=gradient.div),
    Row("Mod", 2, mod, mod_expression, {"fmod": 0}, "number", gradient=gradient.mod),
    Row("Pow", 2, power, power_expression, kind="number", flops=20, gradient=gradient.power),
    Row("Min", 2, lambda at, x, y: np.minimum(x, y), extreme_expression("<"), kind="number",
        variadic=True, gradient=gradient.extreme),
    Row("Max", 2, lambda at, x, y: np.maximum(x, y), extreme_expression(">"), kind="number",
        variadic=True, gradient=gradient.extreme),
    Row("Sum", 2, lambda at, x, y: x + y, "a + b", variadic=True, gradient=gradient.total),
    Row("Neg", 1, lambda at, x: -x, "-a", kind="number", gradient=gradient.neg),
    Row("Abs", 1, lambda at, x: np.abs(x), "a < 0 ? -a : a", kind="number",
        gradient=gradient.absolute),
    Row("Sqrt", 1, lambda at, x: np.sqrt(x), "sqrt(a)", flops=5, gradient=gradient.sqrt),
    Row("Exp", 1, lambda at, x: np.exp(x), "clconv_exp(a)", flops=10, gradient=gradient.exp),
    Row("Log", 1, lambda at, x: np.log(x), "log(a)", flops=10, gradient=gradient.log),
    Row("Reciprocal", 1, lambda at, x: 1 / x, "1.0f / a", flops=4, gradient=gradient.reciprocal),
    Row("Floor", 1, lambda at, x: np.floor(x), "floor(a)", gradient=flat),
    Row("Ceil", 1, lambda at, x: np.ceil(x), "ceil(a)", gradient=flat),
    Row("Round", 1, lambda at, x: np.rint(x), "clconv_rint(a)", gradient=flat),  # half to even
    Row("Sign", 1, lambda at, x: np.sign(x), "a > 0 ? (T)(1) : (a < 0 ? (T)(-1) : a)", kind="number",
        gradient=flat),
    *(
        Row(name, 1, lambda at, x, f=f: f(x), f"clconv_{name.lower()}(a)", flops=10, gradient=rule)
        for name, f, rule in (
            ("Sin", np.sin, trigonometric.sin), ("Cos", np.cos, trigonometric.cos),
            ("Tan", np.tan, trigonometric.tan), ("Asin", np.arcsin, trigonometric.asin),
            ("Acos", np.arccos, trigonometric.acos), ("Atan", np.arctan, trigonometric.atan),
        )
    ),
    *(
        Row(name, 1, lambda at, x, f=f: f(x), f"{name.lower()}(a)", flops=10, gradient=rule)
        for name, f, rule in (
            ("Sinh", np.sinh, trigonometric.sinh),
            ("Cosh", np.cosh, trigonometric.cosh), ("Asinh", np.arcsinh, trigonometric.asinh),
            ("Acosh", np.arccosh, trigonometric.acosh), ("Atanh", np.arctanh, trigonometric.atanh),
        )
    ),
)
# fmt: on
