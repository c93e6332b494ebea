"""ConvWeightGradient: how a convolution's result changes with its filters, given how anything changes with the result.

    dw[f, c, k] = sum over n, o of dy[n, f, o] * x[n, g * C + c, o * stride + k * dilation - pad]

with x padded as the convolution pads it. For ConvTranspose x and dy change places. Source: LeCun et al.,
"Backpropagation applied to handwritten zip code recognition" (1989); Dumoulin and Visin, "A guide to convolution
arithmetic for deep learning" (2016), for the sizes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import REQUIRED, Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.window import check_window, output_size, pad_array, window_positions
from clconv.graph.rules.gradient.conv import conv_weight_gradient

WEIGHT_GRADIENT_ATTRIBUTES = {
    "kernel_shape": REQUIRED,
    "strides": REQUIRED,
    "dilations": REQUIRED,
    "pads": REQUIRED,  # begin of every axis, then end of every axis
    "group": 1,
    "pad_mode": "constant",  # constant (zeros), reflect, edge or wrap
}


def _infer(call: Call) -> Sequence[TensorSpec]:
    """x (N, group * C, spatial...), dy (N, group * F, spatial...): dw (group * F, C, kernel...). dy may have fewer pixels
    than windows fit, as those of a ConvTranspose with output padding: the last ones count for nothing then."""
    dtype = same_dtype(call, 0, 1)
    expect_kind(call, 0, "float")
    x, dy, at = call.spec(0), call.spec(1), call.attrs
    call.expect(x.rank >= 3, "the image must be (batch, channels, spatial...)")
    call.expect(dy.rank == x.rank, f"a gradient of rank {dy.rank} for an image of rank {x.rank}")
    call.expect(dy.shape[0] == x.shape[0], f"{dy.shape[0]} gradients for {x.shape[0]} images")
    call.expect(at.group >= 1, f"group {at.group} must be at least 1")
    for what, count in (("channels", x.shape[1]), ("filters", dy.shape[1])):
        call.expect(count % at.group == 0, f"{count} {what} do not divide into {at.group} groups")
    windows = output_size(call, x.shape[2:], check_window(call, x, at.kernel_shape))
    call.expect(
        all(have <= fit for have, fit in zip(dy.shape[2:], windows, strict=True)),
        f"gradients of {dy.shape[2:]} windows, of which {windows} fit",
    )
    return [TensorSpec((dy.shape[1], x.shape[1] // at.group, *at.kernel_shape), dtype)]


def _reference(at: Any, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """The sum over images and result pixels, one window position at a time, in float64."""
    padded = pad_array(x.astype(np.float64), at.pads, at.pad_mode)
    wide = dy.astype(np.float64)
    channels, filters = x.shape[1] // at.group, dy.shape[1] // at.group
    dw = np.zeros((dy.shape[1], channels, *at.kernel_shape))
    summed = (0, *range(2, x.ndim))
    for g in range(at.group):
        own = slice(g * filters, (g + 1) * filters)
        seen = padded[:, g * channels : (g + 1) * channels]
        for position in itertools.product(*(range(k) for k in at.kernel_shape)):
            window = window_positions(seen, position, dy.shape[2:], at.strides, at.dilations)
            place: Any = (own, slice(None), *position)
            dw[place] = np.tensordot(wide[:, own], window, (summed, summed))
    return dw.astype(x.dtype)


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    dy = inputs[1]
    assert dy is not None
    taps = math.prod(outputs[0].shape[1:])
    return Cost(2 * dy.size * taps, moved_bytes(inputs, outputs))


register(
    Op(
        "ConvWeightGradient",
        _infer,
        _reference,
        _cost,
        WEIGHT_GRADIENT_ATTRIBUTES,
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,  # it sums over the images
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=conv_weight_gradient,
        ),
    )
)
