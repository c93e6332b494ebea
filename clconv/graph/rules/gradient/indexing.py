"""Gradients of reading and writing at indices. What is read more than once gets the sum, added up in the order of the
indices and never by atomics: the same bits at every run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.rules.gradient.movement import placed

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def gather(back: Backward) -> Sequence[str]:
    x, axis, known = back.spec(), back.attrs.axis % back.spec().rank, back.value(1)
    size, dy = x.shape[axis], back.gradient()
    if known is not None and known.size:
        places = np.where(known < 0, known + size, known).reshape(-1)
        if places.size == 1:
            kept = [range(n) for n in x.shape]
            kept[axis] = range(int(places[0]), int(places[0]) + 1)
            one = back.reshape(dy, [len(r) for r in kept])
            return [placed(back, one, kept, x.shape) if all(kept) else back.zeros(x), ""]
        if known.ndim == 1 and np.array_equal(np.sort(places), np.arange(size)):
            return [
                back.one("Gather", dy, back.constant(np.argsort(places), "places"), axis=axis),
                "",
            ]
    return [_added(back, axis), ""]


def _added(back: Backward, axis: int) -> str:
    """Through a scatter along the first axis."""
    shape = back.spec().shape
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    count = back.spec(1).size
    rows = back.reshape(back.gradient(), (outer, count, inner))
    rows = back.transpose(rows, (1, 0, 2)) if outer != 1 else back.reshape(rows, (count, 1, inner))
    empty = back.one(
        "ConstantOfShape",
        back.ints(shape[axis], outer, inner),
        value=0.0,
        dtype=back.spec().dtype.value,
    )
    vectors = back.reshape(back.input(1), (count, 1))
    found = back.one("ScatterND", empty, vectors, rows, reduction="add")
    found = back.transpose(found, (1, 0, 2)) if outer != 1 else found
    return back.reshape(found, shape)


def gather_elements(back: Backward) -> Sequence[str]:
    zeros = back.zeros(back.spec())
    how = {"axis": back.attrs.axis, "reduction": "add"}
    return [back.one("ScatterElements", zeros, back.input(1), back.gradient(), **how), ""]


def gather_nd(back: Backward) -> Sequence[str]:
    """Batch axes become a part of the index vectors."""
    indices, batch = back.input(1), back.attrs.batch_dims
    if batch:
        shape = back.spec(1).shape
        grid = np.indices(shape[:-1])[:batch]
        lead = back.constant(np.moveaxis(grid, 0, -1).astype(np.int64), "batch")
        indices = back.one("Concat", lead, back.cast(indices, DType.INT64), axis=-1)
    zeros = back.zeros(back.spec())
    return [back.one("ScatterND", zeros, indices, back.gradient(), reduction="add"), ""]


def one_hot(back: Backward) -> Sequence[str]:
    """Of the values: the sums of dy where it is off, and where it is on."""
    dtype = back.result.dtype
    pairs = np.array([1, 0], dtype.numpy), np.array([0, 1], dtype.numpy)
    sums = []
    for pair in pairs:
        mask = back.one(
            "OneHot",
            back.input(0),
            back.input(1),
            back.constant(pair, "mask"),
            axis=back.attrs.axis,
        )
        total = back.sum(back.mul(mask, back.gradient()), range(back.result.rank), keepdims=False)
        sums.append(back.reshape(total, (1,)))
    return ["", "", back.one("Concat", *sums, axis=0)]


def scatter(read: str) -> Callable[[Backward], Sequence[str]]:
    """Of ScatterElements and ScatterND; read: the operator that reads where they write."""

    def rule(back: Backward) -> Sequence[str]:
        return _RULES[back.attrs.reduction](_Scatter(back, read))

    return rule


class _Scatter:
    """x with updates u at places, y the result, and what reads or writes elsewhere at the same places."""

    def __init__(self, back: Backward, read: str) -> None:
        self.back, self.dy, self.x, self.u = back, back.gradient(), back.input(0), back.input(2)
        self._read = read
        self._axis = {"axis": back.attrs.axis} if read == "GatherElements" else {}

    def at(self, name: str) -> str:
        return self.back.one(self._read, name, self.back.input(1), **self._axis)

    def write(self, data: str, updates: str, reduction: str) -> str:
        back = self.back
        how = {**self._axis, "reduction": reduction}
        return back.one(back.node.op, data, back.input(1), updates, **how)

    def number(self, value: float) -> str:
        return self.back.number(value)

    def where(self, condition: str, yes: str, no: str) -> str:
        return self.back.one("Where", condition, yes, no)

    def is_zero(self, name: str) -> str:
        return self.back.one("Equal", name, self.number(0.0))

    def zeros(self, index: int) -> str:
        return self.back.zeros(self.back.spec(index))


def _replaced(s: _Scatter) -> Sequence[str]:
    found = ["", "", ""]
    if s.back.wants(0):
        found[0] = s.write(s.dy, s.zeros(2), "none")
    if s.back.wants(2):
        found[2] = s.at(s.dy)
    return found


def _summed(s: _Scatter) -> Sequence[str]:
    return [s.dy, "", s.at(s.dy) if s.back.wants(2) else ""]


def _multiplied(s: _Scatter) -> Sequence[str]:
    """dy times the product of all other factors of a place, as PyTorch's scatter_reduce has it: the result over the
    factor, and where the factor is the only zero the product with 1 in its place."""
    back, found, one = s.back, ["", "", ""], s.number(1.0)
    if back.wants(0):
        safe = s.where(s.is_zero(s.x), one, s.x)
        product = s.write(safe, s.u, "mul")
        found[0] = back.mul(s.dy, back.div(product, safe))
    if back.wants(2):
        is_zero = s.is_zero(s.u)
        ones = back.cast(is_zero, back.result.dtype)
        count = s.at(s.write(s.zeros(0), ones, "add"))
        single = back.one("And", is_zero, back.one("Equal", count, one))
        others = s.write(s.x, s.where(single, one, s.u), "mul")
        quotient = back.div(s.at(back.output()), s.where(is_zero, one, s.u))
        found[2] = back.mul(s.at(s.dy), s.where(single, s.at(others), quotient))
    return found


def _extreme(s: _Scatter) -> Sequence[str]:
    """All that equal the result share evenly, as PyTorch's scatter_reduce has it."""
    back, y, dtype = s.back, s.back.output(), s.back.result.dtype
    own = back.cast(back.one("Equal", s.x, y), dtype)
    theirs = back.cast(back.one("Equal", s.u, s.at(y)), dtype)
    share = back.div(s.dy, s.write(own, theirs, "add"))
    found = ["", "", ""]
    if back.wants(0):
        found[0] = s.where(back.cast(own, DType.BOOL), share, s.number(0.0))
    if back.wants(2):
        found[2] = s.where(back.cast(theirs, DType.BOOL), s.at(share), s.number(0.0))
    return found


_RULES: dict[str, Callable[[_Scatter], Sequence[str]]] = {
    "none": _replaced,
    "add": _summed,
    "mul": _multiplied,
    "max": _extreme,
    "min": _extreme,
}
