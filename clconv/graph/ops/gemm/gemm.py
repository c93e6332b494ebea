"""Matrix products: Gemm and MatMul."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, broadcast_shapes, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import converted, expect_kind, moved_bytes, widen
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient import gemm as gradient


def _infer_gemm(call: Call) -> Sequence[TensorSpec]:
    a, b, at = call.spec(0), call.spec(1), call.attrs
    dtype = same_dtype(call, 0, 1, 2)
    expect_kind(call, 0, "number")
    call.expect(a.rank == 2 and b.rank == 2, "both matrices must have rank 2")
    rows, inner = a.shape[::-1] if at.transA else a.shape
    inner_b, columns = b.shape[::-1] if at.transB else b.shape
    call.expect(inner == inner_b, f"{rows}x{inner} times {inner_b}x{columns} does not fit")
    if call.has(2):
        c = call.spec(2).shape
        call.expect(
            len(c) <= 2 and broadcast_shapes(call, c, (rows, columns)) == (rows, columns),
            f"C {c} does not broadcast to ({rows}, {columns})",
        )
    return [TensorSpec((rows, columns), dtype)]


def _gemm(at: Any, a: np.ndarray, b: np.ndarray, c: np.ndarray | None = None) -> np.ndarray:
    """alpha * A B + beta * C"""
    left = widen(a).T if at.transA else widen(a)
    right = widen(b).T if at.transB else widen(b)
    out = at.alpha * (left @ right)
    if c is not None:
        out = out + at.beta * widen(c)
    return converted(out, a.dtype)


def matmul_shape(call: Call, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a product as numpy.matmul defines it, vectors included. Raises ShapeError."""
    call.expect(len(a) >= 1 and len(b) >= 1, "a scalar cannot be multiplied as a matrix")
    left = (1, *a) if len(a) == 1 else a
    right = (*b, 1) if len(b) == 1 else b
    call.expect(left[-1] == right[-2], f"inner sizes {left[-1]} and {right[-2]} differ")
    batch = broadcast_shapes(call, left[:-2], right[:-2])
    rows = () if len(a) == 1 else (left[-2],)
    columns = () if len(b) == 1 else (right[-1],)
    return (*batch, *rows, *columns)


def _infer_matmul(call: Call) -> Sequence[TensorSpec]:
    dtype = same_dtype(call, 0, 1)
    expect_kind(call, 0, "number")
    return [TensorSpec(matmul_shape(call, call.spec(0).shape, call.spec(1).shape), dtype)]


def _matmul(at: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.matmul(widen(a), widen(b))).astype(a.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    a = inputs[0]
    assert a is not None
    inner = a.shape[-2] if node.attrs.get("transA") else a.shape[-1]
    return Cost(2 * outputs[0].size * inner, moved_bytes(inputs, outputs))


register(
    Op(
        "Gemm",
        _infer_gemm,
        _gemm,
        _cost,
        {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0},
        inputs=(2, 3),
        hooks=Hooks(
            known=known.gemm,
            shape_input=None,
            transposed=None,
            images=images.gemm,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
            gradient=gradient.gemm,
        ),
    )
)
register(
    Op(
        "MatMul",
        _infer_matmul,
        _matmul,
        _cost,
        inputs=(2, 2),
        hooks=Hooks(
            known=known.gemm,
            shape_input=None,
            transposed=None,
            images=images.matmul,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
            gradient=gradient.matmul,
        ),
    )
)
