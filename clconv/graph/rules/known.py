"""What an operator's result is known to be before the input sizes are: rules for passes/facts.py.

A rule sees the node, what is known of its first input, what is known of all values, and the values of constant
integers. It gives the spec of the first output with None for what is not known; or None if not even the rank is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import DType, Node, TensorSpec

Known = Mapping[str, TensorSpec]
Values = Mapping[str, np.ndarray]
KnownRule = Callable[[Node, TensorSpec, Known, Values], TensorSpec | None]


def permutation(node: Node, known: TensorSpec | None) -> tuple[int, ...] | None:
    """How a Transpose turns the axes of what is known of its input; None where that is not known, or where perm is no
    permutation of the axes: the shape rule will say so."""
    perm: tuple[int, ...] | None = node.attrs.get("perm")
    if not perm:
        return None if known is None else tuple(reversed(range(known.rank)))
    rank = len(perm) if known is None else known.rank
    return tuple(perm) if sorted(perm) == list(range(rank)) else None


def same_as_input(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    return data


def pool(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    return TensorSpec((*data.shape[:2], *[None] * (data.rank - 2)), data.dtype)


def global_pool(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    return TensorSpec((*data.shape[:2], *[1] * (data.rank - 2)), data.dtype)


def dequantize(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    scale = None if node.attrs.output_dtype else facts.get(node.inputs[1])
    return None if scale is None else dataclasses.replace(data, dtype=scale.dtype)


def along_axis(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    specs = [facts.get(n) for n in node.inputs] if node.op == "Concat" else [None]
    axis = node.attrs.get("axis", 0)
    if not -data.rank <= axis < data.rank:
        return None
    sizes = [None if s is None or s.rank != data.rank else s.shape[axis] for s in specs]
    shape = list(data.shape)
    shape[axis] = None if None in sizes else sum(d or 0 for d in sizes)
    for i in range(data.rank):
        # The other sizes agree: what one operand knows holds for all.
        if i != axis % data.rank:
            for s in specs:
                if s is not None and s.rank == data.rank and shape[i] is None:
                    shape[i] = s.shape[i]
    return TensorSpec(tuple(shape), data.dtype)


def conv(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    weights = facts.get(node.inputs[1])
    if weights is None or weights.rank < 3 or data.rank != weights.rank:
        return None
    filters = weights.shape[0]
    if node.op == "ConvTranspose":
        filters = None if weights.shape[1] is None else weights.shape[1] * node.attrs.group
    return TensorSpec((data.shape[0], filters, *[None] * (weights.rank - 2)), data.dtype)


def gemm(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    other = facts.get(node.inputs[1])
    if other is None or data.rank < 2 or other.rank < 2:
        return None
    if node.op == "Gemm":
        rows, columns = (-1 if node.attrs.transA else -2), (-2 if node.attrs.transB else -1)
        return TensorSpec((data.shape[rows], other.shape[columns]), data.dtype)
    batch = [None] * (max(data.rank, other.rank) - 2)
    return TensorSpec((*batch, data.shape[-2], other.shape[-1]), data.dtype)


def cast(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    target = cast_target(node.attrs.get("to"))
    return None if target is None else TensorSpec(data.shape, target)


def transpose(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    perm = permutation(node, data)
    if perm is None:
        return None
    return TensorSpec(tuple(data.shape[p] for p in perm), data.dtype)


def reshape(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    wanted = values.get(node.inputs[1])
    if wanted is None:
        length = facts.get(node.inputs[1])
        if length is None or length.rank != 1 or length.shape[0] is None:
            return None
        return TensorSpec((None,) * length.shape[0], data.dtype)
    shape: list[int | None] = []
    for i, d in enumerate(int(v) for v in wanted.reshape(-1)):
        copied = data.shape[i] if i < data.rank else None
        shape.append(d if d > 0 else None if d < 0 or node.attrs.get("allowzero") else copied)
    return TensorSpec(tuple(shape), data.dtype)


def unknown_sizes(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    return TensorSpec((None,) * data.rank, data.dtype)


def reduce(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    given = values.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if given is None or not given.size:
        return None
    axes = {int(a) % data.rank for a in given.reshape(-1)} if data.rank else set()
    if node.attrs.get("keepdims", 0):
        return TensorSpec(
            tuple(1 if i in axes else d for i, d in enumerate(data.shape)), data.dtype
        )
    return TensorSpec(tuple(d for i, d in enumerate(data.shape) if i not in axes), data.dtype)


def unsqueeze(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    given = values.get(node.inputs[1])
    if given is None:
        return None
    rank = data.rank + given.size
    added = {int(a) % rank for a in given.reshape(-1)}
    sizes = iter(data.shape)
    shape = tuple(1 if i in added else next(sizes, None) for i in range(rank))
    return TensorSpec(shape, data.dtype)


def resize(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    scales = values.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is None or scales.size != data.rank or node.attrs.get("axes"):
        return TensorSpec((None,) * data.rank, data.dtype)
    sizes = [d if s == 1 else None for d, s in zip(data.shape, scales.reshape(-1), strict=True)]
    return TensorSpec(tuple(sizes), data.dtype)


def flatten(node: Node, data: TensorSpec, facts: Known, values: Values) -> TensorSpec | None:
    return TensorSpec((None, None), data.dtype)


def cast_target(to: Any) -> DType | None:
    """Cast's target as a DType, however it is written; None if clconv has no such dtype."""
    try:
        return to if isinstance(to, DType) else DType.of(to)
    except (TypeError, ValueError):
        return None
