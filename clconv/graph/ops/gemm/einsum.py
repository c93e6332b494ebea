"""Einsum: sums of products over labelled axes."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, broadcast_shapes, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes, widen
from clconv.graph.rules.gradient import einsum as gradient


def einsum_terms(equation: str) -> tuple[list[str], str]:
    """Labels of the inputs and of the output; without "->" the labels that occur once, sorted."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = "".join(terms).replace("...", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        right = ("..." if "..." in left else "") + once
    return terms, right


def _infer(call: Call) -> Sequence[TensorSpec]:
    equation = call.attrs.equation
    terms, result = einsum_terms(equation)
    count = len(call.specs)
    dtype = same_dtype(call, *range(count))
    expect_kind(call, 0, "number")
    call.expect(len(terms) == count, f"'{equation}' names {len(terms)} inputs, there are {count}")
    sizes: dict[str, int] = {}
    shared: tuple[int, ...] = ()
    for i, term in enumerate(terms):
        shape = call.spec(i).shape
        letters = term.replace("...", "", 1)
        call.expect(
            all(c.isalpha() for c in letters), f"'{equation}' has labels that are no letters"
        )
        free = len(shape) - len(letters)
        fits = free >= 0 if "..." in term else free == 0
        call.expect(fits, f"'{term}' does not label the {len(shape)} axes of input {i}")
        start = term.index("...") if "..." in term else len(letters)
        if "..." in term:
            shared = broadcast_shapes(call, shared, shape[start : start + free])
        labelled = shape[:start] + shape[start + free :]
        for letter, size in zip(letters, labelled, strict=True):
            known = sizes.setdefault(letter, size)
            call.expect(size in (known, 1) or known == 1, f"'{letter}' is {known} and {size}")
            sizes[letter] = max(known, size) if known and size else 0
    letters = result.replace("...", "", 1)
    call.expect(
        len(set(letters)) == len(letters) and set(letters) <= set(sizes),
        f"the result '{result}' has labels twice or that no input has",
    )
    start = result.index("...") if "..." in result else len(letters)
    before, after = letters[:start], letters[start:]
    shape = (
        *(sizes[c] for c in before),
        *(shared if "..." in result else ()),
        *(sizes[c] for c in after),
    )
    return [TensorSpec(shape, dtype)]


def _without_ellipsis(terms: list[str], result: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The terms with letters of their own in the place of ellipses, which a result may leave out: summed over."""
    used = {c for term in terms for c in term}
    free = [c for c in string.ascii_letters if c not in used]
    counts = [
        rank - len(term.replace("...", "", 1)) for term, rank in zip(terms, ranks, strict=True)
    ]
    most = max(n for n, term in zip(counts, terms, strict=True) if "..." in term)
    letters = "".join(free[:most])
    written = [
        term.replace("...", letters[most - count :], 1)
        for term, count in zip(terms, counts, strict=True)
    ]
    return written, result


def _reference(at: Any, *arrays: np.ndarray) -> np.ndarray:
    terms, result = einsum_terms(at.equation)
    if "..." not in result and any("..." in term for term in terms):  # NumPy wants it there
        terms, result = _without_ellipsis(terms, result, [a.ndim for a in arrays])
    equation = f"{','.join(terms)}->{result}"
    return np.asarray(np.einsum(equation, *map(widen, arrays))).astype(arrays[0].dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    terms, _ = einsum_terms(node.attrs.equation)
    sizes: dict[str, int] = {}
    for term, spec in zip(terms, inputs, strict=True):
        if spec is not None and "..." not in term:
            sizes.update(zip(term, spec.shape, strict=True))
    flops = max(len(terms) * math.prod(sizes.values()), outputs[0].size)
    return Cost(flops, moved_bytes(inputs, outputs))


register(
    Op(
        "Einsum",
        _infer,
        _reference,
        _cost,
        {"equation": REQUIRED},
        inputs=(1, None),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.einsum,
        ),
    )
)
