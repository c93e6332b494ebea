"""Depthwise convolution on channel blocks for CPUs: one filter a channel."""

from __future__ import annotations

from clconv.graph.ir import Layout
from clconv.lowering.arguments import (
    Argument,
    Packed,
    Read,
    Scalar,
    Write,
)
from clconv.lowering.conv.shape import (
    ConvShape,
    bias_argument,
    blocked_obstacle,
    blocked_signature,
)
from clconv.lowering.conv.weights import depthwise_weights
from clconv.lowering.epilogue import plan_epilogue
from clconv.lowering.kernel import (
    AUTO,
    Kernel,
    Lowered,
    Problem,
    Signature,
    Variant,
)

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


def _depthwise_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [blocked_signature(problem, blocked, blocked)]


def _depthwise_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    shape = ConvShape.of(problem)
    epilogue = plan_epilogue(problem, block)
    blocks = -(-shape.channels // block)
    kernel = Kernel.of(
        "conv/depthwise.cl.mako",
        "conv_depthwise",
        block=block,
        pixels=problem.parameters.get("pixels", min(_PIXELS, problem.device.registers - 4)),
        kernel=shape.kernel,
        strides=shape.strides,
        dilations=shape.dilations,
        pad_mode=shape.pad_mode if any(shape.pads) else "none",
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    wanted = max(1, 16 * problem.device.compute_units // (blocks * shape.batch))
    rows = max(1, shape.out[0] // wanted)
    arguments: list[tuple[str, Argument]] = [
        ("x", Read(problem.node.inputs[0])),
        ("w", Packed(problem.node.inputs[1], depthwise_weights(block))),
        *([("bias", bias_argument(problem, block))] if problem.has(2) else []),
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


DEPTHWISE = Variant(
    "Conv", "depthwise", _depthwise_applies, _depthwise_lower, _depthwise_signatures,
    space={"pixels": (AUTO, 2, 4, 6, 7, 10, 12, 14)},
)  # fmt: skip
