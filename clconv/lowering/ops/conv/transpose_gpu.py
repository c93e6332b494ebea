"""Transposed convolution on GPUs: a product of all filters' taps and all pixels, whose results are then put to their places,
or added up there where windows overlap.

That takes no more products than the definition has. The results go through memory once more, and are as large as the
image of the filters' taps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.lowering.choice.limits import MOST_ELEMENTS
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
from clconv.lowering.ops.conv.implicit_gemm import ConvProduct, obstacle, product_call
from clconv.lowering.ops.conv.shape import ConvShape, bias_arguments, packing_seconds
from clconv.lowering.shared.blocked import pair
from clconv.lowering.shared.epilogue import Epilogue, plan_epilogue
from clconv.lowering.shared.tile_choice import (
    ProductSize,
    best_tile,
    chosen_tile,
    group_seconds,
    launch_seconds,
    product_seconds,
)
from clconv.lowering.shared.tiles import TILE_SPACE, matrix_obstacle, memory_rate

Phase = tuple[int, int, int, int, int]


def phases(kernel: int, stride: int, dilation: int) -> tuple[Phase, ...]:
    """For each phase of an axis: first tap, distance of taps, how many, and where in the input: `offset`
    pixels before q for the first tap, `spread` more for each next one. Result pixel u is q * stride + phase."""
    common = math.gcd(stride, dilation)
    found = []
    for phase in range(stride):
        taps = [k for k in range(kernel) if k * dilation % stride == phase]
        first = taps[0] if taps else 0
        offset = (first * dilation - phase) // stride if taps else 0
        found.append((first, stride // common, len(taps), offset, dilation // common))
    return tuple(found)


# Of a row, all of whose taps are written out; and phases of a column, each a table's row.
_MOST_COLUMN_PHASES, _MOST_TAPS, _MOST_ROW_PHASES = 16, 64, 64
# Instructions that take as long as a product of the simple kernel does, whose loads keep the first cache busy: measured on
# an H200. As many products wait for memory together.
_SIMPLE_ISSUED, _SIMPLE_UNROLLED = 20, 4


def _weights(tile_m: int, group: int) -> Packing:
    """(C, F, kernel...) as the weights of a 1x1 convolution with a filter for each of F and of the window."""

    def pack(w: np.ndarray) -> np.ndarray:
        rows = w.reshape(group, w.shape[0] // group, -1)
        return np.pad(rows, ((0, 0), (0, 0), (0, -rows.shape[2] % tile_m))).astype(packed_float(w))

    return Packing("conv_transpose.product", (tile_m, group), pack)


def _is_disjoint(problem: Problem) -> bool:
    """Whether every result pixel lies in one window, and each window in the result."""
    at, x, window = problem.node.attrs, problem.x, problem.input(1).shape[2:]
    whole = tuple(size * k for size, k in zip(x.shape[2:], window, strict=True))
    side_by_side = tuple(at.strides) == tuple(window) and all(d == 1 for d in at.dilations)
    return side_by_side and not any(at.pads) and problem.y.shape[2:] == whole


def _applies(problem: Problem) -> str | None:
    refused = obstacle(problem)
    if refused:
        return refused
    taps, strides = problem.input(1).shape[-1], problem.node.attrs.strides
    if max(strides) > _MOST_ROW_PHASES or strides[-1] > _MOST_COLUMN_PHASES or taps > _MOST_TAPS:
        return (
            f"needs strides of at most {_MOST_ROW_PHASES} and {_MOST_COLUMN_PHASES}, and windows of at most {_MOST_TAPS} "
            f"columns, got {strides} and {taps}"
        )
    needed = _scratch(problem)
    if needed > min(problem.device.largest_allocation, 4 * MOST_ELEMENTS):
        return f"its products need {needed:,} bytes at once"
    return None if problem.y.size else "needs elements"


def _shape(problem: Problem) -> ConvShape:
    """The 1x1 convolution that multiplies: of a row of all pixels, with a filter for each tap."""
    x, w = problem.x, problem.input(1)
    plane, group = math.prod(x.shape[2:]), problem.node.attrs.group
    return ConvShape(
        x.shape[0], x.shape[1], group * math.prod(w.shape[1:]), group, (1, plane), (1, plane), (1, 1), (1, 1), (1, 1),
        (0, 0), (0, 0, 0, 0), "constant",
    )  # fmt: skip


def _product_size(problem: Problem) -> ProductSize:
    shape = _shape(problem)
    group = shape.group
    pixels = shape.batch * shape.size[1]
    return ProductSize(shape.filters // group, pixels, shape.channels // group, group)


def _scratch(problem: Problem) -> int:
    """Bytes of the products."""
    size = _product_size(problem)
    return 4 * size.products * size.rows * size.columns


def _filters(problem: Problem, tile_m: int) -> Argument:
    """As they are, if they are whole tiles: for each channel a row of filters and taps."""
    if math.prod(problem.input(1).shape[1:]) % tile_m == 0:
        return problem.argument(1)
    return problem.packed(1, _weights(tile_m, problem.node.attrs.group))


def _lower(problem: Problem, kind: Matrix | None) -> Lowered:
    tile = chosen_tile(problem, _product_size(problem), kind)
    product = ConvProduct(_shape(problem), tile, 1, False, Epilogue(), kind)
    weights = _filters(problem, tile.m)
    parts = f"{problem.node.outputs[0]}/product"
    multiply = product_call(problem, product, problem.argument(0), weights, None, Write(parts))
    collect = _spread if _is_disjoint(problem) else _gather
    return Lowered((multiply, collect(problem, parts)), {parts: _scratch(problem)})


def _spread(problem: Problem, parts: str) -> KernelCall:
    """The launch that puts each product to its place, which is no other's."""
    kernel, (height, width) = pair(problem.input(1).shape[2:], 1), pair(problem.x.shape[2:], 1)
    settings = {"kernel": kernel, "store": kernel[1] if kernel[1] in (2, 4) else 1}
    return _collect_call(problem, parts, "spread", settings, (), height * width, kernel[0])


