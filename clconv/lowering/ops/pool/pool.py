"""Variants of MaxPool, MaxPoolWithTaps, AveragePool and LpPool: channel blocks for CPUs, a simple one for anything."""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import Layout
from clconv.graph.ops.pool.pool import taps_that_matter
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Signature, Variant, register
from clconv.lowering.ops.pool.blocks import blocks_call, blocks_or_rows, lower_blocks_or_rows
from clconv.lowering.ops.pool.columns import COLUMNS
from clconv.lowering.ops.pool.local import local_variant
from clconv.lowering.ops.pool.window import (
    UNROLLED,
    begin_arguments,
    far_obstacle,
    pad_mode,
    parameters,
    reach,
    wanted_indices,
    window_arguments,
    window_parameters,
)
from clconv.lowering.shared.blocked import (
    blocked_obstacle,
    c_type,
    kernel_pad_mode,
    pair,
    plain_obstacle,
    stored_obstacle,
)
from clconv.lowering.shared.epilogue import plan_epilogue
from clconv.lowering.shared.groups import row_groups
from clconv.lowering.shared.tile_choice import READ_TOGETHER, lines_seconds
from clconv.lowering.shared.work_split import nested

_MOST_TAPS = 64  # of a window that is unrolled whole
_PIXELS = 4  # results of a work-item on a GPU


def _blocked_applies(problem: Problem) -> str | None:
    if wanted_indices(problem):
        return "the indices of the maxima are wanted"
    return blocked_obstacle(problem) or far_obstacle(problem)


def _blocked_lower(problem: Problem) -> Lowered:
    block = problem.device.vector_width
    epilogue = plan_epilogue(problem, block)
    kernel = Kernel.of(
        "pool/blocked.cl.mako",
        "pool_blocked",
        block=block,
        pixels=4,
        unroll=problem.node.attrs.kernel_shape[-1] <= UNROLLED,
        pad_mode=pad_mode(problem),
        **window_parameters(problem),
        **parameters(problem, epilogue),
    )
    return blocks_call(problem, kernel, window_arguments(problem), epilogue.arguments)


# --- taps: channel blocks for CPUs, with the pixel that each maximum is ----------------------------------


def _taps_applies(problem: Problem) -> str | None:
    return blocked_obstacle(problem) or far_obstacle(problem)


def _taps_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [Signature((blocked,), (blocked,) * len(problem.outputs))]


def _taps_lower(problem: Problem) -> Lowered:
    if problem.y.size == 0:
        return Lowered()
    block = problem.device.vector_width
    kernel = Kernel.of(
        "pool/taps.cl.mako", "pool_taps", block=block, pixels=4, **window_parameters(problem)
    )
    taps = ("taps", Write(problem.node.outputs[1]))
    return blocks_call(problem, kernel, [taps, *begin_arguments(problem)])


# --- register: a register tile on plain tensors, for GPUs -----------------------------------------------


def _register_applies(problem: Problem) -> str | None:
    if wanted_indices(problem):
        return "the indices of the maxima are wanted"
    if math.prod(problem.node.attrs.kernel_shape) > _MOST_TAPS:
        return f"unrolls windows of up to {_MOST_TAPS} pixels"
    return plain_obstacle(problem) or far_obstacle(problem)


