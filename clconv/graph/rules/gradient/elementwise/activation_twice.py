"""Gradients of the rows that are gradients of activations: of g = f'(x) dy with respect to dy and to x (or y)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def _of_dy(back: Backward) -> str:
    """g is linear in dy."""
    if not back.wants(0):
        return ""
    found = back.one(back.node.op, back.gradient(), *back.node.inputs[1:], **back.attrs)
    return back.sum_to(found, back.spec(0).shape)


def _both(back: Backward, slope: str) -> Sequence[str]:
    """slope: f''."""
    product = back.mul(back.mul(back.gradient(), back.input(0)), slope)
    return [_of_dy(back), back.sum_to(product, back.spec(1).shape)]


def switched(back: Backward) -> Sequence[str]:
    """f' changes in steps."""
    return [_of_dy(back), ""]


def prelu(back: Backward) -> Sequence[str]:
    """The slope's part: dy where x is not above 0."""
    if not back.wants(2):
        return [_of_dy(back), "", ""]
    dy, x = back.input(0), back.input(1)
    below = back.sub(dy, back.one("ReluGradient", dy, x))
    return [_of_dy(back), "", back.sum_to(back.mul(below, back.gradient()), back.spec(2).shape)]


def sigmoid(back: Backward) -> Sequence[str]:
    """dy (1 - 2 y)"""
    if not back.wants(1):
        return [_of_dy(back), ""]
    twice = back.mul(back.input(1), back.number(2.0))
    return _both(back, back.sub(back.number(1.0), twice))


def tanh(back: Backward) -> Sequence[str]:
    """-2 y dy"""
    if not back.wants(1):
        return [_of_dy(back), ""]
    return _both(back, back.mul(back.input(1), back.number(-2.0)))


def hard_swish(back: Backward) -> Sequence[str]:
    """dy / 3 between the kinks"""
    if not back.wants(1):
        return [_of_dy(back), ""]
    third = back.one("Expand", back.number(1 / 3), back.ints(*back.spec(1).shape))
    return _both(back, back.one("ClipGradient", third, back.input(1), low=-3.0, high=3.0))


def swish(back: Backward) -> Sequence[str]:
    """With s = sigmoid(a x): a s (1 - s) (2 + a x (1 - 2 s))"""
    if not back.wants(1):
        return [_of_dy(back), ""]
    one, two = back.number(1.0), back.number(2.0)
    ax = back.mul(back.input(1), back.number(back.attrs.alpha))
    s = back.one("Sigmoid", ax)
    steep = back.mul(back.mul(s, back.sub(one, s)), back.number(back.attrs.alpha))
    bent = back.add(back.mul(ax, back.sub(one, back.mul(s, two))), two)
    return _both(back, back.mul(steep, bent))


def gelu(back: Backward) -> Sequence[str]:
    """Exactly: phi(x) (2 - x^2). With tanh of u = k (x + c x^3):
    (1 - t^2) (u' + x u'' / 2 - x t u'^2), u' = k (1 + 3 c x^2), u'' = 6 k c x."""
    if not back.wants(1):
        return [_of_dy(back), ""]
    x, one = back.input(1), back.number(1.0)
    square = back.mul(x, x)
    if back.attrs.approximate != "tanh":
        bell = back.one("Exp", back.mul(square, back.number(-0.5)))
        scaled = back.mul(bell, back.number(1 / math.sqrt(2 * math.pi)))
        return _both(back, back.mul(scaled, back.sub(back.number(2.0), square)))
    k, c = math.sqrt(2 / math.pi), 0.044715
    u = back.mul(x, back.add(back.mul(square, back.number(k * c)), back.number(k)))
    first = back.add(back.mul(square, back.number(3 * k * c)), back.number(k))
    t = back.one("Tanh", u)
    bent = back.add(first, back.mul(square, back.number(3 * k * c)))
    bent = back.sub(bent, back.mul(back.mul(x, t), back.mul(first, first)))
    return _both(back, back.mul(back.sub(one, back.mul(t, t)), bent))


def mish(back: Backward) -> Sequence[str]:
    """With s = sigmoid(x), t = tanh(softplus(x)), t' = s (1 - t^2): 2 t' + x t' (1 - s - 2 t s)"""
    if not back.wants(1):
        return [_of_dy(back), ""]
    x, one, two = back.input(1), back.number(1.0), back.number(2.0)
    s, t = back.one("Sigmoid", x), back.one("Tanh", back.one("Softplus", x))
    first = back.mul(s, back.sub(one, back.mul(t, t)))
    bent = back.sub(back.sub(one, s), back.mul(back.mul(t, s), two))
    return _both(back, back.mul(first, back.add(back.mul(x, bent), two)))
