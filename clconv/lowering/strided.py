"""Copies of boxes of elements between any two layouts: what most data movement comes down to.

A box is cut into copies that two strides an axis describe, one in the source and one in the target. A
channel axis that is stored in blocks becomes two such axes, (block, lane), and pieces before and after
the whole blocks where a range begins or ends inside one.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Cost
from clconv.lowering.kernel import Argument, Kernel, KernelCall, Problem, Scalar
from clconv.lowering.reorder import MOVE_TYPES

# Many devices limit the work-groups along the second and third axis to 65535.
MOST_GROUPS = 32768
_TILE = 8
_MOST_WAYS = 4


@dataclasses.dataclass(frozen=True)
class Axis:
    """A loop: how many times, and how far each step goes in source and target, in elements."""

    size: int
    source: int
    target: int


@dataclasses.dataclass(frozen=True)
class Copy:
    """Elements that a nest of loops moves, from one offset to another, in elements."""

    axes: tuple[Axis, ...]
    source: int = 0
    target: int = 0

    @property
    def size(self) -> int:
        return math.prod(axis.size for axis in self.axes)


@dataclasses.dataclass(frozen=True)
class Span:
    """A run of `count` indices: of one axis of the source onto one of the target, either of them None
    where there is none. A step of 0 reads the same place again; the source's may be negative."""

    count: int
    source_axis: int | None = None
    target_axis: int | None = None
    source_start: int = 0
    target_start: int = 0
    source_step: int = 1
    target_step: int = 1


def element_strides(spec: TensorSpec) -> tuple[int, ...]:
    """Distance between neighbours along each logical axis; for channel blocks, between blocks."""
    physical = spec.layout.physical(spec.shape)
    strides = [math.prod(physical[i + 1 :]) for i in range(len(physical))]
    return tuple(strides[: spec.rank])


def box_copies(source: TensorSpec, target: TensorSpec, spans: Sequence[Span]) -> list[Copy]:
    """The copies that fill a box of `target` from a box of `source`, both in the layouts of their specs.

    The box is the product of the spans. Along channel blocks a span's steps must be 1.
    """
    if any(span.count == 0 for span in spans):
        return []
    copies = []
    for pieces in itertools.product(*(_pieces(source, target, span) for span in spans)):
        axes = itertools.chain.from_iterable(piece.axes for piece in pieces)
        copies.append(
            Copy(tuple(axes), sum(p.source for p in pieces), sum(p.target for p in pieces))
        )
    return copies


def _block(spec: TensorSpec, axis: int | None) -> int:
    return spec.layout.block if axis == 1 else 1


def _pieces(source: TensorSpec, target: TensorSpec, span: Span) -> list[Copy]:
    from_block, to_block = _block(source, span.source_axis), _block(target, span.target_axis)
    from_stride = 0 if span.source_axis is None else element_strides(source)[span.source_axis]
    to_stride = 0 if span.target_axis is None else element_strides(target)[span.target_axis]
    if from_block == to_block == 1:
        axis = Axis(span.count, from_stride * span.source_step, to_stride * span.target_step)
        return [Copy((axis,), from_stride * span.source_start, to_stride * span.target_start)]
    if span.count > 1 and (span.source_step, span.target_step) != (1, 1):
        raise ValueError("a span along channel blocks has a step")

    def place(index: int, block: int, stride: int) -> int:
        return index // block * stride + index % block

    found = []
    for i, blocks, step, lanes in _runs(_whole_blocks(source, target, span), from_block, to_block):
        axes = (
            Axis(
                blocks,
                from_stride * step // from_block,
                to_stride * step // to_block,
            ),
            Axis(
                lanes,
                1 if from_block > 1 else from_stride,
                1 if to_block > 1 else to_stride,
            ),
        )
        found.append(
            Copy(
                axes,
                place(span.source_start + i, from_block, from_stride),
                place(span.target_start + i, to_block, to_stride),
            )
        )
    return found


