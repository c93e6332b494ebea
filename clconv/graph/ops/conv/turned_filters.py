"""TurnedFilters: a convolution's filters as the gradient of its image needs them.

    y[g * C + c, f, k] = w[g * F + f, c, K - 1 - k]

for filters w (group * F, C, kernel...) and every tap k: input and output channels of each group change places, each window
runs from its end to its beginning. Where the stride is 1, the gradient of the image is the convolution of the result's with
these (Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, per_input

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def _infer(call: Call) -> Sequence[TensorSpec]:
    expect_kind(call, 0, "float")
    w, group = call.spec(0), call.attrs.group
    call.expect(w.rank >= 3, "filters must be (filters, channels, kernel...)")
    call.expect(group >= 1, f"group {group} must be at least 1")
    call.expect(w.shape[0] % group == 0, f"{w.shape[0]} filters do not divide into {group} groups")
    (filters, channels), kernel = w.shape[:2], w.shape[2:]
    return [TensorSpec((group * channels, filters // group, *kernel), w.dtype)]


def _reference(at: Any, w: np.ndarray) -> np.ndarray:
    return turned(w, at.group)


def turned(w: np.ndarray, group: int) -> np.ndarray:
    """A view of w."""
    (filters, channels), kernel = w.shape[:2], w.shape[2:]
    backwards = np.flip(w, tuple(range(2, w.ndim)))
    swapped = backwards.reshape(group, filters // group, channels, *kernel).swapaxes(1, 2)
    return swapped.reshape(group * channels, filters // group, *kernel)


def _gradient(back: Backward) -> Sequence[str]:
    """Who turns twice has what was before."""
    return [back.one("TurnedFilters", back.gradient(), group=back.attrs.group)]


register(
    Op(
        "TurnedFilters",
        _infer,
        _reference,
        per_input(0),
        {"group": 1},
        inputs=(1, 1),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=True,
            gradient=_gradient,
        ),
    )
)
