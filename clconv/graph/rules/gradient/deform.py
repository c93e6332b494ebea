"""The gradient of DeformConv: samples as columns, and what they change with.

The columns (channels, taps, pixels) are written out with gathers, their gradient goes back to the image with scatters that add
up. Source: Dai et al., "Deformable convolutional networks" (2017), eq. 5 for the places; Zhu et al. (2018) for the mask.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv.graph.ir import DType
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

CORNERS = tuple(itertools.product((0, 1), (0, 1)))


@record(frozen=True)
class _Axis:
    """Along one axis, for the pixel before a place and the one after it: index, share, and how the share changes with the
    place. Outside the image shares are zero."""

    index: tuple[str, str]
    share: tuple[str, str]
    slope: tuple[str, str]


def deform_conv(back: Backward) -> Sequence[str]:
    x, w, at = back.spec(0).shape, back.spec(1).shape, back.attrs
    batch, channels, height, width = x
    taps, pixels = math.prod(w[2:]), math.prod(back.result.shape[2:])
    columns = (batch, at.offset_group, channels // at.offset_group, taps * pixels)
    rows, across = _axis(back, 0, height), _axis(back, 1, width)
    image = back.reshape(back.input(0), (*columns[:3], height * width))
    index = {
        (a, b): back.expand_to(
            back.add(back.mul(rows.index[a], _whole(back, width)), across.index[b]), columns
        )
        for a, b in CORNERS
    }
    share = {(a, b): back.mul(rows.share[a], across.share[b]) for a, b in CORNERS}
    seen = {corner: back.one("GatherElements", image, index[corner], axis=3) for corner in CORNERS}
    sampled = _weighted(back, seen, share)
    dy = back.reshape(back.gradient(), (batch, at.group, w[0] // at.group, pixels))
    filters = back.reshape(back.input(1), (1, at.group, w[0] // at.group, w[1] * taps))
    dcolumns = back.reshape(back.one("MatMul", back.transpose(filters, (0, 1, 3, 2)), dy), columns)
    mask_shape = (batch, at.offset_group, 1, taps * pixels)
    mask = back.reshape(back.input(4), mask_shape) if back.has(4) else ""
    dsampled = back.mul(dcolumns, mask) if mask else dcolumns
    found = ["", "", "", "", ""]
    if back.wants(0):
        found[0] = _scattered(
            back, image, index, {c: back.mul(dsampled, share[c]) for c in CORNERS}, x
        )
    if back.wants(1):
        masked = back.mul(sampled, mask) if mask else sampled
        side = back.reshape(masked, (batch, at.group, w[1] * taps, pixels))
        product = back.one("MatMul", dy, back.transpose(side, (0, 1, 3, 2)))
        found[1] = back.reshape(back.sum(product, [0]), w)
    if back.wants(2):
        slopes = (
            {(a, b): back.mul(rows.slope[a], across.share[b]) for a, b in CORNERS},
            {(a, b): back.mul(rows.share[a], across.slope[b]) for a, b in CORNERS},
        )
        moves = [
            back.sum(back.mul(dsampled, _weighted(back, seen, slope)), [2]) for slope in slopes
        ]
        split = (batch, at.offset_group, taps, 1, pixels)
        joined = back.one("Concat", *(back.reshape(move, split) for move in moves), axis=3)
        found[2] = back.reshape(joined, back.spec(2).shape)
    if back.wants(3):
        found[3] = back.sum(back.gradient(), [0, 2, 3], keepdims=False)
    if back.wants(4):
        change = back.sum(back.mul(dcolumns, sampled), [2])
        found[4] = back.reshape(change, back.spec(4).shape)
    return found[: len(back.node.inputs)]


def _whole(back: Backward, value: int) -> str:
    return back.constant(np.array(value, np.int64), "whole")


def _weighted(
    back: Backward, seen: dict[tuple[int, int], str], share: dict[tuple[int, int], str]
) -> str:
    return back.one("Sum", *(back.mul(seen[corner], share[corner]) for corner in CORNERS))


def _scattered(
    back: Backward,
    image: str,
    index: dict[tuple[int, int], str],
    parts: dict[tuple[int, int], str],
    shape: Sequence[int],
) -> str:
    """The parts added up where they came from, one corner after another."""
    total = back.zeros(back.spec_of(image))
    for corner in CORNERS:
        total = back.one(
            "ScatterElements", total, index[corner], parts[corner], axis=3, reduction="add"
        )
    return back.reshape(total, shape)


def _axis(back: Backward, axis: int, size: int) -> _Axis:
    """Of all taps at all pixels, (batch, offset groups, 1, taps * pixels)."""
    at, kernel, sizes = back.attrs, back.spec(1).shape[2:], back.result.shape[2:]
    batch, taps, pixels = back.spec(0).shape[0], math.prod(kernel), math.prod(sizes)
    flat = (batch, at.offset_group, 1, taps * pixels)
    split = back.reshape(back.input(2), (batch, at.offset_group, taps, 2, pixels))
    moved = back.one("Slice", split, back.ints(axis), back.ints(axis + 1), back.ints(3))
    dtype = back.result.dtype
    tap = np.indices(kernel)[axis].reshape(-1, 1) * at.dilations[axis]
    window = np.indices(sizes)[axis].reshape(1, -1) * at.strides[axis] - at.pads[axis]
    base = back.constant((tap + window).reshape(-1).astype(dtype.numpy), "places")
    place = back.add(back.reshape(moved, flat), base)
    low = back.one("Floor", place)
    after = back.sub(place, low)
    one, none, last = back.number(1), back.number(0), back.number(size - 1)
    first, end = _whole(back, 0), _whole(back, size - 1)
    index: list[str] = []
    shares: list[str] = []
    slopes: list[str] = []
    for corner, share in ((low, back.sub(one, after)), (back.add(low, one), after)):
        inside = back.one(
            "And",
            back.one("GreaterOrEqual", corner, none),
            back.one("LessOrEqual", corner, last),
        )
        kept = back.cast(inside, dtype)
        # No place that is no number, or far away, becomes an index outside the image.
        index.append(back.one("Clip", back.cast(corner, DType.INT64), first, end))
        shares.append(back.mul(share, kept))
        slopes.append(kept if slopes else back.neg(kept))
    return _Axis((index[0], index[1]), (shares[0], shares[1]), (slopes[0], slopes[1]))
