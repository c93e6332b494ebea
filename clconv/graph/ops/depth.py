"""Pooling, transposed convolution and resizing in three dimensions, written as in two and then along the depth.

Slices of the image are a larger batch, as in `conv_depth`; along the depth, what is at several places of the same
slice is gathered and added up (or compared), which is element-wise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clconv.graph.ops.base import Expansion

# Each tap along the depth becomes a node, each of its places an entry of a table: beyond these the kernels for any
# number of axes take the node as it is.
MOST_TAPS = 64
MOST_PLACES = 1 << 22

_BY_DEPTH = (0, 2, 1, 3, 4)  # (batch, channels, depth, ...) <-> (batch, depth, channels, ...)


def expand_pool(e: Expansion, sizes: tuple[int, ...], counts_pads: bool = False) -> bool:
    """A 3-D MaxPool or AveragePool with results of these sizes; False for others, or where indices are wanted."""
    x, at, node = e.call.spec(0), e.call.attrs, e.call.node
    if x.rank != 5 or at.pad_mode != "constant" or not (x.size and min(sizes)):
        return False
    if len(node.outputs) > 1 and node.outputs[1]:
        return False
    if at.kernel_shape[0] > MOST_TAPS or sizes[0] > MOST_PLACES // MOST_TAPS:
        return False
    image = _slices(e)
    flat = {
        k: at[k][1:3] if k != "pads" else (*at.pads[1:3], *at.pads[4:6])
        for k in ("kernel_shape", "strides", "dilations", "pads")
    }
    (image,) = e.emit(node.op, image, **{**at, **flat, "auto_pad": "NOTSET"})
    shape = e.ints(x.shape[0], x.shape[2], x.shape[1], *sizes[1:])
    (image,) = e.emit("Reshape", image, shape, allowzero=1)
    depth, begin = x.shape[2], at.pads[0]
    # For each tap the slice it meets, for each result; outside the image another one.
    places = (
        np.arange(sizes[0]) * at.strides[0]
        - begin
        + np.arange(at.kernel_shape[0])[:, None] * at.dilations[0]
    )
    inside = (places >= 0) & (places < depth)
    if node.op == "MaxPool":
        dtype = x.dtype.numpy
        lowest: Any = -np.inf if dtype.kind == "f" else np.iinfo(dtype).min
        image = _along_depth(e, image, places, inside, depth, np.array(lowest, dtype), "Max")
    else:
        total = _along_depth(e, image, places, inside, depth, np.array(0, x.dtype.numpy), "Sum")
        counted = (places >= -begin) & (places < depth + at.pads[3]) if counts_pads else inside
        reciprocals = 1 / np.maximum(counted.sum(0), 1)
        factor = e.constant(reciprocals.reshape(1, -1, 1, 1, 1).astype(x.dtype.numpy), "shares")
        (image,) = e.emit("Mul", total, factor)
    (image,) = e.emit("Transpose", image, perm=_BY_DEPTH)
    e.result(image)
    return True


def expand_conv_transpose(e: Expansion, sizes: tuple[int, ...]) -> bool:
    """A 3-D ConvTranspose of one group with a result of these sizes, False for others.

    Every slice is convolved with all taps along the depth at once, as so many more filters; each result's
    depth adds up what falls on it.
    """
    x, w, at, node = e.call.spec(0), e.call.spec(1), e.call.attrs, e.call.node
    if x.rank != 5 or at.group != 1 or not (x.size and min(sizes)):
        return False
    batch, _, depth = x.shape[:3]
    filters, taps = w.shape[1:3]
    if taps > MOST_TAPS or sizes[0] * depth * taps > MOST_PLACES:
        return False
    (weights,) = e.emit("Transpose", node.inputs[1], perm=_BY_DEPTH)
    shape = e.ints(w.shape[0], taps * filters, *w.shape[3:])
    (weights,) = e.emit("Reshape", weights, shape, allowzero=1)
    extra = at.output_padding or (0, 0, 0)
    flat = {
        "strides": at.strides[1:],
        "dilations": at.dilations[1:],
        "pads": (*at.pads[1:3], *at.pads[4:6]),
        "output_padding": extra[1:],
        "output_shape": (),
        "auto_pad": "NOTSET",
    }
    (product,) = e.emit("ConvTranspose", _slices(e), weights, **{**at, **flat})
    pieces = e.ints(batch, depth * taps, filters, *sizes[1:])
    (product,) = e.emit("Reshape", product, pieces, allowzero=1)
    # The pieces (slice, tap) that fall on each depth of the result.
    falls = (
        np.arange(depth)[:, None] * at.strides[0] + np.arange(taps) * at.dilations[0] - at.pads[0]
    ).reshape(-1)
    meeting = [np.flatnonzero(falls == place) for place in range(sizes[0])]
    most = max(1, max(len(found) for found in meeting))
    places = np.full((most, sizes[0]), -1)
    for place, found in enumerate(meeting):
        places[: len(found), place] = found
    zero = np.array(0, x.dtype.numpy)
    total = _along_depth(e, product, places, places >= 0, depth * taps, zero, "Sum")
    if e.call.has(2):
        (bias,) = e.emit("Reshape", node.inputs[2], e.ints(filters, 1, 1), allowzero=1)
        (total,) = e.emit("Add", total, bias)
    (image,) = e.emit("Transpose", total, perm=_BY_DEPTH)
    e.result(image)
    return True


def _slices(e: Expansion) -> str:
    """The first input as (batch * depth, channels, height, width)."""
    x = e.call.spec(0)
    (image,) = e.emit("Transpose", e.call.node.inputs[0], perm=_BY_DEPTH)
    shape = e.ints(x.shape[0] * x.shape[2], x.shape[1], *x.shape[3:])
    (image,) = e.emit("Reshape", image, shape, allowzero=1)
    return image


def _along_depth(
    e: Expansion,
    image: str,
    places: np.ndarray,
    inside: np.ndarray,
    depth: int,
    outside: np.ndarray,
    op: str,
) -> str:
    """op over the taps of (batch, depth, ...) at places (taps, results), `outside` where inside is false."""
    if not inside.all():
        # One more slice, which holds that value.
        pads = e.ints(0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
        (image,) = e.emit("Pad", image, pads, e.constant(outside, "outside"), mode="constant")
        places, depth = np.where(inside, places, depth), depth + 1
    taps = []
    for tap in places:
        if np.array_equal(tap, np.arange(depth)):
            taps.append(image)
        else:
            taps += e.emit("Gather", image, e.constant(tap.astype(np.int64), "places"), axis=1)
    if len(taps) == 1:
        return taps[0]
    (joined,) = e.emit(op, *taps)
    return joined
