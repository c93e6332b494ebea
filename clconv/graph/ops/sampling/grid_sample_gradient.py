"""The gradients of GridSample: GridSampleGradient that of the image, GridSampleGridGradient that of the grid.

Written by the gradient rule of GridSample only (rules/gradient/sampling/grid_sample.py).
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.sampling.grid_sample import MODES, PADDING_MODES, all_taps
from clconv.graph.rules import images
from clconv.graph.rules.gradient.sampling.grid_sample import grid_sample_gradient

ATTRIBUTES = {"mode": "linear", "padding_mode": "zeros", "align_corners": 0}


def _expect_grid(call: Call, index: int, sizes: Sequence[int]) -> TensorSpec:
    """The grid, for a dy of its pixels and an image of these sizes."""
    dy, grid, at = call.spec(0), call.spec(index), call.attrs
    expect_kind(call, 0, "float")
    expect_kind(call, index, "float")
    call.expect(dy.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(
        grid.shape == (dy.shape[0], *dy.shape[2:], len(sizes)) and len(sizes) == dy.rank - 2,
        f"the grid must be {(dy.shape[0], *dy.shape[2:], dy.rank - 2)}",
    )
    call.expect(at.mode in MODES, f"mode {at.mode!r} is not one of {MODES}")
    call.expect(at.padding_mode in PADDING_MODES, f"padding_mode not in {PADDING_MODES}")
    call.expect(min(sizes) > 0, "an empty image cannot be sampled")
    return grid


def _infer_image(call: Call) -> Sequence[TensorSpec]:
    dy = call.spec(0)
    _expect_grid(call, 1, call.attrs.size)
    return [TensorSpec((*dy.shape[:2], *call.attrs.size), dy.dtype)]


def _infer_grid(call: Call) -> Sequence[TensorSpec]:
    dy, x = call.spec(0), call.spec(1)
    call.expect(x.dtype is dy.dtype, "dy and the image must have one dtype")
    call.expect(x.shape[:2] == dy.shape[:2], f"the image must begin with {dy.shape[:2]}")
    return [_expect_grid(call, 2, x.shape[2:])]


def _image(at: Any, dy: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Every dy is added to the pixels that it was made of, times their weights."""
    dx = np.zeros((dy.shape[0], *at.size, dy.shape[1]))
    values = np.moveaxis(dy.astype(np.float64), 1, -1)
    batch = np.arange(dy.shape[0]).reshape(-1, *(1,) * (grid.ndim - 2))
    for taps in itertools.product(*all_taps(at, grid, at.size)):
        weight = functools.reduce(np.multiply, (tap[1] for tap in taps))
        np.add.at(dx, (batch, *(tap[0] for tap in taps)), weight[..., None] * values)
    return np.moveaxis(dx, -1, 1).astype(dy.dtype)


def _grid(at: Any, dy: np.ndarray, x: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """How the sum over the channels of dy times what was sampled changes with each coordinate."""
    images, values = (np.moveaxis(a.astype(np.float64), 1, -1) for a in (x, dy))
    batch = np.arange(x.shape[0]).reshape(-1, *(1,) * (grid.ndim - 2))
    dgrid = np.zeros(grid.shape)
    for taps in itertools.product(*all_taps(at, grid, x.shape[2:])):
        places = (batch, *(tap[0] for tap in taps))
        product = (values * images[places]).sum(-1)
        for axis in range(len(taps)):
            parts = (tap[2] if i == axis else tap[1] for i, tap in enumerate(taps))
            dgrid[..., len(taps) - 1 - axis] += product * functools.reduce(np.multiply, parts)
    return dgrid.astype(grid.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    reach = {"nearest": 1, "linear": 2, "cubic": 4}[node.attrs.mode]
    dy = inputs[0]
    assert dy is not None
    return Cost(2 * dy.size * reach ** (dy.rank - 2), moved_bytes(inputs, outputs))


_HOOKS = Hooks(
    known=None,
    shape_input=None,
    transposed=None,
    images=images.together,
    half=Half.KEPT,
    epilogue=False,
    pad=False,
    keeps_elements=False,
    gradient=None,
)
register(
    Op(
        "GridSampleGradient",
        _infer_image,
        _image,
        _cost,
        {**ATTRIBUTES, "size": REQUIRED},  # spatial sizes of the image
        inputs=(2, 2),
        hooks=dataclasses.replace(_HOOKS, gradient=grid_sample_gradient),
    )
)
register(
    Op(
        "GridSampleGridGradient",
        _infer_grid,
        _grid,
        _cost,
        ATTRIBUTES,
        inputs=(3, 3),
        hooks=_HOOKS,
    )
)
