"""Sampling an image at given positions: GridSample, and AffineGrid, which makes the positions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, index_values, moved_bytes

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


def _cubic(t: np.ndarray, a: float = -0.75) -> list[np.ndarray]:
    def near(d: np.ndarray) -> np.ndarray:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: np.ndarray) -> np.ndarray:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _reference(at: Any, x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Weighted sum of the pixels around each position; grid holds (x, y, ...), last axis first."""
    sizes, spatial = x.shape[2:], x.ndim - 2
    taps: list[list[tuple[np.ndarray, np.ndarray]]] = []  # per axis: (pixel, weight) of each tap
    borders = []
    for axis, size in enumerate(sizes):
        g = grid[..., spatial - 1 - axis].astype(np.float64)
        place = (g + 1) / 2 * (size - 1) if at.align_corners else ((g + 1) * size - 1) / 2
        low, high = (0.0, size - 1.0) if at.align_corners else (-0.5, size - 0.5)
        borders.append((low, high))
        place = np.rint(place) if at.mode == "nearest" else place
        outside = (place < low) | (place > high)
        if at.padding_mode == "border" and at.mode != "cubic":  # cubic clamps each tap instead
            place = np.where(outside, np.clip(place, 0, size - 1), place)
        elif at.padding_mode == "reflection":
            place = np.where(outside, _reflect(place, low, high), place)
        base = np.floor(place)
        t = place - base
        if at.mode == "nearest":
            weights, first = [np.ones_like(t)], 0
        elif at.mode == "linear":
            weights, first = [1 - t, t], 0
        else:
            weights, first = _cubic(t), -1
        taps.append([(base + first + i, w) for i, w in enumerate(weights)])
    images = np.moveaxis(x.astype(np.float64), 1, -1)
    batch = np.arange(x.shape[0]).reshape(-1, *(1,) * (grid.ndim - 2))
    out = np.zeros((*grid.shape[:-1], x.shape[1]))
    for combination in itertools.product(*taps):
        weight, index = np.ones(grid.shape[:-1]), []
        for (pixel, factor), size, (low, high) in zip(combination, sizes, borders, strict=True):
            if at.padding_mode == "zeros":
                weight = weight * ((pixel >= 0) & (pixel <= size - 1))
            elif at.padding_mode == "reflection":
                pixel = _reflect(pixel, low, high)
            weight = weight * factor
            index.append(np.clip(np.nan_to_num(pixel), 0, size - 1).astype(np.int64))
        places = (batch, *index)
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


def _affine(at: Any, theta: np.ndarray, size: np.ndarray) -> np.ndarray:
    """theta times (x, y, ..., 1) for every pixel of an image whose coordinates run from -1 to 1."""
    sizes = [int(n) for n in size.reshape(-1)[2:]]
    lines = []
    for n in sizes:
        i = np.arange(n, dtype=np.float64)
        if at.align_corners:
            lines.append(-1 + 2 * i / (n - 1) if n > 1 else np.zeros(1))
        else:
            lines.append((2 * i + 1) / n - 1)
    places = np.meshgrid(*lines, indexing="ij")
    points = np.stack([*places[::-1], np.ones(sizes)], -1)
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
            gradient=None,
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
            gradient=None,
        ),
    )
)
