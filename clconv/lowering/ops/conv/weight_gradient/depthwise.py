"""The weight gradient of a depthwise convolution on channel blocks for CPUs: one vector of sums for each tap."""

from __future__ import annotations

import math

from clconv.graph.ir import DType, Layout
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, plain_signature
from clconv.lowering.ops.conv.weight_gradient.partial import (
    partial_sums,
    sum_parts,
    weight_gradient_padding,
)
from clconv.lowering.ops.conv.weight_gradient.shape import (
    GradientShape,
    dealt_out,
    rounded,
    tap_sets,
    tile_size,
    window_obstacle,
)
from clconv.lowering.shared.blocked import blocked_obstacle, image_arguments


def _applies(problem: Problem) -> str | None:
    if not problem.node.attrs.group == problem.x.shape[1] == problem.y.shape[0]:
        return "needs one filter for each channel"
    return blocked_obstacle(problem) or window_obstacle(problem)


def _signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked, blocked), plain_signature(problem)[0].outputs)]


def _lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    block = problem.device.vector_width
    shape = GradientShape.of(problem)
    padding = weight_gradient_padding(problem)
    copies = padding != "none" or problem.x.dtype is DType.FLOAT16
    rows, columns = tile_size(shape, block)
    kernel = Kernel.of(
        "conv/weight_gradient/depthwise.cl.mako",
        "conv_weight_gradient_depthwise",
        block=block,
        in_block=block,
        copies=copies,
        tap_sets=tap_sets(shape.kernel, problem.device.registers - 2),
        image_size=rounded(math.prod(shape.image(rows, columns)) * block) if copies else 0,
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=padding,
    )
    channels = problem.x.shape[1]
    blocks = -(-channels // block)
    tiles = shape.batch * -(-shape.out[0] // rows) * -(-shape.out[1] // columns)
    share, splits = dealt_out(problem.device, blocks, tiles)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("parts", Write(partial_sums(problem, splits))),
        *image_arguments(shape.size, shape.out, shape.begin),
        ("batch", Scalar(shape.batch)),
        ("channels", Scalar(channels)),
        ("rows", Scalar(rows)),
        ("columns", Scalar(columns)),
        ("share", Scalar(share)),
    ]
    return sum_parts(problem, (problem.call(kernel, arguments, (blocks, splits)),), splits)


DEPTHWISE = Variant("ConvWeightGradient", "depthwise", _applies, _lower, _signatures)
