"""Pooling over windows: MaxPool, AveragePool and LpPool, any number of spatial axes.

pad_mode says what a padded pixel is: "constant" is ONNX's own padding, which a maximum never
chooses and an average counts only with count_include_pad; reflect, edge and wrap pixels are image
values like any other.
What a last window of ceil_mode covers beyond the padded image belongs to no window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, DType, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.depth import expand_pool
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.window import (
    check_window,
    output_size,
    pad_array,
    settle_auto_pad,
    window_positions,
)
from clconv.graph.rules import images, known

POOL_ATTRIBUTES = {
    "kernel_shape": REQUIRED,
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,  # begin of every axis, then end of every axis
    "ceil_mode": 0,
    "pad_mode": "constant",
    "auto_pad": "NOTSET",
}


def window_counts(at: Any, sizes: Sequence[int]) -> tuple[int, ...]:
    """Windows along each spatial axis, for attributes that the shape rule has accepted."""
    counts = []
    for i, size in enumerate(sizes):
        extent = at.dilations[i] * (at.kernel_shape[i] - 1) + 1
        room = size + at.pads[i] + at.pads[i + len(sizes)] - extent
        count = room // at.strides[i] + 1
        if at.ceil_mode and room % at.strides[i] and count * at.strides[i] < size + at.pads[i]:
            count += 1
        counts.append(count)
    return tuple(counts)


def _checked_settle(call: Call) -> Attributes:
    x, at = call.spec(0), call.attrs
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    for name in ("kernel_shape", "strides", "dilations"):
        values = at[name]
        call.expect(
            len(values) == x.rank - 2,
            f"{name} {values} must have {x.rank - 2} values for {x.rank - 2} spatial axes",
        )
    return settle_auto_pad(call, at.kernel_shape)


def _pooled(call: Call, kind: str) -> TensorSpec:
    x, at = call.spec(0), call.attrs
    dtype = expect_kind(call, 0, kind)
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    window = check_window(call, x, at.kernel_shape)
    sizes = output_size(call, x.shape[2:], window, bool(at.ceil_mode))
    return TensorSpec((*x.shape[:2], *sizes), dtype)


def _windows(
    at: Any, x: np.ndarray, count_pads: bool, *more: np.ndarray
) -> Iterator[tuple[np.ndarray, ...]]:
    """For each window position: whether it lies on a counted pixel, x there, and `more` there."""
    spatial = x.ndim - 2
    sizes = window_counts(at, x.shape[2:])
    counts = float(count_pads or at.pad_mode != "constant")
    inside = pad_array(np.ones((1, 1, *x.shape[2:])), at.pads, "constant", counts)
    padded = [inside, *(pad_array(a, at.pads, at.pad_mode) for a in (x, *more))]
    overhang = [
        max(0, (n - 1) * s + d * (k - 1) + 1 - size)
        for n, s, d, k, size in zip(
            sizes, at.strides, at.dilations, at.kernel_shape, inside.shape[2:], strict=True
        )
    ]
    padded = [pad_array(a, [0] * spatial + overhang) for a in padded]
    for position in itertools.product(*(range(k) for k in at.kernel_shape)):
        yield tuple(window_positions(a, position, sizes, at.strides, at.dilations) for a in padded)


def _max_pool(at: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest value of each window (first one of equals), and its index in flattened x."""
    flat = np.arange(x.size).reshape(x.shape)
    if at.storage_order:  # column-major within an image
        spatial = x.shape[2:]
        within = np.arange(math.prod(spatial)).reshape(spatial[::-1]).T
        images = np.arange(math.prod(x.shape[:2])) * math.prod(spatial)
        flat = within + images.reshape(*x.shape[:2], *(1 for _ in spatial))
    shape = (*x.shape[:2], *window_counts(at, x.shape[2:]))
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    best, where = np.full(shape, lowest, x.dtype), np.full(shape, -1, np.int64)
    for inside, value, index in _windows(at, x, False, flat):
        better = (inside > 0) & ((value > best) | (value != value) | (where < 0))
        best, where = np.where(better, value, best), np.where(better, index, where)
    return best, where


def _average_pool(at: Any, x: np.ndarray) -> np.ndarray:
    """Mean of the counted pixels of each window; 0 where there is none."""
    total, count = np.zeros(()), np.zeros(())
    for inside, value in _windows(at, x.astype(np.float64), bool(at.count_include_pad)):
        total, count = total + np.where(inside > 0, value, 0), count + inside
    return (total / np.maximum(count, 1)).astype(x.dtype)


def _lp_pool(at: Any, x: np.ndarray) -> np.ndarray:
    """(sum |x|^p)^(1/p) over each window."""
    total = np.zeros(())
    for inside, value in _windows(at, x.astype(np.float64), False):
        total = total + np.where(inside > 0, np.abs(value) ** at.p, 0)
    return (total ** (1 / at.p)).astype(x.dtype)


def _infer_max(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.storage_order in (0, 1), "storage_order must be 0 or 1")
    pooled = _pooled(call, "number")
    return [pooled, TensorSpec(pooled.shape, DType.INT64)]


def _infer_lp(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.p >= 1, f"p {call.attrs.p} must be at least 1")
    return [_pooled(call, "float")]


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    window = math.prod(node.attrs.kernel_shape)
    return Cost(window * outputs[0].size, moved_bytes(inputs, outputs))


register(
    Op(
        "MaxPool",
        _infer_max,
        _max_pool,
        _cost,
        {**POOL_ATTRIBUTES, "storage_order": 0},
        settle=_checked_settle,
        expand=lambda e: expand_pool(e, _infer_max(e.call)[0].shape[2:]),
        hooks=Hooks(
            known=known.pool,
            shape_input=None,
            transposed=None,
            images=images.one_result,
            half=Half.narrowed(),
            epilogue=True,
            pad=True,
            keeps_elements=True,
        ),
    )
)
register(
    Op(
        "AveragePool",
        lambda call: [_pooled(call, "float")],
        _average_pool,
        _cost,
        {**POOL_ATTRIBUTES, "count_include_pad": 0},
        settle=_checked_settle,
        expand=lambda e: expand_pool(
            e, _pooled(e.call, "float").shape[2:], bool(e.call.attrs.count_include_pad)
        ),
        hooks=Hooks(
            known=known.pool,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=True,
            pad=True,
            keeps_elements=False,
        ),
    )
)
register(
    Op(
        "LpPool",
        _infer_lp,
        _lp_pool,
        _cost,
        {**POOL_ATTRIBUTES, "p": 2},
        settle=_checked_settle,
        hooks=Hooks(
            known=known.pool,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
        ),
    )
)
