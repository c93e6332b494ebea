"""Gradients of the normalisations by an input's own statistics.

For y = n scale + bias with n = (x - mean) f over some axes, and g = dy scale: dx = f (g - mean(g) - n mean(g n)); without a
mean, its term falls away (Ba et al., "Layer Normalization", 2016). What is normalised is computed anew, which costs a
pass over x and saves keeping it. Where the mean is large beside the deviation, x - mean is told from rounding as the
forward kernels do it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def layer(back: Backward) -> Sequence[str]:
    x = back.spec()
    first = back.attrs.axis % x.rank
    axes = range(first, x.rank)
    normal, factor = _normalised(back, back.input(), x.shape[first:], first, back.attrs.epsilon)
    found = _affine(back, normal, axes)
    if back.wants(0):
        g = back.mul(back.gradient(), back.input(1))
        found[0] = _through(back, g, normal, factor, axes)
        found[0] = _statistics(back, found[0], normal, factor, axes)
    return found


def _statistics(back: Backward, dx: str, normal: str, factor: str, axes: Sequence[int]) -> str:
    """With what comes by the outputs mean and 1 / deviation: dmean / n and -dfactor factor^2 normal / n."""
    dtype, count = back.spec().dtype, _count(back, axes)
    if back.has_gradient(1):
        share = back.div(back.cast(back.gradient(1), dtype), back.number(count))
        dx = back.add(dx, share)
    if back.has_gradient(2):
        share = back.div(back.cast(back.gradient(2), dtype), back.number(-count))
        dx = back.add(dx, back.mul(normal, back.mul(share, back.mul(factor, factor))))
    return dx


def rms(back: Backward) -> Sequence[str]:
    x = back.spec()
    axes = range(back.attrs.axis % x.rank, x.rank)
    squares = _mean(back, back.mul(back.input(), back.input()), axes)
    root = back.one("Sqrt", back.add(squares, back.number(back.attrs.epsilon)))
    factor = back.one("Reciprocal", root)
    normal = back.mul(back.input(), factor)
    found = _affine(back, normal, axes)
    if back.wants(0):
        g = back.mul(back.gradient(), back.input(1))
        share = back.mul(normal, _mean(back, back.mul(g, normal), axes))
        found[0] = back.mul(back.sub(g, share), factor)
    return found


def lp(back: Backward) -> Sequence[str]:
    """y = x / norm: dx = (dy - norm'(x) sum of dy y) / norm, where the norm's gradient is y or the signs of x.
    A line of zeros stays one, and gets nothing."""
    axes, dy = [back.attrs.axis], back.gradient()
    op = "ReduceL1" if back.attrs.p == 1 else "ReduceL2"
    norm = back.one(op, back.input(), back.ints(*axes))
    slope = back.one("Sign", back.input()) if back.attrs.p == 1 else back.output()
    share = back.mul(slope, back.sum(back.mul(dy, back.output()), axes))
    is_zero = back.one("Equal", norm, back.number(0))
    inverse = back.one("Where", is_zero, back.number(0), back.one("Reciprocal", norm))
    return [back.mul(back.sub(dy, share), inverse)]


def mean_variance(back: Backward) -> Sequence[str]:
    """y = (x - mean) / (s + 1e-9): the deviation s itself stands once in the denominator of dy/dx."""
    rank, dy = back.spec().rank, back.gradient()
    axes = [a % rank for a in back.attrs.axes]
    centred = back.sub(back.input(), _mean(back, back.input(), axes))
    centred = back.sub(centred, _mean(back, centred, axes))
    deviation = back.one("Sqrt", _mean(back, back.mul(centred, centred), axes))
    factor = back.one("Reciprocal", back.add(deviation, back.number(1e-9)))
    is_zero = back.one("Equal", deviation, back.number(0))
    inverse = back.one("Where", is_zero, back.number(0), back.one("Reciprocal", deviation))
    share = back.mul(_mean(back, back.mul(dy, back.mul(centred, factor)), axes), inverse)
    rest = back.sub(back.sub(dy, _mean(back, dy, axes)), back.mul(centred, share))
    return [back.mul(rest, factor)]


def lrn(back: Backward) -> Sequence[str]:
    return [back.one("LRNGradient", back.input(), back.gradient(), **back.attrs)]


def instance(back: Backward) -> Sequence[str]:
    return _grouped(back, back.spec().shape[1])


def group(back: Backward) -> Sequence[str]:
    return _grouped(back, back.attrs.num_groups)


def _grouped(back: Backward, groups: int) -> Sequence[str]:
    """x as (batch, groups, channels of a group, pixels), normalised over the last two."""
    n, channels, *spatial = back.spec().shape
    view = (n, groups, channels // groups, math.prod(spatial))
    by_channel = (groups, channels // groups, 1)
    x, dy = (back.reshape(name, view) for name in (back.input(), back.gradient()))
    normal, factor = _normalised(back, x, by_channel, 2, back.attrs.epsilon)
    found = ["", "", ""]
    if back.wants(0):
        g = back.mul(dy, back.reshape(back.input(1), by_channel))
        dx = _through(back, g, normal, factor, (2, 3))
        found[0] = back.reshape(dx, back.spec().shape)
    if back.wants(1):
        found[1] = back.reshape(back.sum(back.mul(dy, normal), (0, 3)), (channels,))
    if back.wants(2):
        found[2] = back.reshape(back.sum(dy, (0, 3)), (channels,))
    return found


def _normalised(
    back: Backward, x: str, scale: Sequence[int], axis: int, epsilon: float
) -> tuple[str, str]:
    """(x - mean) / deviation over the axes from `axis` on, and 1 / deviation. scale: a shape of scales that the
    kernels of LayerNormalization are fast for."""
    dtype = back.spec_of(x).dtype
    ones = back.constant(np.ones(scale, dtype.numpy), "ones")
    normal, _, factor = back.emit(
        "LayerNormalization", x, ones, outputs=3, axis=axis, epsilon=epsilon
    )
    return normal, back.cast(factor, dtype)


def _through(back: Backward, g: str, normal: str, factor: str, axes: Sequence[int]) -> str:
    """dx from the gradient g of what is normalised."""
    share = back.mul(normal, _mean(back, back.mul(g, normal), axes))
    rest = back.sub(back.sub(g, _mean(back, g, axes)), share)
    return back.mul(rest, factor)


def _affine(back: Backward, normal: str, axes: Sequence[int]) -> list[str]:
    """Gradients of scale and bias, that of x to be filled in."""
    dy, found = back.gradient(), [""] * len(back.node.inputs)
    if back.wants(1):
        found[1] = back.sum_to(back.mul(dy, normal), back.spec(1).shape)
    if back.wants(2):
        found[2] = back.sum_to(dy, back.spec(2).shape)
    return found


def _mean(back: Backward, name: str, axes: Sequence[int]) -> str:
    return back.one("ReduceMean", name, back.ints(*axes), keepdims=1)


def _count(back: Backward, axes: Sequence[int]) -> int:
    return math.prod(back.spec().shape[a] for a in axes)
