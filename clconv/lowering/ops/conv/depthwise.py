"""Depthwise convolution on channel blocks for CPUs: one filter a channel."""

from __future__ import annotations

import dataclasses

from clconv.lowering.model.arguments import (
    Argument,
    Scalar,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import AUTO, Lowered, Problem, Variant
from clconv.lowering.ops.conv.by_rows import depthwise_rows
from clconv.lowering.ops.conv.moments import Left
from clconv.lowering.ops.conv.shape import ITEMS_A_CORE, ConvShape, bias_arguments
from clconv.lowering.ops.conv.weights import depthwise_weights
from clconv.lowering.shared.blocked import blocked_obstacle, blocked_signatures
from clconv.lowering.shared.epilogue import plan_epilogue

# Accumulators: with three weights and a column they fit 16 registers, with one more LLVM spills. The usual
# widths of 112 down to 7 are multiples of it.
_PIXELS = 7


def _depthwise_applies(problem: Problem) -> str | None:
    obstacle = blocked_obstacle(problem)
    if obstacle:
        return obstacle
    if not problem.node.attrs.group == problem.x.shape[1] == problem.y.shape[1]:
        return "needs one filter for each channel"
    return None


def _depthwise_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    epilogue = plan_epilogue(problem, block)
    blocks = -(-shape.channels // block)
    wanted = max(1, ITEMS_A_CORE * problem.device.compute_units // (blocks * shape.batch))
    if wanted > 1:  # an equal share of rows for each core
        wanted = -(-wanted // problem.device.compute_units) * problem.device.compute_units
    rows = -(-shape.out[0] // wanted)
    size = (blocks, -(-shape.out[0] // rows), shape.batch)
    left = Left.of(problem, size[1] * size[2])
    window = {name: value for name, value in shape.parameters.items() if name != "strides"}
    kernel = Kernel.of(
        "conv/depthwise.cl.mako",
        "conv_depthwise",
        block=block,
        pixels=problem.parameters.get("pixels", min(_PIXELS, problem.device.registers - 4)),
        **window,
        column_stride=shape.strides[1],
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
        **left.parameters,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, depthwise_weights(block))),
        *bias_arguments(problem, block),
        ("y", Write(problem.node.outputs[0])),
        *shape.arguments,
        ("row_stride", Scalar(shape.strides[0])),
        ("rows", Scalar(rows)),
        *left.arguments,
        *epilogue.arguments,
    ]
    call = problem.call(kernel, arguments, size)
    if not problem.leaves:
        call = dataclasses.replace(call, by_rows=depthwise_rows(problem, epilogue))
    return left.added(Lowered((call,)))


DEPTHWISE = Variant(
    "Conv", "depthwise", _depthwise_applies, _depthwise_lower, blocked_signatures,
    space={"pixels": (AUTO, 2, 4, 6, 7, 10, 12, 14)}, leaves_moments=True,
)  # fmt: skip
