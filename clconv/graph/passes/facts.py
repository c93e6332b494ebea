"""What is known of values before the input sizes are: dtype, rank, and sizes that cannot change.

Passes run on imported graphs whose batch, height and width may be open. Channels, ranks and dtypes
follow from the weights; a fact says so with a TensorSpec whose unknown sizes are None.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clconv.graph.ir import DType, Graph, Node, TensorSpec
from clconv.graph.ops.elementwise import ROWS, Row

Known = Mapping[str, TensorSpec]

POOLS = frozenset({"MaxPool", "AveragePool", "LpPool"})
GLOBAL_POOLS = frozenset({"GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"})
SAME_AS_INPUT = frozenset(
    {
        "BatchNormalization", "Identity", "Dropout", "Softmax", "LogSoftmax", "Hardmax", "LRN",
        "InstanceNormalization", "GroupNormalization", "LayerNormalization", "LpNormalization",
        "MeanVarianceNormalization", "CumSum",
    }
)  # fmt: skip


def gather_facts(graph: Graph) -> dict[str, TensorSpec]:
    """Facts of the graph's values; a value of which not even the rank is known is left out."""
    facts: dict[str, TensorSpec] = {
        name: TensorSpec(tuple(d if isinstance(d, int) else None for d in s.shape), s.dtype)
        for name, s in graph.specs.items()
    }
    facts.update((name, constant.spec) for name, constant in graph.constants.items())
    # Axes, sizes and the like; weights stay where they are.
    values = {n: c.array for n, c in graph.constants.items() if not c.spec.dtype.is_float}
    for node in graph.nodes:
        first = node.outputs[0]
        if first and first not in facts:
            found = _infer(node, facts, values)
            if found is not None:
                facts[first] = found
    return facts


def _infer(
    node: Node, facts: dict[str, TensorSpec], values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    row = ROWS.get(node.op)
    if row is not None:
        return _row(row, node, facts)
    data = facts.get(node.inputs[0]) if node.inputs else None
    if node.op == "DequantizeLinear" and not node.attrs.output_dtype and data is not None:
        scale = facts.get(node.inputs[1])
        return None if scale is None else dataclasses.replace(data, dtype=scale.dtype)
    if data is None:
        return None
    if node.op in SAME_AS_INPUT:
        return data
    if node.op in POOLS or node.op in GLOBAL_POOLS:
        size = 1 if node.op in GLOBAL_POOLS else None
        return TensorSpec((*data.shape[:2], *[size] * (data.rank - 2)), data.dtype)
    if node.op in ("Concat", "Split"):
        return _along_axis(node, data, facts)
    rule = _RULES.get(node.op)
    return None if rule is None else rule(node, data, facts, values)


def permutation(node: Node, known: TensorSpec | None) -> tuple[int, ...] | None:
    """How a Transpose turns the axes of what is known of its input; None where that is not known, or where perm is no
    permutation of the axes: the shape rule will say so."""
    perm: tuple[int, ...] | None = node.attrs.get("perm")
    if not perm:
        return None if known is None else tuple(reversed(range(known.rank)))
    rank = len(perm) if known is None else known.rank
    return tuple(perm) if sorted(perm) == list(range(rank)) else None


def _row(row: Row, node: Node, facts: Known) -> TensorSpec | None:
    specs = [facts.get(n) for n in node.op_inputs if n]
    known = [s for s in specs if s is not None]
    if not known or len(known) != len(specs):
        return None
    rank = max(s.rank for s in known)
    shape = []
    for axis in range(rank):
        sizes = [s.shape[axis - rank + s.rank] if axis >= rank - s.rank else 1 for s in known]
        wide = [d for d in sizes if d is not None and d != 1]
        shape.append(wide[0] if wide else None if None in sizes else 1)
    return TensorSpec(tuple(shape), row.result or known[-1 if row.condition_first else 0].dtype)


def _along_axis(node: Node, data: TensorSpec, facts: Known) -> TensorSpec | None:
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


def _conv(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    weights = facts.get(node.inputs[1])
    if weights is None or weights.rank < 3 or data.rank != weights.rank:
        return None
    filters = weights.shape[0]
    if node.op == "ConvTranspose":
        filters = None if weights.shape[1] is None else weights.shape[1] * node.attrs.group
    return TensorSpec((data.shape[0], filters, *[None] * (weights.rank - 2)), data.dtype)


def _gemm(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    other = facts.get(node.inputs[1])
    if other is None or data.rank < 2 or other.rank < 2:
        return None
    if node.op == "Gemm":
        rows, columns = (-1 if node.attrs.transA else -2), (-2 if node.attrs.transB else -1)
        return TensorSpec((data.shape[rows], other.shape[columns]), data.dtype)
    batch = [None] * (max(data.rank, other.rank) - 2)
    return TensorSpec((*batch, data.shape[-2], other.shape[-1]), data.dtype)


def _cast(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    target = cast_target(node.attrs.get("to"))
    return None if target is None else TensorSpec(data.shape, target)


def _transpose(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    perm = permutation(node, data)
    if perm is None:
        return None
    return TensorSpec(tuple(data.shape[p] for p in perm), data.dtype)


def _reshape(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
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


def _pad(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    return TensorSpec((None,) * data.rank, data.dtype)


def _reduce(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    given = values.get(node.inputs[1]) if len(node.inputs) > 1 else None
    if given is None or not given.size:
        return None
    axes = {int(a) % data.rank for a in given.reshape(-1)} if data.rank else set()
    if node.attrs.get("keepdims", 0):
        return TensorSpec(
            tuple(1 if i in axes else d for i, d in enumerate(data.shape)), data.dtype
        )
    return TensorSpec(tuple(d for i, d in enumerate(data.shape) if i not in axes), data.dtype)


def _unsqueeze(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    given = values.get(node.inputs[1])
    if given is None:
        return None
    rank = data.rank + given.size
    added = {int(a) % rank for a in given.reshape(-1)}
    sizes = iter(data.shape)
    shape = tuple(1 if i in added else next(sizes, None) for i in range(rank))
    return TensorSpec(shape, data.dtype)


def _resize(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    scales = values.get(node.inputs[2]) if len(node.inputs) > 2 else None
    if scales is None or scales.size != data.rank or node.attrs.get("axes"):
        return TensorSpec((None,) * data.rank, data.dtype)
    sizes = [d if s == 1 else None for d, s in zip(data.shape, scales.reshape(-1), strict=True)]
    return TensorSpec(tuple(sizes), data.dtype)


def _flatten(
    node: Node, data: TensorSpec, facts: Known, values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    return TensorSpec((None, None), data.dtype)


Rule = Callable[[Node, TensorSpec, Known, Mapping[str, np.ndarray]], TensorSpec | None]
_RULES: dict[str, Rule] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "Cast": _cast,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Pad": _pad,
    "Slice": _pad,
    "Tile": _pad,
    "Resize": _resize,
    "ReduceMean": _reduce,
    "ReduceMax": _reduce,
    "ReduceSum": _reduce,
    "Squeeze": _reduce,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
}


def cast_target(to: Any) -> DType | None:
    """Cast's target as a DType, however it is written; None if clconv has no such dtype."""
    try:
        return to if isinstance(to, DType) else DType.of(to)
    except (TypeError, ValueError):
        return None
