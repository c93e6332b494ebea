"""Comparisons, logic, bits and choice of the element-wise table."""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.base import REQUIRED
from clconv.graph.ops.elementwise.arithmetic import shift, shift_expression
from clconv.graph.ops.elementwise.row import ExpressionUse, Row
from clconv.graph.rules.gradient.elementwise import arithmetic as gradient
from clconv.graph.rules.gradient.flat import flat


def _isinf(at: Any, x: np.ndarray) -> np.ndarray:
    return (np.isposinf(x) & bool(at.detect_positive)) | (np.isneginf(x) & bool(at.detect_negative))


def _isinf_expression(use: ExpressionUse) -> str:
    at = use.attrs
    signs = [
        ("a == (T)(INFINITY)", at.detect_positive),
        ("a == (T)(-INFINITY)", at.detect_negative),
    ]
    return " || ".join(text for text, wanted in signs if wanted) or "a != a && a == a"


_BOOL = DType.BOOL
# fmt: off
LOGIC = (
    Row("Equal", 2, lambda at, x, y: x == y, "a == b", kind="any", result=_BOOL, gradient=flat),
    Row("Less", 2, lambda at, x, y: x < y, "a < b", kind="number", result=_BOOL, gradient=flat),
    Row("Greater", 2, lambda at, x, y: x > y, "a > b", kind="number", result=_BOOL, gradient=flat),
    Row("LessOrEqual", 2, lambda at, x, y: x <= y, "a <= b", kind="number", result=_BOOL,
        gradient=flat),
    Row("GreaterOrEqual", 2, lambda at, x, y: x >= y, "a >= b", kind="number", result=_BOOL,
        gradient=flat),
    Row("And", 2, lambda at, x, y: x & y, "a && b", kind="bool", gradient=flat),
    Row("Or", 2, lambda at, x, y: x | y, "a || b", kind="bool", gradient=flat),
    Row("Xor", 2, lambda at, x, y: x ^ y, "a != b", kind="bool", gradient=flat),
    Row("Not", 1, lambda at, x: ~x, "!a", kind="bool", gradient=flat),
    Row("BitwiseAnd", 2, lambda at, x, y: x & y, "a & b", kind="int", gradient=flat),
    Row("BitwiseOr", 2, lambda at, x, y: x | y, "a | b", kind="int", gradient=flat),
    Row("BitwiseXor", 2, lambda at, x, y: x ^ y, "a ^ b", kind="int", gradient=flat),
    Row("BitwiseNot", 1, lambda at, x: ~x, "(T)(~a)", kind="int", gradient=flat),
    Row("BitShift", 2, shift, shift_expression, {"direction": REQUIRED}, "int", gradient=flat),
    # Not a != a: LLVM makes a masked read of ones of it, which AVX-512 takes 30 times as long for where no lane is NaN.
    Row("IsNaN", 1, lambda at, x: np.isnan(x), "!(a <= (T)(INFINITY))", result=_BOOL,
        gradient=flat),
    Row("IsInf", 1, _isinf, _isinf_expression, {"detect_negative": 1, "detect_positive": 1},
        result=_BOOL, gradient=flat),
    Row("Where", 3, lambda at, c, x, y: np.where(c, x, y), "a ? b : c", kind="any",
        condition_first=True, gradient=gradient.where),
)
# fmt: on
