"""The weight gradient as a matrix product with local memory, for GPUs: its sums over all pixels are split where filters and
channels are few, and added up in a fixed order."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.weight_gradient.partial import (
    partial_sums,
    sum_parts,
    weight_gradient_padding,
)
from clconv.lowering.ops.conv.weight_gradient.shape import GradientShape
from clconv.lowering.shared.blocked import image_arguments, plain_obstacle
from clconv.lowering.shared.tile_choice import (
    ProductSize,
    chosen_splits,
    chosen_tile,
    product_seconds,
)
from clconv.lowering.shared.tiles import (
    PRODUCT_SPACE,
    TILES,
    Tile,
    local_memory_obstacle,
    subgroup_of,
)

_LEAST_FILTERS = 8  # of a group: fewer leave most of a tile empty
_MOST_REACH = 2**14  # the kernel keeps where taps lie in 16 bits
# A sum is over all pixels of a batch, results are few: first layers have 200,000 to 3 tiles.
_MOST_SPLITS = 128
_GATHERED = 1.3  # of the time of a product whose values lie side by side


def _applies(problem: Problem) -> str | None:
    obstacle = plain_obstacle(problem) or local_memory_obstacle(problem.device)
    if obstacle:
        return obstacle
    filters = problem.y.shape[0] // problem.node.attrs.group
    if filters < _LEAST_FILTERS:
        return f"needs at least {_LEAST_FILTERS} filters a group, got {filters}"
    if not problem.y.size or not problem.input(1).size:
        return "there is nothing to sum"
    at = problem.node.attrs
    reach = max(d * k for d, k in zip(at.dilations, at.kernel_shape, strict=True))
    if max(reach, *at.pads) > _MOST_REACH:
        return f"needs windows and pads of at most {_MOST_REACH} pixels"
    return None


def _product_size(shape: GradientShape) -> ProductSize:
    columns = shape.channels * math.prod(shape.kernel)
    pixels = shape.batch * math.prod(shape.out)
    return ProductSize(shape.filters, columns, pixels, shape.group, _MOST_SPLITS)


def _tile(problem: Problem, size: ProductSize) -> Tile:
    """Intel's 128 registers do not hold the results of the larger tiles and the addresses of what an item loads. NVIDIA's
    compiler takes 130 for the largest, with which one work-group of 256 runs at a time, not two."""
    device = problem.device
    if "Intel" in device.vendor and not device.is_cpu:
        return TILES[-1]
    return chosen_tile(problem, size, None, TILES[1:])


def _lower(problem: Problem) -> Lowered:
    shape = GradientShape.of(problem, merged=1)
    size = _product_size(shape)
    tile = _tile(problem, size)
    splits = chosen_splits(problem, size, tile, None)
    kernel = Kernel.of(
        "conv/weight_gradient/product.cl.mako",
        "conv_weight_gradient_product",
        tile=tile,
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=weight_gradient_padding(problem),
        fours=size.columns % 4 == 0,
        subgroup=subgroup_of(problem.device, None),
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("parts", Write(partial_sums(problem, splits))),
        *image_arguments(shape.size, shape.out, shape.begin),
        ("batch", Scalar(shape.batch)),
        ("groups", Scalar(shape.group)),
        ("channels", Scalar(shape.channels)),
        ("filters", Scalar(shape.filters)),
        ("columns", Scalar(size.columns)),
        ("splits", Scalar(splits)),
        *_step_arguments(tile.k, shape),
    ]
    groups = (
        -(-size.columns // tile.n) * tile.items,
        -(-size.rows // tile.m),
        shape.group * splits,
    )
    call = problem.call(kernel, arguments, groups, (tile.items, 1, 1))
    return sum_parts(problem, (call,), splits)


def _step_arguments(pixels: int, shape: GradientShape) -> list[tuple[str, Argument]]:
    """How many images, rows and pixels a step goes on."""
    images, rest = divmod(pixels, math.prod(shape.out))
    rows, columns = divmod(rest, shape.out[1])
    steps = {"step_images": images, "step_rows": rows, "step_columns": columns}
    return [(name, Scalar(value)) for name, value in steps.items()]


def _estimate(problem: Problem) -> float:
    """Infinite on CPUs, where local memory is only a detour."""
    if problem.device.is_cpu:
        return math.inf
    size = _product_size(GradientShape.of(problem, merged=1))
    return _GATHERED * product_seconds(problem.device, size, None)


PRODUCT = Variant(
    "ConvWeightGradient", "product", _applies, _lower, estimate=_estimate, space=PRODUCT_SPACE
)
