"""Convolution as a matrix product with local memory, for GPUs; the im2col matrix is never stored."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.arguments import (
    Argument,
    Packing,
    Read,
    Scalar,
    Write,
    packed_float,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.shape import ConvShape, bias_argument, packing_seconds
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.lowering.shared.tile_choice import (
    MOST_SPLITS,
    ProductSize,
    best_tile,
    chosen_splits,
    chosen_tile,
    memory_seconds,
    product_seconds,
)
from clconv.lowering.shared.tiles import (
    PRODUCT_SPACE,
    Tile,
    local_memory_obstacle,
    matrix_obstacle,
    subgroup_of,
    tiles_for,
    without_many_loads,
)
from clconv.records import record

# Instructions of an item to find and load a pixel for itself, and as one of a row of a window; and for the products of one k
# by matrix instructions.
_PIXEL, _PIXEL_OF_A_ROW, _MATRIX_ISSUED = 30, 4, 6
_SIDE_BY_SIDE = (
    "none",
    "constant",
)  # padding modes where neighbours of a window are neighbours in memory
_GATHERED = 1.15  # of the time of a product whose pixels lie side by side: those of a window are found one by one


def product_weights(tile_m: int, group: int, channel_block: int = 1, tap_width: int = 0) -> Packing:
    """(group, K, filters padded to tile_m): K is (c / channel_block, kh, kw, c % channel_block), kw padded to tap_width, if
    that is not 0."""

    def pack(w: np.ndarray) -> np.ndarray:
        filters, channels = w.shape[0] // group, w.shape[1]
        if tap_width:
            w = np.pad(w, [(0, 0)] * (w.ndim - 1) + [(0, tap_width - w.shape[-1])])
        taps = math.prod(w.shape[2:])
        blocks = w.reshape(group, filters, channels // channel_block, channel_block, taps)
        rows = blocks.transpose(0, 2, 4, 3, 1).reshape(group, -1, filters)
        padded = np.pad(rows, ((0, 0), (0, 0), (0, -filters % tile_m)))
        return padded.astype(packed_float(w))

    settings = (tile_m, group, channel_block, tap_width)
    return Packing("conv.product", settings, pack)


def obstacle(problem: Problem) -> str | None:
    """Why a product in local memory cannot run this convolution; None if it can."""
    return plain_obstacle(problem) or local_memory_obstacle(problem.device)


@record(frozen=True)
class ConvProduct:
    """A convolution, or the batched product inside another algorithm, for product_call."""

    shape: ConvShape
    tile: Tile
    splits: int
    bias: bool
    epilogue: Epilogue
    kind: Matrix | None = None

    @property
    def channels(self) -> int:
        return self.shape.channels // self.shape.group

    @property
    def filters(self) -> int:
        return self.shape.filters // self.shape.group

    @property
    def channel_block(self) -> int:
        """Channels of which a step sums one tap of the window: what the taps of such a block read again lies in the nearest
        cache still. 1 where a step has several taps."""
        is_even = self.channels % self.tile.k == 0 and self.shape.kernel != (1, 1)
        return self.tile.k if is_even else 1

    @property
    def tap_width(self) -> int:
        """What rows of a window are padded to, so that a step has whole rows, whose pixels lie side by side; 0 where finding each
        pixel for itself is cheaper than products with the zeros that are added."""
        shape, tile, kind = self.shape, self.tile, self.kind
        width = next((w for w in (4, 8, 16) if w >= shape.kernel[1]), 0)
        together = max(tile.items // tile.n, 1) * (kind.pair if kind else 1)
        fits = width and tile.k % width == 0 == width % together
        if (
            self.channel_block > 1
            or shape.kernel == (1, 1)
            or not fits
            or shape.padding not in _SIDE_BY_SIDE
        ):
            return 0
        loads = max(tile.n / tile.items, 1)
        products = tile.item_m * tile.item_n if kind is None or kind.is_alone else _MATRIX_ISSUED
        padded = width * (products + _PIXEL_OF_A_ROW * loads)
        return width if padded < shape.kernel[1] * (products + _PIXEL * loads) else 0

    @property
    def fours(self) -> bool:
        """Whether the pixels of an image are a multiple of four, which then lie where vectors may."""
        return _has_fours(self.shape)


def _has_fours(shape: ConvShape) -> bool:
    return math.prod(shape.out) % 4 == 0


def _pixel_width(shape: ConvShape) -> int:
    """Pixels of a load: four where they do not see their neighbours and lie where vectors may."""
    return 4 if shape.is_pointwise and _has_fours(shape) else 1


def product_call(
    problem: Problem,
    product: ConvProduct,
    x: Argument,
    w: Argument,
    bias: Argument | None,
    y: Argument,
) -> KernelCall:
    """The launch of conv/implicit_gemm for a convolution of any sizes."""
    shape, tile = product.shape, product.tile
    final = product.splits == 1
    epilogue = product.epilogue if final else Epilogue()
    has_bias = bias is not None and final
    kernel = Kernel.of(
        "conv/implicit_gemm.cl.mako",
        "conv_implicit_gemm",
        tile=tile,
        kind=product.kind,
        channels=product.channels,
        filters=product.filters,
        **shape.parameters,
        channel_block=product.channel_block,
        tap_width=product.tap_width,
        fours=product.fours,
        pixel_width=_pixel_width(shape),
        partial=not final,
        subgroup=subgroup_of(problem.device, product.kind),
        bias=has_bias,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", x),
        ("w", w),
        *([("bias", bias)] if bias is not None and has_bias else []),
        ("y", y),
        *shape.arguments,
        ("batch", Scalar(shape.batch)),
        ("groups", Scalar(shape.group)),
        ("splits", Scalar(product.splits)),
        *epilogue.arguments,
    ]
    pixels = shape.batch * math.prod(shape.out)
    size = (
        -(-pixels // tile.n) * tile.items,
        -(-product.filters // tile.m),
        shape.group * product.splits,
    )
    return problem.call(kernel, arguments, size, (tile.items, 1, 1))


def _product_size(shape: ConvShape) -> ProductSize:
    return ProductSize(
        shape.filters // shape.group,
        shape.batch * math.prod(shape.out),
        shape.channels // shape.group * math.prod(shape.kernel),
        shape.group,
        MOST_SPLITS if shape.group == 1 else 1,
        0 if shape.is_pointwise else shape.channels // shape.group,
    )


def _lower(problem: Problem, kind: Matrix | None) -> Lowered:
    shape = ConvShape.of(problem)
    product_size = _product_size(shape)
    apart = shape.kernel == (1, 1) and _pixel_width(shape) == 1
    tiles = without_many_loads(kind) if apart else tiles_for(kind)
    tile = chosen_tile(problem, product_size, kind, tiles)
    splits = chosen_splits(problem, product_size, tile, kind)
    product = ConvProduct(shape, tile, splits, problem.has(2), plan_epilogue(problem), kind)
    weights = problem.packed(
        1, product_weights(tile.m, shape.group, product.channel_block, product.tap_width)
    )
    bias = bias_argument(problem, 1) if problem.has(2) else None
    x, y = problem.argument(0), Write(problem.node.outputs[0])
    if splits == 1:
        return Lowered((product_call(problem, product, x, weights, bias, y),))
    parts = f"{problem.node.outputs[0]}/split sums"
    return Lowered(
        (
            product_call(problem, product, x, weights, bias, Write(parts)),
            _sum_call(problem, product, parts, bias, y),
        ),
        scratch={parts: splits * 4 * problem.y.size},
    )


def _sum_call(
    problem: Problem, product: ConvProduct, parts: str, bias: Argument | None, y: Argument
) -> KernelCall:
    total, local = problem.y.size, min(128, problem.device.largest_work_group)
    kernel = Kernel.of(
        "conv/sum_splits.cl.mako",
        "conv_sum_splits",
        bias=bias is not None,
        epilogue=product.epilogue.terms,
        epilogue_names=product.epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("parts", Read(parts)),
        *([("bias", bias)] if bias is not None else []),
        ("y", y),
        ("splits", Scalar(product.splits)),
        ("total", Scalar(total)),
        ("filters", Scalar(product.shape.filters)),
        ("pixels", Scalar(math.prod(product.shape.out))),
        *product.epilogue.arguments,
    ]
    return problem.call(kernel, arguments, (-(-total // local) * local,), (local,))


def _estimate(problem: Problem, kind: Matrix | None) -> float:
    """Infinite on CPUs, where local memory is only a detour; else by the model of tile_choice, as Winograd's."""
    if problem.device.is_cpu:
        return math.inf
    shape, device = ConvShape.of(problem), problem.device
    size = _product_size(shape)
    counted = shape.is_pointwise or (kind is not None and kind.is_warp)
    gathered = 1 if counted else _GATHERED
    width = ConvProduct(shape, best_tile(device, size, kind), 1, False, Epilogue(), kind).tap_width
    if width:  # zeros are multiplied, too
        size = dataclasses.replace(size, inner=size.inner // shape.kernel[1] * width)
    seconds = gathered * product_seconds(device, size, kind)
    nbytes = problem.x.nbytes + problem.input(1).nbytes + problem.y.nbytes
    return math.hypot(seconds, memory_seconds(device, nbytes)) + packing_seconds(problem)


IMPLICIT_GEMM = Variant(
    "Conv", "implicit_gemm", obstacle, lambda problem: _lower(problem, None),
    estimate=lambda problem: _estimate(problem, None), space=PRODUCT_SPACE,
)  # fmt: skip
MATRIX_GEMM = Variant(
    "Conv",
    "matrix_gemm",
    lambda problem: obstacle(problem) or matrix_obstacle(problem),
    lambda problem: _lower(problem, matrix_for(problem)),
    estimate=lambda problem: _estimate(problem, matrix_for(problem)),
    space=PRODUCT_SPACE,
)
