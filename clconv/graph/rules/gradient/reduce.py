"""Gradients of reductions and of TopK."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def reduce_sum(back: Backward) -> Sequence[str]:
    return [_spread(back, kept_dims(back, back.gradient())), ""]


def reduce_mean(back: Backward) -> Sequence[str]:
    count = math.prod(back.spec().shape[i] for i in reduced_axes(back))
    share = back.mul(kept_dims(back, back.gradient()), back.number(1 / max(count, 1)))
    return [_spread(back, share), ""]


def reduce_l1(back: Backward) -> Sequence[str]:
    return [back.mul(back.one("Sign", back.input()), kept_dims(back, back.gradient())), ""]


def reduce_l2(back: Backward) -> Sequence[str]:
    """x / y dy; 0 where y is."""
    y = back.output()
    zero = back.number(0.0)
    quotient = back.div(back.gradient(), y)
    factor = back.one("Where", back.one("Equal", y, zero), zero, quotient)
    return [back.mul(back.input(), kept_dims(back, factor)), ""]


def reduce_sum_square(back: Backward) -> Sequence[str]:
    twice = back.mul(back.gradient(), back.number(2.0))
    return [back.mul(back.input(), kept_dims(back, twice)), ""]


def reduce_log_sum(back: Backward) -> Sequence[str]:
    """dy / sum(x), and the sum is exp(y)"""
    inverse = back.one("Exp", back.neg(back.output()))
    return [_spread(back, kept_dims(back, back.mul(inverse, back.gradient()))), ""]


def reduce_log_sum_exp(back: Backward) -> Sequence[str]:
    """exp(x - y) dy"""
    share = back.one("Exp", back.sub(back.input(), kept_dims(back, back.output())))
    return [back.mul(share, kept_dims(back, back.gradient())), ""]


def reduce_extreme(back: Backward) -> Sequence[str]:
    """Max and Min: the first of equals takes all."""
    found = _Rows(back)
    op = "ArgMax" if back.node.op == "ReduceMax" else "ArgMin"
    places = back.one(op, found.of_input(), axis=1, keepdims=1)
    zeros = back.zeros(back.spec_of(found.of_input()))
    dy = found.of_result(back.gradient())
    return [found.restored(back.one("ScatterElements", zeros, places, dy, axis=1)), ""]


def reduce_prod(back: Backward) -> Sequence[str]:
    """dy times the product of all others: of those before and those after, so that zeros do no harm."""
    found = _Rows(back)
    x, axis = found.of_input(), back.constant(np.array(1, np.int64), "axis")
    before = back.one("CumProd", x, axis, exclusive=1)
    after = back.one("CumProd", x, axis, exclusive=1, reverse=1)
    dy = found.of_result(back.gradient())
    return [found.restored(back.mul(back.mul(before, after), dy)), ""]


def top_k(back: Backward) -> Sequence[str]:
    places = back.output(1)
    zeros = back.zeros(back.spec())
    axis = back.attrs.axis
    return [back.one("ScatterElements", zeros, places, back.gradient(), axis=axis), ""]


class _Rows:
    """The input as (outer, reduced, inner), its axes brought together where they are apart."""

    def __init__(self, back: Backward) -> None:
        self._back = back
        shape, axes = back.spec().shape, reduced_axes(back)
        first = min(axes, default=0)
        apart = axes != list(range(first, first + len(axes)))
        others = [i for i in range(len(shape)) if i not in axes]
        self._perm = [*others, *axes] if apart else list(range(len(shape)))
        self._moved = tuple(shape[i] for i in self._perm)
        begin = len(others) if apart else first
        parts = (
            self._moved[:begin],
            self._moved[begin : begin + len(axes)],
            self._moved[begin + len(axes) :],
        )
        self.shape = tuple(math.prod(part) for part in parts)
        self._input = ""

    def of_input(self) -> str:
        back = self._back
        if not self._input:
            self._input = back.reshape(back.transpose(back.input(), self._perm), self.shape)
        return self._input

    def of_result(self, name: str) -> str:
        """Something of the result's shape as (outer, 1, inner): the other axes keep their order."""
        outer, _, inner = self.shape
        return self._back.reshape(name, (outer, 1, inner))

    def restored(self, name: str) -> str:
        """From (outer, reduced, inner) to the input's shape."""
        inverse = [int(i) for i in np.argsort(self._perm)]
        return self._back.transpose(self._back.reshape(name, self._moved), inverse)


def _spread(back: Backward, name: str) -> str:
    return back.expand_to(name, back.spec().shape)


def kept_dims(back: Backward, name: str) -> str:
    """A value of the result's shape, with the axes that the reduction removed as 1."""
    x = back.spec().shape
    axes = reduced_axes(back)
    return back.reshape(name, [1 if i in axes else n for i, n in enumerate(x)])


def reduced_axes(back: Backward) -> list[int]:
    rank = back.spec().rank
    given = back.value(1) if back.has(1) else None
    axes = [] if given is None else sorted(int(a) % rank for a in given.reshape(-1))
    if axes:
        return axes
    return [] if back.attrs.noop_with_empty_axes else list(range(rank))
