"""DeformConv: 2-D convolution whose taps are moved by learned offsets and weighted by a mask.

Dai et al. 2017 (offsets), Zhu et al. 2018 (mask).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.window import check_window, output_size
from clconv.graph.rules.gradient.deform import deform_conv

DEFORM_ATTRIBUTES = {
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,
    "group": 1,
    "offset_group": 1,
}


def _infer(call: Call) -> Sequence[TensorSpec]:
    x, w, offset, at = call.spec(0), call.spec(1), call.spec(2), call.attrs
    dtype = same_dtype(call, 0, 1, 2, 3, 4)
    expect_kind(call, 0, "float")
    call.expect(x.rank == w.rank == 4, "image and filters must have rank 4")
    call.expect(min(at.group, at.offset_group) >= 1, "group and offset_group must be at least 1")
    call.expect(
        w.shape[0] % at.group == 0 and x.shape[1] == w.shape[1] * at.group,
        f"{x.shape[1]} channels, filters {w.shape} and {at.group} groups do not fit",
    )
    call.expect(
        x.shape[1] % at.offset_group == 0,
        f"{x.shape[1]} channels do not divide into {at.offset_group} offset groups",
    )
    sizes = output_size(call, x.shape[2:], check_window(call, x, w.shape[2:]))
    taps = at.offset_group * math.prod(w.shape[2:])
    wanted = (x.shape[0], 2 * taps, *sizes)
    call.expect(offset.shape == wanted, f"offset must have shape {wanted}")
    if call.has(3):
        call.expect(call.spec(3).shape == w.shape[:1], f"the bias must have shape {w.shape[:1]}")
    if call.has(4):
        wanted = (x.shape[0], taps, *sizes)
        call.expect(call.spec(4).shape == wanted, f"mask must have shape {wanted}")
    return [TensorSpec((x.shape[0], w.shape[0], *sizes), dtype)]


def _bilinear(images: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """images (N, C, H, W) at places (N, H', W'), zero outside: (N, C, H', W')."""
    height, width = images.shape[2:]
    batch = np.arange(len(images))[:, None, None]
    out = np.zeros((*images.shape[:2], *y.shape[1:]))
    y, x = (np.where(np.isfinite(place), place, -2.0) for place in (y, x))
    low_y, low_x = np.floor(y), np.floor(x)
    for py, wy in ((low_y, low_y + 1 - y), (low_y + 1, y - low_y)):
        for px, wx in ((low_x, low_x + 1 - x), (low_x + 1, x - low_x)):
            inside = (py >= 0) & (py < height) & (px >= 0) & (px < width)
            rows, columns = (np.where(inside, at, 0).astype(np.int64) for at in (py, px))
            pixels = np.moveaxis(images[batch, :, rows, columns], -1, 1)
            # Nothing is read outside, nor at a place that is no number.
            out += np.where(inside, wy * wx, 0)[:, None] * np.where(inside[:, None], pixels, 0)
    return out


def _reference(
    at: Any,
    x: np.ndarray,
    w: np.ndarray,
    offset: np.ndarray,
    bias: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    (n, channels), (rows, columns) = x.shape[:2], w.shape[2:]
    height, width = offset.shape[2:]
    moves = offset.astype(np.float64).reshape(n, at.offset_group, rows, columns, 2, height, width)
    out = np.zeros((n, w.shape[0], height, width))
    base_y = np.arange(height)[:, None] * at.strides[0] - at.pads[0]
    base_x = np.arange(width)[None, :] * at.strides[1] - at.pads[1]
    shared, filters = channels // at.offset_group, w.shape[0] // at.group
    for i in range(rows):
        for j in range(columns):
            sampled = np.empty((n, channels, height, width))
            for g in range(at.offset_group):
                own = slice(g * shared, (g + 1) * shared)
                y = base_y + i * at.dilations[0] + moves[:, g, i, j, 0]
                z = base_x + j * at.dilations[1] + moves[:, g, i, j, 1]
                sampled[:, own] = _bilinear(x[:, own].astype(np.float64), y, z)
                if mask is not None:
                    index = (g * rows + i) * columns + j
                    sampled[:, own] *= mask[:, index : index + 1]
            for g in range(at.group):
                some = slice(g * w.shape[1], (g + 1) * w.shape[1])
                target = slice(g * filters, (g + 1) * filters)
                tap = w[target, :, i, j].astype(np.float64)
                out[:, target] += np.einsum("fc,nchw->nfhw", tap, sampled[:, some])
    if bias is not None:
        out += bias.astype(np.float64).reshape(1, -1, 1, 1)
    return out.astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    weights = inputs[1]
    assert weights is not None
    flops = 2 * outputs[0].size * math.prod(weights.shape[1:])
    return Cost(flops, moved_bytes(inputs, outputs))


register(
    Op(
        "DeformConv",
        _infer,
        _reference,
        _cost,
        DEFORM_ATTRIBUTES,
        inputs=(3, 5),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=deform_conv,
        ),
    )
)
