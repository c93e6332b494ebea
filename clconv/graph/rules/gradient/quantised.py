"""Gradients of what is quantised.

Integers carry none: what goes through QuantizeLinear ends there, as its steps have no slope. Training that learns to
live with the steps takes FakeQuantize, floats before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def dequantize(back: Backward) -> Sequence[str]:
    """y = (x - zero point) scale: the scale's is the sum of dy (x - zero point) over what it holds for."""
    scale, found = back.spec(1), [""] * len(back.node.inputs)
    if back.wants(1):
        ones = back.constant(np.ones(scale.shape, scale.dtype.numpy), "ones")
        attrs = {**back.attrs, "output_dtype": back.result.dtype.value}
        zero = back.node.inputs[2:3]
        whole = back.one("DequantizeLinear", back.input(0), ones, *zero, **attrs)
        product = back.mul(back.gradient(), whole)
        found[1] = back.cast(_summed(back, product), scale.dtype)
    return found


def _summed(back: Backward, name: str) -> str:
    """To the shape of the scale: one value, one for each place along an axis, or one a block along it."""
    at, x, scale = back.attrs, back.spec().shape, back.spec(1).shape
    axis = at.axis % len(x) if x else 0
    if not at.block_size:
        if scale in ((), (1,)):
            return back.reshape(back.sum(name, range(len(x))), scale)
        others = [i for i in range(len(x)) if i != axis]
        return back.reshape(back.sum(name, others), scale)
    missing = scale[axis] * at.block_size - x[axis]
    if missing:
        ends = [0] * len(x)
        ends[axis] = missing
        name = back.one("Pad", name, back.ints(*[0] * len(x), *ends))
    blocks = (*x[:axis], scale[axis], at.block_size, *x[axis + 1 :])
    return back.reshape(back.sum(back.reshape(name, blocks), [axis + 1]), scale)
