"""Gradients of Einsum: that of an operand is another Einsum, of dy and the other operands.

A label that stands twice in the operand reads a diagonal: an identity matrix puts it back. A label that stands nowhere
else was summed over: a vector of ones repeats it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def einsum(back: Backward) -> Sequence[str]:
    from clconv.graph.ops.gemm.einsum import einsum_terms

    written, result = einsum_terms(back.attrs.equation)
    shapes = [back.spec(i).shape for i in range(len(written))]
    terms, result = _plain(written, result, shapes, back.result.rank)
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, size in zip(term, shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), size) if size else 0
    return [
        _of_operand(back, i, terms, result, sizes) if back.wants(i) else ""
        for i in range(len(terms))
    ]


def _plain(
    terms: Sequence[str], result: str, shapes: Sequence[tuple[int, ...]], rank: int
) -> tuple[list[str], str]:
    """The terms with letters in the place of ellipses, whose axes count from their end."""
    used = {c for term in terms for c in term}
    free = [c for c in string.ascii_letters if c not in used]

    def written(term: str, rank: int) -> str:
        count = rank - len(term.replace("...", "", 1))
        return term.replace("...", "".join(free[:count][::-1]), 1)

    return [written(t, len(s)) for t, s in zip(terms, shapes, strict=True)], written(result, rank)


def _of_operand(
    back: Backward, index: int, terms: Sequence[str], result: str, sizes: dict[str, int]
) -> str:
    shape, dtype = back.spec(index).shape, back.result.dtype
    operands = [back.gradient(), *(n for i, n in enumerate(back.node.inputs) if i != index)]
    labels = [result, *(t for i, t in enumerate(terms) if i != index)]
    unused = iter(c for c in string.ascii_letters if c not in sizes)
    target, extents = "", list[int]()
    for label, size in zip(terms[index], shape, strict=True):
        if size == 1 and sizes[label] != 1:
            continue  # it was repeated along the others': they are summed over
        if label in target:
            other = next(unused)
            operands.append(back.constant(np.eye(size, dtype=dtype.numpy), "diagonal"))
            labels.append(label + other)
            label = other
        elif not any(label in term for term in labels):
            operands.append(back.constant(np.ones(size, dtype.numpy), "ones"))
            labels.append(label)
        target += label
        extents.append(size)
    # A label of which all others have but one: ones repeat it.
    for label, size in zip(target, extents, strict=True):
        if size != 1 and not _is_wide(back, label, labels, operands):
            operands.append(back.constant(np.ones(size, dtype.numpy), "ones"))
            labels.append(label)
    found = back.one("Einsum", *operands, equation=f"{','.join(labels)}->{target}")
    return back.reshape(found, shape)


def _is_wide(back: Backward, label: str, labels: Sequence[str], operands: Sequence[str]) -> bool:
    return any(
        back.spec_of(name).shape[term.index(label)] != 1
        for term, name in zip(labels, operands, strict=True)
        if label in term
    )
