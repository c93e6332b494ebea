"""Winograd's weight gradient of 3x3 windows on channel blocks for CPUs: a quarter of the direct sum's multiplications.

The transforms of F(4, 3) turned round: those of the image stay, those of results and filters change places.
"""

from __future__ import annotations

import dataclasses

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Layout
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, plain_signature
from clconv.lowering.ops.conv.shape import arithmetic_rate
from clconv.lowering.ops.conv.transforms import F4_3, Matrix
from clconv.lowering.ops.conv.weight_gradient.direct import GradientTile, register_tile
from clconv.lowering.ops.conv.weight_gradient.partial import (
    partial_sums,
    sum_parts,
    weight_gradient_padding,
)
from clconv.lowering.ops.conv.weight_gradient.shape import GradientShape, groups_as_one
from clconv.lowering.ops.conv.winograd_tiles import mixed_tiles
from clconv.lowering.shared.blocked import blocked_obstacle
from clconv.records import record

_TRANSFORM = F4_3
_POSITIONS = _TRANSFORM.n**2
_SKEW = 16  # floats behind each position, as the template has them
_LEAST_TILES, _MOST_TILES = 64, 128  # at a time: sums are transformed back once for so many
_TILES_BYTES = 1 << 20  # transformed ones, which stay in a core's own cache
_PANEL_BYTES = 1 << 20
_ITEMS_A_CORE = 2
_LEAST_FILTERS = 256  # of an item, as each transforms the image for itself


def _turned(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


@record(frozen=True)
class Work:
    """How tiles and filters are dealt out: `share` tiles an item, `tiles` of them at a time, `blocks` vectors of filters."""

    rows: int
    columns: int
    count: int
    share: int
    splits: int
    tiles: int
    blocks: int
    parts: int

    @classmethod
    def of(cls, shape: GradientShape, device: DeviceInfo, tile: GradientTile) -> Work:
        m, block = _TRANSFORM.m, device.vector_width
        rows, columns = (-(-size // m) for size in shape.out)
        count = shape.batch * rows * columns
        wanted = -(-_ITEMS_A_CORE * device.compute_units // shape.group)
        share = -(-count // max(1, min(wanted, count // _LEAST_TILES)))
        splits = -(-count // share)
        parts = max(1, min(-(-wanted // splits), shape.filters // _LEAST_FILTERS))
        groups = -(-shape.filters // (block * tile.vectors))
        blocks = -(-groups // parts) * tile.vectors
        fitting = _TILES_BYTES // (4 * _POSITIONS * (shape.channels + blocks * block))
        chunks = -(-share // max(_LEAST_TILES, min(_MOST_TILES, fitting)))
        parts = -(-groups * tile.vectors // blocks)
        return cls(rows, columns, count, share, splits, -(-share // chunks), blocks, parts)


def _applies(problem: Problem) -> str | None:
    at = problem.node.attrs
    window = (tuple(at.kernel_shape), tuple(at.strides), tuple(at.dilations))
    if window != ((3, 3), (1, 1), (1, 1)):
        return f"needs a 3x3 window, stride 1, dilation 1; has {', '.join(map(str, window))}"
    if problem.device.is_cpu and groups_as_one(problem) > 1:
        return f"needs groups that fill channel blocks of {problem.device.vector_width}"
    if not problem.input(1).size:
        return "needs gradients to sum"
    return blocked_obstacle(problem)


def _signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked, blocked), plain_signature(problem)[0].outputs)]


def _tile(shape: GradientShape, device: DeviceInfo) -> GradientTile:
    """The register tile of a product, which has no taps."""
    return register_tile(
        device.registers,
        device.vector_width,
        dataclasses.replace(shape, kernel=(1, 1)),
        device.vector_width,
    )


def _lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    device, shape = problem.device, GradientShape.of(problem)
    block = device.vector_width
    tile = _tile(shape, device)
    work = Work.of(shape, device, tile)
    kernel = Kernel.of(
        "conv/weight_gradient/winograd.cl.mako",
        "conv_weight_gradient_winograd",
        block=block,
        vectors=tile.vectors,
        lanes=tile.lanes,
        input=_TRANSFORM.input,
        gradient=_turned(_TRANSFORM.output),
        output=_turned(_TRANSFORM.weights),
        pad_mode=weight_gradient_padding(problem),
    )
    in_blocks, items = -(-shape.channels // block), work.splits * work.parts * shape.group
    name = problem.node.name
    v, w, sums = (f"{name}/winograd_{what}" for what in ("v", "w", "sums"))
    kept = items * in_blocks * work.blocks * block**2 * 9 if work.share > work.tiles else 1
    pads = problem.node.attrs.pads
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("v", Write(v)),
        ("w", Write(w)),
        ("sums", Write(sums)),
        ("parts", Write(partial_sums(problem, work.splits))),
        ("height", Scalar(shape.size[0])),
        ("width", Scalar(shape.size[1])),
        ("pad_top", Scalar(shape.begin[0])),
        ("pad_left", Scalar(shape.begin[1])),
        ("padded_height", Scalar(shape.size[0] + pads[0] + pads[2])),
        ("padded_width", Scalar(shape.size[1] + pads[1] + pads[3])),
        ("out_height", Scalar(shape.out[0])),
        ("out_width", Scalar(shape.out[1])),
        ("channels", Scalar(shape.channels)),
        ("filters", Scalar(shape.filters)),
        ("tile_rows", Scalar(work.rows)),
        ("tile_columns", Scalar(work.columns)),
        ("all_tiles", Scalar(work.count)),
        ("share", Scalar(work.share)),
        ("tiles", Scalar(work.tiles)),
        ("some_blocks", Scalar(work.blocks)),
        ("panel", Scalar(_panel(work, tile, block))),
    ]
    call = problem.call(kernel, arguments, (work.parts, work.splits, shape.group))
    lowered = sum_parts(problem, (call,), work.splits)
    position = {v: in_blocks, w: work.blocks}
    scratch = {
        name: 4 * items * _POSITIONS * (blocks * work.tiles * block + _SKEW)
        for name, blocks in position.items()
    }
    return Lowered(lowered.calls, scratch={**lowered.scratch, **scratch, sums: 4 * kept})


def _panel(work: Work, tile: GradientTile, block: int) -> int:
    """Groups of filters whose transformed tiles stay in the cache while all channels pass."""
    return max(1, _PANEL_BYTES // (4 * _POSITIONS * work.tiles * tile.vectors * block))


# What it takes to transform an element of a tile, and a sum back, in multiply-adds of a product.
_TRANSFORM_OPERATIONS = 28


def _estimate(problem: Problem) -> float:
    device, shape = problem.device, GradientShape.of(problem)
    block = device.vector_width
    tile = _tile(shape, device)
    work = Work.of(shape, device, tile)
    channels = -(-shape.channels // block) * block
    filters = work.parts * work.blocks * block
    used = -(-shape.channels // tile.lanes) * tile.lanes
    products = 2 * work.count * used * filters
    transforms = _TRANSFORM_OPERATIONS * work.count * (channels * work.parts + filters)
    chunks = work.splits * -(-work.share // work.tiles)
    back = _TRANSFORM_OPERATIONS * chunks * channels * filters
    return shape.group * _POSITIONS * (products + transforms + back) / arithmetic_rate(device)


WINOGRAD4 = Variant(
    "ConvWeightGradient",
    "winograd4",
    _applies,
    _lower,
    _signatures,
    _estimate,
    mixes=mixed_tiles,
)
