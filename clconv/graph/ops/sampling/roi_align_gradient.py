"""RoiAlignGradient: what the bins of all regions give back to the pixels that they were made of.

Written by the gradient rule of RoiAlign only (rules/gradient/sampling/roi_align.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import check_constant_indices, expect_index, expect_kind, moved_bytes
from clconv.graph.ops.sampling.roi_align import ROI_ATTRIBUTES, Bin, bins, corners
from clconv.graph.rules.gradient.sampling.roi_align import roi_align_gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    dy, rois, at = call.spec(0), call.spec(1), call.attrs
    dtype = same_dtype(call, 0, 1, 3)
    expect_kind(call, 0, "float")
    expect_index(call, 2)
    call.expect(dy.rank == 4, "the input must be (regions, channels, rows, columns)")
    call.expect(rois.shape == (dy.shape[0], 4), f"rois must be ({dy.shape[0]}, 4)")
    call.expect(call.spec(2).shape == rois.shape[:1], f"batch_indices must be {rois.shape[:1]}")
    call.expect(len(at.size) == 3, "size must be (images, height, width)")
    call.expect(at.mode in ("avg", "max"), f"mode {at.mode!r} is neither avg nor max")
    check_constant_indices(call, 2, at.size[0])
    x = TensorSpec((at.size[0], dy.shape[1], *at.size[1:]), dtype)
    if at.mode == "max":
        call.expect(call.spec(3).shape == x.shape, f"the image must have shape {x.shape}")
    return [x]


def _reference(
    at: Any, dy: np.ndarray, rois: np.ndarray, batch: np.ndarray, x: np.ndarray | None = None
) -> np.ndarray:
    dx = np.zeros((at.size[0], dy.shape[1], *at.size[1:]))
    for one in bins(at, rois, batch, at.size, dy.shape[2:]):
        g = dy[one.region, :, one.row, one.column].astype(np.float64)
        parts = [
            (py, px, wy * wx)
            for y, x_place in itertools.product(one.ys, one.xs)
            for py, wy in corners(y, at.size[1])
            for px, wx in corners(x_place, at.size[2])
        ]
        if x is not None and at.mode == "max":
            _to_largest(dx[one.image], x[one.image].astype(np.float64), parts, one, g)
            continue
        for py, px, weight in parts:
            dx[one.image, :, py, px] += weight * g / one.count
    return dx.astype(dy.dtype)


def _to_largest(
    dx: np.ndarray, x: np.ndarray, parts: list[tuple[int, int, float]], one: Bin, g: np.ndarray
) -> None:
    """To the first of the largest weighted corners; nothing where a sample beyond the image, 0, is larger."""
    if not parts:
        return
    weighted = np.array([weight * x[:, py, px] for py, px, weight in parts])
    for channel, best in enumerate(weighted.argmax(0)):
        py, px, weight = parts[best]
        if len(parts) == 4 * one.count or weighted[best, channel] > 0:
            dx[channel, py, px] += weight * g[channel]


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    samples = max(1, node.attrs.sampling_ratio) ** 2
    dy = inputs[0]
    return Cost(8 * samples * (dy.size if dy else 0), moved_bytes(inputs, outputs))


register(
    Op(
        "RoiAlignGradient",
        _infer,
        _reference,
        _cost,
        {
            **{k: v for k, v in ROI_ATTRIBUTES.items() if not k.startswith("output_")},
            "size": REQUIRED,  # images, height and width
        },
        inputs=(3, 4),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=roi_align_gradient,
        ),
    )
)
