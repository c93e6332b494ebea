"""Interpolation along one axis: where output pixels lie, and which input pixels make them with what weights.

Coordinates are computed in float32, because rounding to the nearest pixel depends on it and trained models expect what
other float32 engines give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import Attributes
from clconv.records import record

LONGEST = 2**31 - 1  # pixels of an axis: kernels count them in 32 bits
# Entries of the tables that are computed together: what lies between takes several times their memory.
_TAPS_AT_ONCE = 1 << 22


@record(frozen=True)
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
        # An empty axis, such as a batch of no images, stays one: nothing stretches it.
        ratios = np.array(
            [n / shape[a] if shape[a] else 1 for a, n in zip(axes, outs, strict=True)], np.float32
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


def axis_gradient_taps(attrs: Attributes, axis: AxisResize) -> tuple[np.ndarray, np.ndarray]:
    """The way back: which output pixels each input pixel is part of, and its weights in them: (size, taps) int64 and
    float64, of weight 0 where there are fewer. Output pixels outside the image hold a value of their own."""
    index, weight = axis_taps(attrs, axis)
    weight = np.where(outside_pixels(attrs, axis)[:, None], 0, weight)
    outputs = np.broadcast_to(np.arange(axis.out)[:, None], index.shape)
    used = weight != 0
    # Positions beyond the image are clamped: several taps of an output pixel may be one input pixel.
    pairs, which = np.unique(index[used] * axis.out + outputs[used], return_inverse=True)
    joined = np.bincount(which, weight[used], len(pairs))
    pixels = pairs // max(axis.out, 1)
    counts = np.bincount(pixels, minlength=axis.size)
    turns = np.arange(len(pairs)) - np.repeat(np.cumsum(counts) - counts, counts)
    taps = np.zeros((axis.size, max(1, int(counts.max(initial=0)))), np.int64)
    weights = np.zeros(taps.shape)
    taps[pixels, turns], weights[pixels, turns] = pairs % max(axis.out, 1), joined
    return taps, weights
