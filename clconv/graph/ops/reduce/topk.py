"""TopK: the k largest or smallest elements along one axis, and where they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_index, expect_kind, one_value, per_input
from clconv.graph.rules import images
from clconv.graph.rules.gradient import reduce as gradient


def _infer(call: Call) -> Sequence[TensorSpec]:
    x = call.spec(0)
    expect_kind(call, 0, "number")
    expect_index(call, 1)
    axis = call.axis(call.attrs.axis, x.rank)
    k = int(one_value(call, 1))
    call.expect(0 <= k <= x.shape[axis], f"k {k} must be in 0..{x.shape[axis]} along axis {axis}")
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return [TensorSpec(shape, x.dtype), TensorSpec(shape, DType.INT64)]


def _top_k(at: Any, x: np.ndarray, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted whatever `sorted` says, the lower index first among equals."""
    if at.largest:
        # Sorting the reversed axis stably and reversing again keeps equal elements in order.
        last = x.shape[at.axis] - 1
        order = last - np.flip(np.argsort(np.flip(x, at.axis), at.axis, kind="stable"), at.axis)
    else:
        order = np.argsort(x, at.axis, kind="stable")
    chosen = np.take(order, range(int(k.reshape(-1)[0])), at.axis)
    return np.take_along_axis(x, chosen, at.axis), chosen.astype(np.int64)


register(
    Op(
        "TopK",
        _infer,
        _top_k,
        per_input(10),
        {"axis": -1, "largest": 1, "sorted": 1},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.along("axis"),
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.top_k,
        ),
    )
)
