"""Gradients of pooling over windows.

Each pixel looks at the windows that hold it, in a fixed order (MaxPoolGradient, AveragePoolGradient): no two results are
added to one place at once. Windows over padding that repeats the image are windows over the padded image, whose gradient
is folded back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.rules.gradient.pad import fold_back
from clconv.graph.rules.gradient.pool.power import signed_power, without_zeros
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward

_LARGEST_WINDOW = 255  # whose pixels a byte tells apart, and none


def max_pool(back: Backward) -> Sequence[str]:
    """MaxPool, and MaxPoolWithTaps. A byte for each window says which pixel it chose."""
    if not back.has_gradient(0):
        return [""]
    view = _View.of(back)
    if back.node.op == "MaxPoolWithTaps":
        where = back.output(1)
    else:
        fits = math.prod(view.window["kernel_shape"]) <= _LARGEST_WINDOW
        op = "MaxPoolWithTaps" if fits else "MaxPool"
        where = back.emit(op, view.image, outputs=2, **view.window)[1]
    dx = back.one("MaxPoolGradient", back.gradient(), where, size=view.size(back), **view.window)
    return [view.folded(back, dx)]


def average_pool(back: Backward) -> Sequence[str]:
    view = _View.of(back)
    counts = back.attrs.count_include_pad if back.attrs.pad_mode == "constant" else 0
    dx = back.one(
        "AveragePoolGradient",
        back.gradient(),
        size=view.size(back),
        count_include_pad=counts,
        **view.window,
    )
    return [view.folded(back, dx)]


def lp_pool(back: Backward) -> Sequence[str]:
    """dx = x |x|^(p-2) times the sum over the windows of dy y^(1-p), which is 0 where y is."""
    view, p, dy, y = _View.of(back), back.attrs.p, back.gradient(), back.output()
    share = dy if p == 1 else without_zeros(back, dy, y, p)
    share = back.one("AveragePoolGradient", share, size=view.size(back), mean=0, **view.window)
    return [view.folded(back, back.mul(share, signed_power(back, view.image, p)))]


def max_pool_gradient(back: Backward) -> Sequence[str]:
    """Of dy: the gradient at the pixel that each window chose."""
    where, given, found = back.input(1), back.gradient(), ["", ""]
    if not back.wants(0):
        return found
    flat = back.reshape(given, [-1])
    if back.spec(1).dtype is DType.INT64:
        none = back.one("Less", where, back.number(0, DType.INT64))
    else:
        none = back.one("Equal", where, back.number(_LARGEST_WINDOW, DType.UINT8))
        where = back.one("Where", none, back.number(0, DType.INT64), _places(back))
    there = back.one("Gather", flat, where, axis=0)
    found[0] = back.one("Where", none, back.number(0), there)
    return found


def average_pool_gradient(back: Backward) -> Sequence[str]:
    at = back.attrs
    window = {k: at[k] for k in _WINDOW}
    counts = at.count_include_pad if at.mean else 1
    means = back.one("AveragePool", back.gradient(), count_include_pad=counts, **window)
    if at.mean:
        return [means]
    from clconv.graph.ops.pool.pool import axis_counts

    pixels = np.maximum(1, _outer(axis_counts(at, at.size, True), np.multiply))
    return [back.mul(means, back.constant(pixels.astype(back.spec().dtype.numpy), "pixels"))]


_WINDOW = ("kernel_shape", "strides", "dilations", "pads", "ceil_mode", "pad_mode")


@record(frozen=True)
class _View:
    """What windows see. image: the input, padded where padding repeats it; window: attributes over the image, of
    padding "constant". pads: those of the input, if it was padded."""

    image: str
    window: Mapping[str, Any]
    pads: tuple[int, ...] = ()

    @classmethod
    def of(cls, back: Backward) -> _View:
        at, x = back.attrs, back.spec()
        window = {k: at[k] for k in _WINDOW}
        if at.pad_mode == "constant":
            return cls(back.input(), window)
        n = x.rank - 2
        pads = back.ints(0, 0, *at.pads[:n], 0, 0, *at.pads[n:])
        image = back.one("Pad", back.input(), pads, mode=at.pad_mode)
        # As much padding at the end as the last window of ceil_mode hangs over.
        ends = []
        for i, (size, count) in enumerate(
            zip(back.spec_of(image).shape[2:], back.result.shape[2:], strict=True)
        ):
            reach = (count - 1) * at.strides[i] + at.dilations[i] * (at.kernel_shape[i] - 1) + 1
            ends.append(max(0, reach - size))
        window.update(pads=(*(0,) * n, *ends), ceil_mode=0, pad_mode="constant")
        return cls(image, window, at.pads)

    def size(self, back: Backward) -> tuple[int, ...]:
        return back.spec_of(self.image).shape[2:]

    def folded(self, back: Backward, dx: str) -> str:
        """The gradient of the input from that of the image."""
        if not self.pads:
            return dx
        n = len(self.pads) // 2
        pads = (0, 0, *self.pads[:n], 0, 0, *self.pads[n:])
        return fold_back(back, dx, back.spec().shape, pads, back.attrs.pad_mode)


def _places(back: Backward) -> str:
    """Where in the flattened image the pixel lies that the taps of a MaxPoolGradient name, int64."""
    at, taps = back.attrs, back.spec(1)
    steps = [math.prod(at.size[i + 1 :]) for i in range(len(at.size))]
    axes = range(len(at.size))
    windows = [(np.arange(taps.shape[2 + i]) * at.strides[i] - at.pads[i]) * steps[i] for i in axes]
    within = [np.arange(at.kernel_shape[i]) * at.dilations[i] * steps[i] for i in axes]
    offsets = np.zeros(_LARGEST_WINDOW + 1, np.int64)
    each = _outer(within, np.add).reshape(-1)
    offsets[: each.size] = each
    planes = np.arange(math.prod(taps.shape[:2])) * math.prod(at.size)
    first = planes.reshape(*taps.shape[:2], *(1,) * len(at.size)) + _outer(windows, np.add)
    chosen = back.one(
        "Gather", back.constant(offsets), back.cast(back.input(1), DType.INT64), axis=0
    )
    return back.add(chosen, back.constant(first.astype(np.int64), "first"))


def _outer(lines: Sequence[np.ndarray], join: np.ufunc) -> np.ndarray:
    result = lines[0]
    for line in lines[1:]:
        result = join.outer(result, line)
    return result
