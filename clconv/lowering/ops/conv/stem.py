"""Convolutions of few channels for GPUs, such as first layers: pixels are read once into local memory, and no tap is looked up."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from clconv.device.info import DeviceInfo
from clconv.lowering.model.arguments import Argument, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.implicit_gemm import product_weights
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tile_choice import group_seconds
from clconv.lowering.shared.tiles import work_group_obstacle

_MOST_CHANNELS = 4
# Of a row of the window: 11 taps with stride 4 spill on Intel's GPUs, or leave AMD's an eighth of their threads, and gain nothing.
_MOST_TAPS = 8
_MOST_REGISTERS = 128  # by _registers(): with more, Intel's compiler spills
_MOST_LOCAL = 48 << 10
# Instructions of an item by sm_90's machine code: to copy a pixel, four weights; of a row of the window besides taps.
_COPIED, _WEIGHTS, _ROW = 16, 8, 12


@dataclasses.dataclass(frozen=True)
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


@dataclasses.dataclass(frozen=True)
class _Copy:
    """The pixels under a tile's results: lines, and floats from one to the next, which are odd."""

    lines: int
    pitch: int

    @classmethod
    def of(cls, shape: ConvShape, tile: StemTile) -> _Copy:
        (down, across), ends = (
            shape.strides,
            [(k - 1) * d for k, d in zip(shape.kernel, shape.dilations, strict=True)],
        )
        return cls(
            (tile.rows - 1) * down + ends[0] + 1, (tile.width - 1) * across + ends[1] + 1 | 1
        )


def _registers(shape: ConvShape, tile: StemTile) -> int:
    row = {
        p * shape.strides[1] + k * shape.dilations[1]
        for p in range(tile.pixels)
        for k in range(shape.kernel[1])
    }
    return tile.item_filters * tile.pixels + len(row) + tile.item_filters + 24


def _tiles(shape: ConvShape, device: DeviceInfo) -> Iterator[StemTile]:
    """Those that the device has room for."""
    for tile in _TILES:
        copy = _Copy.of(shape, tile)
        nbytes = 4 * (copy.lines * copy.pitch + math.prod(shape.kernel) * tile.filters)
        fits = nbytes <= _MOST_LOCAL and work_group_obstacle(device, nbytes, tile.items) is None
        if fits and _registers(shape, tile) <= _MOST_REGISTERS:
            yield tile


def _groups(shape: ConvShape, tile: StemTile) -> tuple[int, int]:
    """Of pixels, of filters."""
    (height, width), filters = shape.out, -(-shape.filters // tile.filters)
    return shape.batch * -(-height // tile.rows) * -(-width // tile.width), filters


def _seconds(device: DeviceInfo, shape: ConvShape, tile: StemTile) -> float:
    """By what items issue for a channel."""
    copy, (height, width) = _Copy.of(shape, tile), shape.kernel
    registers = _registers(shape, tile)
    read = registers - 24 - tile.item_filters * (tile.pixels + 1)
    taps = width * (tile.item_filters * tile.pixels + tile.item_filters // 4)
    copied = -(-copy.lines * copy.pitch // tile.items) * _COPIED
    weights = -(-height * width * tile.filters // 4 // tile.items) * _WEIGHTS
    issued = height * (taps + read + _ROW) + copied + weights
    return group_seconds(
        device, math.prod(_groups(shape, tile)), shape.channels, tile.items, issued, registers
    )


def _applies(problem: Problem) -> str | None:
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
    if next(_tiles(shape, problem.device), None) is None:
        return "the device has no room for the pixels under a tile"
    return None


def _best(problem: Problem) -> tuple[float, StemTile]:
    """The tile of the least estimated time, the larger of two that take as long, and the time."""
    shape, device = ConvShape.of(problem), problem.device
    tiles = list(_tiles(shape, device))
    times = [_seconds(device, shape, tile) for tile in tiles]
    return min(zip(times, tiles, strict=True), key=lambda found: found[0])


def _lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    shape, (_, tile) = ConvShape.of(problem), _best(problem)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "conv/stem/local.cl.mako",
        "conv_stem",
        tile=tile,
        channels=shape.channels,
        filters=shape.filters,
        pitch=_Copy.of(shape, tile).pitch,
        **shape.parameters,
        store=math.gcd(shape.out[1], tile.pixels, 4),
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, product_weights(False, tile.filters, 1))),
        *bias_arguments(problem, 1),
        ("y", Write(problem.node.outputs[0])),
        *shape.arguments,
        *epilogue.arguments,
    ]
    pixels, filters = _groups(shape, tile)
    size = (pixels * tile.items, filters, 1)
    return Lowered((problem.call(kernel, arguments, size, (tile.items, 1, 1)),))


def _estimate(problem: Problem) -> float:
    """Infinite on CPUs, where local memory is only a detour."""
    if problem.device.is_cpu:
        return math.inf
    return _best(problem)[0] + packing_seconds(problem)


STEM = Variant("Conv", "stem", _applies, _lower, estimate=_estimate)
