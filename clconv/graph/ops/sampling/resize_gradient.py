"""ResizeGradient: each pixel gathers the result's pixels that it is part of, times its weights in them.

Written by the gradient rule of Resize only (rules/gradient/sampling/resize.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.sampling.interpolation import AxisResize, axis_gradient_taps
from clconv.graph.ops.sampling.resize import RESIZE_ATTRIBUTES
from clconv.graph.rules import images
from clconv.graph.rules.gradient.sampling.resize import INTERPOLATION, resize_gradient


def gradient_axes(at: Attributes, shape: Sequence[int]) -> list[AxisResize]:
    """What the Resize did to every axis, whose result had that shape."""
    return [
        AxisResize(out, out)
        if size < 0
        else AxisResize(size, out, at.scales[i], (at.regions[2 * i], at.regions[2 * i + 1]))
        for i, (size, out) in enumerate(zip(at.size, shape, strict=True))
    ]


def _infer(call: Call) -> Sequence[TensorSpec]:
    dy, at = call.spec(0), call.attrs
    dtype = expect_kind(call, 0, "float")
    call.expect(
        len(at.size) == len(at.scales) == dy.rank and len(at.regions) == 2 * dy.rank,
        f"size, scales and regions must be about {dy.rank} axes",
    )
    call.expect(all(s > 0 for s in at.scales), f"scales {at.scales} must be positive")
    axes = gradient_axes(at, dy.shape)
    for axis in axes:
        call.expect(bool(axis.size) == bool(axis.out), f"{axis.size} pixels became {axis.out}")
    return [TensorSpec(tuple(axis.size for axis in axes), dtype)]


def _reference(at: Any, dy: np.ndarray) -> np.ndarray:
    dx = dy.astype(np.float64)
    for i, axis in enumerate(gradient_axes(at, dy.shape)):
        if not axis.is_copy:
            outputs, weights = axis_gradient_taps(at, axis)
            matrix = np.zeros((axis.size, axis.out))
            np.add.at(matrix, (np.arange(axis.size)[:, None], outputs), weights)
            dx = np.moveaxis(np.tensordot(matrix, dx, (1, i)), 0, i)
    return dx.astype(dy.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    taps = {"nearest": 1, "linear": 2, "cubic": 4}[node.attrs.mode]
    size = max((math.prod(s.shape) for s in inputs if s is not None), default=0)
    return Cost(2 * size * taps**2, moved_bytes(inputs, outputs))


register(
    Op(
        "ResizeGradient",
        _infer,
        _reference,
        _cost,
        {
            **{k: RESIZE_ATTRIBUTES[k] for k in INTERPOLATION},
            "size": REQUIRED,  # of the image along each axis, -1 where nothing was done
            "scales": REQUIRED,
            "regions": REQUIRED,  # begin and end along each axis
        },
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.resize_gradient,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=resize_gradient,
        ),
    )
)
