"""Gradients of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def reduce_sum(back: Backward) -> Sequence[str]:
    return [back.expand_to(kept_dims(back, back.gradient()), back.spec().shape), ""]


def kept_dims(back: Backward, name: str) -> str:
    """A value of the result's shape, with the axes that the reduction removed as 1."""
    x = back.spec().shape
    axes = reduced_axes(back)
    return back.reshape(name, [1 if i in axes else n for i, n in enumerate(x)])


def reduced_axes(back: Backward) -> list[int]:
    rank = back.spec().rank
    given = back.value(1) if back.has(1) else None
    axes = [] if given is None else [int(a) % rank for a in given.reshape(-1)]
    if axes:
        return axes
    return [] if back.attrs.noop_with_empty_axes else list(range(rank))
