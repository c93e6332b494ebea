"""Activations of the element-wise table, and those of their gradients that are one step instead of many.

A gradient row takes dy first, so that it becomes a step of the kernel that computes dy, and the activation's output
rather than its input wherever that says as much: the input need not be kept then.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clconv.graph.ops.base import REQUIRED
from clconv.graph.ops.elementwise.arithmetic import shrink, shrink_expression
from clconv.graph.ops.elementwise.row import ExpressionUse, Row
from clconv.graph.rules.gradient.elementwise import activation as gradient
from clconv.graph.rules.gradient.elementwise import activation_twice as twice

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])
_GELU = math.sqrt(2 / math.pi)


def _clip(at: Any, x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """By ONNX's definition with Where: a bound that is NaN bounds nothing."""
    x = x if low is None else np.where(x < low, low, x)
    return x if high is None else np.where(x > high, high, x)


def _gelu(at: Any, x: np.ndarray) -> np.ndarray:
    """x times the normal distribution function, or times (1 + tanh(y)) / 2 = 1 / (1 + exp(-2 y)) for one like it; in
    these forms no small number is left of two large ones."""
    if at.approximate == "tanh":
        return x / (1 + np.exp(-2 * _GELU * (x + 0.044715 * x**3)))
    return 0.5 * x * _erfc(-x / math.sqrt(2))


def _gelu_expression(use: ExpressionUse) -> str:
    if use.attrs.approximate == "tanh":
        return "a * clconv_logistic(1.595769122f * (a + 0.044715f * a * a * a))"
    return "a * clconv_normal(a)"


