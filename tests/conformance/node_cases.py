"""ONNX's cases of single operators, which its package computes while they are imported."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx.backend.test.case import base
from onnx.reference.ops import op_pool_common

pool = op_pool_common.pool


@functools.cache
def node_cases() -> tuple[Any, ...]:
    """All of them, in onnx's order."""
    with warnings.catch_warnings(), _quickened():
        warnings.simplefilter("ignore")  # infinities in the cases' own arithmetic
        from onnx.backend.test.case.node import collect_testcases

        np.random.seed(0)  # the cases draw from NumPy's global generator
        return tuple(collect_testcases(None))


@contextlib.contextmanager
def _quickened() -> Iterator[None]:
    """Two thirds of the time go into a loop over the windows of pools, and into reading the source of each case for
    onnx's documentation."""
    snippet = base.process_snippet
    base.process_snippet = lambda op, name, export: (name, "")
    op_pool_common.pool = whole_windows
    try:
        yield
    finally:
        base.process_snippet, op_pool_common.pool = snippet, pool


def whole_windows(
    padded: np.ndarray,
    x_shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    out_shape: Sequence[int],
    *more: Any,
    **named: Any,
) -> np.ndarray:
    """onnx's pool() for all windows at once, where each lies inside the padded tensor; else pool() itself."""
    names = ("pooling_type", "pads_required", "pads", "dilations", "count_include_pad", "p")
    given = {**dict(zip(names, more, strict=False)), **named}
    axes = range(2, padded.ndim)
    steps = strides or [1] * len(axes)
    apart = given.get("dilations")
    apart = [1] * len(axes) if apart is None else apart
    reach = tuple(1 + (k - 1) * d for k, d in zip(kernel, apart, strict=True))
    count = tuple(
        (padded.shape[a] - r) // s + 1 for a, r, s in zip(axes, reach, steps, strict=True)
    )
    pads = given.get("pads")
    if given.get("pads_required") is None or pads is None or len(pads) != 2 * len(axes):
        pads = [0] * 2 * len(axes)
    inside = [x_shape[a] + pads[i] + pads[i + len(axes)] for i, a in enumerate(axes)]
    if inside != list(padded.shape[2:]) or count != tuple(out_shape):
        return pool(padded, x_shape, kernel, strides, out_shape, *more, **named)
    each = (slice(None),) * 2
    windows = sliding_window_view(padded, reach, tuple(axes))
    windows = windows[(*each, *(slice(None, None, s) for s in steps))]
    windows = windows[(..., *(slice(None, None, d) for d in apart))]
    values = windows.reshape(*padded.shape[:2], *count, -1)
    return _pooled(values, given).astype(padded.dtype)


def _pooled(values: np.ndarray, given: dict[str, Any]) -> np.ndarray:
    """Of each window, along the last axis; what was padded is NaN unless it counts."""
    kind = given["pooling_type"]
    p, padding_counts = given.get("p", 1), given.get("count_include_pad") == 1
    if kind == "MAX":
        return np.nanmax(values, axis=-1)
    if kind == "AVG":
        return (np.mean if padding_counts else np.nanmean)(values, axis=-1)
    return (np.sum if padding_counts else np.nansum)(np.abs(values) ** p, axis=-1) ** (1 / p)
