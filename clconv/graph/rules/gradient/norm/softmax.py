"""Gradients of Softmax and its logarithm, from their outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def softmax(back: Backward) -> Sequence[str]:
    """dx = y (dy - sum of dy y)."""
    return [through_softmax(back, back.output(), back.gradient(), back.attrs.axis)]


def through_softmax(back: Backward, y: str, dy: str, axis: int) -> str:
    weighted = back.mul(dy, y)
    return back.sub(weighted, back.mul(y, back.sum(weighted, [axis])))


def log_softmax(back: Backward) -> Sequence[str]:
    """dx = dy - exp(y) sum of dy."""
    dy = back.gradient()
    share = back.mul(back.one("Exp", back.output()), back.sum(dy, [back.attrs.axis]))
    return [back.sub(dy, share)]
