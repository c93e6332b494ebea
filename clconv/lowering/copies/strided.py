"""Strided copies as kernel launches: by rows, by tiles where two axes change places, or interleaved."""

from __future__ import annotations

import dataclasses
import math

from clconv.graph.ops.base import Cost
from clconv.lowering.copies.boxes import Copy, CopyLoop, collapse
from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.c_types import MOVE_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import work_group_obstacle
from clconv.records import record

# Many devices limit the work-groups along the second and third axis to 65535.
MOST_GROUPS = 32768
_TILE = 8
_MOST_WAYS = 4
_LOCAL = (32, 8)  # work-items of a group that exchanges axes in local memory
_LOCAL_TILE = 32


def copy_call(
    problem: Problem,
    copy: Copy,
    source: Argument,
    target: Argument,
    itemsize: int,
    block: int = 1,
) -> KernelCall:
    """One launch that moves a copy of at least one element.

    block: lanes of the channel blocks on either side. A loop over a part of them is written out: its
    length follows from the number of channels and not from the input's size.
    """
    copy = collapse(copy)
    axes = copy.axes or (CopyLoop(1, 1, 1),)
    shape = _shape_of(problem, axes, itemsize)
    last = shape.axes[-1]
    parameters: dict[str, int | str] = {
        "type": MOVE_TYPES[itemsize],
        "outer": len(shape.axes) - 2,
    }
    if shape.kind == "rows":
        parameters["width"] = min(16, 32 // itemsize) if problem.device.is_cpu else 1
        parameters["run"] = last.size if last.size <= block > 1 else 0
        parameters["step"] = _step(last)
    elif shape.kind == "tiles":
        parameters["width"] = _tile_width(last.size, itemsize)
    elif shape.ways:
        parameters["kind"] = shape.kind
        parameters["ways"] = shape.ways
    kernel = Kernel.of(f"movement/{shape.template}.cl.mako", f"move_{shape.kind}", **parameters)
    work = _Work.of(problem, shape)
    outer = shape.axes[:-2]
    middle = shape.axes[-2]
    arguments: list[tuple[str, Argument]] = [
        ("x", source),
        ("y", target),
        ("x_offset", Scalar(copy.source, "long")),
        ("y_offset", Scalar(copy.target, "long")),
        *((f"size{i}", Scalar(axis.size)) for i, axis in enumerate(outer)),
        *((f"x_stride{i}", Scalar(axis.source, "long")) for i, axis in enumerate(outer)),
        *((f"y_stride{i}", Scalar(axis.target, "long")) for i, axis in enumerate(outer)),
        ("rows", Scalar(middle.size)),
        ("columns", Scalar(last.size)),
        ("x_row", Scalar(middle.source, "long")),
        ("y_row", Scalar(middle.target, "long")),
        ("x_column", Scalar(last.source, "long")),
        ("y_column", Scalar(last.target, "long")),
        ("planes", Scalar(work.planes)),
        ("plane_chunk", Scalar(work.plane_chunk)),
        ("row_chunk", Scalar(work.row_chunk)),
        ("column_chunk", Scalar(work.column_chunk)),
    ]
    cost = Cost(0, 2 * copy.size * itemsize)
    local = (*_LOCAL, 1) if shape.kind == "local" else None
    return problem.call(kernel, arguments, work.items, local, cost=cost)


def _tile_width(columns: int, itemsize: int) -> int:
    """Columns of a tile: where not much is copied twice, as many as a cache line holds of 32 bits, or half of one of 16."""
    return (
        2 * _TILE
        if itemsize in (2, 4) and (columns >= 4 * _TILE or columns == 2 * _TILE)
        else _TILE
    )


def _step(last: CopyLoop) -> str:
    """How the innermost loop walks the source, where a vector way to do it exists."""
    if last.target != 1:
        return "any"
    return {1: "one", 0: "zero", 2: "two", -1: "back"}.get(last.source, "any")


@record(frozen=True)
class _Shape:
    """A copy made ready for a template: at least two loops, in the order the kernel runs them.

    kind "rows": the last loop is the row. "tiles": the last loop runs along the target's neighbours, the
    one before it along the source's; "local": the same for GPUs. "weave" and "unravel": `ways` rows of one
    side lie interleaved on the other; the last loop runs along the rows, the one before it over the ways.
    """

    kind: str
    axes: tuple[CopyLoop, ...]
    ways: int = 0

    @property
    def template(self) -> str:
        return "weave" if self.kind in ("weave", "unravel") else self.kind


def _shape_of(problem: Problem, axes: tuple[CopyLoop, ...], itemsize: int) -> _Shape:
    last = axes[-1]
    along = [axis for axis in axes[:-1] if axis.source == 1]
    if last.target != 1 or last.source in (0, 1) or len(along) != 1:
        return _rows(axes)
    other = along[0]
    rest = tuple(axis for axis in axes[:-1] if axis is not other)
    if not problem.device.is_cpu:
        tile = _LOCAL_TILE * (_LOCAL_TILE + 1) * itemsize
        fits = work_group_obstacle(problem.device, tile, math.prod(_LOCAL)) is None
        worth = min(other.size, last.size) >= _TILE and other.size <= _LOCAL_TILE * MOST_GROUPS
        return _padded("local", (*rest, other, last)) if fits and worth else _rows(axes)
    if other.size >= _TILE and last.size <= _MOST_WAYS and other.target == last.size:
        return _padded("weave", (*rest, last, other), last.size)
    if last.size >= _TILE and other.size <= _MOST_WAYS and last.source == other.size:
        return _padded("unravel", (*rest, other, last), other.size)
    if min(other.size, last.size) >= _TILE:
        return _padded("tiles", (*rest, other, last))
    return _rows(axes)


def _padded(kind: str, axes: tuple[CopyLoop, ...], ways: int = 0) -> _Shape:
    missing = max(0, 2 - len(axes))
    return _Shape(kind, (CopyLoop(1, 0, 0),) * missing + axes, ways)


def _rows(axes: tuple[CopyLoop, ...]) -> _Shape:
    return _padded("rows", axes)


@record(frozen=True)
class _Work:
    """How the loops are shared out: planes (all loops but two), rows and columns for each item."""

    planes: int
    plane_chunk: int
    row_chunk: int
    column_chunk: int
    items: tuple[int, int, int]

    @classmethod
    def of(cls, problem: Problem, shape: _Shape) -> _Work:
        rows, columns = shape.axes[-2].size, shape.axes[-1].size
        planes = math.prod(axis.size for axis in shape.axes[:-2])
        if shape.kind == "local":
            plane_chunk = -(-planes // MOST_GROUPS)
            work = cls._chunked(planes, rows, columns, plane_chunk, _LOCAL_TILE, _LOCAL_TILE)
            across, down, deep = work.items
            return dataclasses.replace(work, items=(across * _LOCAL[0], down * _LOCAL[1], deep))
        if not problem.device.is_cpu:
            plane_chunk, row_chunk = -(-planes // MOST_GROUPS), -(-rows // MOST_GROUPS)
            return cls._chunked(planes, rows, columns, plane_chunk, row_chunk, 1)
        wanted = max(4096, rows * columns * planes // (8 * problem.device.compute_units))
        plane_chunk = max(1, wanted // (rows * columns))
        row_chunk, column_chunk = rows, columns
        # Tiles are cut along the target's rows, which is where the loop of the kernel is.
        if rows * columns > wanted:
            unit = _TILE if shape.kind == "tiles" else 1
            row_chunk = max(1, wanted // columns)
            row_chunk = -(-row_chunk // unit) * unit
            if shape.kind in ("weave", "unravel"):
                row_chunk = rows
            if columns > 2 * wanted:
                column_chunk = -(-wanted // 64) * 64
        return cls._chunked(planes, rows, columns, plane_chunk, row_chunk, column_chunk)

    @classmethod
    def _chunked(
        cls, planes: int, rows: int, columns: int, plane: int, row: int, column: int
    ) -> _Work:
        items = (-(-columns // column), -(-rows // row), -(-planes // plane))
        return cls(planes, plane, row, column, items)
