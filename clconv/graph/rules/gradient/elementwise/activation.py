"""Gradients of activations, by PyTorch's conventions at kinks: the slope of the flat side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

Rule = Callable[["Backward"], Sequence[str]]


def from_output(row: str) -> Rule:
    """The gradient is a row of dy and the output, with the activation's attributes."""
    return lambda back: [back.one(row, back.gradient(), back.output(), **back.attrs)]


def from_input(row: str) -> Rule:
    """The gradient is a row of dy and the input, with the activation's attributes."""
    return lambda back: [back.one(row, back.gradient(), back.input(), **back.attrs)]


def relu(back: Backward) -> Sequence[str]:
    """From the output, so that the input need not be kept."""
    return [back.one("ReluGradient", back.gradient(), back.output())]


def leaky_relu(back: Backward) -> Sequence[str]:
    """The output has the input's sign unless the slope is negative."""
    sign = back.output() if back.attrs.alpha >= 0 else back.input()
    return [back.one("LeakyReluGradient", back.gradient(), sign, alpha=back.attrs.alpha)]


def prelu(back: Backward) -> Sequence[str]:
    dy, x, found = back.gradient(), back.input(), ["", ""]
    if back.wants(0):
        found[0] = back.one("PReluGradient", dy, x, back.input(1))
    if back.wants(1):
        below = back.one("Min", x, back.number(0.0))
        found[1] = back.sum_to(back.mul(below, dy), back.spec(1).shape)
    return found


def clip(back: Backward) -> Sequence[str]:
    """At a bound the slope is 0, as that of ReLU and ReLU6 is; a bound takes what it holds back."""
    dy = back.gradient()
    low, high = (back.input(i) if back.has(i) else "" for i in (1, 2))
    found = [_within(back, low, high) if back.wants(0) else "", "", ""]
    raised = back.one("Max", back.input(), low) if low else back.input()
    zero = back.number(0.0)
    if back.wants(1):
        held = back.one("Less", back.input(), low)
        if high:  # which wins where it is below the lower one
            held = back.one("And", held, back.one("LessOrEqual", low, high))
        found[1] = _total(back, back.one("Where", held, dy, zero), 1)
    if back.wants(2):
        held = back.one("Greater", raised, high)
        found[2] = _total(back, back.one("Where", held, dy, zero), 2)
    return found[: len(back.node.inputs)]


def _total(back: Backward, name: str, index: int) -> str:
    return back.sum_to(name, back.spec(index).shape)


def _within(back: Backward, low: str, high: str) -> str:
    """dy where the output lies between the bounds."""
    dy, y = back.gradient(), back.output()
    values = [back.value(i) if back.has(i) else None for i in (1, 2)]
    if all(
        not name or (v is not None and v.size == 1)
        for name, v in zip((low, high), values, strict=True)
    ):
        bounds = [
            default if v is None else float(v.reshape(-1)[0])
            for v, default in zip(values, (-math.inf, math.inf), strict=True)
        ]
        return back.one("ClipGradient", dy, y, low=bounds[0], high=bounds[1])
    zero = back.number(0.0)
    for bound, beyond in ((low, "LessOrEqual"), (high, "GreaterOrEqual")):
        if bound:
            dy = back.one("Where", back.one(beyond, y, bound), zero, dy)
    return dy


def hard_sigmoid(back: Backward) -> Sequence[str]:
    inside = back.one("ClipGradient", back.gradient(), back.output(), low=0.0, high=1.0)
    return [back.mul(inside, back.number(back.attrs.alpha))]


def elu(back: Backward) -> Sequence[str]:
    """y + alpha below 0."""
    alpha = back.attrs.alpha
    sign = back.output() if alpha >= 0 else back.input()
    slope = back.add(back.output(), back.number(alpha))
    return [back.one("PReluGradient", back.gradient(), sign, slope)]


def celu(back: Backward) -> Sequence[str]:
    """y / alpha + 1 below 0."""
    share = back.mul(back.output(), back.number(1 / back.attrs.alpha))
    slope = back.add(share, back.number(1.0))
    return [back.one("PReluGradient", back.gradient(), back.output(), slope)]


def selu(back: Backward) -> Sequence[str]:
    """y + gamma alpha below 0, gamma above."""
    at = back.attrs
    sign = back.output() if at.alpha >= 0 and at.gamma > 0 else back.input()
    slope = back.add(back.output(), back.number(at.gamma * at.alpha))
    above = back.mul(back.gradient(), back.number(at.gamma))
    below = back.mul(back.gradient(), slope)
    is_above = back.one("Greater", sign, back.number(0.0))
    return [back.one("Where", is_above, above, below)]


def softplus(back: Backward) -> Sequence[str]:
    return [back.mul(back.one("Sigmoid", back.input()), back.gradient())]


def softsign(back: Backward) -> Sequence[str]:
    """1 / (1 + |x|)^2"""
    root = back.add(back.one("Abs", back.input()), back.number(1.0))
    return [back.div(back.gradient(), back.one("Pow", root, back.number(2.0)))]


def thresholded_relu(back: Backward) -> Sequence[str]:
    alpha = back.attrs.alpha
    sign = back.output() if alpha >= 0 else back.sub(back.input(), back.number(alpha))
    return [back.one("ReluGradient", back.gradient(), sign)]


def shrink(back: Backward) -> Sequence[str]:
    """1 where |x| is above lambd."""
    size = back.one("Abs", back.input())
    return [
        back.one("ReluGradient", back.gradient(), back.sub(size, back.number(back.attrs.lambd)))
    ]


def erf(back: Backward) -> Sequence[str]:
    """2 / sqrt(pi) exp(-x^2)"""
    x = back.input()
    bell = back.one("Exp", back.neg(back.mul(x, x)))
    slope = back.mul(bell, back.number(2 / math.sqrt(math.pi)))
    return [back.mul(slope, back.gradient())]


def fake_quantize(back: Backward) -> Sequence[str]:
    """Straight through: dy where the integer is within its limits, though the result changes in steps, as PyTorch's
    fake_quantize_per_tensor_affine has it; without it nothing before a quantisation could be trained. Scale and zero
    point get nothing. Bengio, Leonard, Courville, "Estimating or propagating gradients through stochastic neurons"
    (2013)."""
    at = back.attrs
    place = back.add(back.div(back.input(), back.input(1)), back.input(2))
    inside = back.one("ClipGradient", back.gradient(), place, low=at.low - 0.5, high=at.high + 0.5)
    return [inside, "", ""]
