"""Resize: nearest, linear and cubic interpolation over any number of axes.

Every mode is separable: along each axis an output pixel is a weighted sum of a few input pixels,
and `axis_taps` says which. Coordinates are computed in float32, because rounding to the nearest pixel
depends on it and trained models expect what other float32 engines give.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import DeviceMemoryError
from clconv.graph.ir import Attributes, Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, index_values, known_axes, moved_bytes
from clconv.graph.rules import images, known

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
LONGEST = 2**31 - 1  # pixels of an axis: kernels count them in 32 bits
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
_TAPS_AT_ONCE = (
    1 << 22
)  # entries that are computed together: what lies between takes several times their memory


@dataclasses.dataclass(frozen=True)
class AxisResize:
    """One axis: pixels in and out, scale (about out / in), region of interest."""

    size: int
    out: int
    scale: float = 1.0
    roi: tuple[float, float] = (0.0, 1.0)

    @property
    def is_copy(self) -> bool:
        return self.size == self.out and self.scale == 1 and self.roi == (0.0, 1.0)


def resize_axes(
    attrs: Attributes,
    shape: Sequence[int],
    roi: np.ndarray | None,
    scales: np.ndarray | None,
    sizes: np.ndarray | None,
) -> list[AxisResize]:
    """What happens to every axis, for inputs that the shape rule has accepted."""
    axes = [a % len(shape) for a in attrs.axes] or list(range(len(shape)))
    result = [AxisResize(d, d) for d in shape]
    if scales is not None and scales.size:
        ratios = scales.reshape(-1).astype(np.float32)
        with np.errstate(over="ignore"):
            lengths = [np.float32(shape[a]) * s for a, s in zip(axes, ratios, strict=True)]
        # What no axis can have, an infinite length above all, is left to the shape rule.
        outs = [int(min(float(n), float(LONGEST + 1))) for n in lengths]
    else:
        assert sizes is not None
        outs = [int(n) for n in sizes.reshape(-1)]
        ratios = np.array(
            [n / (shape[a] or 1) for a, n in zip(axes, outs, strict=True)], np.float32
        )
        if attrs.keep_aspect_ratio_policy != "stretch":
            pick = min if attrs.keep_aspect_ratio_policy == "not_larger" else max
            ratio = pick(n / (shape[a] or 1) for a, n in zip(axes, outs, strict=True))
            outs = [math.floor(ratio * shape[a] + 0.5) for a in axes]
            ratios = np.full(len(axes), ratio, np.float32)
    roi = None if roi is None else roi.reshape(-1)
    crops = attrs.coordinate_transformation_mode == "tf_crop_and_resize" and roi is not None
    for i, axis in enumerate(axes):
        region = (
            (float(roi[i]), float(roi[i + len(axes)])) if crops and roi is not None else (0.0, 1.0)
        )
        result[axis] = AxisResize(shape[axis], outs[i], float(ratios[i]), region)
    return result


def axis_coordinates(mode: str, axis: AxisResize) -> np.ndarray:
    """Where each output pixel lies among the input's, (out,) float32."""
    one, half = np.float32(1), np.float32(0.5)
    x = np.arange(axis.out, dtype=np.float32)
    size, out, scale = np.float32(axis.size), np.float32(axis.out), np.float32(axis.scale)
    start, end = np.float32(axis.roi[0]), np.float32(axis.roi[1])
    # The resized length of ONNX's formulas is scale * size, which need not be whole.
    length = scale * size if abs(scale * size - out) > 1e-3 else out
    if mode == "tf_crop_and_resize":
        if length == 1:
            return np.full(axis.out, half * (start + end) * (size - one), np.float32)
        return start * (size - one) + x * (end - start) * (size - one) / (length - one)
    if scale == 1 and axis.size == axis.out:
        return x
    if mode == "align_corners":
        return x * (size - one) / (length - one) if axis.out > 1 else np.zeros(1, np.float32)
    if mode == "asymmetric":
        return x / scale
    if mode == "tf_half_pixel_for_nn":
        return (x + half) / scale
    if mode == "pytorch_half_pixel" and axis.out == 1:
        return np.zeros(1, np.float32)
    if mode == "half_pixel_symmetric":
        # The centre of the image stays the centre, also when scale * size is no whole number.
        offset = size / 2 * (one - out / (scale * size))
        return offset + (x + half) / scale - half
    return (x + half) / scale - half


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel (1981)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def axis_taps(attrs: Attributes, axis: AxisResize) -> tuple[np.ndarray, np.ndarray]:
    """Which input pixels make each output pixel, and their weights: (out, taps) int64 and float64.

    Positions beyond the image are clamped to its edge (weight 0 with exclude_outside).
    """
    x = axis_coordinates(attrs.coordinate_transformation_mode, axis)
    pixels = max(1, _TAPS_AT_ONCE // taps_of(attrs, axis))
    parts = [_taps_at(attrs, axis, x[i : i + pixels]) for i in range(0, max(axis.out, 1), pixels)]
    if len(parts) == 1:
        return parts[0]
    indices, weights = zip(*parts, strict=True)
    return np.concatenate(indices), np.concatenate(weights)


def taps_of(attrs: Attributes, axis: AxisResize) -> int:
    """How many input pixels axis_taps gives for each output pixel."""
    return 1 if axis.is_copy or attrs.mode == "nearest" else 2 - 2 * _first_tap(attrs, axis)[0]


def _first_tap(attrs: Attributes, axis: AxisResize) -> tuple[int, float]:
    """How far the first pixel lies before an output pixel, and what distances are shrunk by."""
    reach = 1 if attrs.mode == "linear" else 2
    # Antialiasing stretches the kernel over as many input pixels as an output pixel covers.
    stretch = min(axis.scale, 1.0) if attrs.antialias else 1.0
    return math.floor(-reach / stretch) + 1, stretch


def _taps_at(attrs: Attributes, axis: AxisResize, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """axis_taps of the output pixels that lie at x."""
    last = axis.size - 1
    if axis.is_copy or attrs.mode == "nearest":
        rounded = {
            "round_prefer_floor": lambda: np.ceil(x - np.float32(0.5)),
            "round_prefer_ceil": lambda: np.floor(x + np.float32(0.5)),
            "floor": lambda: np.floor(x),
            "ceil": lambda: np.ceil(x),
        }[attrs.nearest_mode]()
        return np.clip(rounded, 0, last).astype(np.int64)[:, None], np.ones((x.size, 1))
    first, stretch = _first_tap(attrs, axis)
    base = np.floor(x.astype(np.float64))
    positions = base[:, None] + np.arange(first, 2 - first)[None, :]
    distance = (positions - x.astype(np.float64)[:, None]) * stretch
    if attrs.mode == "linear":
        weights = np.clip(1 - np.abs(distance), 0, 1)
    else:
        weights = _cubic(distance, attrs.cubic_coeff_a)
    if attrs.exclude_outside:
        weights = np.where((positions < 0) | (positions > last), 0, weights)
    weights = weights / weights.sum(1, keepdims=True)
    return np.clip(positions, 0, last).astype(np.int64), weights


def outside_pixels(attrs: Attributes, axis: AxisResize) -> np.ndarray:
    """Which output pixels get the extrapolation value, (out,) bool: tf_crop_and_resize only."""
    if attrs.coordinate_transformation_mode != "tf_crop_and_resize" or axis.is_copy:
        return np.zeros(axis.out, np.bool_)
    x = axis_coordinates("tf_crop_and_resize", axis)
    return (x < 0) | (x > axis.size - 1)


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
        ),
    )
)
