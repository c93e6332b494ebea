"""Gradients of convolutions.

That of the data is a transposed convolution with the same filters, or where the stride is 1 a convolution with the
filters turned round, which is what the fastest kernels are for. That of the filters is ConvWeightGradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.graph.rules.gradient.pad import fold_back

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def conv(back: Backward) -> Sequence[str]:
    at, dy, found = back.attrs, back.gradient(), ["", "", ""]
    if back.wants(0):
        found[0] = data_gradient(back, back.spec(0).shape, back.input(1), dy, at)
    if back.wants(1):
        found[1] = _weight_gradient(back, back.input(0), dy, back.spec(1).shape[2:])
    if back.wants(2):
        found[2] = _bias_gradient(back, dy)
    return found[: len(back.node.inputs)]


def conv_transpose(back: Backward) -> Sequence[str]:
    """The transposed convolution's data gradient is the convolution; for the filters image and gradient change places."""
    dy, found = back.gradient(), ["", "", ""]
    if back.wants(0):
        found[0] = _crop(back, _forward(back, dy, back.input(1)), back.spec(0).shape)
    if back.wants(1):
        found[1] = _weight_gradient(back, dy, back.input(0), back.spec(1).shape[2:])
    if back.wants(2):
        found[2] = _bias_gradient(back, dy)
    return found[: len(back.node.inputs)]


def conv_weight_gradient(back: Backward) -> Sequence[str]:
    """It is linear in the image and in the gradient: both are met by the same operators as the convolution's own."""
    dw, found = back.gradient(), ["", ""]
    if back.wants(0):
        found[0] = data_gradient(back, back.spec(0).shape, dw, back.input(1), back.attrs)
    if back.wants(1):
        found[1] = _crop(back, _forward(back, back.input(0), dw), back.spec(1).shape)
    return found


def _forward(back: Backward, x: str, w: str) -> str:
    mode = back.attrs.get("pad_mode", "constant")
    return back.one("Conv", x, w, pad_mode=mode, **_window(back))


def _weight_gradient(back: Backward, x: str, dy: str, kernel: Sequence[int]) -> str:
    mode = back.attrs.get("pad_mode", "constant")
    return back.one(
        "ConvWeightGradient", x, dy, kernel_shape=tuple(kernel), pad_mode=mode, **_window(back)
    )


def _window(back: Backward) -> dict[str, Any]:
    at = back.attrs
    return {
        "strides": at.strides,
        "dilations": at.dilations,
        "pads": at.pads,
        "group": at.group,
    }


def _bias_gradient(back: Backward, dy: str) -> str:
    rank = back.spec_of(dy).rank
    return back.sum(dy, [0, *range(2, rank)], keepdims=False)


def _crop(back: Backward, name: str, shape: Sequence[int]) -> str:
    """Without the last pixels, which a ConvTranspose's output padding left without a source."""
    have = back.spec_of(name).shape
    if have == tuple(shape):
        return name
    return back.one("Pad", name, back.ints(*[0] * len(shape), *np.subtract(shape, have).tolist()))


def data_gradient(back: Backward, shape: Sequence[int], w: str, dy: str, at: Any) -> str:
    """The gradient of a convolution's image of that shape; w (filters, channels, kernel...), at: the convolution's."""
    spatial = len(shape) - 2
    if at.pad_mode == "constant" or not any(at.pads):
        return _zero_padded(back, shape, w, dy, at, at.pads)
    pads = (0, 0, *at.pads[:spatial], 0, 0, *at.pads[spatial:])
    whole = [n + pads[i] + pads[i + len(shape)] for i, n in enumerate(shape)]
    padded = _zero_padded(back, whole, w, dy, at, (0,) * (2 * spatial))
    return fold_back(back, padded, shape, pads, at.pad_mode)


def _zero_padded(
    back: Backward, shape: Sequence[int], w: str, dy: str, at: Any, pads: Sequence[int]
) -> str:
    kernel, sizes = back.spec_of(w).shape[2:], back.spec_of(dy).shape[2:]
    spatial = len(kernel)
    extents = [d * (k - 1) + 1 for d, k in zip(at.dilations, kernel, strict=True)]
    extra = [
        shape[2 + i] + pads[i] + pads[i + spatial] - at.strides[i] * (sizes[i] - 1) - extents[i]
        for i in range(spatial)
    ]
    begins = [extents[i] - 1 - pads[i] for i in range(spatial)]
    ends = [extents[i] - 1 - pads[i + spatial] + extra[i] for i in range(spatial)]
    window = {"dilations": at.dilations, "group": at.group}
    if max(at.strides) == 1 and min(*begins, *ends) >= 0:
        turned = back.one("TurnedFilters", w, group=at.group)
        around = (*begins, *ends)
        return back.one("Conv", dy, turned, strides=at.strides, pads=around, **window)
    return back.one(
        "ConvTranspose",
        dy,
        w,
        strides=at.strides,
        pads=tuple(pads),
        output_padding=tuple(extra),
        **window,
    )
