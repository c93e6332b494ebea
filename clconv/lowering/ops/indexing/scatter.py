"""Variants of ScatterElements and ScatterND: the data is copied, then updated in place.

Updates that may meet in one place belong to one item, which does them in order: with or without a
reduction the result is the same on every run. An update whose index is only known at run time and lies
outside its axis is left out; indices known beforehand were checked by the shape rules.
"""

from __future__ import annotations

import math

from clconv.graph.ir import DType
from clconv.lowering.copies.movement import copy_box, out, read, whole
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES, MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.fill import element_chunk
from clconv.lowering.shared.indexed import index_type, row_strides
from clconv.lowering.shared.work_split import nested

# What becomes of a value `a` in the data that an update `b` meets.
_COMBINE = {
    "none": "b",
    "add": "a + b",
    "mul": "a * b",
    "max": "(a > b || a != a) ? a : b",
    "min": "(a < b || a != a) ? a : b",
}
_COMBINE_INTEGERS = {"max": "a > b ? a : b", "min": "a < b ? a : b"}  # no NaN to look for
_COMBINE_BOOL = {"none": "b", "add": "a || b", "mul": "a && b", "max": "a || b", "min": "a && b"}


def _combine(problem: Problem) -> str:
    if problem.x.dtype is DType.BOOL:
        return _COMBINE_BOOL[problem.node.attrs.reduction]
    table = _COMBINE if problem.x.dtype.is_float else {**_COMBINE, **_COMBINE_INTEGERS}
    return table[problem.node.attrs.reduction]


def _type(problem: Problem) -> str:
    """The type that updates are combined in; bits where they only replace."""
    dtype = problem.x.dtype
    return (
        MOVE_TYPES[dtype.itemsize]
        if problem.node.attrs.reduction == "none"
        else C_TYPES[dtype.value]
    )


def _obstacle(problem: Problem) -> str | None:
    return None if problem.node.attrs.reduction == "none" else arithmetic_obstacle(problem)


def _copied(problem: Problem) -> list[KernelCall]:
    return copy_box(problem, read(problem, 0), out(problem), whole(problem.x))


def _elements_lower(problem: Problem) -> Lowered:
    x, indices = problem.x, problem.input(1)
    calls = _copied(problem)
    if not x.size or not indices.size:
        return Lowered(tuple(calls))
    axis = problem.node.attrs.axis % x.rank
    others = [i for i in range(x.rank) if i != axis]
    lines = indices.size // indices.shape[axis]
    chunk = max(1, element_chunk(problem, indices.size) // indices.shape[axis])
    strides, update_strides = row_strides(x.shape), row_strides(indices.shape)
    kernel = Kernel.of(
        "indexing/scatter/elements.cl.mako",
        "scatter_elements",
        type=_type(problem),
        index=index_type(indices),
        others=len(others),
        combine=_combine(problem),
    )
    arguments: list[tuple[str, Argument]] = [
        ("indices", problem.argument(1)),
        ("updates", problem.argument(2)),
        ("y", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(indices.shape[o])) for i, o in enumerate(others)),
        *((f"from_stride{i}", Scalar(update_strides[o], "long")) for i, o in enumerate(others)),
        *((f"to_stride{i}", Scalar(strides[o], "long")) for i, o in enumerate(others)),
        ("length", Scalar(indices.shape[axis])),
        ("limit", Scalar(x.shape[axis])),
        ("from_stride", Scalar(update_strides[axis], "long")),
        ("to_stride", Scalar(strides[axis], "long")),
        ("lines", Scalar(lines)),
        ("chunk", Scalar(chunk)),
    ]
    return Lowered((*calls, problem.call(kernel, arguments, (-(-lines // chunk),))))


def _nd_lower(problem: Problem) -> Lowered:
    x, indices, updates = problem.x, problem.input(1), problem.input(2)
    calls = _copied(problem)
    if not x.size or not updates.size:
        return Lowered(tuple(calls))
    depth = indices.shape[-1]
    sizes, columns = x.shape[:depth], math.prod(x.shape[depth:])
    rows, count = math.prod(sizes), math.prod(indices.shape[:-1])
    # Every item reads all indices and does the updates of the rows that it owns.
    is_cpu, units = problem.device.is_cpu, problem.device.compute_units
    column_chunk = max(256, -(-columns // units)) if is_cpu else 1
    column_items = -(-columns // column_chunk)
    owners = max(1, units // column_items) if is_cpu else max(1, (1 << 14) // column_items)
    row_chunk = max(1, -(-rows // owners))
    kernel = Kernel.of(
        "indexing/scatter/rows.cl.mako",
        "scatter_rows",
        type=_type(problem),
        index=index_type(indices),
        depth=depth,
        combine=_combine(problem),
    )
    arguments: list[tuple[str, Argument]] = [
        ("indices", problem.argument(1)),
        ("updates", problem.argument(2)),
        ("y", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(sizes)),
        ("count", Scalar(count)),
        ("rows", Scalar(rows)),
        ("columns", Scalar(columns)),
        ("row_chunk", Scalar(row_chunk)),
        ("column_chunk", Scalar(column_chunk)),
    ]
    items = (column_items, -(-rows // row_chunk))
    return Lowered((*calls, problem.call(kernel, arguments, items)))


def _elements_rounds(problem: Problem) -> int:
    indices = problem.input(1)
    return nested(1, indices.shape[problem.node.attrs.axis % problem.x.rank])


def _nd_rounds(problem: Problem) -> int:
    return nested(math.prod(problem.input(1).shape[:-1]), 1)


register(
    Variant("ScatterElements", "lines", _obstacle, _elements_lower, rounds=_elements_rounds),
    Variant("ScatterND", "rows", _obstacle, _nd_lower, rounds=_nd_rounds),
)
