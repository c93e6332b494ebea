"""Gradients of y = (sum |x|^p)^(1/p): dx = x |x|^(p-2) dy y^(1-p), and 0 where y is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def signed_power(back: Backward, x: str, p: float) -> str:
    """x |x|^(p-2)."""
    if p == 2:
        return x
    sign = back.one("Sign", x)
    if p == 1:
        return sign
    return back.mul(sign, back.one("Pow", back.one("Abs", x), back.number(p - 1)))


def without_zeros(back: Backward, dy: str, y: str, p: float) -> str:
    """dy y^(1-p), and 0 where y is 0."""
    power = y if p == 2 else back.one("Pow", y, back.number(p - 1))
    zero = back.number(0)
    return back.one("Where", back.one("Greater", y, zero), back.div(dy, power), zero)
