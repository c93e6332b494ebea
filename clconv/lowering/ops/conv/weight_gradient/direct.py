"""The weight gradient on channel blocks for CPUs: sums of some filters, channels and taps stay in registers.

A product over all pixels: each pixel's vector of gradients is loaded once, and multiplied by the pixels of some channels under
some taps. A 1x1 convolution is the same with one tap and several channel blocks an item.
"""

from __future__ import annotations

import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant
from clconv.lowering.ops.conv.shape import arithmetic_rate
from clconv.lowering.ops.conv.weight_gradient.partial import (
    partial_sums,
    sum_parts,
    weight_gradient_padding,
)
from clconv.lowering.ops.conv.weight_gradient.shape import (
    GradientShape,
    dealt_out,
    groups_as_one,
    rounded,
    tap_sets,
    tile_size,
    window_obstacle,
)
from clconv.lowering.shared.blocked import blocked_obstacle, image_arguments
from clconv.records import record

_PLAIN_CHANNELS = 4  # so many channels, or fewer, are read from the plain layout
_MOST_MERGED = 16  # groups that are one cost as much arithmetic again each
_SUMS = (
    5120  # floats of an item's sums: with what it reads of an image they stay in the nearest cache
)

_REACHED = 0.85  # of a core's arithmetic, measured: 160 to 190 of 200 GFLOP/s


@record(frozen=True)
class GradientTile:
    """vectors of filters x lanes of channels x taps, in registers."""

    vectors: int
    lanes: int
    taps: int


def register_tile(registers: int, in_block: int, shape: GradientShape, block: int) -> GradientTile:
    """The fastest by what a pixel costs: multiply-adds and loads, two of each a cycle and each sum once in four cycles,
    and what is computed for nothing."""
    blocks, taps = -(-shape.filters // block), math.prod(shape.kernel)
    used = min(shape.channels, in_block)

    def cost(tile: GradientTile) -> float:
        sums = tile.vectors * tile.lanes * tile.taps
        pixel = max(sums, tile.vectors + tile.lanes * tile.taps, 8) / 2 + 1
        passes = -(-blocks // tile.vectors) * -(-taps // tile.taps) * -(-used // tile.lanes)
        return passes * pixel

    fitting = [
        GradientTile(vectors, lanes, some)
        for vectors in (1, 2, 3, 4)
        for lanes in range(1, in_block + 1)
        for some in range(1, taps + 1)
        if in_block % lanes == 0 and vectors * lanes * some + vectors + 1 <= registers
    ]
    return min(fitting, key=cost)


def _applies(problem: Problem) -> str | None:
    obstacle = blocked_obstacle(problem)
    if obstacle:
        return obstacle
    merged = groups_as_one(problem)
    if merged > _MOST_MERGED:
        return (
            f"so many of its {problem.node.attrs.group} groups would have to be one to fill channel blocks of "
            f"{problem.device.vector_width} that it would compute {merged} times as much"
        )
    return window_obstacle(problem)


def _signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    few = problem.x.shape[1] <= _PLAIN_CHANNELS and problem.node.attrs.group == 1
    return [Signature((PLAIN if few else blocked, blocked), (PLAIN,))]


def _lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    block = problem.device.vector_width
    shape = GradientShape.of(problem)
    in_block = problem.x.layout.block
    tile = register_tile(problem.device.registers, in_block, shape, block)
    padding = weight_gradient_padding(problem)
    copies = padding != "none" or problem.x.dtype is DType.FLOAT16
    sums = math.prod(shape.kernel) * in_block * tile.vectors * block
    in_blocks = -(-shape.channels // in_block)
    blocks = max(1, min(_SUMS // sums, in_blocks))
    blocks = -(-in_blocks // -(-in_blocks // blocks))
    rows, columns = tile_size(shape, in_block)
    kernel = Kernel.of(
        "conv/weight_gradient/direct.cl.mako",
        "conv_weight_gradient_direct",
        block=block,
        in_block=in_block,
        copies=copies,
        vectors=tile.vectors,
        lanes=tile.lanes,
        tap_sets=tap_sets(shape.kernel, tile.taps),
        blocks=blocks,
        image_size=rounded(math.prod(shape.image(rows, columns)) * in_block) if copies else 0,
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=padding,
        merged=shape.merged,
    )
    items = (-(-in_blocks // blocks), -(-shape.filters // (block * tile.vectors)))
    tiles = shape.batch * -(-shape.out[0] // rows) * -(-shape.out[1] // columns)
    share, splits = dealt_out(problem.device, math.prod(items) * shape.group, tiles)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("parts", Write(partial_sums(problem, splits))),
        *image_arguments(shape.size, shape.out, shape.begin),
        ("batch", Scalar(shape.batch)),
        ("channels", Scalar(shape.channels)),
        ("filters", Scalar(shape.filters)),
        ("groups", Scalar(shape.group)),
        ("rows", Scalar(rows)),
        ("columns", Scalar(columns)),
        ("share", Scalar(share)),
    ]
    call = problem.call(kernel, arguments, (*items, shape.group * splits))
    return sum_parts(problem, (call,), splits)


def _estimate(problem: Problem) -> float:
    """Whole register tiles at full rate, which loads and edges leave a part of."""
    shape, device = GradientShape.of(problem), problem.device
    filters = -(-shape.filters // device.vector_width) * device.vector_width
    sums = shape.group * filters * shape.channels * math.prod(shape.kernel)
    operations = 2 * shape.batch * math.prod(shape.out) * sums
    return operations / (_REACHED * arithmetic_rate(device))


DIRECT = Variant("ConvWeightGradient", "direct", _applies, _lower, _signatures, _estimate)
