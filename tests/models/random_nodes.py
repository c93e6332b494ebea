"""What a random graph is made of: each function adds one operator, or raises NotHere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from tests.models.random_graphs import NotHere, Value, Writer
from tests.models.random_images import (
    batch_norm,
    conv,
    conv_transpose,
    depth,
    global_pool,
    norm,
    pad,
    pool,
    resize,
    wrapped,
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A way to grow a graph, and how often it is chosen."""

    weight: int
    add: Callable[[Writer], object]


UNARY = [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "HardSigmoid",
    "Elu",
    "Selu",
    "Softplus",
    "Softsign",
    "Abs",
    "Neg",
    "Erf",
    "Gelu",
    "Mish",
    "Sin",
    "Cos",
    "ThresholdedRelu",
    "Celu",
    "Identity",
    "Atan",
]


def unary(w: Writer) -> Value:
    return w.add(w.one([u for u in UNARY if u != "ThresholdedRelu"]), [w.pick()])


def activation(w: Writer) -> Value:
    """What a fused epilogue is made of."""
    x = w.pick()
    kind = w.integer(0, 4)
    if kind == 0:
        bounds = [w.constant(-0.5 if w.chance(0.5) else 0.0), w.constant(w.one([0.8, 6.0]))]
        return w.add("Clip", [x, *w.one([bounds, bounds[:1], ["", bounds[1]]])])
    if kind == 1 and x.image:
        shape = [x.size(1), *[1] * (x.rank - 2)]
        return w.add(
            "PRelu", [x, w.constant(w.rng.uniform(0, 1, w.one([shape, [1] * len(shape)])))]
        )
    if kind == 2:
        return w.add("Mul", [x, w.add("Sigmoid", [x])])
    if kind == 3:
        return w.add("LeakyRelu", [x], alpha=0.1)
    return w.add("Relu", [x])


def with_constant(w: Writer) -> Value:
    """A constant beside a value: a scalar, one a channel, one a row or column, or a whole image."""
    x = w.pick()
    shape = [1] * x.rank
    for axis in range(x.rank):
        size = x.size(axis)
        if size is not None and w.chance(0.4):
            shape[axis] = size
    kept = w.one([shape, shape[1:], [], [1]])
    op = w.one(["Add", "Sub", "Mul", "Div", "Max", "Min"])
    other = w.positive(*kept) if op in ("Div", "Mul") else w.noise(*kept)
    return w.add(op, [x, other] if op == "Div" or w.chance(0.6) else [other, x])


def binary(w: Writer) -> Value:
    """Two values, of one shape or broadcast."""
    x = w.pick()

    def fits(y: Value) -> bool:
        return y is not x and all(
            a == b or 1 in (a, b)
            for one, other in zip(x.shapes, y.shapes, strict=True)
            for a, b in zip(reversed(one), reversed(other), strict=False)
        )

    y = w.pick([v for v in w.values if fits(v)])
    op = w.one(["Add", "Add", "Sub", "Mul", "Max", "Min", "Mean", "Where"])
    if op == "Where":
        mask = w.constant(w.rng.random(x.shapes[0][-1]) < 0.5, np.bool_)
        return w.add(op, [mask, x, y])
    if op == "Mul":  # products of products would run away
        y = w.add(w.one(["Sigmoid", "Tanh"]), [y])
    return w.add(op, [x, y] if w.chance(0.5) else [y, x])


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


REDUCTIONS = [
    "ReduceMean",
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
]


def reduce(w: Writer) -> Value:
    x = w.pick()
    axes = [a for a in range(1, x.rank) if w.chance(0.4)] or [x.rank - 1]
    keep = w.integer(0, 1) if x.rank - len(axes) >= 3 else int(w.chance(0.8))
    if w.chance(0.3):
        axes = [a - x.rank for a in axes]
    inside = w.add("Tanh", [x])  # sums of large values would drown all else
    return w.add(w.one(REDUCTIONS), [inside, w.constant(axes, np.int64)], keepdims=keep)


def dense(w: Writer) -> Value:
    """Flatten and Gemm where sizes are fixed, or MatMul along the last axis."""
    x = w.pick()
    units = w.one([1, 4, 7, 16, 33])
    sizes = [x.size(a) for a in range(1, x.rank)]
    if None not in sizes and w.chance(0.6):
        flat = x if x.rank == 2 else w.add("Flatten", [x], axis=1)
        length = flat.size(1)
        if length is None:
            raise NotHere
        trans = w.integer(0, 1)
        shape = (units, length) if trans else (length, units)
        bias = [w.noise(*w.one([(units,), (1, units), (1,)]))] if w.chance(0.7) else []
        weights = w.noise(*shape, spread=length**-0.5)
        return w.add("Gemm", [flat, weights, *bias], transB=trans)
    length = x.size(-1)
    if length is None or x.rank < 2:
        raise NotHere
    return w.add("MatMul", [x, w.noise(length, units, spread=length**-0.5)])


def matmul(w: Writer) -> Value:
    """A value times its own transpose: both factors come from the network."""
    x = w.pick([v for v in w.values if v.rank in (3, 4)])
    perm = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    small = w.add("Tanh", [x])
    return w.add("MatMul", [small, w.add("Transpose", [small], perm=perm)])


def repeat(w: Writer) -> Value:
    x = w.pick()
    if w.chance(0.5):
        return w.add("Tile", [x, w.constant([1, *w.several(x.rank - 1, 1, 2)], np.int64)])
    shape = [2 if x.size(a) == 1 and w.chance(0.7) else 1 for a in range(x.rank)]
    return w.add("Expand", [x, w.constant(shape, np.int64)])


def along(w: Writer) -> Value:
    x = w.pick()
    axis = w.integer(0, x.rank - 1)
    op = w.one(["CumSum", "Hard"])
    if op == "CumSum":
        small = w.add("Tanh", [x])
        exclusive, reverse = w.several(2, 0, 1)
        return w.add(op, [small, w.constant(axis, np.int64)], exclusive=exclusive, reverse=reverse)
    return w.add("HardSigmoid", [x], alpha=0.3, beta=0.4)


KINDS = (
    Kind(16, conv),
    Kind(4, conv_transpose),
    Kind(4, wrapped),
    Kind(6, pad),
    Kind(7, pool),
    Kind(3, global_pool),
    Kind(6, unary),
    Kind(8, activation),
    Kind(6, with_constant),
    Kind(8, binary),
    Kind(6, concat),
    Kind(4, split),
    Kind(4, take),
    Kind(5, transpose),
    Kind(4, reshape),
    Kind(2, depth),
    Kind(4, resize),
    Kind(5, batch_norm),
    Kind(3, norm),
    Kind(3, reduce),
    Kind(3, dense),
    Kind(1, matmul),
    Kind(1, repeat),
    Kind(1, along),
)
