"""Pools on plain images for GPUs: each pixel is read once, side by side, and columns are put together in local memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from clconv.device.info import DeviceInfo
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.lowering.ops.pool.window import (
    far_obstacle,
    pad_mode,
    parameters,
    wanted_indices,
    window_arguments,
    window_parameters,
)
from clconv.lowering.shared.blocked import pair, plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tile_choice import READ_TOGETHER, lines_seconds
from clconv.records import record

_GROUPS = (256, 128, 64)  # work-items
_ROWS = (8, 4, 2, 1)  # of results that a work-group computes
_MOST_TAPS, _MOST_STRIDE = 16, 8  # along an axis, of what is unrolled
_MOST_GROUPS = 32768  # along an axis but the first
_MOST_READ = 40  # rows that an item reads, each into a register
_BANKS = 32  # of local memory, a float wide each


def line_length(items: int, stride: int) -> int:
    """Floats of a row of columns that have the same place within a stride: items side by side, which write to different ones of
    these lines, then reach different banks."""
    least = -(-items // stride)
    return least + (_BANKS // stride - least) % _BANKS


def lots_of(rows: int, stride: int) -> int:
    """Items that share a column of results, which are fewer than columns of pixels by the stride: a power of two."""
    return min(rows, 1 << stride.bit_length() - 1)


def read_rows(
    rows: int, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """The rows under the windows of so many rows of results, from the first one on."""
    return sorted(
        {p * strides[0] + k * dilations[0] for p in range(rows) for k in range(kernel[0])}
    )


@record(frozen=True)
class PoolTile:
    """What a work-group of `items` computes: `rows` rows of `strip` results of `together` planes, from `columns` columns."""

    items: int
    rows: int
    strip: int
    columns: int
    together: int

    def tiles(self, planes: int, out: tuple[int, int]) -> tuple[int, int, int]:
        """Of rows, of strips, of planes."""
        return -(-out[0] // self.rows), -(-out[1] // self.strip), -(-planes // self.together)

    def local_bytes(self, stride: int) -> int:
        return 4 * self.rows * stride * line_length(self.items, stride)


@record(frozen=True)
class _Window:
    """(height, width) of each."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]

    @classmethod
    def of(cls, problem: Problem) -> _Window:
        at = problem.node.attrs
        return cls(pair(at.kernel_shape, 1), pair(at.strides, 1), pair(at.dilations, 1))

    @property
    def reach(self) -> int:
        """Columns from the first to the last one."""
        return (self.kernel[1] - 1) * self.dilations[1] + 1

    def read(self, rows: int) -> int:
        return len(read_rows(rows, self.kernel, self.strides, self.dilations))


def _tile(window: _Window, width: int, items: int, rows: int) -> PoolTile:
    """A whole row of results where the items have a column each, else equal parts of it; and as many planes as fit."""
    stride = window.strides[1]
    most = (items // stride * stride - window.reach) // stride + 1
    strip = -(-width // -(-width // most))
    columns = -(-((strip - 1) * stride + window.reach) // stride) * stride
    return PoolTile(items, rows, strip, columns, items // columns)


def _tiles(window: _Window, width: int, device: DeviceInfo) -> Iterator[PoolTile]:
    stride = window.strides[1]
    for items in _GROUPS:
        if items < 2 * (window.reach + stride):
            continue
        for rows in _ROWS:
            tile = _tile(window, width, items, rows)
            fits = work_group_obstacle(device, tile.local_bytes(stride), items) is None
            if fits and (rows == 1 or window.read(rows) <= _MOST_READ):
                yield tile


def _seconds(problem: Problem, window: _Window, tile: PoolTile) -> float:
    """By what goes through memory, and by accesses of items side by side."""
    x, y = problem.x, problem.y
    groups = math.prod(tile.tiles(math.prod(x.shape[:2]), pair(y.shape[2:], 1)))
    written = tile.items / READ_TOGETHER * (window.read(tile.rows) + tile.rows)
    finished = tile.together * tile.strip * tile.rows / READ_TOGETHER * (window.kernel[1] + 1)
    return lines_seconds(problem.device, groups, written + finished, x.nbytes + y.nbytes)


def _best(problem: Problem) -> tuple[float, PoolTile]:
    """The tile of the least estimated time, the larger of two that take as long, and the time."""
    window = _Window.of(problem)
    tiles = list(_tiles(window, problem.y.shape[-1], problem.device))
    times = [_seconds(problem, window, tile) for tile in tiles]
    return min(zip(times, tiles, strict=True), key=lambda found: found[0])


def _applies(problem: Problem) -> str | None:
    if wanted_indices(problem):
        return "the indices of the maxima are wanted"
    refused = plain_obstacle(problem) or far_obstacle(problem)
    if refused is not None:
        return refused
    if problem.x.size == 0:
        return "the image has no pixels"
    window = _Window.of(problem)
    if max(window.kernel) > _MOST_TAPS or max(window.strides) > _MOST_STRIDE:
        return f"unrolls windows of up to {_MOST_TAPS} pixels and strides of up to {_MOST_STRIDE}"
    if next(_tiles(window, max(problem.y.shape[-1], 1), problem.device), None) is None:
        return "a work-group has too few items or too little local memory for the columns under a window"
    return None


def _lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if y.size == 0:
        return Lowered()
    (_, tile), window = _best(problem), _Window.of(problem)
    planes, out = math.prod(x.shape[:2]), pair(y.shape[2:], 1)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "pool/local.cl.mako",
        "pool_local",
        items=tile.items,
        rows=tile.rows,
        read=tuple(read_rows(tile.rows, window.kernel, window.strides, window.dilations)),
        line=line_length(tile.items, window.strides[1]),
        lots=lots_of(tile.rows, window.strides[1]),
        whole=tile.strip == out[1],
        pad_mode=pad_mode(problem),
        **window_parameters(problem),
        **parameters(problem, epilogue),
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(x.shape[1])),
        ("planes", Scalar(planes)),
        ("strips", Scalar(-(-out[1] // tile.strip))),
        ("strip", Scalar(tile.strip)),
        ("columns", Scalar(tile.columns)),
        ("together", Scalar(tile.together)),
        ("per_columns", Scalar(_reciprocal(tile.columns))),
        ("per_strip", Scalar(_reciprocal(tile.strip))),
        ("per_lot", Scalar(_reciprocal(tile.strip * tile.together))),
        *window_arguments(problem),
        *epilogue.arguments,
    ]
    row_tiles, strips, plane_tiles = tile.tiles(planes, out)
    turns = -(-plane_tiles // _MOST_GROUPS)
    size = (row_tiles * strips * tile.items, -(-plane_tiles // turns), turns)
    return Lowered((problem.call(kernel, arguments, size, (tile.items, 1, 1)),))


def _reciprocal(number: int) -> int:
    """What the kernel divides by a number of items with."""
    return -(-(1 << 16) // number)


def _estimate(problem: Problem) -> float:
    """Infinite on CPUs, where barriers cost more than they save."""
    if problem.device.is_cpu:
        return math.inf
    return _best(problem)[0] if problem.y.size else 0.0


def local_variant(op: str) -> Variant:
    return Variant(op, "local", _applies, _lower, estimate=_estimate)
