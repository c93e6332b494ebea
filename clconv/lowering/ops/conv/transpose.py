"""Variants of ConvTranspose: phases as small convolutions on channel blocks for CPUs, and a simple one.

A result pixel u = o + pad sees the taps k with (u - k * dilation) divisible by the stride. All pixels of
one phase (u modulo the stride) see the same taps, and neighbours in it see neighbours in the input: each phase
is a convolution of stride 1 with a part of the filter.
"""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.model.arguments import (
    Argument,
    Packing,
    Scalar,
    Write,
    packed_float,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.ops.conv.transpose_gpu import MATRIX_PRODUCT, PRODUCT, phases, simple_seconds
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    blocked_signatures,
    c_type,
    convolution_signatures,
    image_arguments,
    pair,
    rows_per_item,
    stored_obstacle,
)
from clconv.lowering.shared.epilogue import channel_packing, plan_epilogue
from clconv.lowering.shared.work_split import nested


def _two_dimensional(w: np.ndarray) -> np.ndarray:
    return w[:, :, None, :] if w.ndim == 3 else w


def blocked_filters(in_block: int, out_block: int, group: int) -> Packing:
    """(channels, filters / group, kernel...) as (group, filters / out_block, channels / in_block, kh, kw,
    in_block, out_block), padded with zeros; one more vector of zeros at the end, for pixels outside."""

    def pack(w: np.ndarray) -> np.ndarray:
        w = _two_dimensional(w)
        channels, filters, kh, kw = w.shape
        channels //= group
        out_blocks, in_blocks = -(-filters // out_block), -(-channels // in_block)
        kept = packed_float(w)
        full = np.zeros((group, in_blocks * in_block, out_blocks * out_block, kh, kw), kept)
        full[:, :channels, :filters] = w.reshape(group, channels, filters, kh, kw)
        parts = full.reshape(group, in_blocks, in_block, out_blocks, out_block, kh, kw)
        packed = parts.transpose(0, 3, 1, 5, 6, 2, 4).reshape(-1)
        return np.concatenate([packed, np.zeros(max(out_block, in_block), kept)])

    return Packing("conv_transpose.blocked", (in_block, out_block, group), pack)


def depthwise_filters(block: int) -> Packing:
    """(channels, 1, kernel...) as (channels / block, kh, kw, block), and a vector of zeros at the end."""

    def pack(w: np.ndarray) -> np.ndarray:
        w = _two_dimensional(w)[:, 0]
        full = np.pad(w, [(0, -w.shape[0] % block), (0, 0), (0, 0)])
        packed = full.reshape(-1, block, *w.shape[1:]).transpose(0, 2, 3, 1).reshape(-1)
        return np.concatenate([packed, np.zeros(block, w.dtype)])

    return Packing("conv_transpose.depthwise", (block,), pack)


# --- on channel blocks -------------------------------------------------------------------------------


_MOST_PHASES = 64  # along an axis: each is a table's row of the kernel, and neighbours in it lie that far apart


def _obstacle(problem: Problem) -> str | None:
    if max(problem.node.attrs.strides) > _MOST_PHASES:
        return f"needs strides of at most {_MOST_PHASES}, got {problem.node.attrs.strides}"
    return blocked_obstacle(problem)


def _depthwise_applies(problem: Problem) -> str | None:
    if not problem.node.attrs.group == problem.x.shape[1] == problem.y.shape[1]:
        return "needs one filter for each channel"
    return _obstacle(problem)


def _blocked_applies(problem: Problem) -> str | None:
    group, block = problem.node.attrs.group, problem.device.vector_width
    for name, count in (("channels", problem.x.shape[1]), ("filters", problem.y.shape[1])):
        if group > 1 and (count // group) % block:
            return f"needs {name} a group divisible by {block}, got {count // group}"
    return _obstacle(problem)


def _blocked_lower(problem: Problem) -> Lowered:
    return _lower(problem, depthwise=False)


def _depthwise_lower(problem: Problem) -> Lowered:
    return _lower(problem, depthwise=True)


def _lower(problem: Problem, depthwise: bool) -> Lowered:
    at, x, y, w = problem.node.attrs, problem.x, problem.y, problem.input(1)
    if y.size == 0:
        return Lowered()
    block = problem.device.vector_width
    group = 1 if depthwise else at.group
    blocks = -(-(y.shape[1] // group) // block)
    # A tile across the border of a group would read past the last group's operands.
    vectors = 2 if blocks > 1 and (group == 1 or blocks % 2 == 0) and not depthwise else 1
    pixels = 8 if depthwise else min((problem.device.registers - 1 - vectors) // vectors, 8)
    width = block * vectors
    in_block = x.layout.block
    kernel_shape, strides = pair(w.shape[2:], 1), pair(at.strides, 1)
    dilations, begin = pair(at.dilations, 1), pair(at.pads[: x.rank - 2], 0)
    out = pair(y.shape[2:], 1)
    epilogue = plan_epilogue(problem, width)
    bias = problem.node.inputs[2] if problem.has(2) else ""
    kernel = Kernel.of(
        "conv/transpose/blocked.cl.mako",
        "conv_transpose_depthwise" if depthwise else "conv_transpose_blocked",
        depthwise=depthwise,
        block=block,
        in_block=in_block,
        vectors=vectors,
        pixels=pixels,
        channels=block if depthwise else x.shape[1] // group,
        filters=y.shape[1] // group,
        group=group,
        kernel=kernel_shape,
        strides=strides,
        row_phases=phases(kernel_shape[0], strides[0], dilations[0]),
        column_phases=phases(kernel_shape[1], strides[1], dilations[1]),
        bias=bool(bias),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    packing = depthwise_filters(block) if depthwise else blocked_filters(in_block, width, group)
    chunks = -(-blocks // vectors)
    rows = rows_per_item(problem, out[0], chunks * x.shape[0] * group)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.packed(1, packing)),
        *([("bias", problem.packed(2, channel_packing(width)))] if bias else []),
        ("y", Write(problem.node.outputs[0])),
        *image_arguments(pair(x.shape[2:], 1), out, begin),
        ("rows", Scalar(rows)),
        *epilogue.arguments,
    ]
    items = (-(-out[0] // rows), chunks, x.shape[0] * group)
    return Lowered((problem.call(kernel, arguments, items),))


# --- simple: any rank, weights from anywhere ---------------------------------------------------------


def _simple_lower(problem: Problem) -> Lowered:
    at, x, y, w = problem.node.attrs, problem.x, problem.y, problem.input(1)
    if y.size == 0:
        return Lowered()
    axes = range(x.rank - 2)
    pixels = math.prod(y.shape[2:])
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "conv/transpose/simple.cl.mako",
        "conv_transpose_simple",
        type=c_type(x.dtype),
        kernel=w.shape[2:],
        strides=at.strides,
        dilations=at.dilations,
        bias=problem.has(2),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    chunk = max(1, 4096 // max(1, x.shape[1] // at.group)) if problem.device.is_cpu else 1
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("w", problem.argument(1)),
        *([("bias", problem.argument(2))] if problem.has(2) else []),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(x.shape[1] // at.group)),
        ("filters", Scalar(w.shape[1])),
        ("group", Scalar(at.group)),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"pad{i}", Scalar(at.pads[i])) for i in axes),
        ("chunk", Scalar(chunk)),
        *epilogue.arguments,
    ]
    items = (-(-pixels // chunk), y.shape[1], y.shape[0])
    return Lowered((problem.call(kernel, arguments, items),))


def _simple_rounds(problem: Problem) -> int:
    channels = problem.x.shape[1] // problem.node.attrs.group
    return nested(1, *problem.input(1).shape[2:], channels)


register(
    MATRIX_PRODUCT,
    PRODUCT,
    Variant("ConvTranspose", "depthwise", _depthwise_applies, _depthwise_lower, blocked_signatures),
    Variant("ConvTranspose", "blocked", _blocked_applies, _blocked_lower, convolution_signatures),
    Variant(
        "ConvTranspose",
        "simple",
        stored_obstacle,
        _simple_lower,
        estimate=simple_seconds,
        rounds=_simple_rounds,
    ),
)
