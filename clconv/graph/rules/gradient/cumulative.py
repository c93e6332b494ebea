"""Gradients of running sums and products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.graph.rules.gradient.movement import padded, sliced

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def cum_sum(back: Backward) -> Sequence[str]:
    """The running sum from the other end."""
    at = back.attrs
    turned = {"exclusive": at.exclusive, "reverse": int(not at.reverse)}
    return [back.one("CumSum", back.gradient(), back.input(1), **turned), ""]


def cum_prod(back: Backward) -> Sequence[str]:
    """With p_k the product of all before k, and P the running product with 1 for zeros:
    dx_k = p_k / P_k * (sum of dy_i P_i over i >= k with no further zero up to i).

    Only up to the first zero is p_k not 0. So the sum is over what comes before the first zero, and for that zero
    itself over what lies between it and the second. As PyTorch has it.
    """
    at, axis, x = back.attrs, back.input(1), back.input()
    order = {"reverse": at.reverse}
    back_order = {"reverse": int(not at.reverse)}
    dy = _inclusive(back) if at.exclusive else back.gradient()
    zero, one = back.number(0.0), back.number(1.0)
    is_zero = back.one("Equal", x, zero)
    safe = back.one("Where", is_zero, one, x)
    before = back.one("CumProd", x, axis, exclusive=1, **order)
    running = back.one("CumProd", safe, axis, **order)
    ones = back.one("Cast", is_zero, to=back.result.dtype.value)
    zeros_so_far = back.one("CumSum", ones, axis, **order)
    weighted = back.mul(dy, running)

    def over(count: str) -> str:
        """The sum over what follows behind that many zeros."""
        part = back.one("Where", back.one("Equal", zeros_so_far, count), weighted, zero)
        return back.one("CumSum", part, axis, **back_order)

    total = back.one("Where", is_zero, over(one), over(zero))
    return [back.mul(back.div(before, running), total), ""]


def _inclusive(back: Backward) -> str:
    """The gradient of the running product that counts the element itself, of which the exclusive one is a shift."""
    dy, along = back.gradient(), back.value(1)
    assert along is not None
    axis = int(along.reshape(-1)[0]) % back.spec().rank
    size = back.spec().shape[axis]
    first, last = (0, size - 1) if back.attrs.reverse else (1, size)
    rest = sliced(back, dy, [(axis, first, last, 1)])
    places = [int(i == axis) for i in range(back.spec().rank)]
    none = [0] * back.spec().rank
    return padded(back, rest, *((places, none) if back.attrs.reverse else (none, places)))
