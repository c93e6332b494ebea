"""Gradients of what moves data: it is moved back, and what was left out gets nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def identity(back: Backward) -> Sequence[str]:
    return [back.gradient()]


def reshaped(back: Backward) -> Sequence[str]:
    """Of whatever keeps all elements in their order. Further inputs are shapes."""
    others = [""] * (len(back.node.inputs) - 1)
    return [back.reshape(back.gradient(), back.spec().shape), *others]
