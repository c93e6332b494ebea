"""Sampling an image at given positions: GridSample, and AffineGrid, which makes the positions."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, index_values, moved_bytes
from clconv.graph.rules.gradient.sampling import grid_sample as gradient

MODES = ("linear", "nearest", "cubic")
PADDING_MODES = ("zeros", "border", "reflection")


def _infer(call: Call) -> Sequence[TensorSpec]:
    x, grid, at = call.spec(0), call.spec(1), call.attrs
    for i in (0, 1):
        expect_kind(call, i, "float")
    spatial = x.rank - 2
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(grid.rank == x.rank, f"a grid of rank {grid.rank} for an input of rank {x.rank}")
    call.expect(
        grid.shape[0] == x.shape[0] and grid.shape[-1] == spatial,
        f"the grid must be ({x.shape[0]}, ..., {spatial})",
    )
    call.expect(at.mode in MODES, f"mode {at.mode!r} is not one of {MODES}")
    call.expect(
        at.padding_mode in PADDING_MODES,
        f"padding_mode {at.padding_mode!r} is not in {PADDING_MODES}",
    )
    call.expect(min(x.shape[2:]) > 0, "an empty image cannot be sampled")
    return [TensorSpec((*x.shape[:2], *grid.shape[1:-1]), x.dtype)]


def _reflect(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mirrored at both borders until it lies between them."""
    if high == low:
        return np.full_like(x, low)
    phase = np.mod(x - low, 2 * (high - low))
    return low + np.minimum(phase, 2 * (high - low) - phase)


def _cubic(t: np.ndarray, a: float = -0.75) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights of the four pixels around, and their derivatives."""

    def near(d: np.ndarray) -> np.ndarray:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: np.ndarray) -> np.ndarray:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    def near_slope(d: np.ndarray) -> np.ndarray:
        return (3 * (a + 2) * d - 2 * (a + 3)) * d

    def far_slope(d: np.ndarray) -> np.ndarray:
        return (3 * a * d - 10 * a) * d + 8 * a

    slopes = [far_slope(t + 1), near_slope(t), -near_slope(1 - t), -far_slope(2 - t)]
    return [far(t + 1), near(t), near(1 - t), far(2 - t)], slopes


Tap = tuple[np.ndarray, np.ndarray, np.ndarray]


def grid_taps(at: Any, g: np.ndarray, size: int) -> list[Tap]:
    """Along an axis of `size` pixels, for coordinates g: the pixels that are read, with their weights and the
    derivatives of these by g."""
    g = g.astype(np.float64)
    place = (g + 1) / 2 * (size - 1) if at.align_corners else ((g + 1) * size - 1) / 2
    slope = np.full_like(place, (size - 1) / 2 if at.align_corners else size / 2)
    low, high = (0.0, size - 1.0) if at.align_corners else (-0.5, size - 0.5)
    place = np.rint(place) if at.mode == "nearest" else place
    outside = (place < low) | (place > high)
    if at.padding_mode == "border" and at.mode != "cubic":  # cubic clamps each tap instead
        place = np.where(outside, np.clip(place, 0, size - 1), place)
        slope = np.where(outside, 0, slope)
    elif at.padding_mode == "reflection":
        span = 2 * (high - low)
        falls = np.mod(place - low, span) > span / 2 if span else np.ones_like(outside)
        slope = np.where(outside & falls, -slope if span else 0, slope)
        place = np.where(outside, _reflect(place, low, high), place)
    base = np.floor(place)
    t, first = place - base, 0
    if at.mode == "nearest":
        weights, slopes = [np.ones_like(t)], [np.zeros_like(t)]
    elif at.mode == "linear":
        weights, slopes = [1 - t, t], [-np.ones_like(t), np.ones_like(t)]
    else:
        (weights, slopes), first = _cubic(t), -1
    taps = []
    for i, (weight, change) in enumerate(zip(weights, slopes, strict=True)):
        pixel, inside = base + first + i, np.ones_like(outside)
        if at.padding_mode == "zeros":
            inside = (pixel >= 0) & (pixel <= size - 1)
        elif at.padding_mode == "reflection":
            pixel = _reflect(pixel, low, high)
        index = np.clip(np.nan_to_num(pixel), 0, size - 1).astype(np.int64)
        taps.append((index, weight * inside, change * slope * inside))
    return taps


def all_taps(at: Any, grid: np.ndarray, sizes: Sequence[int]) -> list[list[Tap]]:
    """grid_taps of every axis of the image. The grid holds (x, y, ...), last axis first."""
    return [grid_taps(at, grid[..., len(sizes) - 1 - i], size) for i, size in enumerate(sizes)]


def _reference(at: Any, x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Weighted sum of the pixels around each position."""
    images = np.moveaxis(x.astype(np.float64), 1, -1)
    batch = np.arange(x.shape[0]).reshape(-1, *(1,) * (grid.ndim - 2))
    out = np.zeros((*grid.shape[:-1], x.shape[1]))
    for taps in itertools.product(*all_taps(at, grid, x.shape[2:])):
        weight = functools.reduce(np.multiply, (tap[1] for tap in taps))
        places = (batch, *(tap[0] for tap in taps))
        out += weight[..., None] * images[places]
    return np.moveaxis(out, -1, 1).astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    reach = {"nearest": 1, "linear": 2, "cubic": 4}[node.attrs.mode]
    taps = reach ** (outputs[0].rank - 2)
    return Cost(2 * outputs[0].size * taps, moved_bytes(inputs, outputs))


def _infer_affine(call: Call) -> Sequence[TensorSpec]:
    theta, size = call.spec(0), index_values(call, 1)
    expect_kind(call, 0, "float")
    spatial = len(size) - 2
    call.expect(spatial in (2, 3), f"size {size} must be (N, C, H, W) or (N, C, D, H, W)")
    call.expect(min(size) >= 1, f"size {size} must be positive")
    wanted = (size[0], spatial, spatial + 1)
    call.expect(theta.shape == wanted, f"theta must have shape {wanted}")
    return [TensorSpec((size[0], *size[2:], spatial), theta.dtype)]


def affine_points(align_corners: int, sizes: Sequence[int]) -> np.ndarray:
    """(x, y, ..., 1) for every pixel of an image whose coordinates run from -1 to 1."""
    lines = []
    for n in sizes:
        i = np.arange(n, dtype=np.float64)
        if align_corners:
            lines.append(-1 + 2 * i / (n - 1) if n > 1 else np.zeros(1))
        else:
            lines.append((2 * i + 1) / n - 1)
    places = np.meshgrid(*lines, indexing="ij")
    return np.stack([*places[::-1], np.ones(sizes)], -1)


def _affine(at: Any, theta: np.ndarray, size: np.ndarray) -> np.ndarray:
    """theta times the points of the image."""
    points = affine_points(at.align_corners, [int(n) for n in size.reshape(-1)[2:]])
    grid = np.einsum("nij,...j->n...i", theta.astype(np.float64), points)
    return grid.astype(theta.dtype)


register(
    Op(
        "GridSample",
        _infer,
        _reference,
        _cost,
        {"mode": "linear", "padding_mode": "zeros", "align_corners": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.grid_sample,
        ),
    )
)
register(
    Op(
        "AffineGrid",
        _infer_affine,
        _affine,
        attributes={"align_corners": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.affine_grid,
        ),
    )
)
