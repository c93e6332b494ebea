"""Which tile, and how many parts of the sum, a product in local memory takes on a GPU: the least time of a model.

The model counts what kernels compiled for sm_90 issue (benchmarks/results/inner_loops.md) and is of an NVIDIA
multiprocessor; other GPUs are taken for as many units of 128 lanes. Only ratios of its times matter. Its constants are
those with which it comes nearest to what an H200 took (benchmarks/results/h200.md), in cycles of 1.755 GHz.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from clconv.device.info import DeviceInfo
from clconv.lowering.choice.matrix import Matrix
from clconv.lowering.model.kernel import Problem
from clconv.lowering.shared.tile_text import Warps
from clconv.lowering.shared.tiles import Tile, gpu_rate, memory_rate, tiles_for
from clconv.records import record

_SCHEDULERS = 4  # of a unit; each issues one instruction of a warp a cycle
_OVERHEAD = 60  # instructions of a step besides the products: loads, addresses, a barrier
_LATENCY = 450  # cycles from a load to the next step, which a step takes at least
# Of the cycles that a unit takes for the instructions of a step by their number, and of those a warp takes for its own: the clock is
# higher, and each warp stalls for what it needs, which others fill only while they have instructions left.
_ISSUED, _STALLS = 0.83, 0.98
# Matrix instructions and accesses to memory do not overlap, with few warps to choose from: of their cycles added up, and beside.
_MATRIX, _MATRIX_STALLS = 0.73, 410
_MULTIPLIED = 6.5  # cycles of a matrix instruction
_FOUND = 30  # instructions of an item to find a pixel where a step has several taps
_WAITED = 1540  # cycles that each step waits besides where its loads are not in flight during the products of the last one
_BEGIN_AND_END = 500  # cycles of a work-group before and behind its steps
_LAUNCH = 10000  # cycles that one more launch takes, a device's and what a queue adds
_OPERATIONS = 256  # of float32, a cycle and unit
_STORED = 0.703  # of memory_rate(): what goes through memory between products (an H200: 18 bytes a cycle and unit)
_SECOND_LEVEL = (
    32  # bytes a cycle and unit that the second-level cache gives: an H200's 5.5 TB/s or more
)
_REGISTERS = 65536  # of a unit
READ_TOGETHER = (
    32  # neighbours that one access of many devices reads or writes: of floats, a line of 128 bytes
)
MOST_SPLITS = 32
_NEAR = 1.07  # of the least time: what the model errs by
_SPLITS = (
    1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, MOST_SPLITS, 40, 48, 56, 64, 80, 96, 112, 128,
)  # fmt: skip
_LEAST_STEPS = 4  # of a part of the sum


@record(frozen=True)
class ProductSize:
    """`products` products of rows x inner by inner x columns. most_splits: parts that each sum may have. gathered: channels of
    a window whose pixels are loaded one by one, 0 where pixels lie side by side."""

    rows: int
    columns: int
    inner: int
    products: int = 1
    most_splits: int = 1
    gathered: int = 0


def _units(device: DeviceInfo) -> int:
    """Intel counts vector engines, 16 of which are what others call a unit."""
    intel = "Intel" in device.vendor
    return max(device.compute_units // 16 if intel else device.compute_units, 1)


def _seconds(device: DeviceInfo, cycles: float) -> float:
    """Cycles in the measure that variants estimate by, gpu_rate()'s."""
    return cycles * _OPERATIONS * _units(device) / gpu_rate(device)


def _memory_cycles(device: DeviceInfo, nbytes: int) -> float:
    """memory_seconds() in cycles."""
    return memory_seconds(device, nbytes) * gpu_rate(device) / (_OPERATIONS * _units(device))


@record(frozen=True)
class _Step:
    """Cycles that a step of a work-group takes of a unit that others share, those it takes besides, and those it takes at least."""

    shared: float
    besides: float
    least: float = _LATENCY

    def together(self, groups: int) -> float:
        return max(groups * self.shared + self.besides, self.least)


