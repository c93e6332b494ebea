"""Moving whole axes: Transpose, Concat, Split, Slice, Expand and Tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, broadcast_shapes, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import index_values, known_axes, move_cost
from clconv.graph.rules import images, known, transposed
from clconv.graph.rules.gradient import movement as gradient


# Transpose: output axis i is input axis perm[i]; no perm reverses the axes.
def _settle_transpose(call: Call) -> Attributes:
    rank = call.spec(0).rank
    return call.attrs if call.attrs.perm else call.attrs.replace(perm=tuple(range(rank))[::-1])


def _infer_transpose(call: Call) -> Sequence[TensorSpec]:
    x, perm = call.spec(0), _settle_transpose(call).perm
    call.expect(
        sorted(perm) == list(range(x.rank)), f"perm {perm} is no permutation of {x.rank} axes"
    )
    return [TensorSpec(tuple(x.shape[p] for p in perm), x.dtype)]


def _transpose(at: Any, x: np.ndarray) -> np.ndarray:
    return np.transpose(x, at.perm or None).copy()


def _infer_concat(call: Call) -> Sequence[TensorSpec]:
    dtype = same_dtype(call, *range(len(call.specs)))
    first = call.spec(0)
    axis = call.axis(call.attrs.axis, first.rank)
    total = 0
    for i in range(len(call.specs)):
        shape = call.spec(i).shape
        call.expect(
            len(shape) == first.rank
            and all(
                d == e for j, (d, e) in enumerate(zip(shape, first.shape, strict=True)) if j != axis
            ),
            f"input {i} {shape} differs from {first.shape} in more than axis {axis}",
        )
        total += shape[axis]
    return [TensorSpec((*first.shape[:axis], total, *first.shape[axis + 1 :]), dtype)]


def _concat(at: Any, *arrays: np.ndarray) -> np.ndarray:
    return np.concatenate(arrays, at.axis)


# Split: parts from input 1, or num_outputs parts of ceil(size / num_outputs), the last one smaller.
def _settle_split(call: Call) -> Attributes:
    if call.has(1) or call.attrs.num_outputs:
        return call.attrs
    return call.attrs.replace(num_outputs=len(call.node.outputs))


def split_sizes(size: int, count: int) -> list[int]:
    """`count` parts of `size`, all of ceil(size / count) but the last, which may be negative."""
    part = -(-size // count)
    return [part] * (count - 1) + [size - part * (count - 1)]


def _infer_split(call: Call) -> Sequence[TensorSpec]:
    x, outputs = call.spec(0), len(call.node.outputs)
    axis = call.axis(call.attrs.axis, x.rank)
    size = x.shape[axis]
    if call.has(1):
        parts = list(index_values(call, 1))
        call.expect(not call.attrs.num_outputs, "split and num_outputs exclude each other")
    else:
        count = _settle_split(call).num_outputs
        call.expect(count >= 1, f"num_outputs {count} must be at least 1")
        parts = split_sizes(size, count)
    call.expect(len(parts) == outputs, f"{len(parts)} parts for {outputs} outputs")
    call.expect(
        min(parts, default=0) >= 0 and sum(parts) == size,
        f"parts {parts} do not make up the {size} of axis {axis}",
    )
    return [TensorSpec((*x.shape[:axis], p, *x.shape[axis + 1 :]), x.dtype) for p in parts]


def _split(at: Any, x: np.ndarray, split: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    parts = split_sizes(x.shape[at.axis], at.num_outputs) if split is None else split.tolist()
    ends = np.cumsum(parts)
    return tuple(
        np.take(x, range(end - part, end), at.axis) for part, end in zip(parts, ends, strict=True)
    )


def slice_ranges(
    shape: Sequence[int],
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> list[range]:
    """Which elements a Slice node keeps along each axis of a tensor of that shape.

    Python's own slices say it: negative positions count from the end, the rest is clamped.
    """
    kept = [range(size) for size in shape]
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = shape[axis]
        kept[axis % len(shape)] = range(*slice(start, end, step).indices(size))
    return kept


def slice_call_ranges(call: Call) -> list[range]:
    """The same for a Slice node, validated. Raises ShapeError or NeedsValue."""
    x = call.spec(0)
    starts, ends = index_values(call, 1), index_values(call, 2)
    axes = index_values(call, 3) if call.has(3) else tuple(range(len(starts)))
    steps = index_values(call, 4) if call.has(4) else (1,) * len(starts)
    call.expect(
        len(starts) == len(ends) == len(axes) == len(steps),
        f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps",
    )
    call.expect(0 not in steps, f"steps {steps} must not be 0")
    return slice_ranges(x.shape, starts, ends, known_axes(call, axes, x.rank), steps)


def _infer_slice(call: Call) -> Sequence[TensorSpec]:
    shape = tuple(len(kept) for kept in slice_call_ranges(call))
    return [TensorSpec(shape, call.spec(0).dtype)]


def _slice(
    at: Any,
    x: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    lists = [None if a is None else a.reshape(-1).tolist() for a in (starts, ends, axes, steps)]
    kept = slice_ranges(x.shape, *lists)  # type: ignore[arg-type]
    return x[np.ix_(*(np.array(k, np.int64) for k in kept))] if kept else x.copy()


def _infer_expand(call: Call) -> Sequence[TensorSpec]:
    wanted = index_values(call, 1)
    call.expect(min(wanted, default=0) >= 0, f"the shape {wanted} has a negative size")
    return [TensorSpec(broadcast_shapes(call, call.spec(0).shape, wanted), call.spec(0).dtype)]


def _expand(at: Any, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    wanted = np.broadcast_shapes(x.shape, tuple(shape.reshape(-1).tolist()))
    return np.broadcast_to(x, wanted).copy()


def _infer_tile(call: Call) -> Sequence[TensorSpec]:
    x, repeats = call.spec(0), index_values(call, 1)
    call.expect(len(repeats) == x.rank, f"{len(repeats)} repeats for {x.rank} axes")
    call.expect(min(repeats, default=0) >= 0, f"repeats {repeats} must not be negative")
    shape = tuple(d * r for d, r in zip(x.shape, repeats, strict=True))
    return [TensorSpec(shape, x.dtype)]


def _tile(at: Any, x: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    return np.tile(x, repeats.reshape(-1).tolist())


register(
    Op(
        "Transpose",
        _infer_transpose,
        _transpose,
        move_cost,
        {"perm": ()},
        settle=_settle_transpose,
        hooks=Hooks(
            known=known.transpose,
            shape_input=None,
            transposed=None,
            images=images.transpose,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.transpose,
        ),
    )
)
register(
    Op(
        "Concat",
        _infer_concat,
        _concat,
        move_cost,
        {"axis": REQUIRED},
        inputs=(1, None),
        hooks=Hooks(
            known=known.along_axis,
            shape_input=None,
            transposed=transposed.concat,
            images=images.concat,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.concat,
        ),
    )
)
register(
    Op(
        "Split",
        _infer_split,
        _split,
        move_cost,
        {"axis": 0, "num_outputs": 0},
        inputs=(1, 2),
        settle=_settle_split,
        hooks=Hooks(
            known=known.along_axis,
            shape_input=None,
            transposed=transposed.along_axis,
            images=images.along("axis"),
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.split,
        ),
    )
)
register(
    Op(
        "Slice",
        _infer_slice,
        _slice,
        move_cost,
        inputs=(3, 5),
        hooks=Hooks(
            known=known.unknown_sizes,
            shape_input=None,
            transposed=transposed.axes_input(3),
            images=images.sliced,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.slice_,
        ),
    )
)
register(
    Op(
        "Expand",
        _infer_expand,
        _expand,
        move_cost,
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=1,
            transposed=None,
            images=images.expand,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.expand,
        ),
    )
)
register(
    Op(
        "Tile",
        _infer_tile,
        _tile,
        move_cost,
        inputs=(2, 2),
        hooks=Hooks(
            known=known.unknown_sizes,
            shape_input=None,
            transposed=None,
            images=images.tile,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=gradient.tile,
        ),
    )
)
