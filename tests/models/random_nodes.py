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
from tests.models.random_movement import along, concat, reshape, split, take, transpose


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
