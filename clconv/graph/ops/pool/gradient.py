"""What training needs of windows: MaxPoolWithTaps, MaxPoolGradient and AveragePoolGradient.

All three are written by gradient rules only (rules/gradient/pool/pool.py), with padding "constant": what other padding repeats
is a Pad of its own there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.pool.pool import WINDOW_ATTRIBUTES, axis_counts, pool_windows, window_counts
from clconv.graph.ops.window import check_window, output_size
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.pool import pool as gradient

NO_TAP = 255  # of a window without a pixel


def _infer_taps(call: Call) -> Sequence[TensorSpec]:
    x, at = call.spec(0), call.attrs
    dtype = expect_kind(call, 0, "float")
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(at.pad_mode == "constant", f"pad_mode {at.pad_mode!r} is not constant")
    window = check_window(call, x, at.kernel_shape)
    call.expect(
        math.prod(at.kernel_shape) <= NO_TAP, f"a byte counts {NO_TAP} pixels of a window at most"
    )
    sizes = output_size(call, x.shape[2:], window, bool(at.ceil_mode))
    shape = (*x.shape[:2], *sizes)
    return [TensorSpec(shape, dtype), TensorSpec(shape, DType.UINT8)]


def _max_with_taps(at: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """MaxPool, and which pixel of each window is the largest (first one of equals), row by row; NO_TAP if none is."""
    shape = (*x.shape[:2], *window_counts(at, x.shape[2:]))
    best, taps = np.full(shape, -np.inf, x.dtype), np.full(shape, NO_TAP, np.uint8)
    for tap, inside, value in pool_windows(at, x):
        better = inside & ((value > best) | (value != value) | (taps == NO_TAP))
        number = np.ravel_multi_index(tap, at.kernel_shape)
        best, taps = np.where(better, value, best), np.where(better, np.uint8(number), taps)
    return best, taps


def _gradient_spec(call: Call) -> TensorSpec:
    dy, at = call.spec(0), call.attrs
    dtype = expect_kind(call, 0, "float")
    call.expect(dy.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(at.pad_mode == "constant", f"pad_mode {at.pad_mode!r} is not constant")
    x = TensorSpec((*dy.shape[:2], *at.size), dtype)
    window = check_window(call, x, at.kernel_shape)
    sizes = output_size(call, x.shape[2:], window, bool(at.ceil_mode))
    call.expect(dy.shape[2:] == sizes, f"an image of {at.size} has {sizes} windows")
    return x


def _infer_max(call: Call) -> Sequence[TensorSpec]:
    x, where = _gradient_spec(call), call.spec(1)
    call.expect(where.shape == call.spec(0).shape, "both inputs must have one shape")
    call.expect(where.dtype in (DType.UINT8, DType.INT64), "the second input is taps or indices")
    if where.dtype is DType.UINT8:
        call.expect(
            math.prod(call.attrs.kernel_shape) <= NO_TAP,
            f"a byte counts {NO_TAP} pixels of a window at most",
        )
    return [x]


def _max_gradient(at: Any, dy: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Each dy at the pixel of its window that was the largest. where: uint8 as MaxPoolWithTaps, int64 as MaxPool says it."""
    dx = np.zeros((*dy.shape[:2], *at.size))
    if where.dtype == np.int64:
        there = where >= 0
        np.add.at(dx.reshape(-1), where[there], dy[there].astype(np.float64))
        return dx.astype(dy.dtype)
    for tap, pixels, windows in meetings(at, dy.shape[2:]):
        chosen = where[windows] == np.ravel_multi_index(tap, at.kernel_shape)
        dx[pixels] += np.where(chosen, dy[windows].astype(np.float64), 0)
    return dx.astype(dy.dtype)


def _average_gradient(at: Any, dy: np.ndarray) -> np.ndarray:
    """To each pixel the sum over the windows that hold it of dy, divided by the window's count unless mean is 0."""
    dx, shares = np.zeros((*dy.shape[:2], *at.size)), dy.astype(np.float64)
    for i, share in enumerate(axis_shares(at)):
        shares = shares * share.reshape([-1 if j == i else 1 for j in range(dy.ndim - 2)])
    for _, pixels, windows in meetings(at, dy.shape[2:]):
        dx[pixels] += shares[windows]
    return dx.astype(dy.dtype)


def axis_shares(at: Any) -> list[np.ndarray]:
    """Along each axis, by window: a factor of what AveragePoolGradient gives to each of its pixels."""
    counts = axis_counts(at, at.size, bool(at.count_include_pad))
    return [1 / np.maximum(n, 1) if at.mean else np.ones_like(n) for n in counts]


def meetings(at: Any, counts: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
    """For each tap that meets the image anywhere: the tap, the pixels that it meets, and from which windows."""
    axes = []
    for i, (size, count) in enumerate(zip(at.size, counts, strict=True)):
        begin, stride, step = at.pads[i], at.strides[i], at.dilations[i]
        first = max(0, -((-begin + (count - 1) * stride) // step))
        stop = min(at.kernel_shape[i], (size - 1 + begin) // step + 1) if size else first
        found = []
        for tap in range(first, stop):
            places = np.arange(count) * stride - begin + tap * step
            inside = np.flatnonzero((places >= 0) & (places < size))
            found.append((tap, places[inside], inside))
        axes.append(found)
    everywhere = (slice(None), slice(None))
    for taps in itertools.product(*axes):
        pixels: Any = np.ix_(*(places for _, places, _ in taps))
        windows: Any = np.ix_(*(found for _, _, found in taps))
        yield tuple(tap for tap, _, _ in taps), (*everywhere, *pixels), (*everywhere, *windows)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    taps = (min(k, n) for k, n in zip(node.attrs.kernel_shape, outputs[0].shape[2:], strict=True))
    dy = inputs[0]
    return Cost(math.prod(taps) * (dy.size if dy else 0), moved_bytes(inputs, outputs))


def _taps_cost(
    node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
) -> Cost:
    return Cost(math.prod(node.attrs.kernel_shape) * outputs[0].size, moved_bytes(inputs, outputs))


register(
    Op(
        "MaxPoolWithTaps",
        _infer_taps,
        _max_with_taps,
        _taps_cost,
        WINDOW_ATTRIBUTES,
        hooks=Hooks(
            known=known.pool,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.max_pool,
        ),
    )
)
register(
    Op(
        "MaxPoolGradient",
        _infer_max,
        _max_gradient,
        _cost,
        {**WINDOW_ATTRIBUTES, "size": REQUIRED},  # spatial sizes of what was pooled
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.max_pool_gradient,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.max_pool_gradient,
        ),
    )
)
register(
    Op(
        "AveragePoolGradient",
        lambda call: [_gradient_spec(call)],
        _average_gradient,
        _cost,
        # mean 0: of sums over windows, as LpPool's are.
        {**WINDOW_ATTRIBUTES, "size": REQUIRED, "count_include_pad": 0, "mean": 1},
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.average_pool_gradient,
        ),
    )
)
