"""Gradients of what turns integers into floats. Into integers nothing goes back: see FakeQuantize for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.rules.gradient.movement import padded

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def dequantize(back: Backward) -> Sequence[str]:
    """Of y = (x - zero) scale, that of the scale: the sum of dy (x - zero) over what shares it."""
    found = [""] * len(back.node.inputs)
    if not back.wants(1):
        return found
    x, scale, at = back.spec(0), back.spec(1), back.attrs
    ones = back.constant(np.ones(scale.shape, scale.dtype.numpy), "ones")
    difference = back.one("DequantizeLinear", back.input(0), ones, *back.node.inputs[2:], **at)
    total = back.cast(back.mul(difference, back.gradient()), scale.dtype)
    if at.block_size:
        axis, size = at.axis % x.rank, at.block_size
        count = scale.shape[axis]
        ends = [count * size - n if i == axis else 0 for i, n in enumerate(x.shape)]
        total = padded(back, total, [0] * x.rank, ends)
        total = back.reshape(total, (*x.shape[:axis], count, size, *x.shape[axis + 1 :]))
        total = back.sum(total, [axis + 1])
    elif scale.size == 1:
        total = back.sum(total, range(x.rank))
    else:
        total = back.sum(total, [i for i in range(x.rank) if i != at.axis % x.rank])
    found[1] = back.reshape(total, scale.shape)
    return found
