"""The weight gradient by its definition: any rank, group and padding. A work-group sums one tap of some filters."""

from __future__ import annotations

import math

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.model.obstacles import computed
from clconv.lowering.ops.conv.weight_gradient.partial import (
    partial_sums,
    sum_parts,
    weight_gradient_padding,
)
from clconv.lowering.shared.blocked import c_type, stored_obstacle
from clconv.lowering.shared.fill import fill_call
from clconv.lowering.shared.groups import most_items

_GROUP = 64  # work-items that share a sum on a GPU
_FILTERS = 8  # at most so many a work-item, which reads each pixel of the image once for them
_GROUPS_A_UNIT = 16  # work-groups that keep a compute unit busy
_LEAST_PIXELS = 512  # of a partial sum


def _items(problem: Problem) -> int:
    if problem.device.is_cpu:
        return 1
    return most_items(problem.device, _GROUP, _block(problem) * computed(problem.x.dtype).itemsize)


def _block(problem: Problem) -> int:
    each = problem.y.shape[0] // problem.node.attrs.group
    return max(b for b in range(1, _FILTERS + 1) if each % b == 0)


def _pixels(problem: Problem) -> int:
    dy = problem.input(1)
    return dy.shape[0] * math.prod(dy.shape[2:])


def _splits(problem: Problem) -> int:
    """Partial sums where there are few of them and each is long; of doubles there are none."""
    if problem.x.dtype is DType.FLOAT64:
        return 1
    groups = problem.y.size // _block(problem)
    wanted = -(-_GROUPS_A_UNIT * problem.device.compute_units // groups)
    return max(1, min(wanted, _pixels(problem) // _LEAST_PIXELS))


def _lower(problem: Problem) -> Lowered:
    at, x, dy, dw = problem.node.attrs, problem.x, problem.input(1), problem.y
    output = problem.node.outputs[0]
    pixels = _pixels(problem)
    if not dw.size:
        return Lowered()
    if not pixels:
        return Lowered((fill_call(problem, Write(output), 0, dw.size, dw.dtype),))
    axes, items, block, splits = (
        range(x.rank - 2),
        _items(problem),
        _block(problem),
        _splits(problem),
    )
    kernel = Kernel.of(
        "conv/weight_gradient/simple.cl.mako",
        "conv_weight_gradient_simple",
        type=c_type(x.dtype),
        spatial=x.rank - 2,
        items=items,
        block=block,
        pad_mode=weight_gradient_padding(problem),
    )
    parts = partial_sums(problem, splits)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("dy", problem.argument(1)),
        ("parts", Write(parts)),
        ("channels", Scalar(dw.shape[1])),
        ("filters", Scalar(dw.shape[0])),
        ("group", Scalar(at.group)),
        ("pixels", Scalar(pixels)),
        ("chunk", Scalar(-(-pixels // splits))),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(dy.shape[2 + i])) for i in axes),
        *((f"kernel{i}", Scalar(at.kernel_shape[i])) for i in axes),
        *((f"stride{i}", Scalar(at.strides[i])) for i in axes),
        *((f"dilation{i}", Scalar(at.dilations[i])) for i in axes),
        *((f"pad{i}", Scalar(at.pads[i])) for i in axes),
    ]
    size = (math.prod(dw.shape[1:]) * items, dw.shape[0] // block, splits)
    local = (items, 1, 1) if items > 1 else None
    return sum_parts(problem, (problem.call(kernel, arguments, size, local),), splits)


def _rounds(problem: Problem) -> int:
    return -(-_pixels(problem) // (_splits(problem) * _items(problem)))


SIMPLE = Variant("ConvWeightGradient", "simple", stored_obstacle, _lower, rounds=_rounds)
