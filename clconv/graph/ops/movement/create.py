"""Tensors from nothing but a shape or a range: ConstantOfShape, Range, EyeLike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, index_values, move_cost, one_value
from clconv.graph.rules.gradient.flat import flat


def known_dtype(call: Call, name: str) -> DType:
    """The DType of that NumPy name; ShapeError if clconv has none for it."""
    try:
        return DType(name)
    except ValueError:
        call.fail(f"dtype {name!r} is not one of {[d.value for d in DType]}")


def infer_filled(call: Call) -> Sequence[TensorSpec]:
    """Of an operator whose first input is the result's shape, and whose attribute dtype its element type."""
    shape = index_values(call, 0)
    call.expect(min(shape, default=0) >= 0, f"the shape {shape} has a negative size")
    return [TensorSpec(shape, known_dtype(call, call.attrs.dtype))]


def _constant(at: Any, shape: np.ndarray) -> np.ndarray:
    return np.full(shape.reshape(-1).tolist(), at.value, at.dtype)


def range_length(start: float, limit: float, delta: float) -> int:
    """ceil((limit - start) / delta), at least 0."""
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return max(0, -((start - limit) // delta))
    return max(0, math.ceil((limit - start) / delta))


def _infer_range(call: Call) -> Sequence[TensorSpec]:
    dtype = same_dtype(call, 0, 1, 2)
    expect_kind(call, 0, "number")
    start, limit, delta = (one_value(call, i) for i in range(3))
    call.expect(delta != 0, "delta must not be 0")
    call.expect(all(map(math.isfinite, (start, limit, delta))), "the bounds must be finite")
    return [TensorSpec((range_length(start, limit, delta),), dtype)]


def _range(at: Any, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """start + i * delta"""
    first, last, step = (a.reshape(-1)[0].item() for a in (start, limit, delta))
    return np.asarray(first + np.arange(range_length(first, last, step)) * step).astype(start.dtype)


def _infer_eye(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    call.expect(x.rank == 2, "the input must have rank 2")
    return [TensorSpec(x.shape, known_dtype(call, call.attrs.dtype or x.dtype.value))]


def _eye(at: Any, x: np.ndarray) -> np.ndarray:
    return np.eye(x.shape[0], x.shape[1], k=at.k, dtype=at.dtype or x.dtype)


register(
    Op(
        "ConstantOfShape",
        infer_filled,
        _constant,
        move_cost,
        {"value": 0.0, "dtype": "float32"},
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "Range",
        _infer_range,
        _range,
        move_cost,
        {"stash_type": 1},
        inputs=(3, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
register(
    Op(
        "EyeLike",
        _infer_eye,
        _eye,
        move_cost,
        {"dtype": "", "k": 0},
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.EXACT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=flat,
        ),
    )
)
