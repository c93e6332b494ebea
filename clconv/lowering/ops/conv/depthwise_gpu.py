"""Depthwise convolution on plain tensors for GPUs: it moves memory, so it needs no local memory."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.conv.shape import ConvShape
from clconv.lowering.shared.blocked import plain_obstacle
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.tiles import gpu_rate

_PIXELS = 4
_GROUP = 64  # items of a work-group
_ITEMS_A_UNIT = (
    2048  # work-items that a compute unit runs at a time, roughly; with fewer, each does less
)


def _rows(problem: Problem, shape: ConvShape) -> int:
    """Rows of an item: two, which read lines in common, where items are plenty."""
    items = shape.batch * shape.filters * -(-shape.out[0] // 2) * -(-shape.out[1] // _PIXELS)
    return 2 if items >= _ITEMS_A_UNIT * problem.device.compute_units else 1


def _work_group(problem: Problem, columns: int, lines: int, filters: int) -> tuple[int, int, int]:
    """Of items along `columns`, `lines` of all images and filters, which has no more of the first two than there are: an image of 7 x 7
    pixels is two columns wide, and groups of 8 by 8 items were idle but for a fifth."""
    if problem.device.largest_work_group < _GROUP:
        return 1, 1, 1
    across = next(n for n in (1, 2, 4, 8) if n >= min(columns, 8))
    down = next(n for n in (1, 2, 4, 8, 16, 32, 64) if n >= min(lines, _GROUP // across))
    return across, down, math.gcd(_GROUP // (across * down), filters)


def _applies(problem: Problem) -> str | None:
    if problem.node.attrs.group != problem.x.shape[1]:
        return "needs a group for each input channel"
    return plain_obstacle(problem)


def _lower(problem: Problem) -> Lowered:
    shape = ConvShape.of(problem)
    epilogue = plan_epilogue(problem)
    rows = _rows(problem, shape)
    kernel = Kernel.of(
        "conv/depthwise_plain.cl.mako",
        "conv_depthwise_plain",
        rows=rows,
        pixels=_PIXELS,
        store=math.gcd(shape.out[1], _PIXELS),
        **shape.parameters,
        multiplier=shape.filters // shape.channels,
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    row_items, columns = -(-shape.out[0] // rows), -(-shape.out[1] // _PIXELS)
    items = (columns, shape.batch * row_items, shape.filters)
    local = _work_group(problem, *items)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.argument(1)),
        *([("bias", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("row_items", Scalar(row_items)),
        ("batch", Scalar(shape.batch)),
        *shape.arguments,
        *epilogue.arguments,
    ]
    size = tuple(-(-n // of) * of for n, of in zip(items, local, strict=True))
    return Lowered((problem.call(kernel, arguments, size, local),))


def _estimate(problem: Problem) -> float:
    """A sixteenth of the rate of a product: every value is used only a few times."""
    if problem.device.is_cpu:
        return math.inf
    return 16 * problem.cost.flops / gpu_rate(problem.device)


DEPTHWISE_GPU = Variant("Conv", "depthwise_gpu", _applies, _lower, estimate=_estimate)
