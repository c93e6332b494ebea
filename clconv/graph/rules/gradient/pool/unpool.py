"""Gradients of MaxUnpool and Col2Im: each element of the input takes what lies where it was put."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.pool import unpool

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def max_unpool(back: Backward) -> Sequence[str]:
    x, out = back.spec(), back.result.shape[2:]
    natural = unpool.unpooled_size(back.attrs, x.shape[2:])
    others = [""] * (len(back.node.inputs) - 1)
    by_out = _taken(back, back.gradient(), out)
    if not unpool.may_count_default(natural, out):
        return [by_out, *others]
    inner = back.one(
        "Slice", back.gradient(), back.ints(*(0,) * len(natural)), back.ints(*natural),
        back.ints(*range(2, x.rank)),
    )  # fmt: skip
    by_default = _taken(back, inner, natural)
    counts_default = back.one(
        "And", back.one("Not", _in_windows(back, out)), _in_windows(back, natural)
    )
    return [back.one("Where", counts_default, by_default, by_out), *others]


def _taken(back: Backward, image: str, sizes: Sequence[int]) -> str:
    """What lies in the image, of these spatial sizes, where the indices say."""
    last = math.prod((*back.spec().shape[:2], *sizes)) - 1
    limit = back.constant(np.array(last, back.spec(1).dtype.numpy), "last")
    return back.one("Gather", back.reshape(image, [-1]), back.one("Min", back.input(1), limit))


def _in_windows(back: Backward, sizes: Sequence[int]) -> str:
    """Whether each index lies in its element's window in an image of these sizes, a bool scalar."""
    at, x, indices = back.attrs, back.spec(), back.input(1)
    kind = back.spec(1).dtype

    def number(value: np.ndarray) -> str:
        return back.constant(value.astype(kind.numpy), "places")

    step = math.prod(sizes)
    plane = np.arange(math.prod(x.shape[:2])).reshape(*x.shape[:2], *(1,) * len(sizes))
    found = back.one("Equal", back.div(indices, number(np.array(step))), number(plane))
    for i, size in enumerate(sizes):
        step //= size
        place = back.div(indices, number(np.array(step)))
        place = back.one("Mod", place, number(np.array(size)))
        first = np.arange(x.shape[2 + i]) * at.strides[i] - at.pads[i]
        first = first.reshape(-1, *(1,) * (len(sizes) - 1 - i))
        above = back.one("GreaterOrEqual", place, number(first))
        below = back.one("Less", place, number(first + at.kernel_shape[i]))
        found = back.one("And", found, back.one("And", above, below))
    least = back.one("ReduceMin", back.cast(found, DType.INT32), keepdims=0)
    return back.cast(least, DType.BOOL)


def col2im(back: Backward) -> Sequence[str]:
    """The windows of dy as columns."""
    x, image, block = back.spec(), back.value(1), back.value(2)
    assert image is not None and block is not None  # the shape rule needed them
    sizes, window = image.reshape(-1).tolist(), block.reshape(-1).tolist()
    counts, strides, dilations, pads = unpool.column_positions(back.attrs, sizes, window)
    n, dy = len(sizes), back.gradient()
    if any(pads):
        ends = back.ints(0, 0, *pads[:n], 0, 0, *pads[n:])
        dy = back.one("Pad", dy, ends, back.number(0), mode="constant")
    padded = back.spec_of(dy).shape
    places = np.zeros((1, 1), np.int64)
    for i in range(n):
        here = np.arange(counts[i]) * strides[i] + np.arange(window[i])[:, None] * dilations[i]
        places = places[:, None, :, None] * padded[2 + i] + here[None, :, None, :]
        places = places.reshape(places.shape[0] * window[i], -1)
    pixels = back.reshape(dy, (*padded[:2], math.prod(padded[2:])))
    columns = back.one("Gather", pixels, back.constant(places, "places"), axis=2)
    return [back.reshape(columns, x.shape), "", ""]
