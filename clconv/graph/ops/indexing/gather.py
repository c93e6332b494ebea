"""Reading at indices: Gather, GatherElements, GatherND and OneHot.

Negative indices count from the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import (
    check_constant_indices,
    check_element_indices,
    check_indices,
    expect_index,
    expect_kind,
    move_cost,
    one_value,
)
from clconv.graph.rules import images
from clconv.graph.rules.gradient import indexing as gradient


def _infer_gather(call: Call) -> Sequence[TensorSpec]:
    x, indices = call.spec(0), call.spec(1)
    expect_index(call, 1)
    axis = call.axis(call.attrs.axis, x.rank)
    check_constant_indices(call, 1, x.shape[axis])
    return [TensorSpec((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)]


def _gather(at: Any, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    chosen = check_indices("Gather", indices, x.shape[at.axis])
    return np.asarray(np.take(x, chosen, at.axis))


def _infer_gather_elements(call: Call) -> Sequence[TensorSpec]:
    check_element_indices(call)
    return [TensorSpec(call.spec(1).shape, call.spec(0).dtype)]


def _gather_elements(at: Any, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """out[i, j, k] = x[i, indices[i, j, k], k] for axis 1"""
    places = list(np.indices(indices.shape))
    places[at.axis] = check_indices("GatherElements", indices, x.shape[at.axis])
    return np.asarray(x[tuple(places)])


def _infer_gather_nd(call: Call) -> Sequence[TensorSpec]:
    x, indices, batch = call.spec(0), call.spec(1), call.attrs.batch_dims
    expect_index(call, 1)
    call.expect(x.rank >= 1 and indices.rank >= 1, "data and indices must have rank 1 or more")
    call.expect(
        0 <= batch < min(x.rank, indices.rank),
        f"batch_dims {batch} must be in 0..{min(x.rank, indices.rank) - 1}",
    )
    call.expect(x.shape[:batch] == indices.shape[:batch], "the batch axes differ")
    depth = indices.shape[-1]
    call.expect(
        1 <= depth <= x.rank - batch,
        f"the last axis of indices is {depth}, not 1..{x.rank - batch}",
    )
    return [TensorSpec((*indices.shape[:-1], *x.shape[batch + depth :]), x.dtype)]


def _gather_nd(at: Any, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """out[b, i] = x[b, *indices[b, i]], for each batch b and each index vector i."""
    batch, depth = at.batch_dims, indices.shape[-1]
    lead, rest = x.shape[:batch], x.shape[batch + depth :]
    images = x.reshape(math.prod(lead), *x.shape[batch:])
    vectors = indices.reshape(math.prod(lead), math.prod(indices.shape[batch:-1]), depth)
    columns = [check_indices("GatherND", vectors[..., j], x.shape[batch + j]) for j in range(depth)]
    places = (np.arange(len(images))[:, None], *columns)
    return np.asarray(images[places]).reshape((*indices.shape[:-1], *rest))


def _infer_one_hot(call: Call) -> Sequence[TensorSpec]:
    indices, values = call.spec(0), call.spec(2)
    expect_kind(call, 0, "number")
    expect_kind(call, 1, "number")
    depth = int(one_value(call, 1))
    call.expect(depth >= 1, f"depth {depth} must be at least 1")
    call.expect(values.shape == (2,), "values must be the pair (off, on)")
    axis = call.axis(call.attrs.axis, indices.rank + 1)
    return [TensorSpec((*indices.shape[:axis], depth, *indices.shape[axis:]), values.dtype)]


def _one_hot(at: Any, indices: np.ndarray, depth: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The on value where the new axis' position is the index; nowhere for an index out of range."""
    count = int(depth.reshape(-1)[0])
    wide = indices.astype(np.int64)
    wide = np.expand_dims(np.where(wide < 0, wide + count, wide), at.axis)
    shape = [1] * wide.ndim
    shape[at.axis] = count
    return np.where(wide == np.arange(count).reshape(shape), values[1], values[0])


register(
    Op(
        "Gather",
        _infer_gather,
        _gather,
        move_cost,
        {"axis": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=images.along("axis"),
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.gather,
        ),
    )
)
register(
    Op(
        "GatherElements",
        _infer_gather_elements,
        _gather_elements,
        move_cost,
        {"axis": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.gather_elements,
        ),
    )
)
register(
    Op(
        "GatherND",
        _infer_gather_nd,
        _gather_nd,
        move_cost,
        {"batch_dims": 0},
        inputs=(2, 2),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.MOVES,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.gather_nd,
        ),
    )
)
register(
    Op(
        "OneHot",
        _infer_one_hot,
        _one_hot,
        move_cost,
        {"axis": -1},
        inputs=(3, 3),
        hooks=Hooks(
            known=None,
            shape_input=None,
            transposed=None,
            images=None,
            half=Half.KEPT,
            epilogue=False,
            pad=False,
            keeps_elements=False,
            gradient=gradient.one_hot,
        ),
    )
)
