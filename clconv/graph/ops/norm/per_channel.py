"""Normalisations of an image's channels: Local response, Instance, Group.

With one scale and one bias a channel. Statistics are population statistics (divided by n) in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Op, register
from clconv.graph.ops.hooks import NO_HOOKS, Half, Hooks
from clconv.graph.ops.numeric import expect_kind, per_input
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.norm import over_axes as gradient


def per_channel(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64).reshape(1, -1, *([1] * (x.ndim - 2)))


def check_channels(call: Call, inputs: Sequence[int]) -> TensorSpec:
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


# LRN: x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
def _infer_lrn(call: Call) -> Sequence[TensorSpec]:
    call.expect(call.attrs.size >= 1, f"size {call.attrs.size} must be at least 1")
    return _plain(check_channels(call, ()))


def _lrn(at: Any, x: np.ndarray) -> np.ndarray:
    return (x / _lrn_base(at, x) ** at.beta).astype(x.dtype)


def _lrn_base(at: Any, x: np.ndarray) -> np.ndarray:
    before, after = (at.size - 1) // 2, at.size // 2
    return np.asarray(at.bias + at.alpha / at.size * _window_sums(_wide(x) ** 2, before, after))


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def _window_sums(values: np.ndarray, before: int, after: int) -> np.ndarray:
    """Of each channel and so many before and after it."""
    total = np.empty_like(values)
    for c in range(values.shape[1]):
        total[:, c] = values[:, max(0, c - before) : c + after + 1].sum(1)
    return total


# With s the base of the power: dx = dy s^-beta - 2 alpha / size beta x sum of dy x s^(-beta - 1), over the channels
# in whose windows a channel lies.
def _infer_lrn_gradient(call: Call) -> Sequence[TensorSpec]:
    result = _infer_lrn(call)
    call.expect(call.spec(1) == call.spec(0), "the gradient must have the input's shape and type")
    return result


def _lrn_gradient(at: Any, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    base, wide = _lrn_base(at, x), _wide(x)
    reached = _wide(dy) * wide * base ** (-at.beta - 1)
    sums = _window_sums(reached, at.size // 2, (at.size - 1) // 2)
    factor = 2 * at.alpha / at.size * at.beta
    return (dy * base**-at.beta - factor * wide * sums).astype(x.dtype)


def _standardised(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    wide = x.astype(np.float64)
    mean, variance = wide.mean(axes, keepdims=True), wide.var(axes, keepdims=True)
    return np.asarray((wide - mean) / np.sqrt(variance + epsilon))


def _infer_instance(call: Call) -> Sequence[TensorSpec]:
    x = check_channels(call, (1, 2))
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    return _plain(x)


def _instance(at: Any, x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    normal = _standardised(x, tuple(range(2, x.ndim)), at.epsilon)
    return (normal * per_channel(x, scale) + per_channel(x, bias)).astype(x.dtype)


def _infer_group(call: Call) -> Sequence[TensorSpec]:
    x, groups = check_channels(call, (1, 2)), call.attrs.num_groups
    call.expect(
        groups >= 1 and x.shape[1] % groups == 0,
        f"{x.shape[1]} channels do not divide into {groups} groups",
    )
    return _plain(x)


def _group(at: Any, x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    per_group = (x.shape[1] // at.num_groups, *x.shape[2:])
    groups = x.reshape(x.shape[0], at.num_groups, math.prod(per_group))
    normal = _standardised(groups, (2,), at.epsilon)
    return (normal.reshape(x.shape) * per_channel(x, scale) + per_channel(x, bias)).astype(x.dtype)


_EPSILON = {"epsilon": 1e-5}
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
            gradient=gradient.lrn,
        ),
    )
)
register(
    Op(
        "LRNGradient",
        _infer_lrn_gradient,
        _lrn_gradient,
        per_input(40),
        {"alpha": 1e-4, "beta": 0.75, "bias": 1.0, "size": REQUIRED},
        inputs=(2, 2),
        hooks=NO_HOOKS,
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
            gradient=gradient.instance,
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
            gradient=gradient.group,
        ),
    )
)
