"""The gradient of Dropout: the same elements are dropped, drawn anew from the seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def dropout(back: Backward) -> Sequence[str]:
    training = back.value(2)
    dy, found = back.gradient(), [""] * len(back.node.inputs)
    if training is None or not training.any():
        return [dy, *found[1:]]
    found[0] = back.one(back.node.op, dy, *back.node.inputs[1:], **back.attrs)
    if back.wants(1):  # y = x mask / (1 - ratio)
        dtype = back.spec(1).dtype
        kept = back.sub(back.number(1, dtype), back.input(1))
        weighted = back.sum(back.mul(dy, back.output()), range(back.spec().rank))
        share = back.reshape(back.cast(weighted, dtype), back.spec(1).shape)
        found[1] = back.div(share, kept)
    return found
