"""Boxes of elements between any two layouts, described as strided copies.

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
from clconv.records import record

_LONGEST = 2**31 - 1  # kernels count with int


@record(frozen=True)
class CopyLoop:
    """A loop: how many times, and how far each step goes in source and target, in elements."""

    size: int
    source: int
    target: int


@record(frozen=True)
class Copy:
    """Elements that a nest of loops moves, from one offset to another, in elements."""

    axes: tuple[CopyLoop, ...]
    source: int = 0
    target: int = 0

    @property
    def size(self) -> int:
        return math.prod(axis.size for axis in self.axes)


@record(frozen=True)
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
        axis = CopyLoop(span.count, from_stride * span.source_step, to_stride * span.target_step)
        return [Copy((axis,), from_stride * span.source_start, to_stride * span.target_start)]
    if span.count > 1 and (span.source_step, span.target_step) != (1, 1):
        raise ValueError("a span along channel blocks has a step")

    def place(index: int, block: int, stride: int) -> int:
        return index // block * stride + index % block

    found = []
    for i, blocks, step, lanes in _runs(_whole_blocks(source, target, span), from_block, to_block):
        axes = (
            CopyLoop(
                blocks,
                from_stride * step // from_block,
                to_stride * step // to_block,
            ),
            CopyLoop(
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
    merged: list[CopyLoop] = []
    for axis in axes:
        if merged:
            outer = merged[-1]
            one_run = (outer.source, outer.target) == (
                axis.source * axis.size,
                axis.target * axis.size,
            )
            if one_run and outer.size * axis.size <= _LONGEST:
                merged[-1] = CopyLoop(outer.size * axis.size, axis.source, axis.target)
                continue
        merged.append(axis)
    return Copy(tuple(merged), copy.source, copy.target)
