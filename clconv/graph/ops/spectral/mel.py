"""The weights that turn a spectrum into bins of the mel scale: MelWeightMatrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register
from clconv.graph.ops.movement.create import known_dtype
from clconv.graph.ops.numeric import one_value

_MOST_WEIGHTS = 1 << 28
_MOST_BINS = 1 << 16


def _infer_mel(call: Call) -> Sequence[TensorSpec]:
    bins, length = one_value(call, 0), one_value(call, 1)
    call.expect(bins >= 1 and length >= 1, f"{bins} bins for transforms of length {length}")
    rate, low, high = (float(one_value(call, i)) for i in range(2, 5))
    call.expect(
        rate > 0 and 0 <= low <= high < np.inf,
        f"{low} to {high} hertz at {rate} samples a second mean nothing",
    )
    call.expect(
        bins <= _MOST_BINS and (length // 2 + 1) * bins <= _MOST_WEIGHTS,
        f"{bins:,} bins of {length // 2 + 1:,} places are more than the {_MOST_BINS:,} bins and {_MOST_WEIGHTS:,} "
        "weights that are made",
    )
    call.expect(
        _corners(bins, length, rate, low, high)[-1] <= length // 2,
        f"{high} hertz lie beyond half of the {rate} samples a second",
    )
    return [TensorSpec((length // 2 + 1, bins), known_dtype(call, call.attrs.output_datatype))]


def _corners(bins: int, length: int, rate: float, low: float, high: float) -> np.ndarray:
    """Where the triangles begin, peak and end, rising: whole places of a transform of that length, as floats."""
    bottom, top = (2595 * np.log10(1 + hertz / 700) for hertz in (low, high))
    mel = np.arange(bins + 2) * ((top - bottom) / (bins + 2)) + bottom
    hertz = 700 * (10 ** (mel / 2595) - 1)
    return np.asarray((length + 1) * hertz // rate)


def _mel(
    at: Any,
    bins: np.ndarray,
    length: np.ndarray,
    rate: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """(places of a one-sided transform, bins): triangles whose corners lie evenly on the mel scale.

    Corners are whole places, as ONNX defines them: floor((length + 1) * hertz / rate).
    """
    count, n = int(bins.reshape(-1)[0]), int(length.reshape(-1)[0])
    settings = (v.reshape(-1)[0].item() for v in (rate, low, high))
    corners = _corners(count, n, *settings).astype(np.int64)
    weights = np.zeros((n // 2 + 1, count))
    for i, (left, centre, right) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rising, falling = np.arange(left, centre + 1), np.arange(centre, right)
        weights[rising, i] = (rising - left) / (centre - left) if centre > left else 1
        if right > centre:
            weights[falling, i] = (right - falling) / (right - centre)
    return weights.astype(at.output_datatype)


def _expand_mel(e: Expansion) -> bool:
    """Only a large one comes here: others are constants."""
    values = [e.call.value(i) for i in range(5)]
    e.result(e.constant(_mel(e.call.attrs, *values), "weights"))
    return True


register(
    Op(
        "MelWeightMatrix",
        _infer_mel,
        _mel,
        attributes={"output_datatype": "float32"},
        inputs=(5, 5),
        expand=_expand_mel,
        always_expands=True,
    )
)
