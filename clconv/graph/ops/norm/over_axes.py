"""Normalisations over axes of any tensor: Layer, RMS, Lp, mean-variance.

Statistics are population statistics (divided by n) in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, broadcast_shapes, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, known_axes, per_input
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.norm import over_axes as gradient


def _plain(x: TensorSpec) -> list[TensorSpec]:
    return [TensorSpec(x.shape, x.dtype)]


def _check_trailing(call: Call, inputs: Sequence[int]) -> tuple[TensorSpec, int]:
    """The spec and the first normalised axis, when scale and bias broadcast to the input."""
    x = call.spec(0)
    axis = call.axis(call.attrs.axis, x.rank)
    expect_kind(call, 0, "float")
    for i in inputs:
        expect_kind(call, i, "float")
        shape = call.spec(i).shape
        call.expect(
            broadcast_shapes(call, shape, x.shape) == x.shape,
            f"input {i} {shape} does not broadcast to {x.shape}",
        )
    return x, axis


def _infer_layer(call: Call) -> Sequence[TensorSpec]:
    x, axis = _check_trailing(call, (1, 2) if call.has(2) else (1,))
    statistics = TensorSpec((*x.shape[:axis], *(1,) * (x.rank - axis)), DType.FLOAT32)
    return [TensorSpec(x.shape, x.dtype), statistics, statistics]


def _layer(
    at: Any, x: np.ndarray, scale: np.ndarray, bias: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The normalised tensor, the mean and 1 / standard deviation over the axes from `axis` on."""
    axes = tuple(range(at.axis % x.ndim, x.ndim))
    wide = x.astype(np.float64)
    mean = wide.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(wide.var(axes, keepdims=True) + at.epsilon)
    out = (wide - mean) * inverse * scale + (0 if bias is None else bias)
    return out.astype(x.dtype), mean.astype(np.float32), inverse.astype(np.float32)


def _infer_rms(call: Call) -> Sequence[TensorSpec]:
    return _plain(_check_trailing(call, (1,))[0])


def _rms(at: Any, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    axes = tuple(range(at.axis % x.ndim, x.ndim))
    wide = x.astype(np.float64)
    root = np.sqrt((wide**2).mean(axes, keepdims=True) + at.epsilon)
    return (wide / root * scale).astype(x.dtype)


def _infer_lp(call: Call) -> Sequence[TensorSpec]:
    call.axis(call.attrs.axis, call.spec(0).rank)
    call.expect(call.attrs.p in (1, 2), f"p {call.attrs.p} must be 1 or 2")
    expect_kind(call, 0, "float")
    return _plain(call.spec(0))


def _lp(at: Any, x: np.ndarray) -> np.ndarray:
    """x / norm along one axis; 0 where the norm is 0."""
    wide = x.astype(np.float64)
    norm = (np.abs(wide) ** at.p).sum(at.axis, keepdims=True) ** (1 / at.p)
    return np.where(norm == 0, 0, wide / np.where(norm == 0, 1, norm)).astype(x.dtype)


def _infer_mvn(call: Call) -> Sequence[TensorSpec]:
    expect_kind(call, 0, "float")
    known_axes(call, call.attrs.axes, call.spec(0).rank)
    return _plain(call.spec(0))


def _mvn(at: Any, x: np.ndarray) -> np.ndarray:
    """(x - mean) / (standard deviation + 1e-9), ONNX's function body."""
    wide = x.astype(np.float64)
    mean, deviation = wide.mean(at.axes, keepdims=True), wide.std(at.axes, keepdims=True)
    return ((wide - mean) / (deviation + 1e-9)).astype(x.dtype)


_LAYER = {"axis": -1, "epsilon": 1e-5, "stash_type": 1}
register(
    Op(
        "LayerNormalization",
        _infer_layer,
        _layer,
        per_input(6),
        _LAYER,
        inputs=(2, 3),
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.along("axis"),
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.layer,
        ),
    )
)
register(
    Op(
        "RMSNormalization",
        _infer_rms,
        _rms,
        per_input(4),
        _LAYER,
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.along("axis"),
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.rms,
        ),
    )
)
register(
    Op(
        "LpNormalization",
        _infer_lp,
        _lp,
        per_input(3),
        {"axis": -1, "p": 2},
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.along("axis"),
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.lp,
        ),
    )
)
register(
    Op(
        "MeanVarianceNormalization",
        _infer_mvn,
        _mvn,
        per_input(5),
        {"axes": (0, 2, 3)},
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.mean_variance,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.mean_variance,
        ),
    )
)
