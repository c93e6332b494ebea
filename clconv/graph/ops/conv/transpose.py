"""Transposed convolution: shape rule, reference and cost of ConvTranspose, 1-D to 3-D."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Attributes, Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register, same_dtype
from clconv.graph.ops.depth import expand_conv_transpose
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.window import check_window
from clconv.graph.rules import images, known
from clconv.graph.rules.gradient.conv import conv_transpose

CONV_TRANSPOSE_ATTRIBUTES = {
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,  # cut from the result: begin of every axis, then end of every axis
    "output_padding": (),  # added at the end of every axis; () is zeros
    "output_shape": (),  # spatial sizes; settled into pads and output_padding
    "group": 1,
    "auto_pad": "NOTSET",
}


def _check(call: Call) -> tuple[TensorSpec, TensorSpec, tuple[int, ...], tuple[int, ...]]:
    """The input's and filters' specs, window extents and output_padding, validated."""
    x, w, at = call.spec(0), call.spec(1), call.attrs
    call.expect(x.rank >= 3, "the input must be (batch, channels, spatial...)")
    call.expect(w.rank == x.rank, f"filters of rank {w.rank} for an input of rank {x.rank}")
    extents = check_window(call, x, w.shape[2:])
    spatial = x.rank - 2
    extra = at.output_padding or (0,) * spatial
    call.expect(len(extra) == spatial, f"output_padding {extra} must have {spatial} values")
    call.expect(min(extra) >= 0, f"output_padding {extra} must not be negative")
    return x, w, extents, extra


def _infer(call: Call) -> Sequence[TensorSpec]:
    dtype = same_dtype(call, 0, 1, 2)
    expect_kind(call, 0, "float")
    x, w, extents, extra = _check(call)
    at, spatial = call.attrs, x.rank - 2
    call.expect(at.auto_pad == "NOTSET" and not at.output_shape, "output_shape is not settled yet")
    call.expect(at.group >= 1, f"group {at.group} must be at least 1")
    call.expect(
        x.shape[1] == w.shape[0],
        f"the input has {x.shape[1]} channels, the filters take {w.shape[0]}",
    )
    call.expect(
        x.shape[1] % at.group == 0, f"{x.shape[1]} channels do not divide into {at.group} groups"
    )
    filters = w.shape[1] * at.group
    if call.has(2):
        call.expect(call.spec(2).shape == (filters,), f"the bias must have shape ({filters},)")
    sizes = []
    for i, size in enumerate(x.shape[2:]):
        whole = at.strides[i] * (size - 1) + extents[i] + extra[i]
        cut = at.pads[i] + at.pads[i + spatial]
        call.expect(
            size >= 1 and whole - cut >= 1,
            f"pads cut {cut} from the {whole} pixels of spatial axis {i}, nothing is left",
        )
        call.expect(
            whole < 1 << 48,
            f"{whole:,} pixels along spatial axis {i} are more than anything counts",
        )
        sizes.append(whole - cut)
    return [TensorSpec((x.shape[0], filters, *sizes), dtype)]


def _reference(at: Any, x: np.ndarray, w: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Every input pixel adds its weighted window to the output; pads are cut off at the end."""
    spatial, kernel = x.ndim - 2, w.shape[2:]
    extra = at.output_padding or (0,) * spatial
    whole = [
        at.strides[i] * (x.shape[2 + i] - 1) + at.dilations[i] * (kernel[i] - 1) + 1 + extra[i]
        for i in range(spatial)
    ]
    group, per_group = at.group, w.shape[1]
    channels = x.shape[1] // group
    out = np.zeros((x.shape[0], per_group * group, *whole))
    for g in range(group):
        own = slice(g * channels, (g + 1) * channels)
        pixels, taps = x[:, own].astype(np.float64), w[own].astype(np.float64)
        for position in itertools.product(*(range(k) for k in kernel)):
            places = tuple(
                slice(p * d, p * d + (n - 1) * s + 1, s)
                for p, d, n, s in zip(position, at.dilations, x.shape[2:], at.strides, strict=True)
            )
            tap: Any = (slice(None), slice(None), *position)
            contribution = np.tensordot(pixels, taps[tap], (1, 0))
            target = slice(g * per_group, (g + 1) * per_group)
            place: Any = (slice(None), target, *places)
            out[place] += np.moveaxis(contribution, -1, 1)
    kept = [slice(at.pads[i], whole[i] - at.pads[i + spatial]) for i in range(spatial)]
    inner: Any = (slice(None), slice(None), *kept)
    out = out[inner]
    if bias is not None:
        out = out + bias.astype(np.float64).reshape(1, -1, *([1] * spatial))
    return out.astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    pixels, weights = inputs[0], inputs[1]
    assert pixels is not None and weights is not None
    return Cost(2 * pixels.size * math.prod(weights.shape[1:]), moved_bytes(inputs, outputs))


def _settle(call: Call) -> Attributes:
    """auto_pad and output_shape turned into pads and output_padding.

    ONNX: SAME_* wants size * stride pixels; what is too much is cut, half at each side, the odd
    pixel at the end for SAME_UPPER and at the beginning otherwise; what is too little is added at
    the end.
    """
    at = call.attrs
    if at.auto_pad == "NOTSET" and not at.output_shape:
        return at
    x, _, extents, extra = _check(call)
    spatial = x.rank - 2
    call.expect(
        at.auto_pad in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
        f"auto_pad {at.auto_pad!r} is unknown",
    )
    wanted = at.output_shape
    if not wanted:
        if at.auto_pad == "VALID":
            return at.replace(auto_pad="NOTSET", pads=(0,) * (2 * spatial))
        wanted = tuple(n * s for n, s in zip(x.shape[2:], at.strides, strict=True))
    wanted = wanted[-spatial:]  # some exporters put batch and channels in front
    call.expect(len(wanted) == spatial, f"output_shape {wanted} must have {spatial} values")
    begins, ends, added = [], [], []
    for i, size in enumerate(x.shape[2:]):
        surplus = at.strides[i] * (size - 1) + extents[i] + extra[i] - wanted[i]
        small, large = max(surplus, 0) // 2, max(surplus, 0) - max(surplus, 0) // 2
        begins.append(small if at.auto_pad == "SAME_UPPER" else large)
        ends.append(large if at.auto_pad == "SAME_UPPER" else small)
        added.append(extra[i] + max(-surplus, 0))
    return at.replace(
        auto_pad="NOTSET", output_shape=(), pads=(*begins, *ends), output_padding=tuple(added)
    )


register(
    Op(
        "ConvTranspose",
        _infer,
        _reference,
        _cost,
        CONV_TRANSPOSE_ATTRIBUTES,
        inputs=(2, 3),
        settle=_settle,
        expand=lambda e: expand_conv_transpose(e, _infer(e.call)[0].shape[2:]),
        hooks=Hooks(
            known=known.conv,
            shape_input=None,
            transposed=None,
            images=images.first,
            half=Half.narrowed(),
            epilogue=True,
            pad=False,
            keeps_elements=False,
            gradient=conv_transpose,
        ),
    )
)
