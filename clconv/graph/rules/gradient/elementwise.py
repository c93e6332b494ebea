"""Gradients of element-wise operators: dx = f'(x) dy, summed over what x was broadcast along."""

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


def relu(back: Backward) -> Sequence[str]:
    """From the output, so that the input need not be kept."""
    return [back.one("ReluGradient", back.gradient(), back.output())]
