"""Gradients of products: for C = A B, dA = dC B' and dB = A' dC."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def gemm(back: Backward) -> Sequence[str]:
    at, dy = back.attrs, back.gradient()
    scaled = dy if at.alpha == 1 else back.mul(dy, back.number(at.alpha))
    a, b, found = back.input(0), back.input(1), ["", "", ""]
    if back.wants(0):
        left, right = (b, scaled) if at.transA else (scaled, b)
        found[0] = back.one(
            "Gemm",
            left,
            right,
            transA=at.transA and at.transB,
            transB=int(at.transA or not at.transB),
        )
    if back.wants(1):
        left, right = (scaled, a) if at.transB else (a, scaled)
        found[1] = back.one(
            "Gemm",
            left,
            right,
            transA=int(at.transB or not at.transA),
            transB=at.transA and at.transB,
        )
    if back.wants(2):
        bias = dy if at.beta == 1 else back.mul(dy, back.number(at.beta))
        found[2] = back.sum_to(bias, back.spec(2).shape)
    return found[: len(back.node.inputs)]


def matmul(back: Backward) -> Sequence[str]:
    """As numpy.matmul: vectors are matrices of one row or column, and the axes before are broadcast."""
    a, b = back.spec(0).shape, back.spec(1).shape
    left = (1, *a) if len(a) == 1 else a
    right = (*b, 1) if len(b) == 1 else b
    if len(right) == 2:
        return _by_one_matrix(back, left, right)
    batch = back.result.shape[: len(back.result.shape) - (len(a) > 1) - (len(b) > 1)]
    dy = back.reshape(back.gradient(), (*batch, left[-2], right[-1]))
    found = ["", ""]
    if back.wants(0):
        other = _transposed(back, back.reshape(back.input(1), right))
        found[0] = back.reshape(back.sum_to(back.one("MatMul", dy, other), left), a)
    if back.wants(1):
        other = _transposed(back, back.reshape(back.input(0), left))
        found[1] = back.reshape(back.sum_to(back.one("MatMul", other, dy), right), b)
    return found


def _by_one_matrix(back: Backward, left: Sequence[int], right: Sequence[int]) -> Sequence[str]:
    """All rows of a stack of matrices times one matrix are one product, and Gemm transposes nothing in memory."""
    count = math.prod(left[:-1])
    dy = back.reshape(back.gradient(), (count, right[1]))
    found = ["", ""]
    if back.wants(0):
        product = back.one("Gemm", dy, back.reshape(back.input(1), right), transB=1)
        found[0] = back.reshape(product, back.spec(0).shape)
    if back.wants(1):
        rows = back.reshape(back.input(0), (count, left[-1]))
        found[1] = back.reshape(back.one("Gemm", rows, dy, transA=1), back.spec(1).shape)
    return found


def _transposed(back: Backward, name: str) -> str:
    rank = back.spec_of(name).rank
    return back.transpose(name, [*range(rank - 2), rank - 1, rank - 2])
