"""Gradients of GridSample, to the image and to the grid, and of AffineGrid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.graph.ops.sampling import grid_sample as op

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def grid_sample(back: Backward) -> Sequence[str]:
    """The nearest pixel stays the same where the grid changes a little: no gradient then."""
    dy, found = back.gradient(), ["", ""]
    if back.wants(0):
        size = back.spec().shape[2:]
        found[0] = back.one("GridSampleGradient", dy, back.input(1), size=size, **back.attrs)
    if back.wants(1) and back.attrs.mode != "nearest":
        inputs = (dy, back.input(0), back.input(1))
        found[1] = back.one("GridSampleGridGradient", *inputs, **back.attrs)
    return found


def grid_sample_gradient(back: Backward) -> Sequence[str]:
    """The sum of this times v is that of dy times what GridSample makes of v."""
    kept = {k: v for k, v in back.attrs.items() if k != "size"}
    v, found = back.gradient(), ["", ""]
    if back.wants(0):
        found[0] = back.one("GridSample", v, back.input(1), **kept)
    if back.wants(1) and back.attrs.mode != "nearest":
        found[1] = back.one("GridSampleGridGradient", back.input(0), v, back.input(1), **kept)
    return found


def affine_grid(back: Backward) -> Sequence[str]:
    """The grid is (pixels, points) times theta transposed."""
    batch, *sizes, spatial = back.result.shape
    points = op.affine_points(back.attrs.align_corners, sizes)
    pixels = math.prod(sizes)
    dy = back.transpose(back.reshape(back.gradient(), (batch, pixels, spatial)), (0, 2, 1))
    lines = points.reshape(pixels, spatial + 1).astype(back.result.dtype.numpy)
    return [back.one("MatMul", dy, back.constant(lines, "points")), ""]
