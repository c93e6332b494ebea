"""Resize: nearest, linear and cubic interpolation over any number of axes.

Every mode is separable: along each axis an output pixel is a weighted sum of a few input pixels, and
`interpolation.axis_taps` says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, index_values, known_axes, moved_bytes
from clconv.graph.ops.sampling.interpolation import (
    LONGEST,
    AxisResize,
    axis_taps,
    outside_pixels,
    resize_axes,
    taps_of,
)
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.sampling import resize as gradient

COORDINATE_MODES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
NEAREST_MODES = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
POLICIES = ("stretch", "not_larger", "not_smaller")
MODES = ("nearest", "linear", "cubic")
RESIZE_ATTRIBUTES = {
    "mode": "nearest",
    "coordinate_transformation_mode": "half_pixel",
    "nearest_mode": "round_prefer_floor",
    "cubic_coeff_a": -0.75,
    "exclude_outside": 0,
    "antialias": 0,
    "extrapolation_value": 0.0,
    "axes": (),  # which axes scales, sizes and roi are about; () is all
    "keep_aspect_ratio_policy": "stretch",
}

# Entries of an axis's tables of pixels and weights, 16 bytes each on the host.
_MOST_TAPS = 1 << 27


def call_axes(call: Call) -> list[AxisResize]:
    """What a Resize node does to every axis, validated. Raises ShapeError or NeedsValue."""
    x, at = call.spec(0), call.attrs
    for name, allowed in (
        ("mode", MODES),
        ("coordinate_transformation_mode", COORDINATE_MODES),
        ("nearest_mode", NEAREST_MODES),
        ("keep_aspect_ratio_policy", POLICIES),
    ):
        call.expect(at[name] in allowed, f"{name} {at[name]!r} is not one of {allowed}")
    count = len(known_axes(call, at.axes, x.rank)) or x.rank
    given = [call.has(i) and call.spec(i).size > 0 for i in range(4)]
    call.expect(given[2] != given[3], "exactly one of scales and sizes must be given")
    roi = scales = sizes = None
    if at.coordinate_transformation_mode == "tf_crop_and_resize":
        call.expect(given[1], "tf_crop_and_resize needs roi")
        roi = call.value(1).reshape(-1)
        call.expect(roi.size == 2 * count, f"roi has {roi.size} values for {count} axes, not twice")
    if given[2]:
        scales = call.value(2).reshape(-1)
        call.expect(scales.size == count, f"{scales.size} scales for {count} axes")
        call.expect(call.spec(2).dtype.is_float, "scales must be floats")
        call.expect(
            np.isfinite(scales).all() and (scales > 0).all(), f"scales {scales} must be positive"
        )
    else:
        sizes = np.array(index_values(call, 3), np.int64)
        call.expect(sizes.size == count, f"{sizes.size} sizes for {count} axes")
        call.expect((sizes >= 0).all(), f"sizes {sizes} must be positive")
    if scales is not None:
        longest = float(np.abs(scales).max(initial=0)) * max(x.shape, default=0)
        call.expect(longest < 1 << 48, f"scales {scales} make more pixels than anything counts")
    axes = resize_axes(at, x.shape, roi, scales, sizes)
    for axis in axes:
        call.expect(
            axis.out <= LONGEST, f"an axis of {axis.size} pixels becomes longer than {LONGEST:,}"
        )
        taps = taps_of(at, axis)
        if not axis.is_copy and axis.out * taps > _MOST_TAPS:
            raise DeviceMemoryError(
                f"node '{call.node.name}' (Resize): {axis.size:,} pixels become {axis.out:,}, of {taps:,} each: tables "
                f"have at most {_MOST_TAPS:,} entries along an axis ({x}, {at})"
            )
    for axis in axes:  # an empty batch stays one
        call.expect(bool(axis.size) == bool(axis.out), f"{axis.size} pixels become {axis.out}")
    return axes


def _infer(call: Call) -> Sequence[TensorSpec]:
    dtype = expect_kind(call, 0, "number" if call.attrs.mode != "nearest" else "any")
    return [TensorSpec(tuple(a.out for a in call_axes(call)), dtype)]


def _reference(
    at: Any,
    x: np.ndarray,
    roi: np.ndarray | None = None,
    scales: np.ndarray | None = None,
    sizes: np.ndarray | None = None,
) -> np.ndarray:
    axes = resize_axes(at, x.shape, roi, scales, sizes)
    out = x if at.mode == "nearest" else x.astype(np.float64)
    outside = np.zeros((), np.bool_)
    for i, axis in enumerate(axes):
        indices, weights = axis_taps(at, axis)
        if at.mode == "nearest":
            out = np.take(out, indices[:, 0], i)
        elif not axis.is_copy:
            matrix = np.zeros((axis.out, axis.size))
            np.add.at(matrix, (np.arange(axis.out)[:, None], indices), weights)
            out = np.moveaxis(np.tensordot(matrix, out, (1, i)), 0, i)
        beyond = outside_pixels(at, axis).reshape([-1 if j == i else 1 for j in range(x.ndim)])
        outside = outside | beyond
    return np.where(outside, at.extrapolation_value, out).astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    taps = {"nearest": 1, "linear": 2, "cubic": 4}[node.attrs.mode]
    return Cost(2 * outputs[0].size * taps**2, moved_bytes(inputs, outputs))


register(
    Op(
        "Resize",
        _infer,
        _reference,
        _cost,
        RESIZE_ATTRIBUTES,
        inputs=(1, 4),
        hooks=Hooks(
            known=known.resize,
            shape_input=3,
            transposed=None,
            images=images.resize,
            half=Half.narrowed(0),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.resize,
        ),
    )
)
