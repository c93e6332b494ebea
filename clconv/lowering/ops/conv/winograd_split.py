"""How the products of Winograd's convolution are dealt out to work-items for CPUs: register tiles, and blocks of tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clconv.device.info import DeviceInfo
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.conv.shape import ConvShape, chosen_tile
from clconv.lowering.ops.conv.transforms import Transform
from clconv.records import record

# Tiles that a work-item multiplies at once: enough to use each weight it loads this often, few enough that
# their transformed inputs stay in a core's own cache.
_MOST_TILES, _LEAST_TILES = 52, 24
_BLOCK_BYTES = 1 << 20
# Products of these tiles that stay in private memory: vectors of a filter block.
_MOST_PRODUCTS = _MOST_TILES * 36
# Cycles of a multiply-add, and of 64 bytes of weights that come from the last-level cache.
_LATENCY, _LINE = 4, 10
# Register tiles for 32 registers, vectors and pixels: few, so that layers share kernels, those that most do first. A rarer one
# must gain so much.
_TILES = ((2, 10), (2, 8), (1, 16))
_SHARED, _RARE = 2, 1.1
# Of the time for sums and weights, what does not hide behind the other: and each block of tiles reads all weights.
AGAIN = 0.3
# What a pixel of a single vector costs more, for each of its multiply-adds reads memory: measured, 512 filters.
_SINGLE = 1.2
# Cycles of a register tile's turn that nothing hides.
_TURN = 0.6
# Items for each core from which on the last ones no longer count.
_MANY_ITEMS = 8


@record(frozen=True)
class WinogradSplit:
    """vectors, pixels: the register tile. tiles: of a block, whole register tiles."""

    vectors: int
    pixels: int
    tiles: int

    def most_tiles(self, transform: Transform) -> int:
        """What `tiles` may be for the same kernel."""
        return _most_tiles(transform, self.pixels)

    @property
    def register_tiles(self) -> int:
        """Of a block."""
        return self.tiles // self.pixels


def chosen_split(
    problem: Problem, shape: ConvShape, transform: Transform, all_tiles: int
) -> WinogradSplit:
    """The split that takes least: few tiles are computed in vain, the cores have equal shares, weights are read seldom.

    What tuning found better, and what is to serve other sizes, has blocks as large as the cache allows.
    """
    group, channels = shape.group, shape.channels // shape.group
    blocks = -(-shape.filters // problem.device.vector_width)
    vectors, pixels = chosen_tile(problem, blocks // group)
    if group > 1 and blocks // group % vectors:
        vectors = 1  # the filters of a register tile are of one group
    if problem.other_sizes or "pixels" in problem.parameters:
        return WinogradSplit(vectors, pixels, _even_tiles(all_tiles, channels, transform, pixels))
    work = _Work(problem.device, transform, channels, blocks, all_tiles)
    tiles = [(vectors, pixels)]
    if problem.device.registers == 32:
        tiles = [t for t in _TILES if "vectors" not in problem.parameters or t[0] == vectors]
        tiles = [t for t in tiles if group == 1 or blocks // group % t[0] == 0] or [(1, pixels)]
    shared = tiles[:_SHARED]

    def cycles(split: WinogradSplit) -> float:
        rare = (split.vectors, split.pixels) not in shared
        return work.cycles(split) * (_RARE if rare else 1)

    return min(work.splits(tiles), key=cycles)


@record(frozen=True)
class _Work:
    """A convolution: channels of a group, blocks of all filters, and tiles."""

    device: DeviceInfo
    transform: Transform
    channels: int
    blocks: int
    tiles: int

    def splits(self, register_tiles: Sequence[tuple[int, int]]) -> Iterator[WinogradSplit]:
        for vectors, pixels in register_tiles:
            most = _limit(self.channels, self.transform, pixels)
            fewest = max(1, -(-self.tiles // most))
            for count in range(fewest, fewest + 2 * self.device.compute_units):
                even = max(1, -(-self.tiles // count))
                yield WinogradSplit(vectors, pixels, -(-even // pixels) * pixels)

    def cycles(self, split: WinogradSplit) -> float:
        """Of the core that works longest, roughly."""
        items = -(-self.tiles // split.tiles) * -(-self.blocks // split.vectors)
        cores = self.device.compute_units
        rounds = items / cores if items >= _MANY_ITEMS * cores else -(-items // cores)
        weights = split.vectors * self.device.vector_width / 16 * _LINE
        step = _step(split.vectors, split.pixels)
        sums = split.register_tiles * step
        channel = max(sums, weights) + AGAIN * (sums + weights)
        return rounds * channel * self.transform.n**2 * self.channels


def _step(vectors: int, pixels: int) -> float:
    """Cycles of a register tile for one channel: two multiply-adds or two loads in each, and what is not hidden."""
    loads = (vectors + pixels) * (_SINGLE if vectors == 1 else 1)
    return max(vectors * pixels, loads, 2 * _LATENCY) / 2 + _TURN


def _most_tiles(transform: Transform, pixels: int) -> int:
    most = min(_MOST_TILES, _MOST_PRODUCTS // transform.n**2)
    return max(most // pixels, 1) * pixels


def _limit(channels: int, transform: Transform, pixels: int) -> int:
    """Tiles of a block at most: within the cache where that leaves enough of them."""
    fitting = _BLOCK_BYTES // (4 * transform.n**2 * max(1, channels))
    most = _most_tiles(transform, pixels)
    limit = max(min(_LEAST_TILES, most), min(most, fitting)) // pixels * pixels
    return max(pixels, limit)


def _even_tiles(all_tiles: int, channels: int, transform: Transform, pixels: int) -> int:
    """Blocks of equal size, as few as there can be; of one register tile where there is nothing to compute."""
    limit = _limit(channels, transform, pixels)
    even = max(1, -(-all_tiles // max(1, -(-all_tiles // limit))))
    return min(-(-even // pixels) * pixels, _most_tiles(transform, pixels))