def _gather(problem: Problem, parts: str) -> KernelCall:
    """The launch that adds up the products at each place."""
    at, x, kernel = problem.node.attrs, problem.x, pair(problem.input(1).shape[2:], 1)
    strides, dilations = pair(at.strides, 1), pair(at.dilations, 1)
    begin = pair(at.pads[: x.rank - 2], 0)
    rows, columns = (
        seen_from_results(kernel[i], strides[i], dilations[i], begin[i]) for i in range(2)
    )
    height, width = pair(problem.y.shape[2:], 1)
    settings = {
        "kernel": kernel,
        "strides": strides,
        "rows": rows,
        "columns": columns,
        "store": strides[1] if strides[1] in (2, 4) and width % strides[1] == 0 else 1,
    }
    sizes = (("out_height", Scalar(height)), ("out_width", Scalar(width)))
    items = height * -(-width // strides[1])
    return _collect_call(problem, parts, "gather", settings, sizes, items, 1)


def seen_from_results(kernel: int, stride: int, dilation: int, pad: int) -> tuple[Phase, ...]:
    """phases() in the order of result pixels, which begin `pad` pixels later: offsets are from o // stride."""
    found, seen = phases(kernel, stride, dilation), []
    for place in range(stride):
        whole, phase = divmod(place + pad, stride)
        first, step, count, offset, spread = found[phase]
        seen.append((first, step, count, offset - whole if count else 0, spread))
    return tuple(seen)


def _collect_call(
    problem: Problem, parts: str, name: str, settings: Mapping[str, Any],
    sizes: Sequence[tuple[str, Argument]], items: int, lines: int,
) -> KernelCall:  # fmt: skip
    """The launch that makes results of products. settings, sizes: of the kernel of that name besides what both have. items, lines:
    for each filter."""
    epilogue, y = plan_epilogue(problem), problem.y
    height, width = pair(problem.x.shape[2:], 1)
    kernel = Kernel.of(
        f"conv/transpose/{name}.cl.mako",
        f"conv_transpose_{name}",
        **settings,
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
        *sizes,
        *epilogue.arguments,
    ]
    local = min(64, problem.device.largest_work_group)
    size = (-(-items // local) * local, y.shape[1] * lines, y.shape[0])
    return problem.call(kernel, arguments, size, (local, 1, 1))


def _estimate(problem: Problem, kind: Matrix | None) -> float:
    """Infinite on CPUs; else the product's, and its results twice through memory."""
    device = problem.device
    if device.is_cpu:
        return math.inf
    size = _product_size(problem)
    collect = (2 * _scratch(problem) + 4 * problem.y.size) / memory_rate(device)
    best = best_tile(device, size, kind)
    packing = packing_seconds(problem) if size.rows % best.m else 0.0
    return product_seconds(device, size, kind) + collect + launch_seconds(device) + packing


def simple_seconds(problem: Problem) -> float:
    """Of the simple kernel on a GPU, in the same measure; none on CPUs, where it is the last resort for what no other
    variant applies to."""
    device, at, w = problem.device, problem.node.attrs, problem.input(1)
    if device.is_cpu or not problem.y.size:
        return 0.0
    # Neighbours along a row see other taps, and wait for each; rows see their own.
    met = w.shape[-1] * math.prod(w.shape[2:-1]) / math.prod(at.strides[:-1])
    steps = math.ceil(problem.x.shape[1] // at.group * met / _SIMPLE_UNROLLED)
    groups, issued = -(-problem.y.size // 32), _SIMPLE_UNROLLED * _SIMPLE_ISSUED
    return group_seconds(device, groups, steps, 32, issued, 32)


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