def _register_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    if y.size == 0:
        return Lowered()
    out = pair(y.shape[2:], 1)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "pool/register.cl.mako",
        "pool_register",
        pixels=_PIXELS,
        pad_mode=pad_mode(problem),
        **window_parameters(problem),
        **parameters(problem, epilogue),
    )
    local, (columns, row_items) = row_groups(problem.device, -(-out[1] // _PIXELS), out[0])
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("row_items", Scalar(row_items)),
        *window_arguments(problem),
        *epilogue.arguments,
    ]
    items = (columns, x.shape[0] * row_items, x.shape[1])
    return Lowered((problem.call(kernel, arguments, items, (*local, 1)),))


def _register_estimate(problem: Problem) -> float:
    """Items side by side begin their tiles of results apart: each of their loads reads as many lines as lie between."""
    if problem.device.is_cpu:
        return math.inf
    at, x, y = problem.node.attrs, problem.x, problem.y
    (height, width), (_, step) = pair(at.kernel_shape, 1), pair(at.strides, 1)
    columns = min((_PIXELS - 1) * step + width, _PIXELS * width)
    lines = min(_PIXELS * step * x.dtype.itemsize * READ_TOGETHER / 128, READ_TOGETHER)
    stored = _PIXELS * y.dtype.itemsize * READ_TOGETHER / 128
    groups = -(-y.size // (_PIXELS * READ_TOGETHER))
    accesses = height * columns * max(lines, 1) + _PIXELS * max(stored, 1)
    return lines_seconds(problem.device, groups, accesses, x.nbytes + y.nbytes)


# --- simple: anything -----------------------------------------------------------------------------------


def _lowest(problem: Problem) -> str:
    """C literal below every value of the element type: what a window without a pixel gives."""
    dtype = problem.x.dtype.numpy
    if dtype.kind == "f":
        return "-INFINITY"
    least = int(np.iinfo(dtype).min)
    return f"({least + 1}L - 1)" if least else "0"


def _simple_lower(problem: Problem) -> Lowered:
    at, x, y, node = problem.node.attrs, problem.x, problem.y, problem.node
    if y.size == 0:
        return Lowered()
    axes = range(x.rank - 2)
    pixels = math.prod(y.shape[2:])
    epilogue = plan_epilogue(problem)
    indices = wanted_indices(problem)
    place = "int" if reach(problem) < 1 << 30 else "long"
    kernel = Kernel.of(
        "pool/simple.cl.mako",
        "pool_simple",
        type=c_type(x.dtype),
        lowest=_lowest(problem),
        kernel=at.kernel_shape,
        strides=at.strides,
        dilations=at.dilations,
        pad_mode=kernel_pad_mode(at.pad_mode, x.shape[2:], at.pads),
        place=place,
        values=bool(node.outputs[0]),
        indices="taps" if indices and node.op == "MaxPoolWithTaps" else bool(indices),
        column_major=bool(at.get("storage_order")),
        **parameters(problem, epilogue),
    )
    chunk = pixels if problem.device.is_cpu else 1
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *([("y", Write(node.outputs[0]))] if node.outputs[0] else []),
        *([("indices", Write(indices))] if indices else []),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"begin{i}", Scalar(at.pads[i], place)) for i in axes),
        *((f"end{i}", Scalar(at.pads[i + x.rank - 2], place)) for i in axes),
        ("channels", Scalar(x.shape[1])),
        ("chunk", Scalar(chunk)),
        *epilogue.arguments,
    ]
    items = (-(-pixels // chunk), x.shape[0] * x.shape[1])
    return Lowered((problem.call(kernel, arguments, items),))


def _simple_applies(problem: Problem) -> str | None:
    if problem.node.attrs.pad_mode != "constant" and reach(problem) >= 1 << 30:
        return "the padded image or the window has 2^30 pixels along an axis, or more"
    return stored_obstacle(problem)


def _simple_rounds(problem: Problem) -> int:
    return nested(1, *taps_that_matter(problem.node, problem.x))


register(
    Variant("MaxPoolWithTaps", "taps", _taps_applies, _taps_lower, _taps_signatures),
    Variant("MaxPoolWithTaps", "simple", _simple_applies, _simple_lower, rounds=_simple_rounds),
)
register(COLUMNS)
for _op in ("MaxPool", "AveragePool", "LpPool"):
    register(
        local_variant(_op),
        Variant(_op, "register", _register_applies, _register_lower, estimate=_register_estimate),
        Variant(
            _op, "blocked", _blocked_applies, lower_blocks_or_rows(_blocked_lower), blocks_or_rows
        ),
        Variant(_op, "simple", _simple_applies, _simple_lower, rounds=_simple_rounds),
    )