def _step(tile: Tile, kind: Matrix | None, gathered: int) -> _Step:
    """What the warps of a work-group issue, read or multiply. gathered: see ProductSize."""
    if kind is None or kind.is_alone:
        warps, lines = tile.items / 32, tile.lines(kind)
        products = tile.item_m * tile.item_n / (2 if kind is not None and kind.k == 1 else 1)
        issued = lines * (products + (tile.item_m + tile.item_n) / 4 + 1)
        # Of 128 bytes: two for each vector of words.
        reads = lines * (tile.item_m + tile.item_n) / (4 if kind is not None and kind.k == 1 else 2)
        busy = issued + _OVERHEAD
        return _Step(_ISSUED * warps * max(busy / _SCHEDULERS, reads), _STALLS * busy)
    warps, part, turns = tile.items / kind.lanes, Warps.of(tile, kind), tile.k // kind.k
    count = part.fragment_rows * part.fragment_columns * turns
    reads = (4 * part.fragment_rows + 2 * part.fragment_columns) * turns
    if kind.is_intel:
        busy = max(count + reads + _OVERHEAD, _MULTIPLIED * count)
        return _Step(warps * max(busy / _SCHEDULERS, reads), 0)
    # Lines of 128 bytes that a step reads and writes: fragments and tiles of local memory, weights and pixels of the cache. One
    # pixel a work-item makes two lines of every other access.
    written = (tile.m + tile.n) * tile.lines(kind) / 32
    fetched = tile.m * tile.lines(kind) / 32
    fetched += 1.5 * tile.n * tile.k / 32 if gathered else tile.n * tile.lines(kind) / 32
    found = _FOUND * tile.n * tile.k / 32 if gathered % tile.k else 0
    cycles = warps * reads + written + fetched + (found + _MULTIPLIED * warps * count) / _SCHEDULERS
    return _Step(_MATRIX * cycles, _MATRIX_STALLS)


def _registers(tile: Tile, kind: Matrix | None) -> float:
    """Of a work-item: results, and what it reads and loads meanwhile."""
    results = tile.m * tile.n // tile.items
    if kind is None or kind.is_alone:
        return results + 64
    if kind.is_intel:
        return results + 96
    part = Warps.of(tile, kind)
    loads = (tile.m / kind.pair + tile.n) * tile.k / tile.items
    return 1.22 * (results + 4 * part.fragment_rows + 2 * part.fragment_columns + loads)


