"""Convolution in three dimensions as one in two: the slices of the image are a larger batch.

    y[:, :, d] = conv2d(concat over k of x[:, :, d * stride + k * dilation - pad], w as (filters, taps * channels, ...))

so that what is fast in two dimensions is fast in three. A filter with one tap along the depth copies nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ir import Constant, TensorSpec
from clconv.graph.ops.base import Expansion
from clconv.graph.ops.depth import MOST_PLACES, MOST_TAPS

_BY_DEPTH = (0, 2, 1, 3, 4)  # (batch, channels, depth, ...) <-> (batch, depth, channels, ...)


def expand_conv(e: Expansion, depth: int) -> bool:
    """Writes a 3-D Conv whose result has that depth; False for others, and for groups that have several taps
    along the depth and are not one for each channel, and for windows so deep that the tables would be large."""
    x, w, at = e.call.spec(0), e.call.spec(1), e.call.attrs
    if x.rank != 5 or not depth:
        return False
    taps = w.shape[2]
    depthwise = at.group == x.shape[1] == w.shape[0]
    if taps > 1 and at.group > 1 and not depthwise:
        return False
    if taps > MOST_TAPS or depth * taps > MOST_PLACES:
        return False
    (slices,) = e.emit("Transpose", e.call.node.inputs[0], perm=_BY_DEPTH)
    if at.pads[0] or at.pads[3]:
        pads = e.ints(0, at.pads[0], 0, 0, 0, 0, at.pads[3], 0, 0, 0)
        (slices,) = e.emit("Pad", slices, pads, mode=at.pad_mode)
    places = np.arange(depth)[:, None] * at.strides[0] + np.arange(taps) * at.dilations[0]
    if depthwise and taps > 1:
        products = [
            _flat_conv(e, slices, places[:, k : k + 1], _tap(e, k), first=not k)
            for k in range(taps)
        ]
        (product,) = e.emit("Sum", *products)
    else:
        product = _flat_conv(e, slices, places, _side_by_side(e))
    _finish(e, product, depth)
    return True


def _flat_conv(
    e: Expansion, slices: str, places: np.ndarray, weights: str, first: bool = True
) -> str:
    """A 2-D convolution of the slices at places (depth, taps), taps side by side as channels."""
    x, at = e.call.spec(0), e.call.attrs
    count = x.shape[2] + at.pads[0] + at.pads[3]
    if not np.array_equal(places.reshape(-1), np.arange(count)):
        (slices,) = e.emit("Gather", slices, e.constant(places.reshape(-1), "places"), axis=1)
    channels = places.shape[1] * x.shape[1]
    shape = e.ints(x.shape[0] * len(places), channels, *x.shape[3:])
    (image,) = e.emit("Reshape", slices, shape, allowzero=1)
    bias = [e.call.node.inputs[2]] if e.call.has(2) and first else []
    flat = {
        "strides": at.strides[1:],
        "dilations": at.dilations[1:],
        "pads": (*at.pads[1:3], *at.pads[4:]),
    }
    (product,) = e.emit("Conv", image, weights, *bias, **{**at, **flat, "auto_pad": "NOTSET"})
    return product


def _finish(e: Expansion, product: str, depth: int) -> None:
    """(batch * depth, filters, height, width) as the node's output."""
    x, w, at = e.call.spec(0), e.call.spec(1), e.call.attrs
    sizes = [
        (
            x.shape[3 + i]
            + at.pads[1 + i]
            + at.pads[4 + i]
            - at.dilations[1 + i] * (w.shape[3 + i] - 1)
            - 1
        )
        // at.strides[1 + i]
        + 1
        for i in range(2)
    ]
    shape = e.ints(x.shape[0], depth, w.shape[0], *sizes)
    (shaped,) = e.emit("Reshape", product, shape, allowzero=1)
    (turned,) = e.emit("Transpose", shaped, perm=_BY_DEPTH)
    e.result(turned)


def _side_by_side(e: Expansion) -> str:
    """(filters, channels, taps, ...) as (filters, taps * channels, ...)."""
    w = e.call.spec(1)
    shape = (w.shape[0], w.shape[1] * w.shape[2], *w.shape[3:])

    def turned(array: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(array.transpose(_BY_DEPTH)).reshape(shape)

    known = e.known(1)
    if known is not None:
        return e.constant(_derived(known, "slices", shape, turned), "filters")
    (weights,) = e.emit("Transpose", e.call.node.inputs[1], perm=_BY_DEPTH)
    (weights,) = e.emit("Reshape", weights, e.ints(*shape), allowzero=1)
    return weights


def _tap(e: Expansion, k: int) -> str:
    """One tap of all filters, (filters, channels, ...)."""
    w = e.call.spec(1)
    shape = (*w.shape[:2], *w.shape[3:])
    known = e.known(1)
    if known is not None:
        made = _derived(
            known, f"tap {k}", shape, lambda array: np.ascontiguousarray(array[:, :, k])
        )
        return e.constant(made, "filters")
    index = e.constant(np.array(k, np.int64), "tap")
    (weights,) = e.emit("Gather", e.call.node.inputs[1], index, axis=2)
    return weights


def _derived(source: Constant, how: str, shape: tuple[int, ...], function: Any) -> Constant:
    """A constant made of another one; the plans for all sizes get the same one."""
    if how not in source.derived:
        spec = TensorSpec(shape, source.spec.dtype)
        source.derived[how] = Constant.reread(spec, lambda: function(source.array))
    return source.derived[how]
