"""Writing at indices: ScatterElements and ScatterND, with an optional reduction.

Without a reduction the same place must not be written twice; the reference lets the last one win.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import (
    check_element_indices,
    check_indices,
    expect_index,
    move_cost,
)
from clconv.graph.rules.gradient import indexing as gradient

REDUCTIONS: dict[str, Callable[..., Any] | None] = {
    "none": None,
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def _check_reduction(call: Call) -> None:
    reduction = call.attrs.reduction
    call.expect(
        reduction in REDUCTIONS, f"reduction {reduction!r} is not one of {list(REDUCTIONS)}"
    )


def _infer_elements(call: Call) -> Sequence[TensorSpec]:
    x, indices, updates = call.spec(0), call.spec(1), call.spec(2)
    same_dtype(call, 0, 2)
    _check_reduction(call)
    call.expect(
        indices.shape == updates.shape,
        f"indices {indices.shape} and updates {updates.shape} differ",
    )
    check_element_indices(call)
    return [TensorSpec(x.shape, x.dtype)]


def _write(out: np.ndarray, places: tuple[Any, ...], updates: np.ndarray, reduction: str) -> None:
    combine = REDUCTIONS[reduction]
    if combine is None:
        out[places] = updates
    else:
        combine.at(out, places, updates)  # type: ignore[attr-defined]


def _elements(at: Any, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    out = x.astype(np.float64) if x.dtype.kind == "f" else x.copy()
    places = list(np.indices(indices.shape))
    places[at.axis] = check_indices("ScatterElements", indices, x.shape[at.axis])
    _write(out, tuple(places), updates, at.reduction)
    return out.astype(x.dtype)


def _infer_nd(call: Call) -> Sequence[TensorSpec]:
    x, indices, updates = call.spec(0), call.spec(1), call.spec(2)
    same_dtype(call, 0, 2)
    expect_index(call, 1)
    _check_reduction(call)
    call.expect(x.rank >= 1 and indices.rank >= 1, "data and indices must have rank 1 or more")
    depth = indices.shape[-1]
    call.expect(1 <= depth <= x.rank, f"the last axis of indices is {depth}, not 1..{x.rank}")
    wanted = (*indices.shape[:-1], *x.shape[depth:])
    call.expect(updates.shape == wanted, f"updates must have shape {wanted}, not {updates.shape}")
    return [TensorSpec(x.shape, x.dtype)]


def _nd(at: Any, x: np.ndarray, indices: np.ndarray, updates: np.ndarray) -> np.ndarray:
    out = x.astype(np.float64) if x.dtype.kind == "f" else x.copy()
    places = tuple(
        check_indices("ScatterND", indices[..., j], x.shape[j]) for j in range(indices.shape[-1])
    )
    _write(out, places, updates, at.reduction)
    return out.astype(x.dtype)


register(
    Op(
        "ScatterElements",
        _infer_elements,
        _elements,
        move_cost,
        {"axis": 0, "reduction": "none"},
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
            gradient=gradient.scatter("GatherElements"),
        ),
    )
)
register(
    Op(
        "ScatterND",
        _infer_nd,
        _nd,
        move_cost,
        {"reduction": "none"},
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
            gradient=gradient.scatter("GatherND"),
        ),
    )
)