def _gelu_gradient(at: Any, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """With tanh(u) = 2 sigmoid(2 u) - 1: s + 2 x s (1 - s) u'. Beyond 10 it is 0 or 1 to the last bit."""
    if at.approximate == "tanh":
        x = np.clip(x, -10, 10)
        s = 1 / (1 + np.exp(-2 * _GELU * (x + 0.044715 * x**3)))
        return dy * (s + 2 * x * s * (1 - s) * _GELU * (1 + 0.134145 * x * x))
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (0.5 * _erfc(-x / math.sqrt(2)) + x * density)


def _gelu_gradient_expression(use: ExpressionUse) -> str:
    if use.attrs.approximate == "tanh":
        x = "(b > 10.0f ? (T)(10) : (b < -10.0f ? (T)(-10) : b))"
        u = f"1.59576912f * ({x} + 0.044715f * {x} * {x} * {x})"
        s, r = f"clconv_logistic({u})", f"clconv_logistic(-({u}))"
        return f"a * ({s} + 1.59576912f * {x} * {s} * {r} * (1.0f + 0.134145f * {x} * {x}))"
    return "a * (clconv_normal(b) + 0.398942280f * b * clconv_exp(-0.5f * b * b))"


def _swish_gradient(at: Any, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    s = 1 / (1 + np.exp(-at.alpha * x))
    return dy * s * (1 + at.alpha * x * (1 - s))


def _mish_gradient(at: Any, dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    t = np.tanh(np.logaddexp(0, x))
    return dy * (t + x * (1 - t * t) / (1 + np.exp(-x)))


def _mish_gradient_expression(use: ExpressionUse) -> str:
    """With s = sigmoid(x), r = 1 - s and tanh(softplus(x)) = (1 - r^2) / (1 + r^2):
    s (1 + r) / (1 + r^2) + 4 x s r^2 / (1 + r^2)^2. Nothing in it overflows."""
    s, r = "clconv_logistic(b)", "clconv_logistic(-b)"
    q = f"(1.0f + {r} * {r})"
    return f"a * ({s} * (1.0f + {r}) / {q} + b * {s} * {r} * {r} * 4.0f / ({q} * {q}))"


def _fake_quantize(at: Any, x: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """To integers `low` to `high`, half to even and NaN to `low`, and back. The quotient is float32's: that of float64
    would round ties otherwise."""
    steps = np.rint(x.astype(np.float32) / scale.astype(np.float32))
    low, high = at.low - zero, at.high - zero
    return np.where(steps > low, np.minimum(steps, high), low).astype(np.float64) * scale


# fmt: off
ACTIVATIONS = (
    Row("Relu", 1, lambda at, x: np.maximum(x, 0), "CLCONV_AT_LEAST(a, (T)(0))", kind="number",
        gradient=gradient.relu),
    Row("LeakyRelu", 1, lambda at, x: np.where(x < 0, at.alpha * x, x),
        "a < 0 ? {alpha} * a : a", {"alpha": 0.01}, gradient=gradient.leaky_relu),
    Row("PRelu", 2, lambda at, x, s: np.where(x < 0, s * x, x), "a < 0 ? a * b : a", kind="number",
        gradient=gradient.prelu),
    # The upper bound wins where it is below the lower one.
    Row("Clip", 3, _clip, "CLCONV_AT_MOST(CLCONV_AT_LEAST(a, b), c)", kind="number",
        absent=(-math.inf, math.inf), flops=2, gradient=gradient.clip),
    Row("Sigmoid", 1, lambda at, x: 1 / (1 + np.exp(-x)), "clconv_logistic(a)", flops=10,
        gradient=gradient.from_output("SigmoidGradient")),
    Row("HardSigmoid", 1, lambda at, x: np.clip(at.alpha * x + at.beta, 0, 1),
        "CLCONV_AT_MOST(CLCONV_AT_LEAST({alpha} * a + {beta}, (T)(0)), (T)(1))",
        {"alpha": 0.2, "beta": 0.5}, flops=4, gradient=gradient.hard_sigmoid),
    Row("HardSwish", 1, lambda at, x: x * np.clip(x / 6 + 0.5, 0, 1),
        # By the letter: -Inf times 0 is NaN.
        "a * CLCONV_AT_MOST(CLCONV_AT_LEAST(a * 0.166666667f + 0.5f, (T)(0)), (T)(1))",
        flops=5, gradient=gradient.from_input("HardSwishGradient")),
    Row("Tanh", 1, lambda at, x: np.tanh(x), "clconv_tanh(a)", flops=10,
        gradient=gradient.from_output("TanhGradient")),
    Row("Elu", 1, lambda at, x: np.where(x < 0, at.alpha * np.expm1(np.minimum(x, 0)), x),
        "a < 0 ? {alpha} * clconv_expm1_negative(a) : a", {"alpha": 1.0}, flops=10,
        gradient=gradient.elu),
    Row("Celu", 1, lambda at, x: np.maximum(x, 0) + np.minimum(0, at.alpha * np.expm1(x / at.alpha)),
        "a < 0 ? {alpha} * clconv_expm1_negative(a / {alpha}) : a", {"alpha": 1.0}, flops=10,
        gradient=gradient.celu),
    Row("Selu", 1,
        lambda at, x: at.gamma * np.where(x < 0, at.alpha * np.expm1(np.minimum(x, 0)), x),
        "{gamma} * (a < 0 ? {alpha} * clconv_expm1_negative(a) : a)",
        {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}, flops=10,
        gradient=gradient.selu),
    Row("Softplus", 1, lambda at, x: np.logaddexp(0, x),
        "(a > 0 ? a : (T)(0)) + clconv_log1p_unit(clconv_exp(a > 0 ? -a : a))", flops=20,
        gradient=gradient.softplus),
    Row("Softsign", 1, lambda at, x: x / (1 + np.abs(x)), "a / (1.0f + (a < 0 ? -a : a))", flops=3,
        gradient=gradient.softsign),
    Row("ThresholdedRelu", 1, lambda at, x: np.where(x > at.alpha, x, 0),
        "a > {alpha} ? a : (T)(0)", {"alpha": 1.0}, gradient=gradient.thresholded_relu),
    Row("Shrink", 1, shrink, shrink_expression, {"bias": 0.0, "lambd": 0.5}, "number", flops=3,
        gradient=gradient.shrink),
    Row("Mish", 1, lambda at, x: x * np.tanh(np.logaddexp(0, x)),
        "a * clconv_tanh((a > 0 ? a : (T)(0)) + clconv_log1p_unit(clconv_exp(a > 0 ? -a : a)))", flops=30,
        gradient=gradient.from_input("MishGradient")),
    Row("Swish", 1, lambda at, x: x / (1 + np.exp(-at.alpha * x)),
        "clconv_swish(a, {alpha} * a)", {"alpha": 1.0}, flops=11,
        gradient=gradient.from_input("SwishGradient")),
    Row("Erf", 1, lambda at, x: _erf(x), "clconv_erf(a)", flops=10, gradient=gradient.erf),
    Row("Gelu", 1, _gelu, _gelu_expression, {"approximate": "none"}, flops=25,
        gradient=gradient.from_input("GeluGradient")),
    # DequantizeLinear of QuantizeLinear, see passes/quantised.py; OpenVINO has an operator of that name.
    # Scale and zero point, floats, are inputs, so that layers which differ in nothing else share a kernel.
    Row("FakeQuantize", 3, _fake_quantize, "clconv_round_within(a / b, {low} - c, {high} - c) * b",
        {"low": REQUIRED, "high": REQUIRED}, flops=6, gradient=gradient.fake_quantize),
    # Gradients: of dy and the output y.
    Row("ReluGradient", 2, lambda at, dy, y: np.where(y > 0, dy, 0), "b > 0 ? a : (T)(0)",
        gradient=twice.switched),
    Row("LeakyReluGradient", 2, lambda at, dy, y: np.where(y > 0, dy, at.alpha * dy),
        "b > 0 ? a : {alpha} * a", {"alpha": 0.01}, gradient=twice.switched),
    # A bound that is NaN bounds nothing.
    Row("ClipGradient", 2, lambda at, dy, y: np.where((y <= at.low) | (y >= at.high), 0, dy),
        "b <= {low} || b >= {high} ? (T)(0) : a", {"low": -math.inf, "high": math.inf}, flops=2,
        gradient=twice.switched),
    Row("SigmoidGradient", 2, lambda at, dy, y: dy * y * (1 - y), "a * (b * (1.0f - b))", flops=3,
        gradient=twice.sigmoid),
    Row("TanhGradient", 2, lambda at, dy, y: dy * (1 - y * y), "a * (1.0f - b * b)", flops=3,
        gradient=twice.tanh),
    # Gradients: of dy and the input x.
    Row("PReluGradient", 3, lambda at, dy, x, s: np.where(x > 0, dy, s * dy), "b > 0 ? a : a * c",
        gradient=twice.prelu),
    Row("HardSwishGradient", 2,
        lambda at, dy, x: np.where(x <= -3, 0, np.where(x < 3, dy * (x / 3 + 0.5), dy)),
        "b <= -3.0f ? (T)(0) : (b < 3.0f ? a * (b * 0.333333333f + 0.5f) : a)", flops=4,
        gradient=twice.hard_swish),
    Row("SwishGradient", 2, _swish_gradient,
        "a * clconv_logistic({alpha} * b) * (1.0f + {alpha} * b * (1.0f - clconv_logistic({alpha} * b)))",
        {"alpha": 1.0}, flops=15, gradient=twice.swish),
    Row("GeluGradient", 2, _gelu_gradient, _gelu_gradient_expression, {"approximate": "none"}, flops=25,
        gradient=twice.gelu),
    Row("MishGradient", 2, _mish_gradient, _mish_gradient_expression, flops=40, gradient=twice.mish),
)
# fmt: on
