"""Gradients of what moves data: it is moved back, and what was left out gets nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def identity(back: Backward) -> Sequence[str]:
    """Of what hands its first input on: Identity, and Dropout where nothing drops."""
    return _alone(back, back.gradient())


def reshaped(back: Backward) -> Sequence[str]:
    """Of whatever keeps all elements in their order. Further inputs are shapes."""
    return _alone(back, back.reshape(back.gradient(), back.spec().shape))


def cast(back: Backward) -> Sequence[str]:
    return _alone(back, back.cast(back.gradient(), back.spec().dtype))


def transpose(back: Backward) -> Sequence[str]:
    perm = back.attrs.perm or tuple(range(back.spec().rank))[::-1]
    return [back.transpose(back.gradient(), [int(i) for i in np.argsort(perm)])]


def concat(back: Backward) -> Sequence[str]:
    axis, found, start = back.attrs.axis % back.result.rank, list[str](), 0
    for i in range(len(back.node.inputs)):
        end = start + back.spec(i).shape[axis]
        found.append(
            sliced(back, back.gradient(), [(axis, start, end, 1)]) if back.wants(i) else ""
        )
        start = end
    return found


def split(back: Backward) -> Sequence[str]:
    parts = [back.gradient(i) for i in range(len(back.node.outputs))]
    return _alone(back, back.one("Concat", *parts, axis=back.attrs.axis))


def slice_(back: Backward) -> Sequence[str]:
    """Back to the places it came from: turned where the step is negative, with zeros between and around."""
    x, given = back.spec(), [back.value(i) for i in range(1, len(back.node.inputs))]
    starts, ends, *more = [None if v is None else [int(n) for n in v.reshape(-1)] for v in given]
    assert starts is not None and ends is not None
    axes = (more[0] if more else None) or range(len(starts))
    steps = (more[1] if len(more) > 1 else None) or [1] * len(starts)
    kept = [range(n) for n in x.shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        kept[axis % x.rank] = range(*slice(start, end, step).indices(x.shape[axis % x.rank]))
    if not all(kept):
        return _alone(back, back.zeros(x))
    return _alone(back, placed(back, back.gradient(), kept, x.shape))


def placed(back: Backward, name: str, kept: Sequence[range], shape: Sequence[int]) -> str:
    """Zeros of a shape, with the value's elements at kept[axis] along each axis. No range is empty."""
    turned = [
        (i, n - 1, -n - 1, -1) for i, r in enumerate(kept) if r.step < 0 and (n := len(r)) > 1
    ]
    name = sliced(back, name, turned)
    rising = [r[::-1] if r.step < 0 else r for r in kept]
    steps = [r.step if len(r) > 1 else 1 for r in rising]
    if any(s > 1 for s in steps):  # zeros behind each element
        apart, joined = list[int](), list[int]()
        for r in rising:
            apart += [len(r), 1]
        for r, step in zip(rising, steps, strict=True):
            joined.append(len(r) * step)
        ends = [n for step in steps for n in (0, step - 1)]
        name = padded(back, back.reshape(name, apart), [0] * len(ends), ends)
        name = back.reshape(name, joined)
    begins = [r[0] for r in rising]
    ends = [
        n - begin - len(r) * step
        for n, begin, r, step in zip(shape, begins, rising, steps, strict=True)
    ]
    return padded(back, name, begins, ends)


def sliced(back: Backward, name: str, ranges: Sequence[tuple[int, int, int, int]]) -> str:
    """A slice; ranges: (axis, start, end, step) of the axes that it cuts."""
    shape = back.spec_of(name).shape
    if all((start, end, step) == (0, shape[axis], 1) for axis, start, end, step in ranges):
        return name
    axes, starts, ends, steps = (back.ints(*column) for column in zip(*ranges, strict=True))
    return back.one("Slice", name, starts, ends, axes, steps)


def padded(back: Backward, name: str, begins: Sequence[int], ends: Sequence[int]) -> str:
    """Zeros around; negative ones cut."""
    if not any(begins) and not any(ends):
        return name
    if max(*begins, *ends) <= 0:
        shape = back.spec_of(name).shape
        cut = [
            (i, -begin, n + end, 1)
            for i, (n, begin, end) in enumerate(zip(shape, begins, ends, strict=True))
        ]
        return sliced(back, name, [r for r in cut if r[1] or r[2] != shape[r[0]]])
    return back.one("Pad", name, back.ints(*begins, *ends), mode="constant")


def expand(back: Backward) -> Sequence[str]:
    return _alone(back, back.sum_to(back.gradient(), back.spec().shape))


def tile(back: Backward) -> Sequence[str]:
    x, y = back.spec().shape, back.result.shape
    if not back.result.size:
        return _alone(back, back.zeros(back.spec()))
    apart = [n for size, all_ in zip(x, y, strict=True) for n in (all_ // size, size)]
    repeats = [2 * i for i in range(len(x)) if apart[2 * i] != 1]
    total = back.sum(back.reshape(back.gradient(), apart), repeats)
    return _alone(back, back.reshape(total, x))


def inverse(op: str) -> Callable[[Backward], Sequence[str]]:
    """Of what another operator with the same attributes undoes."""
    return lambda back: [back.one(op, back.gradient(), **back.attrs)]


def same(back: Backward) -> Sequence[str]:
    """Of what is its own adjoint: Trilu and ReverseSequence."""
    others = [n for n in back.node.inputs[1:] if n]
    return _alone(back, back.one(back.node.op, back.gradient(), *others, **back.attrs))


def _alone(back: Backward, first: str) -> Sequence[str]:
    return [first, *[""] * (len(back.node.inputs) - 1)]
