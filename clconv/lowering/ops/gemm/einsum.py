"""Variants of Einsum: operands are multiplied in order, each product a batched matrix product.

Every axis has a label; those of an ellipsis get labels of their own. Axes of size 1 are dropped first, so
that a label that is repeated in one operand and real in another needs nothing special.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from clconv.graph.ops.gemm.einsum import einsum_terms
from clconv.lowering.copies.boxes import Copy, CopyLoop
from clconv.lowering.copies.strided import copy_call
from clconv.lowering.model.arguments import Write
from clconv.lowering.model.kernel import Lowered, Problem, Variant, register
from clconv.lowering.model.obstacles import arithmetic_obstacle
from clconv.lowering.shared.composite import Composite, Value
from clconv.records import record


@record(frozen=True)
class _Operand:
    """A value and the label of each of its axes; none of size 1, none twice."""

    value: Value
    labels: str


def _axis_labels(term: str, rank: int) -> list[str]:
    """One label an axis. Axes of an ellipsis count backwards from U+E000 on, which no letter is."""
    free = rank - len(term.replace("...", "", 1))
    shared = "".join(chr(0xE000 + i) for i in reversed(range(free)))
    return list(term.replace("...", shared, 1))


def _load(composite: Composite, value: Value, term: str) -> _Operand:
    """An operand without axes of size 1; a diagonal where a label stands twice."""
    axes: dict[str, CopyLoop] = {}
    shape = value.shape
    for i, label in enumerate(_axis_labels(term, len(shape))):
        if shape[i] == 1:
            continue
        stride = math.prod(shape[i + 1 :]) + (axes[label].source if label in axes else 0)
        axes[label] = CopyLoop(shape[i], stride, 0)
    labels = "".join(axes)
    sizes = [axis.size for axis in axes.values()]
    if math.prod(sizes) == math.prod(shape):
        return _Operand(value.reshaped(*sizes), labels)
    target = composite.scratch("diagonal", sizes, value.spec.dtype)
    steps = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    copy = Copy(
        tuple(
            dataclasses.replace(axis, target=step)
            for axis, step in zip(axes.values(), steps, strict=True)
        )
    )
    if copy.size:
        itemsize = value.spec.dtype.itemsize
        composite.call(
            copy_call(composite.problem, copy, value.argument(), Write(target.name), itemsize, 1)
        )
    return _Operand(target, labels)


def _sum_out(composite: Composite, operand: _Operand, kept: Iterable[str]) -> _Operand:
    """The operand summed over the labels that nothing needs any more."""
    gone = [i for i, label in enumerate(operand.labels) if label not in kept]
    if not gone:
        return operand
    value = composite.emit("ReduceSum", [operand.value, gone], keepdims=0)
    return _Operand(value, "".join(c for c in operand.labels if c in kept))


def _ordered(
    composite: Composite, operand: _Operand, labels: str, target: Value | None = None
) -> Value:
    """The operand's value with its axes in the order of `labels`."""
    if labels == operand.labels and target is None:
        return operand.value
    perm = [operand.labels.index(c) for c in labels]
    return composite.emit("Transpose", [operand.value], target, perm=perm)


def _multiply(composite: Composite, a: _Operand, b: _Operand, kept: Iterable[str]) -> _Operand:
    """The product of two operands, summed over what they share and nothing needs any more."""
    a = _sum_out(composite, a, {*kept, *b.labels})
    b = _sum_out(composite, b, {*kept, *a.labels})
    sizes = dict(zip(a.labels + b.labels, a.value.shape + b.value.shape, strict=True))
    batch = "".join(c for c in a.labels if c in b.labels and c in kept)
    inner = "".join(c for c in a.labels if c in b.labels and c not in kept)
    rows = "".join(c for c in a.labels if c not in b.labels)
    columns = "".join(c for c in b.labels if c not in a.labels)
    result = batch + rows + columns
    left, right = _ordered(composite, a, batch + rows + inner), None

    def size(labels: str) -> int:
        return math.prod(sizes[c] for c in labels)

    if not inner:  # nothing is summed: a broadcast product
        right = _ordered(composite, b, batch + columns)
        left = left.reshaped(size(batch), size(rows), 1)
        right = right.reshaped(size(batch), 1, size(columns))
        product = composite.emit("Mul", [left, right])
    else:
        right = _ordered(composite, b, batch + inner + columns)
        left = left.reshaped(size(batch), size(rows), size(inner))
        right = right.reshaped(size(batch), size(inner), size(columns))
        product = composite.emit("MatMul", [left, right])
    return _Operand(product.reshaped(*(sizes[c] for c in result)), result)


def _lower(problem: Problem) -> Lowered:
    if not problem.y.size:
        return Lowered()
    terms, result = einsum_terms(problem.node.attrs.equation)
    composite = Composite(problem)
    operands = [_load(composite, composite.input(i), term) for i, term in enumerate(terms)]
    wanted = "".join(_axis_labels(result, problem.y.rank))
    total = operands[0]
    for i, operand in enumerate(operands[1:], 1):
        later = "".join(o.labels for o in operands[i + 1 :])
        total = _multiply(composite, total, operand, {*wanted, *later})
    total = _sum_out(composite, total, wanted)
    order = "".join(c for c in wanted if c in total.labels)
    _ordered(
        composite,
        total,
        order,
        composite.output(0, *(total.value.shape[total.labels.index(c)] for c in order)),
    )
    return composite.lowered()


register(Variant("Einsum", "products", arithmetic_obstacle, _lower))
