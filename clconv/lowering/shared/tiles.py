"""Tiles of the products in local memory, for GPUs: what a work-group and a work-item compute."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.kernel import AUTO, Problem
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.records import record


@record(frozen=True)
class Tile:
    """Work-group and work-item tile of C = A B: M rows, N columns, K summed at a time, `depth` of them unrolled; `pair` of them
    are a word of local memory."""

    m: int
    n: int
    k: int
    item_m: int
    item_n: int
    depth: int = 4
    pair: int = 1

    @property
    def name(self) -> str:
        """As tuning calls it."""
        return f"{self.m}x{self.n}"

    @property
    def items(self) -> int:
        return self.m // self.item_m * (self.n // self.item_n)

    @property
    def local_bytes(self) -> int:
        """Two buffers of both tiles, each of their rows padded by up to PADDING floats."""
        return 2 * 4 * (self.k // self.pair) * (self.m + self.n + 2 * PADDING)

    def fits(self, device: DeviceInfo) -> bool:
        return work_group_obstacle(device, self.local_bytes, self.items) is None

    def lines(self, kind: Matrix | None) -> int:
        """Lines of a tile in local memory: one for each k, or for each pair of halves along k."""
        return self.k // (kind.pair if kind else 1)

    def row_lengths(
        self, kind: Matrix | None, a_turned: bool = False, b_turned: bool = False
    ) -> tuple[int, int]:
        """Words from one line to the next in the tiles of A and B, so that few items ask a bank of local memory at
        once. a_turned, b_turned: neighbours along k are written together. The items of a warp read from four
        lines at once for a matrix instruction, in such rows each from a bank of its own."""
        if kind is not None and not kind.is_alone:
            return self.m + PADDING, self.n + PADDING
        return self.m + 4 * a_turned, self.n + 4 * b_turned


PADDING = 8

# Largest first: a large tile reads each value less often, a small one fills more of the device. Results of an item
# bound the share of multiply-adds: 8 x 8 of them take 64 for 4 vectors read from local memory, 4 x 4 take 16 for 2.
TILES = (
    Tile(128, 128, 8, 8, 8),
    Tile(64, 128, 8, 8, 8),
    Tile(64, 64, 16, 8, 4),
    Tile(32, 64, 16, 4, 4),
)

# A matrix instruction takes up to 16 products at a time. Four warps share a tile: 64 x 64 results of one read as much
# of local memory as NVIDIA's instructions take time, smaller parts read more.
MATRIX_TILES = (
    Tile(128, 128, 16, 16, 8),
    Tile(64, 128, 16, 8, 8),
    Tile(64, 64, 16, 8, 4),
    Tile(32, 64, 16, 4, 4),
)

# The same of halves, two of which are a word: as many words with twice as many products, so that a step takes longer than its loads;
# the others for windows with too few channels. Eight rows of results an item or more keep what is read of local memory low.
HALF_MATRIX_TILES = (
    Tile(128, 128, 32, 16, 8, pair=2),
    Tile(128, 64, 32, 8, 8, pair=2),
    Tile(64, 128, 32, 8, 8, pair=2),
    Tile(64, 64, 32, 8, 4, pair=2),
    Tile(32, 64, 32, 4, 4, pair=2),
    *(dataclasses.replace(tile, pair=2) for tile in MATRIX_TILES),
)

# A line holds two inner indices, so that as many lines are those of TILES with twice as many.
PAIR_TILES = tuple(dataclasses.replace(tile, k=2 * tile.k) for tile in TILES)

# Sums of halves and of floats: with more than 16 of both an item, Intel's GPUs run eight work-items side by side, and
# instructions for halves are no faster than those for floats. Two columns side by side are one instruction elsewhere.
HALF_TILES = (Tile(64, 64, 16, 4, 4), Tile(32, 64, 16, 4, 4))

# An Intel GPU's 128 registers hold fewer fragments, and with 16 lanes fewer addresses to load from: then the smallest
# has twice the work-items.
INTEL_TILES = (Tile(64, 128, 16, 8, 4), Tile(64, 64, 16, 4, 4), Tile(32, 64, 16, 4, 4))
WIDE_GROUP = Tile(32, 64, 16, 4, 2)


def tiles_for(kind: Matrix | None) -> Sequence[Tile]:
    """The tiles whose results a work-item has registers for."""
    if kind is None:
        return TILES
    if kind.is_alone:
        return PAIR_TILES if kind.pair == 2 else HALF_TILES
    if kind.lanes == 16:
        return (*INTEL_TILES[:-1], WIDE_GROUP)
    if kind.is_intel:
        return INTEL_TILES
    if (
        kind.pair == 2
    ):  # with 8 products at a time twice as many fragments are read, which the largest has no registers for
        return HALF_MATRIX_TILES if kind.k == 16 else HALF_MATRIX_TILES[1:]
    return MATRIX_TILES


def without_many_loads(kind: Matrix | None) -> Sequence[Tile]:
    """Tiles for pixels that are loaded one by one at a fixed distance, whose places compilers keep, two registers each: not those of
    32 loads an item beside 128 results."""
    tiles = tiles_for(kind)
    return [t for t in tiles if t.n * t.k // t.items < 32 or t.item_m * t.item_n < 128]


def subgroup_of(device: DeviceInfo, kind: Matrix | None) -> int:
    """Work-items side by side that a product asks for, 0 for the compiler's choice."""
    if kind is None or kind.is_alone:
        return device.subgroup
    return kind.lanes if kind.is_intel and not kind.emulated else 0


