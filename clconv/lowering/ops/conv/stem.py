"""Convolutions of few channels for GPUs, such as first layers: pixels are read once into local memory, and no tap is looked up.
Of halves by instructions for these, where the device has some for items alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.arguments import Argument, Packing, Write, packed_float
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.lowering.ops.conv.implicit_gemm import product_weights
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tile_choice import group_seconds, memory_seconds
from clconv.lowering.shared.tiles import subgroup_of
from clconv.records import record

_MOST_CHANNELS = 4
# Of a row of the window: 11 taps with stride 4 spill on Intel's GPUs, or leave AMD's an eighth of their threads, and gain nothing.
_MOST_TAPS = 8
_MOST_REGISTERS = 128  # by _registers(): with more, Intel's compiler spills
_MOST_LOCAL = 48 << 10
# Instructions of an item by sm_90's machine code: to copy a pixel, four weights; of a row of the window besides taps.
_COPIED, _WEIGHTS, _ROW = 16, 8, 12
_SHORT = 16  # products that are added up as a half: kernels/conv/stem/halves.cl.mako


@record(frozen=True)
class StemTile:
    """What a work-group computes: filters of rows x width pixels; an item item_filters of them of `pixels` neighbours."""

    filters: int
    rows: int
    width: int
    item_filters: int
    pixels: int

    @property
    def items(self) -> int:
        return self.filters // self.item_filters * self.rows * (self.width // self.pixels)


# Largest first. 64 results an item take 64 multiply-adds for two vectors of weights, and a pixel for each.
_TILES = (
    StemTile(64, 8, 16, 8, 8),
    StemTile(32, 16, 16, 8, 8),
    StemTile(64, 8, 16, 8, 4),
    StemTile(32, 8, 16, 8, 4),
    StemTile(16, 16, 16, 8, 4),
    StemTile(16, 8, 16, 4, 4),
    StemTile(8, 16, 16, 4, 4),
)


# Sums of halves besides those of floats: what Intel's GPUs have registers for with 16 items side by side.
_HALF_TILES = (
    StemTile(64, 4, 16, 4, 4),
    StemTile(32, 8, 16, 4, 4),
    StemTile(16, 8, 16, 4, 4),
    StemTile(8, 16, 16, 4, 4),
)


@record(frozen=True)
class _Stem:
    """A layer, and how it is multiplied: by plain arithmetic, or as Matrix.k says."""

    shape: ConvShape
    kind: Matrix | None = None
    half: bool = False  # whether results are stored as halves

    @classmethod
    def of(cls, problem: Problem, kind: Matrix | None) -> _Stem:
        return cls(ConvShape.of(problem), kind, problem.y.dtype is DType.FLOAT16)

    @property
    def words(self) -> int:
        """Of a filter for a row of the window."""
        return -(-self.shape.kernel[1] // (self.kind.pair if self.kind else 1))

    def copied(self, tile: StemTile) -> tuple[int, int]:
        """The pixels under a tile: lines, and numbers from one to the next, which are an odd number of words."""
        (down, across), (height, width) = self.shape.strides, self.shape.kernel
        lines = (tile.rows - 1) * down + (height - 1) * self.shape.dilations[0] + 1
        least = (tile.width - 1) * across + (width - 1) * self.shape.dilations[1] + 1
        return lines, 2 * ((least + 1) // 2 | 1) if self.kind else least | 1

    def local_bytes(self, tile: StemTile) -> int:
        lines, pitch = self.copied(tile)
        word = 4 if self.kind is None or self.kind.pair == 2 else 2
        return (2 if self.kind else 4) * (lines * pitch + 1) + word * self.shape.kernel[
            0
        ] * self.words * tile.filters

    def read(self, tile: StemTile) -> int:
        """Pixels that an item reads for a row of the window."""
        step, dilation = self.shape.strides[1], self.shape.dilations[1]
        return len(
            {
                p * step + k * dilation
                for p in range(tile.pixels)
                for k in range(self.shape.kernel[1])
            }
        )

    def registers(self, tile: StemTile) -> int:
        return tile.item_filters * tile.pixels + self.read(tile) + tile.item_filters + 24

    def issued(self, tile: StemTile) -> int:
        """Instructions of an item for a channel."""
        lines, pitch = self.copied(tile)
        height, results = self.shape.kernel[0], tile.item_filters * tile.pixels
        single = self.kind is not None and self.kind.k == 1
        row = (
            self.words * (results // (2 if single else 1) + tile.item_filters // 4)
            + self.read(tile)
            + _ROW
        )
        added = (
            (1 if height * self.shape.kernel[1] <= _SHORT else height) * results if single else 0
        )
        copies = -(-lines * pitch // tile.items) * _COPIED
        weights = -(-height * self.words * tile.filters // 4 // tile.items) * _WEIGHTS
        return height * row + added + copies + weights

    def tiles(self, device: DeviceInfo) -> Iterator[StemTile]:
        """Those that the device has room for."""
        for tile in _HALF_TILES if self.kind is not None and self.kind.k == 1 else _TILES:
            nbytes = self.local_bytes(tile)
            fits = nbytes <= _MOST_LOCAL and work_group_obstacle(device, nbytes, tile.items) is None
            # Intel's compilers spill where an item makes 64 halves.
            crowded = (
                self.half and "Intel" in device.vendor and tile.item_filters * tile.pixels > 32
            )
            if fits and not crowded and self.registers(tile) <= _MOST_REGISTERS:
                yield tile

    def best(self, device: DeviceInfo) -> tuple[float, StemTile]:
        """The tile of the least estimated time, the larger of two that take as long, and the time."""
        tiles = list(self.tiles(device))
        times = [
            group_seconds(
                device, math.prod(_groups(self.shape, tile)), self.shape.channels, tile.items, self.issued(tile),
                self.registers(tile),
            )
            for tile in tiles
        ]  # fmt: skip
        return min(zip(times, tiles, strict=True), key=lambda found: found[0])


def paired_weights(tile_filters: int) -> Packing:
    """(C, KH, pairs of taps, filters padded to tile_filters, 2); a last odd tap's other is zero."""

    def pack(w: np.ndarray) -> np.ndarray:
        whole = w.reshape(*w.shape[:2], -1, w.shape[-1])  # of one axis: as a row
        filters, _, _, width = whole.shape
        padded = np.pad(whole, ((0, -filters % tile_filters), (0, 0), (0, 0), (0, width % 2)))
        pairs = padded.reshape(*padded.shape[:3], -1, 2)
        return np.ascontiguousarray(pairs.transpose(1, 2, 3, 0, 4).astype(packed_float(w)))

    return Packing("conv.stem_pairs", (tile_filters,), pack)


