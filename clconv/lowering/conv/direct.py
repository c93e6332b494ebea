"""Direct convolution on channel blocks for CPUs: register-blocked, NCHWc or plain in, NCHWc out."""

from __future__ import annotations

from clconv.graph.ir import PLAIN, Layout
from clconv.lowering.conv.shape import (
    ConvShape,
    arithmetic_rate,
    bias_argument,
    blocked_obstacle,
    blocked_signature,
    register_tile,
)
from clconv.lowering.conv.weights import direct_weights
from clconv.lowering.epilogue import plan_epilogue
from clconv.lowering.kernel import (
    Argument,
    Kernel,
    Lowered,
    Packed,
    Problem,
    Read,
    Scalar,
    Signature,
    Variant,
    Write,
)

# Fewer input channels than this are read from the plain layout, as the first layer of a network does.
_PLAIN_INPUT_CHANNELS = 4


def _direct_applies(problem: Problem) -> str | None:
    obstacle = blocked_obstacle(problem)
    if obstacle:
        return obstacle
    group, block = problem.node.attrs.group, problem.device.vector_width
    if group > 1 and (problem.x.shape[1] // group) % block:
        return f"needs channels a group divisible by {block}, got {problem.x.shape[1] // group}"
    if group > 1 and (problem.y.shape[1] // group) % block:
        return f"needs filters a group divisible by {block}, got {problem.y.shape[1] // group}"
    return None


def _direct_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    few = problem.x.shape[1] <= _PLAIN_INPUT_CHANNELS
    return [blocked_signature(problem, PLAIN if few else blocked, blocked)]


def _direct_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    in_block = problem.x.layout.block
    blocks = -(-(shape.filters // shape.group) // block)
    vectors, pixels = register_tile(problem.device.registers, blocks)
    epilogue = plan_epilogue(problem, block * vectors)
    kernel = Kernel.of(
        "conv/direct.cl.mako",
        "conv_direct",
        block=block,
        in_block=in_block,
        vectors=vectors,
        pixels=pixels,
        channels=shape.channels // shape.group,
        filters=shape.filters // shape.group,
        group=shape.group,
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=shape.pad_mode if any(shape.pads) else "none",
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    packing = direct_weights(in_block, block * vectors, shape.group)
    chunks = -(-blocks // vectors)
    rows, columns, row_items, column_items = _split(problem, shape, chunks, pixels)
    arguments: list[tuple[str, Argument]] = [
        ("x", Read(problem.node.inputs[0])),
        ("w", Packed(problem.node.inputs[1], packing)),
        *([("bias", bias_argument(problem, block * vectors))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("height", Scalar(shape.size[0])),
        ("width", Scalar(shape.size[1])),
        ("out_height", Scalar(shape.out[0])),
        ("out_width", Scalar(shape.out[1])),
        ("pad_top", Scalar(shape.begin[0])),
        ("pad_left", Scalar(shape.begin[1])),
        ("rows", Scalar(rows)),
        ("columns", Scalar(columns)),
        *epilogue.arguments,
    ]
    size = (row_items * column_items, chunks, shape.batch * shape.group)
    return Lowered((problem.call(kernel, arguments, size),))


def _split(
    problem: Problem, shape: ConvShape, chunks: int, pixels: int
) -> tuple[int, int, int, int]:
    """(rows, columns) of the output that one work-item computes, and how many items that makes.

    Aims at eight items a compute unit, so that none works alone at the end, but not at items so small
    that launching them costs more than they do.
    """
    wanted = max(1, 8 * problem.device.compute_units // max(1, chunks * shape.batch * shape.group))
    height, width = shape.out
    if height > 1:
        rows = max(1, height // wanted)
        return rows, width, -(-height // rows), 1
    columns = max(4 * pixels, -(-width // wanted))
    columns = -(-columns // pixels) * pixels
    return 1, columns, 1, -(-width // columns)


def _direct_estimate(problem: Problem) -> float:
    """Multiply-adds at the rate of a full register tile, and what ragged tiles waste."""
    shape = ConvShape.of(problem)
    block = problem.device.vector_width
    blocks = -(-(shape.filters // shape.group) // block)
    vectors, pixels = register_tile(problem.device.registers, blocks)
    waste = -(-shape.out[1] // pixels) * pixels / max(1, shape.out[1])
    waste *= -(-blocks // vectors) * vectors / blocks
    return problem.cost.flops * waste / arithmetic_rate(problem.device)


DIRECT = Variant(
    "Conv", "direct", _direct_applies, _direct_lower, _direct_signatures, _direct_estimate
)
