"""Winograd's convolution on channel blocks for CPUs: the variants of Conv for 3x3 and 5x5 windows.

F(4, 3) does a quarter of the multiplications of the direct sum, F(2, 3) four ninths with weights that are
half as large, F(2, 5) 36 for 100. With stride 2, F(4, 3) does 81 for 144, F(2, 3) 25 for 36.
"""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import (
    Argument,
    Packing,
    Read,
    Room,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.moments import Left
from clconv.lowering.ops.conv.shape import (
    TILE_SPACE,
    ConvShape,
    arithmetic_rate,
    bias_arguments,
    cache_rate,
    packing_seconds,
)
from clconv.lowering.ops.conv.transforms import (
    F2_3,
    F2_3_STRIDE_2,
    F2_5,
    F4_3,
    F4_3_STRIDE_2,
    Transform,
)
from clconv.lowering.ops.conv.winograd_filters import Places, transformed
from clconv.lowering.ops.conv.winograd_split import AGAIN, chosen_split
from clconv.lowering.ops.conv.winograd_tiles import TileGrid, mixed_tiles, window_obstacle
from clconv.lowering.shared.blocked import blocked_obstacle, blocked_signatures
from clconv.lowering.shared.epilogue import plan_epilogue

# Of the weights that are asked for ahead.
_PARTS = 3
# Floats behind each position of the transformed tiles. Without them the positions lie a multiple of 4 KiB
# apart, in the same few lines of the first-level cache, and a transform's 36 stores push each other out.
_SKEW = 16
# Transformed inputs of one launch, for each core: small enough to be still in its own cache when they are used.
_SLICE_BYTES = 1 << 20
_IN_REGISTERS = 6  # rows of the largest tiles that winograd_vectors.mako transforms there
# Multiplications of a product of the packing, which OpenBLAS does without other threads up to 262144.
_PRODUCT = 1 << 17
_MOST_SLICES = (
    256  # launches of an image too large for anything, which must not take minutes to plan
)


def winograd_weights(transform: Transform, in_block: int, out_block: int) -> Packing:
    """U = G g G', as (filters / out_block, n * n, channels / in_block, in_block, out_block)."""

    def fill(w: np.ndarray, room: Room) -> np.ndarray:
        filters, channels, rows, columns = w.shape
        blocks, depth = -(-filters // out_block), -(-channels // in_block)
        u = room((blocks, transform.n**2, depth, in_block, out_block), np.float32)
        both, used = transform.both_weights, channels * out_block
        # A block of filters is turned while it is as small as the filters are; products then lie where they belong.
        for block, flat in enumerate(u.reshape(blocks, transform.n**2, -1)):
            part = w[block * out_block : (block + 1) * out_block]
            taps = np.zeros((rows * columns, channels, out_block), np.float32)
            taps[..., : len(part)] = part.reshape(len(part), channels, -1).transpose(2, 1, 0)
            _multiply(both, taps.reshape(rows * columns, used), flat[:, :used])
            flat[:, used:] = 0
        return u

    def places(filters: int, channels: int) -> Places:
        blocks, depth = -(-filters // out_block), -(-channels // in_block) * in_block
        return Places(
            blocks * out_block, depth, out_block, depth, transform.n**2 * depth * out_block, 0,
            out_block, depth * out_block,
        )  # fmt: skip

    settings = (transform.m, transform.window, transform.stride, in_block, out_block)
    on_device = transformed(transform, places)
    return Packing.filling("conv.winograd", settings, fill, DType.FLOAT32, on_device)


def _multiply(left: np.ndarray, right: np.ndarray, result: np.ndarray) -> None:
    """result = left @ right, by products that OpenBLAS leaves to the thread that asks: for larger ones all threads
    would wait for the same few."""
    step = max(1, _PRODUCT // left.size)
    for first in range(0, right.shape[1], step):
        some = slice(first, first + step)
        np.matmul(left, right[:, some], out=result[:, some])


def _lower(problem: Problem, transform: Transform) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    blocks, in_blocks = -(-shape.filters // block), -(-shape.channels // block)
    channels, m, n = shape.channels // shape.group, transform.m, transform.n
    grid = TileGrid.of(shape, transform)
    all_tiles, cores = grid.count, problem.device.compute_units
    split = chosen_split(problem, shape, transform, all_tiles)
    vectors, tiles, tile_blocks = split.vectors, split.tiles, -(-all_tiles // split.tiles)
    epilogue = plan_epilogue(problem, block * vectors)
    left = Left.of(problem, tile_blocks)
    to_v = Kernel.of(
        "conv/winograd_input.cl.mako", "winograd_input", block=block, skew=_SKEW,
        step=m * transform.stride, transform=transform.input, pad_mode=shape.padding,
        streamed=_is_streamed(problem, transform, tile_blocks),
    )  # fmt: skip
    to_y = Kernel.of(
        "conv/winograd_product.cl.mako", "winograd_product", block=block, skew=_SKEW, most_tiles=split.most_tiles(transform), m=m,
        vectors=vectors, pixels=split.pixels, tail=channels % block,
        transform=transform.output, bias=problem.has(2), epilogue=epilogue.terms,
        epilogue_names=epilogue.names, prefetch=_prefetches(problem, split.register_tiles),
        **left.parameters,
    )  # fmt: skip
    block_bytes = n * n * (in_blocks * tiles * block + _SKEW) * 4
    most = max(cores, -(-tile_blocks // _MOST_SLICES), _SLICE_BYTES // block_bytes * cores)
    in_slice = min(most, tile_blocks)
    v = f"{problem.node.name}/winograd_v"
    weights = problem.packed(1, winograd_weights(transform, block, block * vectors))
    calls = []
    for first in range(0, tile_blocks, in_slice):
        now = min(in_slice, tile_blocks - first)
        slice_arguments: list[tuple[str, Argument]] = [
            *grid.arguments,
            ("tiles", Scalar(tiles)),
            ("first_tile", Scalar(first * tiles)),
            ("all_tiles", Scalar(all_tiles)),
        ]
        x_arguments: list[tuple[str, Argument]] = [
            ("x", problem.argument(0)),
            ("v", Write(v)),
            *shape.padded_arguments,
            *slice_arguments,
        ]
        y_arguments: list[tuple[str, Argument]] = [
            ("v", Read(v)),
            ("u", weights),
            *bias_arguments(problem, block * vectors),
            ("y", Write(problem.node.outputs[0])),
            ("in_blocks", Scalar(-(-channels // block))),
            ("all_in_blocks", Scalar(in_blocks)),
            ("out_blocks", Scalar(blocks)),
            ("group_chunks", Scalar(-(-blocks // (shape.group * vectors)))),
            *shape.out_arguments,
            *slice_arguments,
            *left.arguments,
            *epilogue.arguments,
        ]
        calls.append(problem.call(to_v, x_arguments, (in_blocks, now)))
        calls.append(problem.call(to_y, y_arguments, (-(-blocks // vectors), now)))
    return left.added(Lowered(tuple(calls), scratch={v: in_slice * block_bytes}))


def _is_streamed(problem: Problem, transform: Transform, tile_blocks: int) -> bool:
    """Whether transformed tiles go past the caches. Where all cores read a block of tiles that each of them transforms some channels
    of, lines lie in several caches, and to write such a line again takes a Zen 4 as long as memory does: 6 ns, one after
    another, and 28 where the cores have no last-level cache in common. Only where the code is AVX-512 by the attribute is that known."""
    device = problem.device
    in_registers = device.vector_width == 16 and transform.n <= _IN_REGISTERS
    is_shared = tile_blocks < device.compute_units and not problem.other_sizes
    is_fit = device.base_alignment % (4 * device.vector_width) == 0
    is_float = problem.x.dtype is DType.FLOAT32
    return device.wide_verified and in_registers and is_shared and is_fit and is_float


def _prefetches(problem: Problem, register_tiles: int) -> int:
    """In how many parts the next weights are asked for, one for each of the first register tiles; 0 for not at all."""
    if "prefetch-does-nothing" not in problem.device.quirks:
        return 0
    return _PARTS if problem.other_sizes else min(_PARTS, register_tiles)


def _estimate(problem: Problem, transform: Transform) -> float:
    """Products at the rate of a full register tile, both transforms, and weights read once for each block of
    tiles."""
    shape, device = ConvShape.of(problem), problem.device
    block = device.vector_width
    blocks, channels = -(-shape.filters // block), shape.channels // shape.group
    tiles = TileGrid.of(shape, transform).count
    split = chosen_split(problem, shape, transform, tiles)
    vectors, pixels = split.vectors, split.pixels
    positions = transform.n**2
    filters = -(-blocks // vectors) * vectors * block
    products = 2 * positions * -(-tiles // pixels) * pixels * channels * filters
    nbytes = 4 * positions * channels * filters
    weights = float(nbytes) * -(-tiles // split.tiles)
    if _prefetches(problem, 1):
        # Those of the first register tile of each block are waited for, and some of the others.
        weights *= min(1.0, 1 / split.register_tiles + AGAIN)
    lanes = (-(-shape.channels // block) + -(-shape.filters // block)) * block
    transforms = _TRANSFORM_OPERATIONS * positions * tiles * lanes
    packing = packing_seconds(problem, positions / transform.window**2)
    return (
        (products + transforms) / arithmetic_rate(device)
        + weights / cache_rate(device, nbytes)
        + packing
    )


# What it takes to transform one element of a tile, in multiply-adds of a product: measured, 64 channels at
# 56 x 56.
_TRANSFORM_OPERATIONS = 28


def _variant(name: str, transform: Transform) -> Variant:
    return Variant(
        "Conv",
        name,
        lambda problem: (
            blocked_obstacle(problem)
            or window_obstacle(problem, transform, problem.device.vector_width)
        ),
        lambda problem: _lower(problem, transform),
        blocked_signatures,
        lambda problem: _estimate(problem, transform),
        TILE_SPACE,
        mixes=mixed_tiles,
        leaves_moments=True,
    )


WINOGRAD4 = _variant("winograd4", F4_3)
WINOGRAD2 = _variant("winograd2", F2_3)
WINOGRAD2_5X5 = _variant("winograd2_5x5", F2_5)
WINOGRAD4_STRIDE2 = _variant("winograd4_stride2", F4_3_STRIDE_2)
WINOGRAD2_STRIDE2 = _variant("winograd2_stride2", F2_3_STRIDE_2)
