"""Variants of Trilu, ReverseSequence, CumSum and CumProd."""

from __future__ import annotations

import math

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES, MOVE_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem, Variant, always, register
from clconv.lowering.model.obstacles import arithmetic_obstacle, has_double
from clconv.lowering.shared.fill import element_chunk
from clconv.lowering.shared.indexed import index_type, move_width, row_chunks
from clconv.lowering.shared.work_split import nested


def _trilu_lower(problem: Problem) -> Lowered:
    x = problem.x
    if not x.size:
        return Lowered()
    height, width = x.shape[-2:]
    rows = x.size // width
    row_chunk, column_chunk, items = row_chunks(problem, rows, width)
    known = problem.constant(1) if problem.has(1) else None
    runtime = problem.has(1) and known is None
    diagonal = 0 if known is None else int(known.reshape(-1)[0])
    kernel = Kernel.of(
        "movement/rearrange/trilu.cl.mako",
        "trilu",
        type=MOVE_TYPES[x.dtype.itemsize],
        width=move_width(problem, x.dtype.itemsize),
        upper=bool(problem.node.attrs.upper),
        given=index_type(problem.input(1)) if runtime else "",
    )
    # Past the corners nothing changes any more; so the number fits an int whatever was asked.
    clamped = max(-height - width, min(height + width, diagonal))
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("k", problem.argument(1) if runtime else Scalar(clamped)),
        ("y", Write(problem.node.outputs[0])),
        ("height", Scalar(height)),
        ("columns", Scalar(width)),
        ("rows", Scalar(rows)),
        ("row_chunk", Scalar(row_chunk)),
        ("column_chunk", Scalar(column_chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, items),))


def _reverse_lower(problem: Problem) -> Lowered:
    x, at = problem.x, problem.node.attrs
    if not x.size:
        return Lowered()
    inner = math.prod(x.shape[2:])
    rows = x.shape[0] * x.shape[1]
    row_chunk, column_chunk, items = row_chunks(problem, rows, inner)
    kernel = Kernel.of(
        "movement/rearrange/reverse.cl.mako",
        "reverse_sequence",
        type=MOVE_TYPES[x.dtype.itemsize],
        index=index_type(problem.input(1)),
        width=move_width(problem, x.dtype.itemsize),
        time_first=at.time_axis == 0,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("lengths", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        ("steps", Scalar(x.shape[at.time_axis])),
        ("batch", Scalar(x.shape[at.batch_axis])),
        ("rows", Scalar(rows)),
        ("columns", Scalar(inner)),
        ("row_chunk", Scalar(row_chunk)),
        ("column_chunk", Scalar(column_chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, items),))


def _cumulative_lower(problem: Problem) -> Lowered:
    x, at = problem.x, problem.node.attrs
    if not x.size:
        return Lowered()
    known = problem.constant(1)
    assert known is not None  # the shape rule needed it
    axis = int(known.reshape(-1)[0]) % x.rank
    length, inner = x.shape[axis], math.prod(x.shape[axis + 1 :])
    lines = x.size // length
    lanes = 1
    if problem.device.is_cpu and problem.device.vector_width > 1:
        lanes = 8 if inner > 1 else 4
    chunk = max(1, element_chunk(problem, x.size) // length) if problem.device.is_cpu else 1
    # Four vectors of columns at a time, which need not wait for each other.
    at_once = 4 * lanes if inner >= 4 * lanes else lanes
    chunk = -(-chunk // at_once) * at_once
    wide = C_TYPES[x.dtype.value]
    if x.dtype.is_float and has_double(problem.device):
        wide = "double"  # long sums in float drift from the reference
    kernel = Kernel.of(
        "movement/rearrange/cumulative.cl.mako",
        "cumulative",
        type=C_TYPES[x.dtype.value],
        wide=wide,
        operator="+" if problem.node.op == "CumSum" else "*",
        exclusive=bool(at.exclusive),
        reverse=bool(at.reverse),
        lanes=lanes,
        beside=inner > 1,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("y", Write(problem.node.outputs[0])),
        ("length", Scalar(length)),
        ("inner", Scalar(inner)),
        ("lines", Scalar(lines)),
        ("chunk", Scalar(chunk)),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-lines // chunk),)),))


def _cumulative_rounds(problem: Problem) -> int:
    return nested(1, max(problem.x.shape, default=1))


register(Variant("Trilu", "rows", always, _trilu_lower))
register(Variant("ReverseSequence", "rows", always, _reverse_lower))
register(
    Variant("CumSum", "lines", arithmetic_obstacle, _cumulative_lower, rounds=_cumulative_rounds)
)
register(
    Variant("CumProd", "lines", arithmetic_obstacle, _cumulative_lower, rounds=_cumulative_rounds)
)