def cycles(
    device: DeviceInfo, product_size: ProductSize, tile: Tile, kind: Matrix | None, splits: int
) -> float:
    """Of a device for the whole product. Work-groups go to units in rounds of as many as registers allow; a round
    takes no less than the latency of its steps. Results are stored behind the products, not during them."""
    groups = (
        -(-product_size.rows // tile.m)
        * -(-product_size.columns // tile.n)
        * product_size.products
        * splits
    )
    steps = math.ceil(math.ceil(product_size.inner / tile.k) / splits)
    step = _step(tile, kind, product_size.gathered)
    time = _of_groups(device, groups, steps, step, int(_registers(tile, kind) * tile.items))
    results = 4 * splits * product_size.products * product_size.rows * product_size.columns
    if splits > 1:
        time += _LAUNCH + 2 * _memory_cycles(device, results)
    elif _is_measured(kind):
        time += _memory_cycles(device, results)
    return time


def _of_groups(device: DeviceInfo, groups: int, steps: int, step: _Step, registers: int) -> float:
    """Cycles of work-groups of so many registers and steps."""
    resident = max(_REGISTERS // registers, 1)
    rounds, rest = divmod(-(-groups // _units(device)), resident)

    def of(together: int) -> float:
        return steps * step.together(together) + _BEGIN_AND_END

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
    of product_seconds(). nbytes: what a group reads in a step, from the second-level cache if others read it, too. No loads are
    in flight while a step multiplies."""
    shared = max(_ISSUED * items / 32 * issued / _SCHEDULERS, nbytes / _SECOND_LEVEL)
    step = _Step(shared, _STALLS * issued + _WAITED)
    return _seconds(device, _of_groups(device, groups, steps, step, registers * items))


def memory_seconds(device: DeviceInfo, nbytes: int) -> float:
    """What so many bytes to and from memory take at least, in the measure of product_seconds()."""
    return nbytes / (_STORED * memory_rate(device))


def lines_seconds(device: DeviceInfo, groups: int, accesses: float, nbytes: int) -> float:
    """The time of work-groups that move memory, in the measure of product_seconds(): so many bytes in all, and in each group
    so many accesses to lines of the first cache or of local memory, of which a unit does one a cycle."""
    accessed = _seconds(device, -(-groups // _units(device)) * accesses)
    return max(memory_seconds(device, nbytes), accessed)


def _splits(product_size: ProductSize, tile: Tile) -> list[int]:
    most = min(product_size.most_splits, product_size.inner // (_LEAST_STEPS * tile.k))
    return [splits for splits in _SPLITS if splits == 1 or splits <= most]


def best_splits(
    device: DeviceInfo, product_size: ProductSize, tile: Tile, kind: Matrix | None
) -> int:
    """The fewest of those that the model does not tell apart."""
    times = {
        splits: cycles(device, product_size, tile, kind, splits)
        for splits in _splits(product_size, tile)
    }
    most = min(times.values()) * (_NEAR if _is_measured(kind) else 1)
    return next(splits for splits, time in times.items() if time <= most)


def best_tile(
    device: DeviceInfo,
    product_size: ProductSize,
    kind: Matrix | None,
    tiles: Sequence[Tile] = (),
) -> Tile:
    """Of those that fit the device the fastest, the larger of two that take as long; but if the model does not tell one without
    parts from it, the fastest of those whose items have most results. tiles: for kernels that cannot take all."""
    tiles = tiles or tiles_for(kind)
    tiles = [t for t in tiles if t.fits(device)] or tiles[-1:]
    times = {
        (tile, splits): cycles(device, product_size, tile, kind, splits)
        for tile in tiles
        for splits in _splits(product_size, tile)
    }
    fastest = min(times, key=lambda pair: times[pair])
    if not _is_measured(kind):
        return fastest[0]
    near = [tile for tile in tiles if times[tile, 1] <= _NEAR * times[fastest]]
    order = {tile: (-tile.item_m * tile.item_n, times[tile, 1]) for tile in near}
    return min(near, key=lambda tile: order[tile]) if near else fastest[0]


def _is_measured(kind: Matrix | None) -> bool:
    """Intel's matrix instructions are held against no measurement yet."""
    return kind is None or not kind.is_intel


def product_seconds(device: DeviceInfo, product_size: ProductSize, kind: Matrix | None) -> float:
    """The time of a product as variants estimate it, by gpu_rate()."""
    tile = best_tile(device, product_size, kind)
    splits = best_splits(device, product_size, tile, kind)
    return _seconds(device, cycles(device, product_size, tile, kind, splits))


def launch_seconds(device: DeviceInfo, launches: int = 1) -> float:
    """Of launches besides, in the same measure."""
    return _seconds(device, launches * _LAUNCH)


def chosen_tile(
    problem: Problem,
    product_size: ProductSize,
    kind: Matrix | None,
    tiles: Sequence[Tile] = (),
) -> Tile:
    """best_tile(), or what tuning found better, if the device has room for it."""
    given, device = problem.parameters, problem.device
    tiles = tiles or tiles_for(kind)
    wanted = [t for t in tiles if t.name == given.get("tile") and t.fits(device)]
    tile = best_tile(device, product_size, kind, wanted or tiles)
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
