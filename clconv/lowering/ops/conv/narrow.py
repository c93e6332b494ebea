"""Convolution into few filters on channel blocks for CPUs: rows of the window and filters together fill vectors."""

from __future__ import annotations

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.lowering.model.arguments import Argument, Packing, Scalar, Write, packed_float
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.shape import (
    ITEMS_A_CORE,
    LANES,
    ConvShape,
    arithmetic_rate,
    bias_arguments,
    packing_seconds,
)
from clconv.lowering.shared.blocked import blocked_obstacle, convolution_signatures
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.records import record

_MOST_VECTORS = 4


@record(frozen=True)
class NarrowTile:
    """Of an item: the register tile, vectors x pixels, and how many rows of the result it computes."""

    vectors: int
    pixels: int
    rows: int

    @classmethod
    def of(cls, shape: ConvShape, device: DeviceInfo) -> NarrowTile:
        height, width = shape.out
        vectors = -(-shape.kernel[0] * shape.filters // device.vector_width)
        most = max(1, (device.registers - 1 - vectors) // vectors)
        pixels = -(-width // -(-width // most))
        columns = -(-width // pixels) * shape.batch
        parts = min(height, -(-ITEMS_A_CORE * device.compute_units // columns))
        return cls(vectors, pixels, -(-height // parts))


def narrow_weights(in_block: int, vectors: int, block: int) -> Packing:
    """(channels / in_block, kw, in_block, vectors * block): lane j is filter j % F under the window's row KH - 1 - j / F,
    zeros behind the last."""

    def pack(w: np.ndarray) -> np.ndarray:
        filters, channels, kh, kw = w.shape
        blocks, kept = -(-channels // in_block), packed_float(w)
        full = np.zeros((blocks * in_block, kw, vectors * block), kept)
        lanes = w[:, :, ::-1].transpose(1, 3, 2, 0).reshape(channels, kw, kh * filters)
        full[:channels, :, : kh * filters] = lanes
        return full.reshape(blocks, in_block, kw, -1).transpose(0, 2, 1, 3).reshape(-1)

    return Packing("conv.narrow", (in_block, vectors, block), pack)


def _applies(problem: Problem) -> str | None:
    obstacle = blocked_obstacle(problem)
    if obstacle:
        return obstacle
    if problem.x.rank != 4 or problem.node.attrs.group != 1:
        return "needs images and one group"
    if problem.other_sizes:
        return "its tiles depend on the width of the image, and other widths may follow"
    shape, block = ConvShape.of(problem), problem.device.vector_width
    if shape.strides != (1, 1) or shape.dilations[0] != 1 or shape.kernel[0] == 1:
        return f"needs windows of several rows, stride 1, rows not dilated; has {shape.kernel}, {shape.strides}"
    if shape.filters > block // 2:
        return f"{shape.filters} filters fill more than half a vector of {block}"
    if shape.kernel[0] * shape.filters > _MOST_VECTORS * block:
        return f"{shape.filters} filters by {shape.kernel[0]} rows are more than {_MOST_VECTORS} vectors of {block}"
    return None


def _lower(problem: Problem) -> Lowered:
    block, shape = problem.device.vector_width, ConvShape.of(problem)
    in_block = problem.x.layout.block
    tile = NarrowTile.of(shape, problem.device)
    epilogue = plan_epilogue(problem, block)
    last_lanes = shape.channels % in_block or in_block
    lanes_a_turn = min(LANES, in_block)
    kernel = Kernel.of(
        "conv/narrow.cl.mako",
        "conv_narrow",
        block=block,
        in_block=in_block,
        filters=shape.filters,
        vectors=tile.vectors,
        pixels=tile.pixels,
        lanes_a_turn=lanes_a_turn,
        tail=last_lanes % lanes_a_turn,
        **shape.parameters,
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, narrow_weights(in_block, tile.vectors, block))),
        *bias_arguments(problem, block),
        ("y", Write(problem.node.outputs[0])),
        *shape.arguments,
        ("in_blocks", Scalar(-(-shape.channels // in_block))),
        ("last_lanes", Scalar(last_lanes)),
        ("rows", Scalar(tile.rows)),
        *epilogue.arguments,
    ]
    height, width = shape.out
    size = (-(-width // tile.pixels), -(-height // tile.rows), shape.batch)
    return Lowered((problem.call(kernel, arguments, size),))


# What it takes to copy a vector of the image, to move one of sums on, and to store one, in multiply-adds.
_MOVING = 3


def _estimate(problem: Problem) -> float:
    """Whole register tiles at full rate, and what each row of the image costs besides."""
    shape, device = ConvShape.of(problem), problem.device
    block = device.vector_width
    in_block = convolution_signatures(problem)[0].inputs[0].block
    tile = NarrowTile.of(shape, device)
    (height, width), (kh, kw) = shape.out, shape.kernel
    tiles = shape.batch * -(-height // tile.rows) * -(-width // tile.pixels)
    sums = tile.vectors * tile.pixels
    copied = (tile.pixels + (kw - 1) * shape.dilations[1]) * -(-shape.channels // in_block)
    image_rows = min(tile.rows + kh - 1, shape.size[0])
    row = sums * kw * shape.channels + _MOVING * (copied + sums)
    work = tiles * (image_rows * row + _MOVING * tile.rows * tile.pixels) * 2 * block
    return work / arithmetic_rate(device) + packing_seconds(problem)


NARROW = Variant("Conv", "narrow", _applies, _lower, convolution_signatures, _estimate)
