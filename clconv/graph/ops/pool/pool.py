"""Pooling over windows: MaxPool, AveragePool and LpPool, any number of spatial axes.

pad_mode says what a padded pixel is: "constant" is ONNX's own padding, which a maximum never
chooses and an average counts only with count_include_pad; reflect, edge and wrap pixels are image
values like any other.
What a last window of ceil_mode covers beyond the padded image belongs to no window.
"""

from __future__ import annotations

import functools
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
)
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.pool import pool as gradient

WINDOW_ATTRIBUTES = {
    "kernel_shape": REQUIRED,
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,  # begin of every axis, then end of every axis
    "ceil_mode": 0,
    "pad_mode": "constant",
}
POOL_ATTRIBUTES = {**WINDOW_ATTRIBUTES, "auto_pad": "NOTSET"}


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


def pool_windows(at: Any, x: np.ndarray, *more: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """For each tap that meets the image anywhere: its place in the window, where it does, x there, and `more` there.

    Taps that only ever lie beyond the image are left out: a window may be far larger than what it looks at.
    """
    sizes, pads = window_counts(at, x.shape[2:]), at.pads
    arrays = [x, *more]
    if at.pad_mode != "constant":
        arrays = [pad_array(a, pads, at.pad_mode) for a in arrays]
        pads = (0,) * len(pads)
    axes = []
    for i, (size, count) in enumerate(zip(arrays[0].shape[2:], sizes, strict=True)):
        begin, stride, step = pads[i], at.strides[i], at.dilations[i]
        first = max(0, -((-begin + (count - 1) * stride) // step))
        stop = min(at.kernel_shape[i], (size - 1 + begin) // step + 1) if size else first
        starts = np.arange(count) * stride - begin
        axes.append([(k, starts + k * step) for k in range(first, stop)])
    for taps in itertools.product(*axes):
        inside = np.ones((), np.bool_)
        index = []
        for i, ((_, place), size) in enumerate(zip(taps, arrays[0].shape[2:], strict=True)):
            shape = [-1 if j == i else 1 for j in range(len(taps))]
            inside = inside & ((place >= 0) & (place < size)).reshape(shape)
            index.append(np.clip(place, 0, size - 1))
        where: Any = (slice(None), slice(None), *np.ix_(*index))
        tap = tuple(k for k, _ in taps)
        yield (tap, np.broadcast_to(inside, sizes), *(a[where] for a in arrays))


def axis_counts(at: Any, sizes: Sequence[int], count_pads: bool) -> list[np.ndarray]:
    """How many pixels along each axis count in each window, (out,) float64: their product is a window's count."""
    result = []
    for i, (size, count) in enumerate(zip(sizes, window_counts(at, sizes), strict=True)):
        begin, end = at.pads[i], at.pads[i + len(sizes)]
        kernel, step = at.kernel_shape[i], at.dilations[i]
        starts = np.arange(count) * at.strides[i] - begin
        padded = count_pads or at.pad_mode != "constant"
        stop = np.clip((size + (end if padded else 0) - 1 - starts) // step + 1, 0, kernel)
        first = 0 if padded else np.clip(-(starts // step), 0, kernel)
        result.append(np.maximum(stop - first, 0).astype(np.float64))
    return result


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
    for _, inside, value, index in pool_windows(at, x, flat):
        better = inside & ((value > best) | (value != value) | (where < 0))
        best, where = np.where(better, value, best), np.where(better, index, where)
    return best, where


def _average_pool(at: Any, x: np.ndarray) -> np.ndarray:
    """Mean of the counted pixels of each window; 0 where there is none."""
    total = np.zeros((*x.shape[:2], *window_counts(at, x.shape[2:])))
    for _, inside, value in pool_windows(at, x.astype(np.float64)):
        total += np.where(inside, value, 0)
    counts = axis_counts(at, x.shape[2:], bool(at.count_include_pad))
    count = functools.reduce(np.multiply.outer, counts)
    return (total / np.maximum(count, 1)).astype(x.dtype)


def _lp_pool(at: Any, x: np.ndarray) -> np.ndarray:
    """(sum |x|^p)^(1/p) over each window."""
    total = np.zeros((*x.shape[:2], *window_counts(at, x.shape[2:])))
    for _, inside, value in pool_windows(at, x.astype(np.float64)):
        total += np.where(inside, np.abs(value) ** at.p, 0)
    return (total ** (1 / at.p)).astype(x.dtype)


def _infer_max(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.storage_order in (0, 1), "storage_order must be 0 or 1")
    pooled = _pooled(call, "number")
    return [pooled, TensorSpec(pooled.shape, DType.INT64)]


def _infer_lp(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.p >= 1, f"p {call.attrs.p} must be at least 1")
    return [_pooled(call, "float")]


def taps_that_matter(node: Node, x: TensorSpec | None) -> list[int]:
    """How many taps of a window can meet the image, along each spatial axis."""
    kernel = node.attrs.kernel_shape
    if x is None or node.attrs.pad_mode != "constant":
        return list(kernel)
    return [min(k, size) for k, size in zip(kernel, x.shape[2:], strict=True)]


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    return Cost(
        math.prod(taps_that_matter(node, inputs[0])) * outputs[0].size, moved_bytes(inputs, outputs)
    )


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
            gradient=gradient.max_pool,
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
            gradient=gradient.average_pool,
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
            gradient=gradient.lp_pool,
        ),
    )
)
