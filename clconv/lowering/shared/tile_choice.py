"""Which tile, and how many parts of the sum, a product in local memory takes on a GPU: the least time of a model.

The model counts what kernels compiled for sm_90 issue (benchmarks/results/inner_loops.md) and is of an NVIDIA
multiprocessor; other GPUs are taken for as many units of 128 lanes. Only ratios of its times matter.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from clconv.device.info import DeviceInfo
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.tile_text import Warps
from clconv.lowering.shared.tiles import Tile, gpu_rate, tiles_for
from clconv.records import record

_SCHEDULERS = 4  # of a unit; each issues one instruction of a warp a cycle
_OVERHEAD = 60  # instructions of a step besides the products: loads, addresses, a barrier
_LATENCY = 500  # cycles from a load to the next step, which a step takes at least
_STALLS = 200  # cycles of a step that a work-group alone waits for local memory and at the barrier
_BEGIN_AND_END = 1500  # cycles of a work-group before and behind its steps
_LAUNCH = 4000  # cycles that one more launch takes
_BYTES = 16  # a cycle and unit, of what goes through memory between two launches
_SECOND_LEVEL = 32  # the same, of what the second-level cache has: an H200's gives 5.5 TB/s or more
_REGISTERS = 65536  # of a unit
READ_TOGETHER = (
    32  # neighbours that one access of many devices reads or writes: of floats, a line of 128 bytes
)
MOST_SPLITS = 32
_SPLITS = (
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, MOST_SPLITS, 40, 48, 56, 64, 80, 96, 112, 128,
)  # fmt: skip
_LEAST_STEPS = 4  # of a part of the sum


@record(frozen=True)
class ProductSize:
    """`products` products of rows x inner by inner x columns. most_splits: parts that each sum may have."""

    rows: int
    columns: int
    inner: int
    products: int = 1
    most_splits: int = 1


def _units(device: DeviceInfo) -> int:
    """Intel counts vector engines, 16 of which are what others call a unit."""
    intel = "Intel" in device.vendor
    return max(device.compute_units // 16 if intel else device.compute_units, 1)


def _step(tile: Tile, kind: Matrix | None) -> float:
    """Cycles that a unit needs for a step of one work-group: what its warps issue, read or multiply."""
    if kind is None or kind.is_alone:
        warps, lines = tile.items / 32, tile.lines(kind)
        products = tile.item_m * tile.item_n / (2 if kind is not None and kind.k == 1 else 1)
        issued = lines * (products + (tile.item_m + tile.item_n) / 4 + 1)
        # Of 128 bytes: two for each vector of words.
        reads = lines * (tile.item_m + tile.item_n) / (4 if kind is not None and kind.k == 1 else 2)
        multiplied = 0.0
    else:
        warps, part, turns = tile.items / kind.lanes, Warps.of(tile, kind), tile.k // kind.k
        count = part.fragment_rows * part.fragment_columns * turns
        reads = (4 * part.fragment_rows + 2 * part.fragment_columns) * turns
        issued, multiplied = count + reads + _OVERHEAD, 6.5 * count
    busy = max(issued + _OVERHEAD, multiplied)
    return warps * max(busy / _SCHEDULERS, reads)


def cycles(
    device: DeviceInfo, product_size: ProductSize, tile: Tile, kind: Matrix | None, splits: int
) -> float:
    """Of a device for the whole product. Work-groups go to units in rounds of as many as registers allow; a round
    takes no less than the latency of its steps."""
    groups = (
        -(-product_size.rows // tile.m)
        * -(-product_size.columns // tile.n)
        * product_size.products
        * splits
    )
    steps = math.ceil(math.ceil(product_size.inner / tile.k) / splits)
    registers = tile.m * tile.n // tile.items + (64 if kind is None or kind.is_alone else 96)
    time = _of_groups(device, groups, steps, _step(tile, kind), registers * tile.items)
    if splits > 1:
        nbytes = 8 * splits * product_size.products * product_size.rows * product_size.columns
        time += _LAUNCH + nbytes / (_BYTES * _units(device))
    return time


def _of_groups(device: DeviceInfo, groups: int, steps: int, step: float, registers: int) -> float:
    """Cycles of work-groups of so many registers and steps, of which a unit does one of one group in `step`."""
    resident = max(_REGISTERS // registers, 1)
    rounds, rest = divmod(-(-groups // _units(device)), resident)

    def of(together: int) -> float:
        return steps * max(together * step, step + _STALLS, _LATENCY) + _BEGIN_AND_END

    return rounds * of(resident) + (of(rest) if rest else 0)


def group_seconds(
    device: DeviceInfo,
    groups: int,
    steps: int,
    items: int,
    issued: int,
    registers: int,
    nbytes: int = 0,
) -> float:
    """The time of work-groups whose items issue so many instructions a step and take so many registers, in the measure
    of product_seconds(). nbytes: what a group reads in a step, from the second-level cache if others read it, too."""
    step = max(items / 32 * issued / _SCHEDULERS, nbytes / _SECOND_LEVEL)
    time = _of_groups(device, groups, steps, step, registers * items)
    return time * 256 * _units(device) / gpu_rate(device)


def lines_seconds(device: DeviceInfo, groups: int, accesses: float, nbytes: int) -> float:
    """The time of work-groups that move memory, in the measure of product_seconds(): so many bytes in all, and in each group
    so many accesses to lines of the first cache or of local memory, of which a unit does one a cycle."""
    units = _units(device)
    time = max(nbytes / (_BYTES * units), -(-groups // units) * accesses)
    return time * 256 * units / gpu_rate(device)


def _splits(product_size: ProductSize, tile: Tile) -> list[int]:
    most = min(product_size.most_splits, product_size.inner // (_LEAST_STEPS * tile.k))
    return [splits for splits in _SPLITS if splits == 1 or splits <= most]


def best_splits(
    device: DeviceInfo, product_size: ProductSize, tile: Tile, kind: Matrix | None
) -> int:
    return min(
        _splits(product_size, tile),
        key=lambda splits: cycles(device, product_size, tile, kind, splits),
    )


def best_tile(
    device: DeviceInfo,
    product_size: ProductSize,
    kind: Matrix | None,
    tiles: Sequence[Tile] = (),
) -> Tile:
    """Of those that fit the device; the larger of two that take as long. tiles: for kernels that cannot take all."""

    def time(tile: Tile) -> float:
        return cycles(
            device, product_size, tile, kind, best_splits(device, product_size, tile, kind)
        )

    tiles = tiles or tiles_for(kind)
    return min([t for t in tiles if t.fits(device)] or tiles[-1:], key=time)


def product_seconds(device: DeviceInfo, product_size: ProductSize, kind: Matrix | None) -> float:
    """The time of a product as variants estimate it, by gpu_rate()."""
    tile = best_tile(device, product_size, kind)
    time = cycles(device, product_size, tile, kind, best_splits(device, product_size, tile, kind))
    return time * 256 * _units(device) / gpu_rate(device)


def launch_seconds(device: DeviceInfo, launches: int = 1) -> float:
    """Of launches besides, in the same measure."""
    return launches * _LAUNCH * 256 * _units(device) / gpu_rate(device)


def chosen_tile(
    problem: Problem,
    product_size: ProductSize,
    kind: Matrix | None,
    tiles: Sequence[Tile] = (),
) -> Tile:
    """best_tile(), or what tuning found better, if the device has room for it."""
    given, device = problem.parameters, problem.device
    wanted = [t for t in tiles_for(kind) if t.name == given.get("tile") and t.fits(device)]
    tile = wanted[0] if wanted else best_tile(device, product_size, kind, tiles)
    return dataclasses.replace(tile, depth=given.get("depth", _depth(device, tile, kind)))


def _depth(device: DeviceInfo, tile: Tile, kind: Matrix | None) -> int:
    """With 64 results an item and four rounds unrolled, NVIDIA's kernels take up to 150 registers; with two, about 128,
    which let two work-groups of the largest tile run at a time, not one. Intel's spill with four. AMD's compiler pairs
    more multiply-adds in four."""
    crowded = (kind is None or kind.is_alone) and tile.item_m * tile.item_n >= 64
    amd = "AMD" in device.vendor or "Advanced Micro" in device.vendor
    return 2 if crowded and not amd else tile.depth


def chosen_splits(
    problem: Problem, product_size: ProductSize, tile: Tile, kind: Matrix | None
) -> int:
    """best_splits(), or what tuning found better, as long as each part has a whole tile to sum."""
    wanted = problem.parameters.get("splits")
    if wanted is None or wanted * tile.k > product_size.inner or product_size.most_splits == 1:
        return best_splits(problem.device, product_size, tile, kind)
    return int(wanted)
