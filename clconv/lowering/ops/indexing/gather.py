"""Variants of Gather, GatherElements, GatherND and OneHot.

An index that is only known at run time and lies outside its axis is clamped to it: nothing outside the
tensor is read, and there is no error. Indices known beforehand were checked by the shape rules.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from clconv.lowering.copies.boxes import Span
from clconv.lowering.copies.movement import copy_box, out, read
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant, always, register
from clconv.lowering.shared.fill import element_chunk, fill_call
from clconv.lowering.shared.indexed import index_type, move_width, row_chunks, row_strides


def _gather_rows(
    problem: Problem, sizes: Sequence[int], inner: int, batch: int, count: int, shared: bool
) -> KernelCall:
    """Rows of `inner` elements at index vectors over axes of these sizes: `count` for each of `batch`
    images, the same ones for all if shared."""
    itemsize = problem.x.dtype.itemsize
    row_chunk, column_chunk, items = row_chunks(problem, batch * count, inner)
    kernel = Kernel.of(
        "indexing/gather/rows.cl.mako",
        "gather_rows",
        type=MOVE_TYPES[itemsize],
        index=index_type(problem.input(1)),
        width=move_width(problem, itemsize),
        depth=len(sizes),
        shared=shared,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("indices", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(sizes)),
        *((f"stride{i}", Scalar(s * inner, "long")) for i, s in enumerate(row_strides(sizes))),
        ("image", Scalar(math.prod(sizes) * inner, "long")),
        ("count", Scalar(count)),
        ("rows", Scalar(batch * count)),
        ("columns", Scalar(inner)),
        ("row_chunk", Scalar(row_chunk)),
        ("column_chunk", Scalar(column_chunk)),
    ]
    return problem.call(kernel, arguments, items)


def nothing_to_read(problem: Problem) -> Lowered | None:
    """What an operator does whose output or data has no elements: nothing, or zeros for want of data."""
    if not problem.y.size:
        return Lowered()
    if problem.x.size:
        return None
    write = Write(problem.node.outputs[0])
    return Lowered((fill_call(problem, write, 0, problem.y.size, problem.y.dtype),))


def _gather_lower(problem: Problem) -> Lowered:
    empty = nothing_to_read(problem)
    if empty is not None:
        return empty
    x, axis = problem.x, problem.node.attrs.axis % problem.x.rank
    places = _even_steps(problem, x.shape[axis])
    if places is not None:
        count = len(places)
        after = 1 if problem.input(1).rank else 0
        spans = [Span(size, i, i if i < axis else i - 1 + after) for i, size in enumerate(x.shape)]
        spans[axis] = Span(
            count, axis, axis if after else None, source_start=places.start, source_step=places.step
        )
        return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))
    batch, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    count = problem.input(1).size
    return Lowered((_gather_rows(problem, [x.shape[axis]], inner, batch, count, True),))


def _even_steps(problem: Problem, size: int) -> range | None:
    """Constant indices of rank 0 or 1 as a range, if they are one: then a slice does the same."""
    known = problem.constant(1)
    if known is None or known.ndim > 1 or not known.size:
        return None
    places = [int(i) % size for i in known.reshape(-1)]
    step = places[1] - places[0] if len(places) > 1 else 1
    even = step and all(b - a == step for a, b in itertools.pairwise(places))
    return range(places[0], places[0] + step * len(places), step) if even else None


def _gather_nd_lower(problem: Problem) -> Lowered:
    empty = nothing_to_read(problem)
    if empty is not None:
        return empty
    x, indices, batched = problem.x, problem.input(1), problem.node.attrs.batch_dims
    depth = indices.shape[-1]
    batch, inner = math.prod(x.shape[:batched]), math.prod(x.shape[batched + depth :])
    count = math.prod(indices.shape[batched:-1])
    sizes = x.shape[batched : batched + depth]
    return Lowered((_gather_rows(problem, sizes, inner, batch, count, False),))


def _gather_elements_lower(problem: Problem) -> Lowered:
    empty = nothing_to_read(problem)
    if empty is not None:
        return empty
    x, y = problem.x, problem.y
    axis = problem.node.attrs.axis % x.rank
    chunk = element_chunk(problem, y.size)
    kernel = Kernel.of(
        "indexing/gather/elements.cl.mako",
        "gather_elements",
        type=MOVE_TYPES[x.dtype.itemsize],
        index=index_type(problem.input(1)),
        rank=x.rank,
        axis=axis,
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        ("indices", problem.argument(1)),
        ("y", Write(problem.node.outputs[0])),
        *((f"size{i}", Scalar(size)) for i, size in enumerate(y.shape)),
        *((f"stride{i}", Scalar(s, "long")) for i, s in enumerate(row_strides(x.shape))),
        ("limit", Scalar(x.shape[axis])),
        ("total", Scalar(y.size, "long")),
        ("chunk", Scalar(chunk, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-y.size // chunk),)),))


def _one_hot_lower(problem: Problem) -> Lowered:
    y, indices = problem.y, problem.x
    if not y.size:
        return Lowered()
    axis = problem.node.attrs.axis % y.rank
    inner = math.prod(y.shape[axis + 1 :])
    chunk = element_chunk(problem, y.size)
    kernel = Kernel.of(
        "indexing/gather/one_hot.cl.mako",
        "one_hot",
        type=MOVE_TYPES[y.dtype.itemsize],
        index=index_type(indices),
        single=inner == 1,
    )
    arguments: list[tuple[str, Argument]] = [
        ("indices", problem.argument(0)),
        ("values", problem.argument(2)),
        ("y", Write(problem.node.outputs[0])),
        ("depth", Scalar(y.shape[axis])),
        ("inner", Scalar(inner)),
        ("total", Scalar(y.size, "long")),
        ("chunk", Scalar(chunk, "long")),
    ]
    return Lowered((problem.call(kernel, arguments, (-(-y.size // chunk),)),))


register(Variant("Gather", "rows", always, _gather_lower))
register(Variant("GatherND", "rows", always, _gather_nd_lower))
register(Variant("GatherElements", "elements", always, _gather_elements_lower))
register(Variant("OneHot", "elements", always, _one_hot_lower))
