"""Variants of MaxPool, AveragePool and LpPool: channel blocks for CPUs, and a simple one for anything."""

from __future__ import annotations

import math

import numpy as np

from clconv.graph.ir import DType, Layout
from clconv.lowering.arguments import Argument, Scalar, Write
from clconv.lowering.blocked import (
    blocked_obstacle,
    blocked_signature,
    c_type,
    pair,
    rows_an_item,
    stored_obstacle,
)
from clconv.lowering.epilogue import epilogue_obstacle, plan_epilogue
from clconv.lowering.groups import group_estimate, row_groups
from clconv.lowering.kernel import (
    Kernel,
    Lowered,
    Problem,
    Signature,
    Variant,
    register,
)
from clconv.lowering.obstacles import computed

_KINDS = {"MaxPool": "max", "AveragePool": "average", "LpPool": "lp"}
# Windows this wide or narrower are unrolled along the width.
_UNROLLED = 8
_MOST_TAPS = 64  # of a window that is unrolled whole
_PIXELS = 4  # results of a work-item on a GPU


def _indices(problem: Problem) -> str:
    """Name of MaxPool's Indices output, empty if nobody wants it."""
    outputs = problem.node.outputs
    return outputs[1] if len(outputs) > 1 else ""


def _pad_mode(problem: Problem) -> str:
    """The node's padding mode, "none" if no window ever leaves the image."""
    at = problem.node.attrs
    return at.pad_mode if any(at.pads) or at.ceil_mode else "none"


def _counts_pads(problem: Problem) -> bool:
    at = problem.node.attrs
    return bool(at.get("count_include_pad")) or at.pad_mode != "constant"


def _blocked_applies(problem: Problem) -> str | None:
    if _indices(problem):
        return "the indices of the maxima are wanted"
    return blocked_obstacle(problem)


def _blocked_signatures(problem: Problem) -> list[Signature]:
    blocked = Layout(problem.device.vector_width)
    return [blocked_signature(problem, blocked, blocked)]


def _blocked_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    if y.size == 0:
        return Lowered()
    block, spatial = problem.device.vector_width, x.rank - 2
    size, out = pair(x.shape[2:], 1), pair(y.shape[2:], 1)
    kernel_shape = pair(at.kernel_shape, 1)
    begin, end = pair(at.pads[:spatial], 0), pair(at.pads[spatial:], 0)
    blocks = -(-x.shape[1] // block)
    epilogue = plan_epilogue(problem, block)
    kernel = Kernel.of(
        "pool/blocked.cl.mako",
        "pool_blocked",
        kind=_KINDS[problem.node.op],
        power=at.get("p", 1),
        block=block,
        pixels=4,
        unroll=kernel_shape[1] <= _UNROLLED,
        kernel=kernel_shape,
        strides=pair(at.strides, 1),
        dilations=pair(at.dilations, 1),
        pad_mode=_pad_mode(problem),
        count_pads=_counts_pads(problem),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    rows = rows_an_item(problem, out[0], blocks * x.shape[0])
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("height", Scalar(size[0])),
        ("width", Scalar(size[1])),
        ("out_height", Scalar(out[0])),
        ("out_width", Scalar(out[1])),
        ("pad_top", Scalar(begin[0])),
        ("pad_left", Scalar(begin[1])),
        ("pad_bottom", Scalar(end[0])),
        ("pad_right", Scalar(end[1])),
        ("rows", Scalar(rows)),
        *epilogue.arguments,
    ]
    items = (-(-out[0] // rows), blocks, x.shape[0])
    return Lowered((problem.call(kernel, arguments, items),))


# --- register: a register tile on plain tensors, for GPUs -----------------------------------------------


def _register_applies(problem: Problem) -> str | None:
    if _indices(problem):
        return "the indices of the maxima are wanted"
    if computed(problem.x.dtype) is not DType.FLOAT32:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not 3 <= problem.x.rank <= 4:
        return f"needs one or two spatial axes, got {problem.x.rank - 2}"
    if math.prod(problem.node.attrs.kernel_shape) > _MOST_TAPS:
        return f"unrolls windows of up to {_MOST_TAPS} pixels"
    return epilogue_obstacle(problem)


def _register_lower(problem: Problem) -> Lowered:
    at, x, y = problem.node.attrs, problem.x, problem.y
    if y.size == 0:
        return Lowered()
    spatial = x.rank - 2
    size, out = pair(x.shape[2:], 1), pair(y.shape[2:], 1)
    begin, end = pair(at.pads[:spatial], 0), pair(at.pads[spatial:], 0)
    epilogue = plan_epilogue(problem)
    kernel = Kernel.of(
        "pool/register.cl.mako",
        "pool_register",
        kind=_KINDS[problem.node.op],
        power=at.get("p", 1),
        pixels=_PIXELS,
        kernel=pair(at.kernel_shape, 1),
        strides=pair(at.strides, 1),
        dilations=pair(at.dilations, 1),
        pad_mode=_pad_mode(problem),
        count_pads=_counts_pads(problem),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("channels", Scalar(x.shape[1])),
        ("height", Scalar(size[0])),
        ("width", Scalar(size[1])),
        ("out_height", Scalar(out[0])),
        ("out_width", Scalar(out[1])),
        ("pad_top", Scalar(begin[0])),
        ("pad_left", Scalar(begin[1])),
        ("pad_bottom", Scalar(end[0])),
        ("pad_right", Scalar(end[1])),
        *epilogue.arguments,
    ]
    local, whole = row_groups(problem.device, -(-out[1] // _PIXELS), out[0])
    items = (*whole, x.shape[0] * x.shape[1])
    return Lowered((problem.call(kernel, arguments, items, (*local, 1)),))


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
    indices = _indices(problem)
    kernel = Kernel.of(
        "pool/simple.cl.mako",
        "pool_simple",
        kind=_KINDS[node.op],
        power=at.get("p", 1),
        type=c_type(x.dtype),
        lowest=_lowest(problem),
        kernel=at.kernel_shape,
        strides=at.strides,
        dilations=at.dilations,
        pad_mode=at.pad_mode,
        count_pads=_counts_pads(problem),
        values=bool(node.outputs[0]),
        indices=bool(indices),
        column_major=bool(at.get("storage_order")),
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    chunk = pixels if problem.device.is_cpu else 1
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *([("y", Write(node.outputs[0]))] if node.outputs[0] else []),
        *([("indices", Write(indices))] if indices else []),
        *((f"size{i}", Scalar(x.shape[2 + i])) for i in axes),
        *((f"out{i}", Scalar(y.shape[2 + i])) for i in axes),
        *((f"begin{i}", Scalar(at.pads[i])) for i in axes),
        *((f"end{i}", Scalar(at.pads[i + x.rank - 2])) for i in axes),
        ("channels", Scalar(x.shape[1])),
        ("chunk", Scalar(chunk)),
        *epilogue.arguments,
    ]
    items = (-(-pixels // chunk), x.shape[0] * x.shape[1])
    return Lowered((problem.call(kernel, arguments, items),))


for _op in _KINDS:
    register(
        Variant(_op, "register", _register_applies, _register_lower, estimate=group_estimate),
        Variant(_op, "blocked", _blocked_applies, _blocked_lower, _blocked_signatures),
        Variant(_op, "simple", stored_obstacle, _simple_lower),
    )
