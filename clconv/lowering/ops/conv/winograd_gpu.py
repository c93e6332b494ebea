"""Winograd's convolution on plain tensors for GPUs: both transforms around one batched product, which is
the implicit product of a 1x1 convolution with a group for every position of the tile.

The product may be matrix instructions' where factors may be rounded to 11 bits (precision="tf32"), for F(2,3) alone: its
results then err by up to 0.7 of 2^-10 of the largest one, a product's without transforms by 0.35, and those of F(4,3)
by up to 12 (from the points 0, 1, -1, 2, -2), whose output transform takes differences of large numbers. Factors in half would be infinite where
inputs are near half's largest number.
"""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.arguments import (
    Argument,
    Packing,
    Read,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.implicit_gemm import (
    ConvProduct,
    obstacle,
    product_call,
    product_weights,
)
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.ops.conv.transforms import F2_3, F4_3, Transform
from clconv.lowering.ops.conv.winograd_filters import Places, transformed
from clconv.lowering.ops.conv.winograd_tiles import TileGrid, mixed_tiles, window_obstacle
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.lowering.shared.tile_choice import (
    ProductSize,
    chosen_tile,
    launch_seconds,
    product_seconds,
)
from clconv.lowering.shared.tiles import TILE_SPACE, matrix_obstacle, memory_rate


def _weights(transform: Transform, tile_m: int) -> Packing:
    """U = G g G' for every position, packed as the weights of a 1x1 convolution with n * n groups."""

    def pack(w: np.ndarray) -> np.ndarray:
        u = (
            transform.both_weights @ w.reshape(-1, 9).astype(np.float32, copy=False).T
        )  # (n * n, filters * channels)
        as_groups = u.reshape(-1, w.shape[1], 1, 1)
        return product_weights(tile_m, transform.n**2).function(as_groups)

    def places(filters: int, channels: int) -> Places:
        padded = -(-filters // tile_m) * tile_m
        return Places(padded, channels, padded, channels, 0, 0, padded, channels * padded)

    settings = (transform.m, tile_m)
    on_device = transformed(transform, places)
    return Packing("conv.winograd_gpu", settings, pack, DType.FLOAT32, on_device)


def _padded_tiles(grid: TileGrid) -> int:
    """Tiles of all images, padded to whole float4."""
    return -(-grid.count // 4) * 4


def _lower(problem: Problem, transform: Transform, kind: Matrix | None) -> Lowered:
    shape = ConvShape.of(problem)
    tile_grid = TileGrid.of(shape, transform)
    tiles = _padded_tiles(tile_grid)
    positions = transform.n**2
    epilogue = plan_epilogue(problem)
    inner = ConvShape(
        1, positions * shape.channels, positions * shape.filters, positions, (1, tiles), (1, tiles),
        (1, 1), (1, 1), (1, 1), (0, 0), (0, 0, 0, 0), "constant",
    )  # fmt: skip
    tile = chosen_tile(problem, ProductSize(shape.filters, tiles, shape.channels, positions), kind)
    product = ConvProduct(inner, tile, 1, False, Epilogue(), kind)
    v, m = (f"{problem.node.outputs[0]}/winograd {part}" for part in "VM")
    local = min(64, problem.device.largest_work_group)
    across = -(-tiles // local) * local
    store = math.gcd(shape.out[1], transform.m)
    settings = {"m": transform.m, "width": store, "epilogue_names": epilogue.names}
    to_v = Kernel.of(
        "conv/winograd_plain_input.cl.mako", "winograd_plain_input", m=transform.m,
        transform=transform.input, pad_mode=shape.padding,
    )  # fmt: skip
    to_y = Kernel.of(
        "conv/winograd_plain_output.cl.mako", "winograd_plain_output", **settings,
        transform=transform.output, bias=problem.has(2), epilogue=epilogue.terms,
    )  # fmt: skip
    grid: list[tuple[str, Argument]] = [
        ("batch", Scalar(shape.batch)),
        *tile_grid.arguments,
        ("tiles", Scalar(tiles)),
    ]
    x_arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("v", Write(v)),
        ("channels", Scalar(shape.channels)),
        *shape.padded_arguments,
        *grid,
    ]
    y_arguments: list[tuple[str, Argument]] = [
        ("product", Read(m)),
        *bias_arguments(problem, 1),
        ("y", Write(problem.node.outputs[0])),
        ("filters", Scalar(shape.filters)),
        *shape.out_arguments,
        *grid,
        *epilogue.arguments,
    ]
    packed = problem.packed(1, _weights(transform, tile.m))
    calls = (
        problem.call(to_v, x_arguments, (across, shape.channels), (local, 1)),
        product_call(problem, product, Read(v), packed, None, Write(m)),
        problem.call(to_y, y_arguments, (across, shape.filters), (local, 1)),
    )
    sizes = {v: 4 * positions * shape.channels * tiles, m: 4 * positions * shape.filters * tiles}
    return Lowered(calls, scratch=sizes)


def _estimate(problem: Problem, transform: Transform, kind: Matrix | None = None) -> float:
    """The products by the model of tile_choice, and both transforms as launches and as streams through memory."""
    if problem.device.is_cpu:
        return math.inf
    shape = ConvShape.of(problem)
    tiles = _padded_tiles(TileGrid.of(shape, transform))
    positions = transform.n**2
    product_size = ProductSize(shape.filters, tiles, shape.channels, positions)
    streams = 4 * positions * tiles * 2 * (shape.channels + shape.filters)
    products = product_seconds(problem.device, product_size, kind) + launch_seconds(
        problem.device, 2
    )
    packing = packing_seconds(problem, positions / transform.window**2)
    return products + streams / memory_rate(problem.device) + packing


def _variant(name: str, transform: Transform) -> Variant:
    return Variant(
        "Conv",
        name,
        lambda problem: window_obstacle(problem, transform) or obstacle(problem),
        lambda problem: _lower(problem, transform, None),
        estimate=lambda problem: _estimate(problem, transform),
        space=TILE_SPACE,
        mixes=mixed_tiles,
    )


def _matrix_applies(problem: Problem) -> str | None:
    if problem.x.dtype is not DType.FLOAT32:
        return "needs float32: what is transformed would be infinite in half"
    return window_obstacle(problem, F2_3) or obstacle(problem) or matrix_obstacle(problem)


MATRIX_WINOGRAD2 = Variant(
    "Conv",
    "matrix_winograd2",
    _matrix_applies,
    lambda problem: _lower(problem, F2_3, matrix_for(problem)),
    estimate=lambda problem: _estimate(problem, F2_3, matrix_for(problem)),
    space=TILE_SPACE,
    mixes=mixed_tiles,
)
WINOGRAD4_GPU = _variant("winograd4_gpu", F4_3)
WINOGRAD2_GPU = _variant("winograd2_gpu", F2_3)
