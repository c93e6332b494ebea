"""Tiles of the products in local memory, for GPUs: what a work-group and a work-item compute, which tile and how
many parts of the sum fill a device."""

from __future__ import annotations

import dataclasses

from clconv.lowering.device import DeviceInfo
from clconv.lowering.kernel import AUTO, Problem


@dataclasses.dataclass(frozen=True)
class Tile:
    """Work-group and work-item tile of C = A B: M rows, N columns, K summed at a time."""

    m: int
    n: int
    k: int
    item_m: int
    item_n: int

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
        return 2 * 4 * self.k * (self.m + self.n + 2 * PADDING)

    def row_lengths(
        self, kind: str, a_turned: bool = False, b_turned: bool = False
    ) -> tuple[int, int]:
        """Floats from one k to the next in the tiles of A and B, so that few items ask a bank of local memory at
        once. a_turned, b_turned: neighbours along k are written together."""
        return self.m + 4 * a_turned, self.n + 4 * b_turned


PADDING = 8

# Largest first: a large tile reads each value less often, a small one fills more of the device.
TILES = (
    Tile(128, 128, 8, 8, 8),
    Tile(64, 128, 8, 8, 4),
    Tile(64, 64, 16, 4, 4),
    Tile(32, 64, 16, 4, 4),
)


# What `clconv tune` may choose instead of choose_tile() and choose_splits().
TILE_SPACE: dict[str, tuple[int | str, ...]] = {"tile": (AUTO, *(tile.name for tile in TILES))}
PRODUCT_SPACE = {**TILE_SPACE, "splits": (AUTO, 1, 2, 4, 8, 16)}


def tuned_tile(problem: Problem, usual: Tile) -> Tile:
    """The tile that tuning found, if the device has room for it, else the usual one."""
    wanted = problem.parameters.get("tile")
    named = [t for t in TILES if t.name == wanted and _fits(t, problem.device)]
    return named[0] if named else usual


def tuned_splits(problem: Problem, tile: Tile, inner: int, usual: int) -> int:
    """As tuning found, as long as each part has a whole tile to sum; else the usual number."""
    wanted = problem.parameters.get("splits", usual)
    return int(wanted) if wanted * tile.k <= inner else usual


def _fits(tile: Tile, device: DeviceInfo) -> bool:
    return tile.local_bytes <= device.local_memory and tile.items <= device.largest_work_group


def local_memory_obstacle(device: DeviceInfo) -> str | None:
    """Why no tile fits a device's local memory and work-groups."""
    least = TILES[-1]
    if not _fits(least, device):
        return (
            f"needs {least.local_bytes} bytes of local memory and work-groups of {least.items}, has "
            f"{device.local_memory} and {device.largest_work_group}"
        )
    return None


def choose_tile(device: DeviceInfo, rows: int, columns: int, products: int) -> Tile:
    """The largest tile whose work-groups still fill the device, else the smallest that fits it."""
    fitting = [tile for tile in TILES if _fits(tile, device)]
    for tile in fitting:
        count = -(-rows // tile.m) * -(-columns // tile.n) * products
        if rows > tile.m // 2 and count >= 2 * device.compute_units:
            return tile
    return fitting[-1]


def choose_splits(device: DeviceInfo, tile: Tile, rows: int, columns: int, inner: int) -> int:
    """Parts to cut the sum into so that the device is filled: a power of two, each at least 8 tiles long."""
    count = -(-rows // tile.m) * -(-columns // tile.n)
    splits = 1
    while count * splits < 2 * device.compute_units and inner // (2 * splits) >= 8 * tile.k:
        splits *= 2
    return splits


def gpu_rate(device: DeviceInfo) -> float:
    """Floating-point operations a second of a GPU's compute units, roughly."""
    return 200e9 * device.compute_units
