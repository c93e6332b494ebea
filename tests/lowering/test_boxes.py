"""Strided copies between layouts, carried out by NumPy: no device."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clconv.graph.ir import Layout, TensorSpec
from clconv.lowering.copies.boxes import Copy, CopyLoop, Span, box_copies, collapse
from clconv.lowering.model.arguments import layout_packing

NOTHING = -1


def stored(array: np.ndarray, layout: Layout) -> np.ndarray:
    return layout_packing(layout).function(array).reshape(-1)


def logical(memory: np.ndarray, spec: TensorSpec) -> np.ndarray:
    if spec.layout.is_plain:
        return memory.reshape(spec.shape)
    blocks = np.moveaxis(memory.reshape(spec.layout.physical(spec.shape)), -1, 2)
    merged = blocks.reshape(spec.shape[0], -1, *spec.shape[2:])
    return merged[:, : spec.shape[1]]


def carry_out(copies: list[Copy], source: np.ndarray, target: np.ndarray) -> int:
    """Runs the copies, each collapsed, and returns how many elements they wrote."""
    written = 0
    for copy in map(collapse, copies):
        for index in itertools.product(*(range(axis.size) for axis in copy.axes)):
            read = copy.source + sum(i * a.source for i, a in zip(index, copy.axes, strict=True))
            write = copy.target + sum(i * a.target for i, a in zip(index, copy.axes, strict=True))
            assert read >= 0 and write >= 0
            target[write] = source[read]
            written += 1
    return written


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a copy of some channels: how it is stored, and channels before and behind them."""

    layout: Layout
    before: int
    behind: int


layouts = st.sampled_from([Layout(1), Layout(4), Layout(8)])
ends = st.builds(End, layouts, st.integers(0, 9), st.integers(0, 3))


@settings(max_examples=150, deadline=None)
@given(ends, ends, st.integers(1, 2), st.integers(1, 19))
def test_a_range_of_channels_goes_where_it_should(
    source_end: End, target_end: End, batch: int, count: int
) -> None:
    from_layout, to_layout = source_end.layout, target_end.layout
    from_start, to_start = source_end.before, target_end.before
    if 1 not in (from_layout.block, to_layout.block):
        to_layout = from_layout
    source = TensorSpec((batch, from_start + count + source_end.behind, 2, 3)).with_layout(
        from_layout
    )
    target = TensorSpec((batch, to_start + count + target_end.behind, 2, 3)).with_layout(to_layout)
    values = np.arange(source.size, dtype=np.float32).reshape(source.shape)
    memory = np.full(target.nbytes // 4, NOTHING, np.float32)
    spans = [Span(size, i, i) for i, size in enumerate(source.shape)]
    spans[1] = Span(count, 1, 1, source_start=from_start, target_start=to_start)

    copies = box_copies(source, target, spans)
    carry_out(copies, stored(values, from_layout), memory)

    found = logical(memory, target)
    np.testing.assert_array_equal(
        found[:, to_start : to_start + count], values[:, from_start : from_start + count]
    )
    assert (found[:, :to_start] == NOTHING).all()
    assert (found[:, to_start + count :] == NOTHING).all()
    assert len(copies) <= 4


@pytest.mark.parametrize("perm", list(itertools.permutations(range(4))), ids=str)
@pytest.mark.parametrize("blocks", [(1, 1), (4, 1), (1, 4), (4, 4)], ids=str)
def test_axes_change_places_between_layouts(perm: tuple[int, ...], blocks: tuple[int, int]) -> None:
    values = np.arange(2 * 7 * 3 * 5, dtype=np.float32).reshape(2, 7, 3, 5)
    moved = values.transpose(perm)
    source = TensorSpec(values.shape).with_layout(Layout(blocks[0]))
    target = TensorSpec(moved.shape).with_layout(Layout(blocks[1]))
    memory = np.full(target.nbytes // 4, NOTHING, np.float32)
    spans = [Span(values.shape[p], p, i) for i, p in enumerate(perm)]
    carry_out(box_copies(source, target, spans), stored(values, source.layout), memory)
    np.testing.assert_array_equal(logical(memory, target), moved)


def test_whole_blocks_are_one_run() -> None:
    spec = TensorSpec((2, 13, 5, 7)).with_layout(Layout(8))
    (copy,) = box_copies(spec, spec, [Span(size, i, i) for i, size in enumerate(spec.shape)])
    assert collapse(copy).axes == (CopyLoop(2 * 16 * 5 * 7, 1, 1),)


def test_loops_that_follow_on_each_other_merge() -> None:
    copy = Copy(
        (CopyLoop(5, 1, 1), CopyLoop(1, 99, 98), CopyLoop(3, 10, 5), CopyLoop(2, 100, 15)), 7, 8
    )
    assert collapse(copy) == Copy(
        (CopyLoop(2, 100, 15), CopyLoop(3, 10, 5), CopyLoop(5, 1, 1)), 7, 8
    )
    assert collapse(Copy((CopyLoop(3, 5, 5), CopyLoop(5, 1, 1)))).axes == (CopyLoop(15, 1, 1),)


def test_loops_too_long_for_an_int_stay_apart() -> None:
    axes = (CopyLoop(1 << 20, 1 << 20, 1 << 20), CopyLoop(1 << 20, 1, 1))
    assert collapse(Copy(axes)).axes == axes


def test_an_empty_box_needs_no_copy() -> None:
    spec = TensorSpec((2, 0, 3))
    assert box_copies(spec, spec, [Span(size, i, i) for i, size in enumerate(spec.shape)]) == []


def test_channel_blocks_refuse_steps() -> None:
    spec = TensorSpec((1, 8, 2)).with_layout(Layout(4))
    with pytest.raises(ValueError, match="step"):
        box_copies(spec, spec, [Span(1, 0, 0), Span(4, 1, 1, source_step=2), Span(2, 2, 2)])
