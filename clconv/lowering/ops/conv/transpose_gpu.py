"""Transposed convolution on GPUs where windows do not meet: a product of filters and pixels, spread over the result."""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.arguments import Argument, Packing, Read, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.implicit_gemm import (
    ConvProduct,
    obstacle,
    product_call,
    product_weights,
)
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.shared.blocked import pair
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.lowering.shared.tile_choice import (
    ProductSize,
    chosen_tile,
    launch_seconds,
    product_seconds,
)
from clconv.lowering.shared.tiles import TILE_SPACE, gpu_rate, matrix_obstacle


def _weights(tile_m: int) -> Packing:
    """(C, F, kernel...) as the weights of a 1x1 convolution with a filter for each of F and of the window."""

    def pack(w: np.ndarray) -> np.ndarray:
        filters = w.reshape(w.shape[0], -1).T[:, :, None, None]
        return product_weights(tile_m, 1).function(filters)

    return Packing("conv_transpose.product", (tile_m,), pack)


def _applies(problem: Problem) -> str | None:
    refused = obstacle(problem)
    if refused:
        return refused
    at, x, y, window = problem.node.attrs, problem.x, problem.y, problem.input(1).shape[2:]
    disjoint = tuple(size * k for size, k in zip(x.shape[2:], window, strict=True))
    disjoint_windows = tuple(at.strides) == tuple(window) and all(d == 1 for d in at.dilations)
    if at.group != 1 or not disjoint_windows or any(at.pads) or y.shape[2:] != disjoint:
        return "needs one group and windows side by side, without padding"
    return None if y.size else "needs elements"


def _product_size(problem: Problem) -> ProductSize:
    x, window = problem.x, problem.input(1).shape[2:]
    rows = problem.y.shape[1] * math.prod(window)
    return ProductSize(rows, x.shape[0] * math.prod(x.shape[2:]), x.shape[1])


def _lower(problem: Problem, kind: Matrix | None) -> Lowered:
    x, y = problem.x, problem.y
    height, width = pair(x.shape[2:], 1)
    kernel = pair(problem.input(1).shape[2:], 1)
    product_size, plane = _product_size(problem), height * width
    shape = ConvShape(
        x.shape[0], x.shape[1], product_size.rows, 1, (1, plane), (1, plane), (1, 1), (1, 1), (1, 1), (0, 0),
        (0, 0, 0, 0), "constant",
    )  # fmt: skip
    tile = chosen_tile(problem, product_size, kind)
    product = ConvProduct(shape, tile, 1, False, Epilogue(), kind)
    weights = problem.packed(1, _weights(tile.m))
    parts = f"{problem.node.outputs[0]}/product"
    multiply = product_call(problem, product, problem.argument(0), weights, None, Write(parts))
    epilogue = plan_epilogue(problem)
    spread = Kernel.of(
        "conv/transpose/spread.cl.mako",
        "conv_transpose_spread",
        kernel=kernel,
        store=kernel[1] if kernel[1] in (2, 4) else 1,
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("product", Read(parts)),
        *bias_arguments(problem, 1),
        ("y", Write(problem.node.outputs[0])),
        ("filters", Scalar(y.shape[1])),
        ("height", Scalar(height)),
        ("width", Scalar(width)),
        *epilogue.arguments,
    ]
    local = min(64, problem.device.largest_work_group)
    size = (-(-plane // local) * local, y.shape[1] * kernel[0], y.shape[0])
    return Lowered(
        (multiply, problem.call(spread, arguments, size, (local, 1, 1))), {parts: 4 * y.size}
    )


def _estimate(problem: Problem, kind: Matrix | None) -> float:
    """Infinite on CPUs; else the product's, and its results twice through memory."""
    if problem.device.is_cpu:
        return math.inf
    spread = 12 * problem.y.size / (gpu_rate(problem.device) / 10) + launch_seconds(problem.device)
    packing = packing_seconds(problem)
    return product_seconds(problem.device, _product_size(problem), kind) + spread + packing


MATRIX_PRODUCT = Variant(
    "ConvTranspose",
    "matrix_product",
    lambda problem: _applies(problem) or matrix_obstacle(problem),
    lambda problem: _lower(problem, matrix_for(problem)),
    estimate=lambda problem: _estimate(problem, matrix_for(problem)),
    space=TILE_SPACE,
)
PRODUCT = Variant(
    "ConvTranspose",
    "product",
    _applies,
    lambda problem: _lower(problem, None),
    estimate=lambda problem: _estimate(problem, None),
    space=TILE_SPACE,
)
