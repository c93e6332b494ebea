"""Operators whose output shape depends on data: NonZero, Compress, Unique. They run on the host.

A Compress whose condition is known is a Gather.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import DType, TensorSpec
from clconv.graph.ops.base import Call, Expansion, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import data_dependent, move_cost, true_places


def _nonzero(at: Any, x: np.ndarray) -> np.ndarray:
    """(rank, count): the indices of the elements that are not 0, in row-major order."""
    left = true_places(x != 0)
    found = np.empty((x.ndim, len(left)), np.int64)
    for axis in range(x.ndim - 1, 0, -1):  # as np.nonzero does, four times as fast
        left, found[axis] = np.divmod(left, x.shape[axis])
    found[:1] = left
    return found


def _infer_compress(call: Call) -> Sequence[TensorSpec]:
    _check_compress(call)
    return data_dependent(call, _compress)


def _check_compress(call: Call) -> None:
    x, condition = call.spec(0), call.spec(1)
    call.expect(
        condition.rank == 1 and condition.dtype is DType.BOOL, "the condition must be a bool vector"
    )
    axis = call.attrs.axis
    size = x.size if axis is None else x.shape[call.axis(axis, x.rank)]
    call.expect(condition.shape[0] <= size, f"{condition.shape[0]} conditions for {size} elements")


def _expand_compress(e: Expansion) -> bool:
    condition = e.known(1)
    if condition is None:
        return False
    _check_compress(e.call)
    axis, taken = e.call.attrs.axis, e.call.node.inputs[0]
    if axis is None:
        axis = 0
        (taken,) = e.emit("Reshape", taken, e.ints(-1))
    (taken,) = e.emit("Gather", taken, e.ints(*true_places(condition.array)), axis=axis)
    e.result(taken)
    return True


def _compress(at: Any, x: np.ndarray, condition: np.ndarray) -> np.ndarray:
    return np.compress(condition, x, at.axis)


def _infer_unique(call: Call) -> Sequence[TensorSpec]:
    if call.attrs.axis is not None:
        call.axis(call.attrs.axis, call.spec(0).rank)
    return data_dependent(call, _unique)


def _unique(at: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Unique elements (or slices of one axis), first index, inverse index and count of each.

    Sorted, or in order of first appearance.
    """
    values, first, inverse, counts = np.unique(x, True, True, True, axis=at.axis)
    inverse = inverse.reshape(-1)
    if not at.sorted:
        order = np.argsort(first)
        places = np.argsort(order)
        values = np.take(values, order, 0 if at.axis is None else at.axis)
        first, inverse, counts = first[order], places[inverse], counts[order]
    return (values, *(a.astype(np.int64) for a in (first, inverse, counts)))


register(
    Op("NonZero", lambda call: data_dependent(call, _nonzero), _nonzero, move_cost, host_only=True)
)
register(
    Op(
        "Compress",
        _infer_compress,
        _compress,
        move_cost,
        {"axis": None},
        inputs=(2, 2),
        host_only=True,
        expand=_expand_compress,
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=None,
        ),
    )
)
register(
    Op("Unique", _infer_unique, _unique, move_cost, {"axis": None, "sorted": 1}, host_only=True)
)
