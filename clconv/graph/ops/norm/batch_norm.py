"""BatchNormalization: y = (x - mean) / sqrt(variance + epsilon) * scale + bias (Ioffe and Szegedy 2015).

At inference mean and variance are given; in training mode they are those of the batch, population statistics (divided by
n) over all axes but the channels, and what is given are running statistics, which are brought up to date: running *
momentum + the batch's * (1 - momentum). ONNX has the outputs Y and the new running mean and variance; behind them stand
the batch's mean and 1 / deviation, which the gradient reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import NO_HOOKS, Half, Hooks
from clconv.graph.ops.norm.per_channel import check_channels, per_channel
from clconv.graph.ops.numeric import per_input
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.norm import batch_norm as gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    x = check_channels(call, (1, 2, 3, 4))
    result = TensorSpec(x.shape, x.dtype)
    if not call.attrs.training_mode:
        return [result]
    _check_count(call, x)
    mean, variance = call.spec(3), call.spec(4)
    return [result, mean, variance, mean, mean]


def _check_count(call: Call, x: TensorSpec) -> None:
    empty = x.shape[1] and not x.size
    call.expect(not empty, "statistics of a batch need at least one element a channel")


def _reference(
    at: Any,
    x: np.ndarray,
    scale: np.ndarray,
    bias: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
) -> Any:
    a, b = per_channel(x, scale), per_channel(x, bias)
    if not at.training_mode:
        m, v = per_channel(x, mean), per_channel(x, variance)
        return ((x - m) / np.sqrt(v + at.epsilon) * a + b).astype(x.dtype)
    axes, wide = batch_axes(x), x.astype(np.float64)
    m, v = wide.mean(axes), wide.var(axes)
    inverse = 1 / np.sqrt(v + at.epsilon)
    y = (wide - per_channel(x, m)) * per_channel(x, inverse) * a + b
    running = (
        old.astype(np.float64) * at.momentum + new * (1 - at.momentum)
        for old, new in ((mean, m), (variance, v))
    )
    dtypes = (mean.dtype, variance.dtype, mean.dtype, mean.dtype)
    rest = (v.astype(d) for v, d in zip((*running, m, inverse), dtypes, strict=True))
    return (y.astype(x.dtype), *rest)


def batch_axes(x: np.ndarray) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _infer_gradient(call: Call) -> Sequence[TensorSpec]:
    x = check_channels(call, (2, 3, 4))
    call.expect(call.spec(1) == x, f"the gradient must be {x} as the input")
    if call.attrs.training_mode:
        _check_count(call, x)
    scale = call.spec(2)
    return [TensorSpec(x.shape, x.dtype), scale, scale]


def _gradient(
    at: Any,
    x: np.ndarray,
    dy: np.ndarray,
    scale: np.ndarray,
    mean: np.ndarray,
    inverse: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For n = (x - mean) inverse: dscale = sum dy n, dbias = sum dy, dx = scale inverse dy; where the statistics are the
    batch's, dx = scale inverse (dy - mean(dy) - n mean(dy n))."""
    axes, g = batch_axes(x), dy.astype(np.float64)
    centred = x - per_channel(x, mean)
    if (
        at.training_mode
    ):  # what rounding took from the mean, which may be large beside the deviation
        centred = centred - centred.mean(axes, keepdims=True)
    normal = centred * per_channel(x, inverse)
    dscale, dbias = (g * normal).sum(axes), g.sum(axes)
    if at.training_mode:
        g = g - g.mean(axes, keepdims=True) - normal * (g * normal).mean(axes, keepdims=True)
    dx = g * per_channel(x, inverse) * per_channel(x, scale)
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(scale.dtype)


register(
    Op(
        "BatchNormalization",
        _infer,
        _reference,
        per_input(2),
        {"epsilon": 1e-5, "momentum": 0.9, "training_mode": 0},
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
            gradient=gradient.batch_norm,
        ),
    )
)
register(
    Op(
        "BatchNormalizationGradient",
        _infer_gradient,
        _gradient,
        per_input(8),
        {"training_mode": 1},
        inputs=(5, 5),
        hooks=NO_HOOKS,
    )
)
"""inputs: x, the gradient of y, scale, mean, 1 / deviation; in training mode those of the batch. outputs: gradients of
x, scale and bias."""