def _whole_blocks(source: TensorSpec, target: TensorSpec, span: Span) -> Span:
    """The span with the last block's undefined lanes where they may be moved along."""
    block = _block(source, span.source_axis)
    aligned = (
        block == _block(target, span.target_axis)
        and span.source_start % block == span.target_start % block == 0
        and span.target_start + span.count == target.shape[1]
    )
    return dataclasses.replace(span, count=-(-span.count // block) * block) if aligned else span


def _runs(span: Span, from_block: int, to_block: int) -> list[tuple[int, int, int, int]]:
    """(first index, blocks, step, lanes) of runs of lanes that lie in one block on both sides.

    Runs alike in all but their block are one entry: every `step` indices, `blocks` times.
    """
    by_kind: dict[tuple[int, int, int], list[int]] = {}
    i = 0
    while i < span.count:
        lane = (span.source_start + i) % from_block
        to_lane = (span.target_start + i) % to_block
        left = [block - at for block, at in ((from_block, lane), (to_block, to_lane)) if block > 1]
        lanes = min(*left, span.count - i)
        by_kind.setdefault((lane, to_lane, lanes), []).append(i)
        i += lanes
    step = max(from_block, to_block)
    return [(starts[0], len(starts), step, lanes) for (_, _, lanes), starts in by_kind.items()]


def collapse(copy: Copy) -> Copy:
    """The same copy with the fewest loops, the target's largest stride outermost."""
    axes = sorted(
        (axis for axis in copy.axes if axis.size != 1), key=lambda a: (-a.target, -abs(a.source))
    )
    merged: list[Axis] = []
    for axis in axes:
        if merged:
            outer = merged[-1]
            if outer.source == axis.source * axis.size and outer.target == axis.target * axis.size:
                merged[-1] = Axis(outer.size * axis.size, axis.source, axis.target)
                continue
        merged.append(axis)
    return Copy(tuple(merged), copy.source, copy.target)


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
    axes = copy.axes or (Axis(1, 1, 1),)
    shape = _shape_of(problem, axes)
    last = shape.axes[-1]
    parameters: dict[str, int | str | bool] = {
        "kind": shape.kind,
        "type": MOVE_TYPES[itemsize],
        "outer": len(shape.axes) - 2,
    }
    if shape.kind == "rows":
        parameters["width"] = min(16, 32 // itemsize) if problem.device.is_cpu else 1
        parameters["run"] = last.size if last.size <= block > 1 else 0
        parameters["step"] = _step(last)
    else:
        parameters["ways"] = shape.ways
    kernel = Kernel.of(f"move/{shape.template}.cl.mako", f"move_{shape.kind}", **parameters)
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
    return problem.call(kernel, arguments, work.items, cost=cost)


def _step(last: Axis) -> str:
    """How the innermost loop walks the source, where a vector way to do it exists."""
    if last.target != 1:
        return "any"
    return {1: "one", 0: "zero", 2: "two", -1: "back"}.get(last.source, "any")


@dataclasses.dataclass(frozen=True)
class _Shape:
    """A copy made ready for a template: at least two loops, in the order the kernel runs them.

    kind "rows": the last loop is the row. "tiles": the last loop runs along the target's neighbours, the
    one before it along the source's. "weave" and "unravel": `ways` rows of one side lie interleaved on the
    other; the last loop runs along the rows, the one before it over the ways.
    """

    kind: str
    axes: tuple[Axis, ...]
    ways: int = 0

    @property
    def template(self) -> str:
        return "weave" if self.kind in ("weave", "unravel") else self.kind


def _shape_of(problem: Problem, axes: tuple[Axis, ...]) -> _Shape:
    if not problem.device.is_cpu:
        return _rows(axes)
    last = axes[-1]
    along = [axis for axis in axes[:-1] if axis.source == 1]
    if last.target != 1 or last.source in (0, 1) or len(along) != 1:
        return _rows(axes)
    other = along[0]
    rest = tuple(axis for axis in axes[:-1] if axis is not other)
    if other.size >= _TILE and last.size <= _MOST_WAYS and other.target == last.size:
        return _padded("weave", (*rest, last, other), last.size)
    if last.size >= _TILE and other.size <= _MOST_WAYS and last.source == other.size:
        return _padded("unravel", (*rest, other, last), other.size)
    if min(other.size, last.size) >= _TILE:
        return _padded("tiles", (*rest, other, last))
    return _rows(axes)


def _padded(kind: str, axes: tuple[Axis, ...], ways: int = 0) -> _Shape:
    missing = max(0, 2 - len(axes))
    return _Shape(kind, (Axis(1, 0, 0),) * missing + axes, ways)


def _rows(axes: tuple[Axis, ...]) -> _Shape:
    return _padded("rows", axes)


@dataclasses.dataclass(frozen=True)
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
