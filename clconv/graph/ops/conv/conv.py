"""Convolution: shape rule, reference and cost of Conv, in one and two dimensions (or more)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Expansion, Op, register, same_dtype
from clconv.graph.ops.conv.depth import expand_conv
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.window import (
    check_window,
    output_size,
    pad_array,
    settle_auto_pad,
    window_positions,
)
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.conv import conv

CONV_ATTRIBUTES = {
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,  # begin of every axis, then end of every axis
    "group": 1,
    "pad_mode": "constant",  # constant (zeros), reflect, edge or wrap
    "auto_pad": "NOTSET",  # SAME_UPPER and SAME_LOWER replace pads once the size is known
}


def _infer(call: Call) -> Sequence[TensorSpec]:
    x, w = call.spec(0), call.spec(1)
    dtype = same_dtype(call, 0, 1, 2)
    call.expect(
        dtype.is_float, f"takes float tensors, got {dtype.value}; integers have ConvInteger"
    )
    group = call.attrs.group
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(w.rank == x.rank, f"filters of rank {w.rank} for an input of rank {x.rank}")
    filters, channels = w.shape[:2]
    call.expect(group >= 1, f"group {group} must be at least 1")
    call.expect(filters % group == 0, f"{filters} filters do not divide into {group} groups")
    call.expect(
        x.shape[1] == channels * group,
        f"the input has {x.shape[1]} channels, the filters span {channels} x {group} groups",
    )
    if call.has(2):
        call.expect(call.spec(2).shape == (filters,), f"the bias must have shape ({filters},)")
    window = check_window(call, x, w.shape[2:])
    return [TensorSpec((x.shape[0], filters, *output_size(call, x.shape[2:], window)), dtype)]


def _reference(at: Any, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Sum over channels and window positions, one window position at a time, in float64."""
    spatial = w.ndim - 2
    padded = pad_array(x.astype(np.float64), at.pads, at.pad_mode)
    weights = w.astype(np.float64)
    kernel = w.shape[2:]
    sizes = [
        (padded.shape[2 + i] - at.dilations[i] * (kernel[i] - 1) - 1) // at.strides[i] + 1
        for i in range(spatial)
    ]
    batch, filters = x.shape[0], w.shape[0]
    out = np.zeros((batch, filters, *sizes))
    per_group = filters // at.group
    for g in range(at.group):
        channels = slice(g * w.shape[1], (g + 1) * w.shape[1])
        chosen = slice(g * per_group, (g + 1) * per_group)
        for position in itertools.product(*(range(k) for k in kernel)):
            window = window_positions(
                padded[:, channels], position, sizes, at.strides, at.dilations
            )
            taps = weights[chosen][(slice(None),) * 2 + position]
            out[:, chosen] += np.moveaxis(np.tensordot(taps, window, (1, 1)), 0, 1)
    if bias is not None:
        out += bias.astype(np.float64).reshape(1, -1, *([1] * spatial))
    return out.astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    weights = inputs[1]
    assert weights is not None
    moved = sum(s.nbytes for s in (*inputs, *outputs) if s is not None)
    return Cost(2 * outputs[0].size * math.prod(weights.shape[1:]), moved)


def _settle(call: Call) -> Attributes:
    return settle_auto_pad(call, call.spec(1).shape[2:])


def _expand(e: Expansion) -> bool:
    return e.call.spec(0).rank == 5 and expand_conv(e, _infer(e.call)[0].shape[2])


register(
    Op(
        "Conv",
        _infer,
        _reference,
        _cost,
        CONV_ATTRIBUTES,
        inputs=(2, 3),
        settle=_settle,
        expand=_expand,
        hooks=Hooks(
            known=known.conv,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=True,
            pad=True,
            keeps_elements=False,
            gradient=conv,
        ),
    )
)
