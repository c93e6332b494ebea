"""Sizes that the variants on channel blocks share, and how they take an image: tiles of it, dealt out to work-items."""

from __future__ import annotations

import dataclasses
import math

from clconv.device.info import DeviceInfo
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.conv.shape import merged_groups
from clconv.lowering.shared.blocked import pair
from clconv.records import record

_IMAGE = 6144  # floats of an image's part
_MOST_IMAGE = 65536  # of a part that cannot be smaller: that of a wide window
_MOST_TAPS = 512
_PLAIN_PIXELS = 512  # of a tile of one channel
_PIXELS = 128  # of a tile: fewer, and the sums are loaded and stored too often


@record(frozen=True)
class GradientShape:
    """Sizes of the convolution, in one and two dimensions alike (1-D: height 1); channels and filters of one group."""

    batch: int
    channels: int
    filters: int
    group: int
    merged: int
    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begin: tuple[int, int]

    @classmethod
    def of(cls, problem: Problem, merged: int | None = None) -> GradientShape:
        """merged: how many groups count as one; None: as channel blocks ask for."""
        at, x, dy = problem.node.attrs, problem.x, problem.input(1)
        merged, spatial = groups_as_one(problem) if merged is None else merged, x.rank - 2
        group = at.group // merged
        shape = cls(
            x.shape[0], x.shape[1] // group, dy.shape[1] // group, group, merged, pair(x.shape[2:], 1),
            pair(dy.shape[2:], 1), pair(at.kernel_shape, 1), pair(at.strides, 1), pair(at.dilations, 1),
            pair(at.pads[:spatial], 0),
        )  # fmt: skip
        if shape.kernel == (1, 1) == shape.strides and shape.size == shape.out and not any(at.pads):
            pixels = (1, math.prod(shape.size))
            return dataclasses.replace(shape, size=pixels, out=pixels)
        return shape

    def image(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the image under so many windows."""
        windows = zip((rows, columns), self.strides, self.kernel, self.dilations, strict=True)
        height, width = ((n - 1) * s + (k - 1) * d + 1 for n, s, k, d in windows)
        return height, width


def groups_as_one(problem: Problem) -> int:
    """How many groups count as one."""
    group = problem.node.attrs.group
    channels, filters = problem.x.shape[1] // group, problem.y.shape[0] // group
    return merged_groups(group, channels, filters, problem.device.vector_width)


def tap_sets(kernel: tuple[int, int], most: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """All taps, (row, column), in sets of about the same size and at most `most`."""
    taps = [(kh, kw) for kh in range(kernel[0]) for kw in range(kernel[1])]
    each = -(-len(taps) // -(-len(taps) // most))
    return tuple(tuple(taps[i : i + each]) for i in range(0, len(taps), each))


def window_obstacle(problem: Problem) -> str | None:
    """Why an item cannot hold a window's sums, or the part of the image under it."""
    shape = GradientShape.of(problem)
    if math.prod(shape.kernel) > _MOST_TAPS:
        return f"needs windows of at most {_MOST_TAPS} taps, got {shape.kernel}"
    if math.prod(shape.image(1, 1)) * problem.device.vector_width > _MOST_IMAGE:
        return f"a window spans {shape.image(1, 1)} pixels, too many for one item"
    return None


def tile_size(shape: GradientShape, in_block: int) -> tuple[int, int]:
    """Rows and columns of result pixels that are taken at a time."""
    height, width = shape.out
    pixels = _PIXELS if in_block > 1 else _PLAIN_PIXELS
    parts = -(-width // pixels)
    while True:
        columns = -(-width // parts)
        if columns == 1 or math.prod(shape.image(1, columns)) * in_block <= _IMAGE:
            break
        parts += 1
    rows = max(1, pixels // columns)
    while rows > 1 and math.prod(shape.image(rows, columns)) * in_block > _IMAGE:
        rows -= 1
    rows = min(rows, height)
    return -(-height // -(-height // rows)), columns


_ITEMS_A_CORE = 8


def dealt_out(device: DeviceInfo, others: int, tiles: int) -> tuple[int, int]:
    """How many tiles an item takes, `others` standing side by side, and into how many parts that divides them."""
    wanted = -(-_ITEMS_A_CORE * device.compute_units // others)
    share = -(-tiles // max(1, min(wanted, tiles)))
    return share, max(1, -(-tiles // max(1, share)))


def rounded(floats: int) -> int:
    """So that convolutions of similar sizes share a kernel."""
    return max(1024, 1 << (floats - 1).bit_length())
