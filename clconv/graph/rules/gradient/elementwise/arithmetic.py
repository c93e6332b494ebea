"""Gradients of arithmetic: dx = f'(x) dy, summed over what x was broadcast along.

The output stands in place of the input wherever f' can be told from it exactly: the input need not be kept then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def total(back: Backward) -> Sequence[str]:
    """Add and Sum."""
    dy = back.gradient()
    return [
        back.sum_to(dy, back.spec(i).shape) if back.wants(i) else ""
        for i in range(len(back.node.inputs))
    ]


def sub(back: Backward) -> Sequence[str]:
    dy = back.gradient()
    return [
        back.sum_to(dy, back.spec(0).shape) if back.wants(0) else "",
        back.neg(back.sum_to(dy, back.spec(1).shape)) if back.wants(1) else "",
    ]


def mul(back: Backward) -> Sequence[str]:
    dy = back.gradient()
    return [
        back.sum_to(back.mul(dy, back.input(1 - i)), back.spec(i).shape) if back.wants(i) else ""
        for i in range(2)
    ]


def div(back: Backward) -> Sequence[str]:
    """dy / b and -(dy / b) y"""
    found, quotient = ["", ""], back.div(back.gradient(), back.input(1))
    if back.wants(0):
        found[0] = back.sum_to(quotient, back.spec(0).shape)
    if back.wants(1):
        product = back.sum_to(back.mul(quotient, back.output()), back.spec(1).shape)
        found[1] = back.neg(product)
    return found


def mod(back: Backward) -> Sequence[str]:
    """y = a - n b with a whole n that changes in steps: dy and -n dy."""
    dy, found = back.gradient(), ["", ""]
    if back.wants(0):
        found[0] = back.sum_to(dy, back.spec(0).shape)
    if back.wants(1):
        whole = back.div(back.sub(back.output(), back.input(0)), back.input(1))
        minus_n = back.one("Round", whole)  # but for rounding it is whole
        found[1] = back.sum_to(back.mul(minus_n, dy), back.spec(1).shape)
    return found


def power(back: Backward) -> Sequence[str]:
    """b a^(b-1) dy and log(a) y dy; 0 for an exponent or a base of 0, as PyTorch has it."""
    return [
        _of_base(back) if back.wants(0) else "",
        _of_exponent(back) if back.wants(1) else "",
    ]


def _of_base(back: Backward) -> str:
    dy, a, known = back.gradient(), back.input(0), back.value(1)
    if known is not None and known.size == 1:
        exponent = float(known.reshape(-1)[0])
        if exponent == 0:
            return ""
        if exponent == 1:
            return back.sum_to(dy, back.spec(0).shape)
        if exponent == 0.5:
            slope = back.div(back.number(0.5), back.output())
        else:
            lower = a if exponent == 2 else back.one("Pow", a, back.number(exponent - 1))
            slope = back.mul(lower, back.number(exponent))
        return back.sum_to(back.mul(dy, slope), back.spec(0).shape)
    other = back.cast(back.input(1), back.result.dtype)
    lower = back.one("Pow", a, back.sub(other, back.number(1.0)))
    zero = back.number(0.0)
    slope = back.one("Where", back.one("Equal", other, zero), zero, back.mul(lower, other))
    return back.sum_to(back.mul(dy, slope), back.spec(0).shape)


def _of_exponent(back: Backward) -> str:
    a, zero = back.input(0), back.number(0.0)
    slope = back.mul(back.one("Log", a), back.output())
    is_zero = back.one("Equal", a, zero)
    rises = back.one("GreaterOrEqual", back.input(1), back.number(0.0, back.spec(1).dtype))
    slope = back.one("Where", back.one("And", is_zero, rises), zero, slope)
    product = back.sum_to(back.mul(slope, back.gradient()), back.spec(1).shape)
    return back.cast(product, back.spec(1).dtype)


def extreme(back: Backward) -> Sequence[str]:
    """Max and Min: the first operand that equals the result takes all."""
    found, rest, zero = list[str](), back.gradient(), back.number(0.0)
    last = len(back.node.inputs) - 1
    for i, name in enumerate(back.node.inputs):
        share = rest
        if i < last:
            takes = back.one("Equal", name, back.output())
            share = back.one("Where", takes, rest, zero) if back.wants(i) else ""
            if any(back.wants(j) for j in range(i + 1, last + 1)):
                rest = back.one("Where", takes, zero, rest)
        found.append(back.sum_to(share, back.spec(i).shape) if back.wants(i) else "")
    return found


def where(back: Backward) -> Sequence[str]:
    dy, condition, zero = back.gradient(), back.input(0), back.number(0.0)
    found = ["", "", ""]
    if back.wants(1):
        found[1] = back.sum_to(back.one("Where", condition, dy, zero), back.spec(1).shape)
    if back.wants(2):
        found[2] = back.sum_to(back.one("Where", condition, zero, dy), back.spec(2).shape)
    return found


def neg(back: Backward) -> Sequence[str]:
    return [back.neg(back.gradient())]


def absolute(back: Backward) -> Sequence[str]:
    return [back.mul(back.one("Sign", back.input()), back.gradient())]


def sqrt(back: Backward) -> Sequence[str]:
    return [back.mul(back.div(back.number(0.5), back.output()), back.gradient())]


def exp(back: Backward) -> Sequence[str]:
    return [back.mul(back.gradient(), back.output())]


def log(back: Backward) -> Sequence[str]:
    return [back.div(back.gradient(), back.input())]


def reciprocal(back: Backward) -> Sequence[str]:
    """-y y dy"""
    y = back.output()
    return [back.mul(back.neg(back.mul(y, y)), back.gradient())]
