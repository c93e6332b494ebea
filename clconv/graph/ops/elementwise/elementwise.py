"""Element-wise operators: one row each makes the operator, its kernel and every fused epilogue.

The OpenCL expression works on a scalar and on a vector alike. `a`, `b`, `c` are the operands, `T` is the
compute type (scalar or vector) and `{name}` an attribute, written as a literal. It says `a < b ? x : y`
rather than min and max: PoCL does not inline those builtins, and NaN must pass through.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, DType, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, broadcast_shapes, register
from clconv.graph.ops.elementwise.arithmetic import (
    divide,
    divide_expression,
    extreme_expression,
    mod,
    mod_expression,
    power,
    power_expression,
    shift,
    shift_expression,
    shrink,
    shrink_expression,
)
from clconv.graph.ops.elementwise.row import ExpressionUse, Row, c_float
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import converted
from clconv.graph.rules import images, transposed
from clconv.graph.rules.gradient import elementwise as gradient

__all__ = ["ROWS", "Row", "apply_row", "c_float"]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _clip(at: Any, x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """By ONNX's definition with Where: a bound that is NaN bounds nothing."""
    x = x if low is None else np.where(x < low, low, x)
    return x if high is None else np.where(x > high, high, x)


def _gelu(at: Any, x: np.ndarray) -> np.ndarray:
    if at.approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _gelu_expression(use: ExpressionUse) -> str:
    if use.attrs.approximate == "tanh":
        return "0.5f * a * (1.0f + clconv_tanh(0.797884561f * (a + 0.044715f * a * a * a)))"
    return "0.5f * a * (1.0f + clconv_erf(a * 0.707106781f))"


def _round_half_even(at: Any, x: np.ndarray) -> np.ndarray:
    return np.rint(x)


def _isinf(at: Any, x: np.ndarray) -> np.ndarray:
    return (np.isposinf(x) & bool(at.detect_positive)) | (np.isneginf(x) & bool(at.detect_negative))


def _isinf_expression(use: ExpressionUse) -> str:
    at = use.attrs
    signs = [
        ("a == (T)(INFINITY)", at.detect_positive),
        ("a == (T)(-INFINITY)", at.detect_negative),
    ]
    return " || ".join(text for text, wanted in signs if wanted) or "a != a && a == a"