def _groups(shape: ConvShape, tile: StemTile) -> tuple[int, int]:
    """Of pixels, of filters."""
    (height, width), filters = shape.out, -(-shape.filters // tile.filters)
    return shape.batch * -(-height // tile.rows) * -(-width // tile.width), filters


def _obstacle(problem: Problem, kind: Matrix | None) -> str | None:
    at, x = problem.node.attrs, problem.x
    refused = plain_obstacle(problem)
    if refused is not None:
        return refused
    if at.group != 1 or x.shape[1] > _MOST_CHANNELS:
        return f"is for one group of up to {_MOST_CHANNELS} channels"
    if x.size == 0:
        return "the image has no pixels"
    shape = ConvShape.of(problem)
    if shape.kernel[1] > _MOST_TAPS:
        return f"takes rows of windows of up to {_MOST_TAPS} pixels at once"
    if kind is not None and shape.dilations[1] != 1:
        return "takes pairs of neighbours"
    if next(_Stem.of(problem, kind).tiles(problem.device), None) is None:
        return "the device has no room for the pixels under a tile"
    return None


def _halves_obstacle(problem: Problem) -> str | None:
    kind = matrix_for(problem)
    if kind is None or not kind.is_alone:
        return "needs instructions with which an item alone multiplies halves, and factors stored as these"
    return _obstacle(problem, kind)


def _lower(problem: Problem, kind: Matrix | None) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    layer = _Stem.of(problem, kind)
    shape, (_, tile) = layer.shape, layer.best(problem.device)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "conv/stem/local.cl.mako" if kind is None else "conv/stem/halves.cl.mako",
        "conv_stem" if kind is None else "conv_stem_halves",
        **({} if kind is None else {"kind": kind}),
        tile=tile,
        channels=shape.channels,
        filters=shape.filters,
        pitch=layer.copied(tile)[1],
        **shape.parameters,
        store=math.gcd(shape.out[1], tile.pixels, 4),
        subgroup=subgroup_of(problem.device, kind),
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    paired = kind is not None and kind.pair == 2
    packing = paired_weights(tile.filters) if paired else product_weights(tile.filters, 1)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, packing)),
        *bias_arguments(problem, 1),
        ("y", Write(problem.node.outputs[0])),
        *shape.arguments,
        *epilogue.arguments,
    ]
    pixels, filters = _groups(shape, tile)
    size = (pixels * tile.items, filters, 1)
    return Lowered((problem.call(kernel, arguments, size, (tile.items, 1, 1)),))


def _estimate(problem: Problem, kind: Matrix | None) -> float:
    """Infinite on CPUs, where local memory is only a detour."""
    if problem.device.is_cpu:
        return math.inf
    seconds, _ = _Stem.of(problem, kind).best(problem.device)
    stored = memory_seconds(problem.device, problem.y.nbytes)  # behind the products
    return seconds + stored + packing_seconds(problem)


STEM = Variant(
    "Conv", "stem", lambda problem: _obstacle(problem, None), lambda problem: _lower(problem, None),
    estimate=lambda problem: _estimate(problem, None),
)  # fmt: skip
MATRIX_STEM = Variant(
    "Conv", "matrix_stem", _halves_obstacle, lambda problem: _lower(problem, matrix_for(problem)),
    estimate=lambda problem: _estimate(problem, matrix_for(problem)),
)  # fmt: skip
