"""Variants of Conv: depthwise and direct on channel blocks for CPUs, and a simple one for anything."""

from __future__ import annotations

import dataclasses
import math

from clconv.graph.ir import PLAIN, DType, Layout
from clconv.lowering.epilogue import channel_packing, epilogue_obstacle, plan_epilogue
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
    register,
)
from clconv.lowering.weights import depthwise_weights, direct_weights

# Fewer input channels than this are read from the plain layout, as the first layer of a network does.
_PLAIN_INPUT_CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class ConvShape:
    """Sizes of a convolution, one- and two-dimensional alike (1-D: height 1)."""

    batch: int
    channels: int
    filters: int
    group: int
    size: tuple[int, int]
    out: tuple[int, int]
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    begin: tuple[int, int]  # padding before the first row and column
    pads: tuple[int, int, int, int]
    pad_mode: str

    @classmethod
    def of(cls, problem: Problem) -> ConvShape:
        """Raises nothing: applies() has checked that there are one or two spatial axes."""
        at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y

        def two(values: tuple[int, ...], fill: int) -> tuple[int, int]:
            return (fill, values[0]) if len(values) == 1 else (values[0], values[1])

        spatial = x.rank - 2
        begin, end = two(at.pads[:spatial], 0), two(at.pads[spatial:], 0)
        shape = cls(
            x.shape[0], x.shape[1], y.shape[1], at.group, two(x.shape[2:], 1), two(y.shape[2:], 1),
            two(w.shape[2:], 1), two(at.strides, 1), two(at.dilations, 1), begin, (*begin, *end),
            at.pad_mode,
        )  # fmt: skip
        return shape._as_one_row() if shape.is_pointwise else shape

    @property
    def is_pointwise(self) -> bool:
        """1x1, stride 1, no padding: pixels do not see their neighbours."""
        return self.kernel == (1, 1) and self.strides == (1, 1) and not any(self.pads)

    def _as_one_row(self) -> ConvShape:
        pixels = math.prod(self.size)
        return dataclasses.replace(self, size=(1, pixels), out=(1, pixels))


def _blocked_obstacle(problem: Problem) -> str | None:
    """Why no kernel on channel blocks can run this convolution."""
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    if not problem.device.is_cpu:
        return "channel blocks are for CPU devices"
    if problem.x.rank > 4:
        return f"needs one or two spatial axes, got {problem.x.rank - 2}"
    if not problem.is_constant(1) or (problem.has(2) and not problem.is_constant(2)):
        return "needs constant weights"
    return epilogue_obstacle(problem)


def _bias(problem: Problem, block: int) -> Argument:
    """The bias padded to whole blocks; without one the kernel has no such parameter."""
    return Packed(problem.node.inputs[2], channel_packing(block))


# --- direct: register-blocked, NCHWc or plain in, NCHWc out -------------------------------------------


def _direct_applies(problem: Problem) -> str | None:
    obstacle = _blocked_obstacle(problem)
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
    return [_signature(problem, PLAIN if few else blocked, blocked)]


def _signature(problem: Problem, x: Layout, y: Layout) -> Signature:
    """x and y in these layouts; operands of the epilogue that have y's shape in y's layout."""
    inputs = [x] + [PLAIN] * (len(problem.inputs) - 1)
    for i in range(len(problem.node.op_inputs), len(problem.inputs)):
        if problem.input(i).shape == problem.y.shape and not problem.is_constant(i):
            inputs[i] = y
    return Signature(tuple(inputs), (y,))


def _tile(device_registers: int, blocks: int) -> tuple[int, int]:
    """(output vectors, pixels) of the register tile: accumulators + weights + one input <= registers."""
    vectors = 2 if blocks % 2 == 0 else 3 if blocks % 3 == 0 else 1 if blocks == 1 else 2
    pixels = (device_registers - 1 - vectors) // vectors
    return vectors, min(pixels, 12)


def _direct_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    in_block = problem.x.layout.block
    blocks = -(-(shape.filters // shape.group) // block)
    vectors, pixels = _tile(problem.device.registers, blocks)
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
        *([("bias", _bias(problem, block * vectors))] if problem.has(2) else []),
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


# --- depthwise: one filter a channel -----------------------------------------------------------------


def _depthwise_applies(problem: Problem) -> str | None:
    obstacle = _blocked_obstacle(problem)
    if obstacle:
        return obstacle
    if not problem.node.attrs.group == problem.x.shape[1] == problem.y.shape[1]:
        return "needs one filter for each channel"
    return None


def _depthwise_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [_signature(problem, blocked, blocked)]


def _depthwise_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    epilogue = plan_epilogue(problem, block)
    blocks = -(-shape.channels // block)
    kernel = Kernel.of(
        "conv/depthwise.cl.mako",
        "conv_depthwise",
        block=block,
        pixels=min(8, problem.device.registers - 4),
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=shape.pad_mode if any(shape.pads) else "none",
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    wanted = max(1, 8 * problem.device.compute_units // (blocks * shape.batch))
    rows = max(1, shape.out[0] // wanted)
    arguments: list[tuple[str, Argument]] = [
        ("x", Read(problem.node.inputs[0])),
        ("w", Packed(problem.node.inputs[1], depthwise_weights(block))),
        *([("bias", _bias(problem, block))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("height", Scalar(shape.size[0])),
        ("width", Scalar(shape.size[1])),
        ("out_height", Scalar(shape.out[0])),
        ("out_width", Scalar(shape.out[1])),
        ("pad_top", Scalar(shape.begin[0])),
        ("pad_left", Scalar(shape.begin[1])),
        ("rows", Scalar(rows)),
        *epilogue.arguments,
    ]
    size = (-(-shape.out[0] // rows), blocks, shape.batch)
    return Lowered((problem.call(kernel, arguments, size),))


# --- simple: any rank, group, type of weights; one output element a work-item -------------------------


def _simple_lower(problem: Problem) -> Lowered:
    at, x, w, y = problem.node.attrs, problem.x, problem.input(1), problem.y
    epilogue = plan_epilogue(problem)
    spatial = x.rank - 2
    kernel = Kernel.of(
        "conv/simple.cl.mako",
        "conv_simple",
        spatial=spatial,
        bias=problem.has(2),
        pad_mode=at.pad_mode,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    axes = range(spatial)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.argument(1)),
        *([("bias", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(w.shape[1])),
        ("filters", Scalar(y.shape[1])),
        ("group", Scalar(at.group)),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"kernel{i}", Scalar(w.shape[2 + i])) for i in axes),
        *((f"stride{i}", Scalar(at.strides[i])) for i in axes),
        *((f"dilation{i}", Scalar(at.dilations[i])) for i in axes),
        *((f"pad{i}", Scalar(at.pads[i])) for i in axes),
        *epilogue.arguments,
    ]
    size = (math.prod(y.shape[2:]), y.shape[1], y.shape[0])
    return Lowered((problem.call(kernel, arguments, size),))


register(
    Variant("Conv", "depthwise", _depthwise_applies, _depthwise_lower, _depthwise_signatures),
    Variant("Conv", "direct", _direct_applies, _direct_lower, _direct_signatures),
    Variant("Conv", "simple", epilogue_obstacle, _simple_lower),
)