def matrix_obstacle(problem: Problem) -> str | None:
    """Why the product of the first two inputs cannot be computed with matrix instructions."""
    precision, kind = problem.options.precision, matrix_for(problem)
    if kind is not None:
        return local_memory_obstacle(problem.device, tiles_for(kind))
    if precision == "strict":
        return "precision 'strict' was asked for: sums of plain float32 products only"
    if problem.x.dtype is DType.FLOAT16 is problem.input(1).dtype:
        return "the device has no matrix instructions for halves that are verified"
    if precision == "float32":
        return "float32 was asked for, matrix instructions would round it; see precision="
    if precision == "float16":  # what is too large for half would be infinite
        return "needs factors that are stored as halves"
    return f"the device has no matrix instructions for {precision}"


def local_memory_obstacle(device: DeviceInfo, tiles: Sequence[Tile] = TILES) -> str | None:
    """Why no tile fits a device's local memory and work-groups."""
    return work_group_obstacle(device, tiles[-1].local_bytes, tiles[-1].items)


# What `clconv tune` may choose instead of what lowering/shared/tile_choice.py does.
TILE_SPACE: dict[str, tuple[int | str, ...]] = {
    "tile": (AUTO, *dict.fromkeys(tile.name for tile in (*TILES, *HALF_MATRIX_TILES))),
    "depth": (AUTO, 2, 4, 8, 16),
}
PRODUCT_SPACE = {**TILE_SPACE, "splits": (AUTO, 1, 2, 4, 8, 16)}


def gpu_rate(device: DeviceInfo) -> float:
    """Floating-point operations a second of a GPU's compute units, roughly."""
    return 200e9 * device.compute_units


def memory_rate(device: DeviceInfo) -> float:
    """Bytes a second between a GPU and its memory, in the measure of gpu_rate(): a tenth of a byte an operation, of launches that do
    little else; see tile_choice.memory_seconds() for what products leave there. Intel's have less:
    Iris Xe 68 GB/s for 2.2 TFLOP/s, Arc A770 560 GB/s for 19.7, but for its Data Center GPUs."""
    is_slow = "Intel" in device.vendor and not device.subgroup
    return gpu_rate(device) * (0.03 if is_slow else 0.1)
