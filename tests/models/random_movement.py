"""Random nodes that move elements: joined, cut, picked, turned."""

from __future__ import annotations

import numpy as np

from tests.models.random_graphs import NotHere, Value, Writer


def concat(w: Writer) -> Value:
    x = w.pick()
    axis = 1 if w.chance(0.7) else w.integer(0, x.rank - 1)
    if axis >= x.rank:
        raise NotHere

    def fits(y: Value) -> bool:
        return y.rank == x.rank and all(
            one[a] == other[a]
            for one, other in zip(x.shapes, y.shapes, strict=True)
            for a in range(x.rank)
            if a != axis
        )

    others = [w.pick([v for v in w.values if fits(v)]) for _ in range(w.integer(1, 3))]
    parts: list[Value | str] = [x, *others]
    if w.chance(0.15) and all(x.size(a) is not None for a in range(x.rank) if a != axis):
        shape = [x.size(a) or 1 for a in range(x.rank)]
        shape[axis] = 2
        parts.insert(w.integer(0, len(parts)), w.noise(*shape))
    return w.add("Concat", parts, axis=axis - x.rank if w.chance(0.2) else axis)


def split(w: Writer) -> Value:
    x = w.pick()
    axis = 1 if w.chance(0.7) else w.integer(0, x.rank - 1)
    size = x.size(axis) if axis < x.rank else None
    if size is None or size < 2:
        raise NotHere
    first = w.integer(1, size - 1)
    return w.add("Split", [x, w.constant([first, size - first], np.int64)], 2, axis=axis)


def take(w: Writer) -> Value:
    """A slice: steps, negative bounds, backwards; or a gather."""
    x = w.pick()
    axes = [a for a in range(x.rank) if w.chance(0.5) and x.least(a) > 2] or [x.rank - 1]
    if w.chance(0.25):
        axis = axes[0]
        indices = w.several(w.integer(1, 4), -x.least(axis), x.least(axis) - 1)
        return w.add("Gather", [x, w.constant(indices, np.int64)], axis=axis)
    starts, ends, steps = [], [], []
    for axis in axes:
        if w.chance(0.15):
            starts.append(-1), ends.append(-(2**31)), steps.append(-w.integer(1, 2))
        else:
            starts.append(w.integer(0, 1)), steps.append(w.one([1, 1, 2, 3]))
            ends.append(w.one([2**31 - 1, -1, x.least(axis)]))
    bounds = [w.constant(v, np.int64) for v in (starts, ends, axes, steps)]
    return w.add("Slice", [x, *bounds])


def transpose(w: Writer) -> Value:
    x = w.pick()
    if w.chance(0.3):
        perm = [int(p) for p in w.rng.permutation(x.rank)]
    elif w.chance(0.5):
        perm = [0, *range(2, x.rank), 1]
    else:
        perm = [0, x.rank - 1, *range(1, x.rank - 1)]
    if sorted(perm) != list(range(x.rank)):
        raise NotHere
    return w.add("Transpose", [x], perm=perm)


def reshape(w: Writer) -> Value:
    x = w.pick()
    kind = w.integer(0, 3)
    if kind == 0 and x.rank > 3:
        return w.add("Reshape", [x, w.constant([0, 0, -1], np.int64)])
    if kind == 1 and x.rank in (3, 4):
        channels = x.size(1)
        group = w.one(
            [g for g in (1, 2, 3, 4) if channels is not None and channels % g == 0] or [0]
        )
        if not group or x.rank != 4:
            raise NotHere
        parts = w.add(
            "Reshape", [x, w.constant([0, group, channels // group, -1], np.int64)]
        )  # a channel shuffle, but for its last reshape
        return w.add("Transpose", [parts], perm=[0, 2, 1, 3])
    if kind == 2 and x.rank < 5:
        return w.add("Unsqueeze", [x, w.constant([w.integer(1, x.rank)], np.int64)])
    ones = [a for a in range(1, x.rank) if x.size(a) == 1]
    if not ones or x.rank < 3:
        raise NotHere
    return w.add("Squeeze", [x, w.constant([w.one(ones)], np.int64)])


def along(w: Writer) -> Value:
    x = w.pick()
    axis = w.integer(0, x.rank - 1)
    op = w.one(["CumSum", "Hard"])
    if op == "CumSum":
        small = w.add("Tanh", [x])
        exclusive, reverse = w.several(2, 0, 1)
        return w.add(op, [small, w.constant(axis, np.int64)], exclusive=exclusive, reverse=reverse)
    return w.add("HardSigmoid", [x], alpha=0.3, beta=0.4)
