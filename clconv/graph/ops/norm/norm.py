"""Normalisations: Batch, Local response, Instance, Group, Layer, RMS, Lp, mean-variance.

All at inference. Statistics are population statistics (divided by n) in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, broadcast_shapes, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, known_axes, per_input
from clconv.graph.rules import images, known


def _per_channel(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64).reshape(1, -1, *([1] * (x.ndim - 2)))


def _check_channels(call: Call, inputs: Sequence[int]) -> TensorSpec:
    """The image's spec, when it has channels and every given input has one value for each."""
    x = call.spec(0)
    for i in (0, *inputs):
        expect_kind(call, i, "float")
    call.expect(x.rank >= 2, "the input must be (batch, channels, ...)")
    for i in inputs:
        call.expect(
            call.spec(i).shape == (x.shape[1],), f"input {i} must have shape ({x.shape[1]},)"
        )
    return x


def _plain(x: TensorSpec) -> list[TensorSpec]:
    return [TensorSpec(x.shape, x.dtype)]


# BatchNormalization: (x - mean) / sqrt(variance + epsilon) * scale + bias, statistics given.
def _infer_batch(call: Call) -> Sequence[TensorSpec]:
    call.expect(not call.attrs.training_mode, "training_mode 1 is not supported, only inference")
    return _plain(_check_channels(call, (1, 2, 3, 4)))


def _batch(
    at: Any,
    x: np.ndarray,
    scale: np.ndarray,
    bias: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
) -> np.ndarray:
    scale, bias, mean, variance = (_per_channel(x, v) for v in (scale, bias, mean, variance))
    return ((x - mean) / np.sqrt(variance + at.epsilon) * scale + bias).astype(x.dtype)


# LRN: x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
def _infer_lrn(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.size >= 1, f"size {call.attrs.size} must be at least 1")
    return _plain(_check_channels(call, ()))


def _lrn(at: Any, x: np.ndarray) -> np.ndarray:
    squares = x.astype(np.float64) ** 2
    total = np.empty_like(squares)
    for c in range(x.shape[1]):
        first, last = c - (at.size - 1) // 2, c + math.ceil((at.size - 1) / 2)
        total[:, c] = squares[:, max(0, first) : last + 1].sum(1)
    return (x / (at.bias + at.alpha / at.size * total) ** at.beta).astype(x.dtype)


def _standardised(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    wide = x.astype(np.float64)
    mean, variance = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    return np.asarray((wide - mean) / np.sqrt(variance + epsilon))


def _infer_instance(call: Call) -> Sequence[TensorSpec]:
    x = _check_channels(call, (1, 2))
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    return _plain(x)


def _instance(at: Any, x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    normal = _standardised(x, tuple(range(2, x.ndim)), at.epsilon)
    return (normal * _per_channel(x, scale) + _per_channel(x, bias)).astype(x.dtype)


def _infer_group(call: Call) -> Sequence[TensorSpec]:
    x, groups = _check_channels(call, (1, 2)), call.attrs.num_groups
    call.expect(
        groups >= 1 and x.shape[1] % groups == 0,
        f"{x.shape[1]} channels do not divide into {groups} groups",
    )
    return _plain(x)


def _group(at: Any, x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    per_group = (x.shape[1] // at.num_groups, *x.shape[2:])
    groups = x.reshape(x.shape[0], at.num_groups, math.prod(per_group))
    normal = _standardised(groups, (2,), at.epsilon)
    return (normal.reshape(x.shape) * _per_channel(x, scale) + _per_channel(x, bias)).astype(
        x.dtype
    )


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


_EPSILON = {"epsilon": 1e-5}
_LAYER = {"axis": -1, **_EPSILON, "stash_type": 1}
register(
    Op(
        "BatchNormalization",
        _infer_batch,
        _batch,
        per_input(2),
        {**_EPSILON, "momentum": 0.9, "training_mode": 0},
        inputs=(5, 5),
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.batch_norm,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
        ),
    )
)
register(
    Op(
        "LRN",
        _infer_lrn,
        _lrn,
        per_input(20),
        {"alpha": 1e-4, "beta": 0.75, "bias": 1.0, "size": REQUIRED},
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
        ),
    )
)
register(
    Op(
        "InstanceNormalization",
        _infer_instance,
        _instance,
        per_input(6),
        _EPSILON,
        inputs=(3, 3),
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
        ),
    )
)
register(
    Op(
        "GroupNormalization",
        _infer_group,
        _group,
        per_input(6),
        {**_EPSILON, "num_groups": REQUIRED, "stash_type": 1},
        inputs=(3, 3),
        hooks=Hooks(
            known=known.same_as_input,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=False,
            pad=False,
            keeps_elements=False,
        ),
    )
)
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
        ),
    )
)
