"""Variants of the operators that move whole axes: each is a handful of strided copies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import PLAIN, Layout
from clconv.graph.ops.movement.move import slice_call_ranges, split_sizes
from clconv.lowering.copies.boxes import Span
from clconv.lowering.copies.movement import (
    blocked_obstacle,
    blocked_signature,
    copy_box,
    node_call,
    out,
    outputs,
    part_offset,
    read,
    register_mover,
    with_axis,
)
from clconv.lowering.model.kernel import (
    Lowered,
    Placement,
    Problem,
    Signature,
    Variant,
    always,
    plain_signature,
    register,
)

# --- Transpose: reads and writes either layout ---------------------------------------------------------


def _transpose_lower(problem: Problem) -> Lowered:
    perm = problem.node.attrs.perm
    spans = [Span(problem.x.shape[p], p, i) for i, p in enumerate(perm)]
    return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))


def _transpose_signatures(problem: Problem) -> list[Signature]:
    plain = plain_signature(problem)
    if blocked_obstacle(problem):
        return plain
    blocked = Layout(problem.device.vector_width)
    return [
        *plain,
        Signature((blocked,), (PLAIN,)),
        Signature((PLAIN,), (blocked,)),
        Signature((blocked,), (blocked,)),
    ]


register(
    Variant("Transpose", "copy", always, _transpose_lower, _transpose_signatures),
    *(
        Variant(
            "Transpose",
            name,
            blocked_obstacle,
            _transpose_lower,
            lambda problem, place=place: [_transpose_signatures(problem)[place]],  # type: ignore[misc]
        )
        for place, name in ((1, "from-blocked"), (2, "to-blocked"), (3, "blocked"))
    ),
    Variant("Transpose", "plain", always, _transpose_lower),
)


# --- Concat and Split ------------------------------------------------------------------------------------


def _concat_lower(problem: Problem) -> Lowered:
    axis = problem.node.attrs.axis % problem.y.rank
    placements, calls, start = [], [], 0
    for i, name in enumerate(problem.node.op_inputs):
        source = read(problem, i)
        spans = with_axis(source[1], axis, target_start=start)
        copies = copy_box(problem, source, out(problem), spans)
        offset = part_offset(problem.y, source[1], axis, start)
        if offset is None:
            calls += copies
        else:
            placements.append(Placement(name, problem.node.outputs[0], offset, tuple(copies)))
        start += source[1].shape[axis]
    return Lowered(tuple(calls), placements=tuple(placements))


register_mover(
    "Concat",
    _concat_lower,
    always,
    lambda problem: blocked_signature(problem, range(len(problem.inputs))),
)


def _split_lower(problem: Problem) -> Lowered:
    axis = problem.node.attrs.axis % problem.x.rank
    sizes = _split_sizes(problem)
    placements, calls = [], []
    for i, write, spec in outputs(problem):
        start = sum(sizes[:i])
        spans = with_axis(spec, axis, source_start=start)
        copies = copy_box(problem, read(problem, 0), (write, spec), spans)
        offset = part_offset(problem.x, spec, axis, start)
        if offset is None:
            calls += copies
        else:
            source = problem.node.inputs[0]
            placements.append(Placement(problem.node.outputs[i], source, offset, tuple(copies)))
    return Lowered(tuple(calls), placements=tuple(placements))


def _split_sizes(problem: Problem) -> list[int]:
    """Sizes of all parts, those without a name too."""
    known = problem.constant(1) if problem.has(1) else None
    if known is not None:
        return [int(v) for v in known.reshape(-1)]
    at = problem.node.attrs
    return split_sizes(problem.x.shape[at.axis], at.num_outputs)


register_mover(
    "Split",
    _split_lower,
    always,
    blocked_signature,
)


# --- Slice, Expand, Tile ---------------------------------------------------------------------------------


def _slice_spans(problem: Problem) -> list[Span]:
    return [
        Span(len(kept), i, i, source_start=kept.start, source_step=kept.step)
        for i, kept in enumerate(slice_call_ranges(node_call(problem)))
    ]


def _slice_lower(problem: Problem) -> Lowered:
    spans = _slice_spans(problem)
    copies = tuple(copy_box(problem, read(problem, 0), out(problem), spans))
    cut = [i for i, size in enumerate(problem.x.shape) if problem.y.shape[i] != size]
    if len(cut) == 1 and all(span.source_step == 1 for span in spans):
        offset = part_offset(problem.x, problem.y, cut[0], spans[cut[0]].source_start)
        if offset is not None:
            node = problem.node
            return Lowered(placements=(Placement(node.outputs[0], node.inputs[0], offset, copies),))
    return Lowered(copies)


def _slice_obstacle(problem: Problem) -> str | None:
    channels = _slice_spans(problem)[1]
    if channels.source_step != 1 and channels.count > 1:
        return f"channels are taken in steps of {channels.source_step}"
    return None


register_mover("Slice", _slice_lower, _slice_obstacle, blocked_signature)


def _expand_lower(problem: Problem) -> Lowered:
    x, y = problem.x, problem.y
    new = y.rank - x.rank
    spans = [Span(size, None, i) for i, size in enumerate(y.shape[:new])]
    for i, size in enumerate(y.shape[new:]):
        step = 1 if x.shape[i] == size else 0
        spans.append(Span(size, i, i + new, source_step=step))
    return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))


def _expand_obstacle(problem: Problem) -> str | None:
    if problem.x.rank != problem.y.rank or problem.x.shape[1] != problem.y.shape[1]:
        return "the channels are repeated"
    return None


register_mover("Expand", _expand_lower, _expand_obstacle, blocked_signature)


def _repeats(problem: Problem) -> list[int]:
    known = problem.constant(1)
    assert known is not None  # the shape rule needed it
    return [int(v) for v in np.reshape(known, -1)]


def _tile_lower(problem: Problem) -> Lowered:
    spans = []
    for i, (size, repeat) in enumerate(zip(problem.x.shape, _repeats(problem), strict=True)):
        spans.append(Span(size, i, i))
        if repeat != 1:
            spans.append(Span(repeat, None, i, target_step=size))
    return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))


def _tile_obstacle(problem: Problem) -> str | None:
    return "the channels are repeated" if _repeats(problem)[1] != 1 else None


register_mover("Tile", _tile_lower, _tile_obstacle, blocked_signature)


# --- DepthToSpace and SpaceToDepth -----------------------------------------------------------------------


def _depth_spans(shape: Sequence[int], block: int, mode: str) -> list[Span]:
    """From (N, C * block^2, H, W) as axes 0..3 to (N, C, H * block, W * block); shape is the latter's."""
    batch, channels, height, width = shape
    # DCR: the source's channel is (row, column, channel); CRD: (channel, row, column).
    row, column, channel = (
        (block * channels, channels, 1) if mode == "DCR" else (block, 1, block * block)
    )
    return [
        Span(batch, 0, 0),
        Span(channels, 1, 1, source_step=channel),
        Span(height // block, 2, 2, target_step=block),
        Span(block, 1, 2, source_step=row),
        Span(width // block, 3, 3, target_step=block),
        Span(block, 1, 3, source_step=column),
    ]


def _depth_to_space_lower(problem: Problem) -> Lowered:
    at = problem.node.attrs
    spans = _depth_spans(problem.y.shape, at.blocksize, at.mode)
    return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))


def _space_to_depth_lower(problem: Problem) -> Lowered:
    at = problem.node.attrs
    spans = [
        Span(
            s.count,
            s.target_axis,
            s.source_axis,
            source_step=s.target_step,
            target_step=s.source_step,
        )
        for s in _depth_spans(problem.x.shape, at.blocksize, at.mode)
    ]
    return Lowered(tuple(copy_box(problem, read(problem, 0), out(problem), spans)))


register(Variant("DepthToSpace", "copy", always, _depth_to_space_lower))
register(Variant("SpaceToDepth", "copy", always, _space_to_depth_lower))
