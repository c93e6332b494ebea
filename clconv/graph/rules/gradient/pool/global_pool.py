"""Gradients of pooling over all pixels of a channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.rules.gradient.pool.power import signed_power, without_zeros

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def average(back: Backward) -> Sequence[str]:
    x = back.spec()
    share = back.mul(back.gradient(), back.number(1 / math.prod(x.shape[2:])))
    return [back.expand_to(share, x.shape)]


def largest(back: Backward) -> Sequence[str]:
    """The first of equal maxima takes it all."""
    x = back.spec()
    pixels = math.prod(x.shape[2:])
    flat = back.reshape(back.input(), (*x.shape[:2], pixels))
    place = back.one("ArgMax", flat, axis=2, keepdims=1)
    numbers = back.constant(np.arange(pixels, dtype=np.int64), "pixels")
    dy = back.reshape(back.gradient(), (*x.shape[:2], 1))
    zero = back.number(0, DType(x.dtype))
    dx = back.one("Where", back.one("Equal", place, numbers), dy, zero)
    return [back.reshape(dx, x.shape)]


def norm(back: Backward) -> Sequence[str]:
    p, dy, y = back.attrs.p, back.gradient(), back.output()
    share = dy if p == 1 else without_zeros(back, dy, y, p)
    return [back.mul(signed_power(back, back.input(), p), share)]