def _fake_quantize(at: Any, x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """To integers `low` to `high`, half to even and NaN to `low`, and back. The quotient is float32's: that of float64
    would round ties otherwise."""
    steps = np.rint(x.astype(np.float32) / scale.astype(np.float32))
    low, high = at.low - zero, at.high - zero
    return np.where(steps > low, np.minimum(steps, high), low).astype(np.float64) * scale


_BOOL = DType.BOOL
# fmt: off
_ROWS = (
    # activations
    Row("Relu", 1, lambda at, x: np.maximum(x, 0), "a < 0 ? (T)(0) : a", kind="number",
        gradient=gradient.relu),
    # The gradient of a result that is the input where it is positive, else 0: dy where y > 0.
    Row("ReluGradient", 2, lambda at, dy, y: np.where(y > 0, dy, 0), "b > 0 ? a : (T)(0)"),
    Row("LeakyRelu", 1, lambda at, x: np.where(x < 0, at.alpha * x, x),
        "a < 0 ? {alpha} * a : a", {"alpha": 0.01}),
    Row("PRelu", 2, lambda at, x, s: np.where(x < 0, s * x, x), "a < 0 ? a * b : a", kind="number"),
    # The upper bound wins where it is below the lower one.
    Row("Clip", 3, _clip, "(a < b ? b : a) > c ? c : (a < b ? b : a)", kind="number",
        absent=(-math.inf, math.inf), flops=2),
    Row("Sigmoid", 1, lambda at, x: 1 / (1 + np.exp(-x)), "clconv_logistic(a)", flops=10),
    Row("HardSigmoid", 1, lambda at, x: np.clip(at.alpha * x + at.beta, 0, 1),
        "{alpha} * a + {beta} < 0 ? (T)(0) : "
        "({alpha} * a + {beta} > 1 ? (T)(1) : {alpha} * a + {beta})",
        {"alpha": 0.2, "beta": 0.5}, flops=4),
    Row("HardSwish", 1, lambda at, x: x * np.clip(x / 6 + 0.5, 0, 1),
        # By the letter: -Inf times 0 is NaN.
        "a * (a * 0.166666667f + 0.5f < 0 ? (T)(0) : (a * 0.166666667f + 0.5f > 1 ? (T)(1) : a * 0.166666667f + 0.5f))",
        flops=5),
    Row("Tanh", 1, lambda at, x: np.tanh(x), "clconv_tanh(a)", flops=10),
    Row("Elu", 1, lambda at, x: np.where(x < 0, at.alpha * np.expm1(np.minimum(x, 0)), x),
        "a < 0 ? {alpha} * clconv_expm1_negative(a) : a", {"alpha": 1.0}, flops=10),
    Row("Celu", 1, lambda at, x: np.maximum(x, 0) + np.minimum(0, at.alpha * np.expm1(x / at.alpha)),
        "a < 0 ? {alpha} * clconv_expm1_negative(a / {alpha}) : a", {"alpha": 1.0}, flops=10),
    Row("Selu", 1,
        lambda at, x: at.gamma * np.where(x < 0, at.alpha * np.expm1(np.minimum(x, 0)), x),
        "{gamma} * (a < 0 ? {alpha} * clconv_expm1_negative(a) : a)",
        {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, flops=10),
    Row("Softplus", 1, lambda at, x: np.logaddexp(0, x),
        "(a > 0 ? a : (T)(0)) + clconv_log1p_unit(clconv_exp(a > 0 ? -a : a))", flops=20),
    Row("Softsign", 1, lambda at, x: x / (1 + np.abs(x)), "a / (1.0f + (a < 0 ? -a : a))", flops=3),
    Row("ThresholdedRelu", 1, lambda at, x: np.where(x > at.alpha, x, 0),
        "a > {alpha} ? a : (T)(0)", {"alpha": 1.0}),
    Row("Shrink", 1, shrink, shrink_expression, {"bias": 0.0, "lambd": 0.5}, "number", flops=3),
    Row("Mish", 1, lambda at, x: x * np.tanh(np.logaddexp(0, x)),
        "a * clconv_tanh((a > 0 ? a : (T)(0)) + clconv_log1p_unit(clconv_exp(a > 0 ? -a : a)))", flops=30),
    Row("Swish", 1, lambda at, x: x / (1 + np.exp(-at.alpha * x)),
        "a * clconv_logistic({alpha} * a)", {"alpha": 1.0}, flops=11),
    Row("Erf", 1, lambda at, x: _erf(x), "clconv_erf(a)", flops=10),
    Row("Gelu", 1, _gelu, _gelu_expression, {"approximate": "none"}, flops=15),
    # DequantizeLinear of QuantizeLinear, see passes/quantised.py; OpenVINO has an operator of that name.
    # Scale and zero point, floats, are inputs, so that layers which differ in nothing else share a kernel.
    Row("FakeQuantize", 3, _fake_quantize, "clconv_round_within(a / b, {low} - c, {high} - c) * b",
        {"low": REQUIRED, "high": REQUIRED}, flops=6),
    # arithmetic
    Row("Add", 2, lambda at, x, y: x + y, "a + b", kind="number",
        gradient=gradient.total),
    Row("Sub", 2, lambda at, x, y: x - y, "a - b", kind="number",
        gradient=gradient.sub),
    Row("Mul", 2, lambda at, x, y: x * y, "a * b", kind="number",
        gradient=gradient.mul),
    Row("Div", 2, divide, divide_expression, kind="number"),
    Row("Mod", 2, mod, mod_expression, {"fmod": 0}, "number"),
    Row("Pow", 2, power, power_expression, kind="number", flops=20),
    Row("Min", 2, lambda at, x, y: np.minimum(x, y), extreme_expression("<"), kind="number",
        variadic=True),
    Row("Max", 2, lambda at, x, y: np.maximum(x, y), extreme_expression(">"), kind="number",
        variadic=True),
    Row("Sum", 2, lambda at, x, y: x + y, "a + b", variadic=True, gradient=gradient.total),
    Row("Neg", 1, lambda at, x: -x, "-a", kind="number"),
    Row("Abs", 1, lambda at, x: np.abs(x), "a < 0 ? -a : a", kind="number"),
    Row("Sqrt", 1, lambda at, x: np.sqrt(x), "sqrt(a)", flops=5),
    Row("Exp", 1, lambda at, x: np.exp(x), "clconv_exp(a)", flops=10),
    Row("Log", 1, lambda at, x: np.log(x), "log(a)", flops=10),
    Row("Reciprocal", 1, lambda at, x: 1 / x, "1.0f / a", flops=4),
    Row("Floor", 1, lambda at, x: np.floor(x), "floor(a)"),
    Row("Ceil", 1, lambda at, x: np.ceil(x), "ceil(a)"),
    Row("Round", 1, _round_half_even, "rint(a)"),
    Row("Sign", 1, lambda at, x: np.sign(x), "a > 0 ? (T)(1) : (a < 0 ? (T)(-1) : a)", kind="number"),
    *(
        Row(name, 1, lambda at, x, f=f: f(x), f"clconv_{name.lower()}(a)", flops=10)
        for name, f in {"Sin": np.sin, "Cos": np.cos, "Tan": np.tan}.items()
    ),
    *(
        Row(name, 1, lambda at, x, f=f: f(x), f"{name.lower()}(a)", flops=10)
        for name, f in {
            "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh,
            "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh,
        }.items()
    ),
    # comparison and logic
    Row("Equal", 2, lambda at, x, y: x == y, "a == b", kind="any", result=_BOOL),
    Row("Less", 2, lambda at, x, y: x < y, "a < b", kind="number", result=_BOOL),
    Row("Greater", 2, lambda at, x, y: x > y, "a > b", kind="number", result=_BOOL),
    Row("LessOrEqual", 2, lambda at, x, y: x <= y, "a <= b", kind="number", result=_BOOL),
    Row("GreaterOrEqual", 2, lambda at, x, y: x >= y, "a >= b", kind="number", result=_BOOL),
    Row("And", 2, lambda at, x, y: x & y, "a && b", kind="bool"),
    Row("Or", 2, lambda at, x, y: x | y, "a || b", kind="bool"),
    Row("Xor", 2, lambda at, x, y: x ^ y, "a != b", kind="bool"),
    Row("Not", 1, lambda at, x: ~x, "!a", kind="bool"),
    Row("BitwiseAnd", 2, lambda at, x, y: x & y, "a & b", kind="int"),
    Row("BitwiseOr", 2, lambda at, x, y: x | y, "a | b", kind="int"),
    Row("BitwiseXor", 2, lambda at, x, y: x ^ y, "a ^ b", kind="int"),
    Row("BitwiseNot", 1, lambda at, x: ~x, "(T)(~a)", kind="int"),
    Row("BitShift", 2, shift, shift_expression, {"direction": REQUIRED}, "int"),
    Row("IsNaN", 1, lambda at, x: np.isnan(x), "a != a", result=_BOOL),
    Row("IsInf", 1, _isinf, _isinf_expression, {"detect_negative": 1, "detect_positive": 1},
        result=_BOOL),
    Row("Where", 3, lambda at, c, x, y: np.where(c, x, y), "a ? b : c", kind="any",
        condition_first=True),
)
# fmt: on
ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}


def _infer(row: Row, call: Call) -> Sequence[TensorSpec]:
    data = [s for s in call.specs if s is not None]
    if row.condition_first:
        call.expect(data[0].dtype is DType.BOOL, "the condition must be bool")
        data = data[1:]
    dtypes = {s.dtype for s in data}
    # Pow's exponent may have a dtype of its own.
    if len(dtypes) != 1 and row.name != "Pow":
        call.fail(f"inputs have different dtypes {sorted(d.value for d in dtypes)}")
    dtype = data[0].dtype
    fits = {
        "float": dtype.is_float,
        "number": dtype is not DType.BOOL,
        "int": dtype.numpy.kind in "iu",
        "bool": dtype is DType.BOOL,
        "any": True,
    }[row.kind]
    call.expect(fits, f"takes {row.kind} tensors, got {dtype.value}")
    shape = broadcast_shapes(call, *(s.shape for s in call.specs if s is not None))
    if row.name == "PRelu":
        call.expect(shape == data[0].shape, "the slope must broadcast to the input's shape")
    return [TensorSpec(shape, row.result or dtype)]


def apply_row(row: Row, attrs: Attributes, *arrays: np.ndarray | None) -> np.ndarray:
    """The row's NumPy function, floats computed in float64 and returned in the inputs' dtype."""
    first = next(a for a in (arrays[1:] if row.condition_first else arrays) if a is not None)
    wide = [a.astype(np.float64) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    with np.errstate(all="ignore"):
        result = wide[0]
        if row.variadic:
            for other in wide[1:]:
                result = row.numpy(attrs, result, other)
        else:
            absent = [None] * (row.arity - len(wide))
            result = row.numpy(attrs, *wide, *absent)
        return converted(np.asarray(result), row.result.numpy if row.result else first.dtype)


def _cost(
    row: Row, node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    moved = sum(s.nbytes for s in (*inputs, *outputs) if s is not None)
    return Cost(row.flops * outputs[0].size * max(1, len(inputs) - 1), moved)


def _register(row: Row) -> None:
    most = None if row.variadic else row.arity
    least = 1 if row.variadic else row.arity - row.optional
    register(
        Op(
            row.name,
            infer=lambda call: _infer(row, call),
            reference=lambda attrs, *arrays: apply_row(row, attrs, *arrays),
            cost=lambda node, inputs, outputs: _cost(row, node, inputs, outputs),
            attributes=row.attributes,
            inputs=(least, most),
            hooks=_hooks(row),
        )
    )


def _hooks(row: Row) -> Hooks:
    return Hooks(
        known=None,  # follows from the row: passes/facts.py
        shape_input=None,
        transposed=transposed.pointwise,
        images=images.elementwise,
        half=Half.narrowed(follows=True)
        if row.kind in ("float", "number", "any")
        else Half("kept", follows=True),
        epilogue=row.is_step,
        pad=False,
        keeps_elements=False,
        gradient=row.gradient,
    )


for _row in _ROWS:
    _register(_row)
