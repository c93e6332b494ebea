"""NonMaxSuppression: the best boxes of each class that do not overlap too much. Runs on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.ir import TensorSpec
from clconv.graph.ops.base import Call, Op, register
from clconv.graph.ops.numeric import data_dependent, expect_kind


def _infer(call: Call) -> Sequence[TensorSpec]:
    boxes, scores = call.spec(0), call.spec(1)
    for i in (0, 1):
        expect_kind(call, i, "float")
    call.expect(boxes.rank == 3 and boxes.shape[2] == 4, "boxes must be (batch, boxes, 4)")
    call.expect(
        scores.rank == 3 and (scores.shape[0], scores.shape[2]) == boxes.shape[:2],
        f"scores must be ({boxes.shape[0]}, classes, {boxes.shape[1]})",
    )
    return data_dependent(call, _reference)


def _edges(at: Any, boxes: np.ndarray) -> np.ndarray:
    """(4, n): y0, x0, y1, x1 with the smaller corner first, in the boxes' own precision."""
    if at.center_point_box:
        x, y, width, height = boxes.T
        return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([low, high], 1).T


def _select(
    edges: np.ndarray, scores: np.ndarray, limit: int, allowed: float, least: float
) -> list[int]:
    """Indices of the boxes that are kept, best first; of equal scores the first.

    A kept box is held against those only that start left of its right edge, and not so far to the left that
    the widest of them would end before it: a detector's classes often lie side by side for this purpose.
    """
    chosen = np.flatnonzero(scores > least)
    order = chosen[np.argsort(-scores[chosen], kind="stable")]
    edges = edges[:, order]
    areas = (edges[2] - edges[0]) * (edges[3] - edges[1])
    by_left = np.argsort(edges[1], kind="stable")
    lefts = edges[1][by_left]
    widest = float(np.fmax.reduce(edges[3] - edges[1], initial=0))  # passes NaN over
    alive = np.ones(len(order), np.bool_)
    kept: list[int] = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        if len(kept) >= limit:
            break
        kept.append(int(order[i]))
        y0, x0, y1, x1 = edges[:, i]
        first, last = np.searchsorted(lefts, (x0 - 1.001 * widest, x1))
        near = by_left[first:last]
        near = near[(near > i) & alive[near]]
        a, b, c, d = edges[:, near]
        height, width = np.minimum(y1, c) - np.maximum(y0, a), np.minimum(x1, d) - np.maximum(x0, b)
        shared = np.maximum(height, 0) * np.maximum(width, 0)
        union = areas[i] + areas[near] - shared
        meet = (shared > 0) & (union > 0)
        overlap = np.divide(shared, union, out=np.zeros_like(shared), where=meet)
        alive[near[meet & (overlap > allowed)]] = False
    return kept


def _reference(
    at: Any,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    overlap: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """(selected, 3) int64: batch, class and box index, the best box of each class first."""
    limit = 0 if most is None else int(most.reshape(-1)[0])
    allowed = 0.0 if overlap is None else float(overlap.reshape(-1)[0])
    threshold = -np.inf if least is None else float(least.reshape(-1)[0])
    allowed = boxes.dtype.type(allowed)
    selected: list[tuple[int, int, int]] = []
    for n in range(scores.shape[0]):
        edges = _edges(at, boxes[n])
        for c in range(scores.shape[1]):
            kept = _select(edges, scores[n, c], limit, allowed, threshold)
            selected += [(n, c, i) for i in kept]
    return np.array(selected, np.int64).reshape(-1, 3)


register(
    Op(
        "NonMaxSuppression",
        _infer,
        _reference,
        attributes={"center_point_box": 0},
        inputs=(2, 5),
        host_only=True,
    )
)
