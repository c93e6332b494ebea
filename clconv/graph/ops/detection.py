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


# Seconds that a kept box takes, and a pair of boxes that may overlap, in the two ways to select; roughly.
_KEPT_TIME, _PAIR_TIME = 35e-6, 40e-9
_PAIRS_AT_ONCE = 1 << 20


def _select(
    edges: np.ndarray, scores: np.ndarray, limit: int, allowed: Any, least: float
) -> list[int]:
    """Indices of the boxes that are kept, best first; of equal scores the first."""
    chosen = np.flatnonzero(scores > least)
    order = chosen[np.argsort(-scores[chosen], kind="stable")]
    edges = np.ascontiguousarray(edges[:, order])
    by_left = np.argsort(edges[1], kind="stable")
    lefts = edges[1][by_left]
    # Behind each box in the order of left edges: those that begin before it ends.
    follow = np.searchsorted(lefts, edges[3][by_left]) - np.arange(1, len(order) + 1)
    follow = np.maximum(follow, 0)
    if min(limit, len(order)) * _KEPT_TIME < follow.sum() * _PAIR_TIME:
        alive = _one_by_one(edges, limit, allowed)
    else:
        alive = _by_pairs(edges, by_left, follow, allowed)
    return [int(i) for i in order[alive][:limit]]


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (4, ...), 0 where they do not meet; in their own precision."""
    height = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    width = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = np.maximum(height, 0) * np.maximum(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    meet = (shared > 0) & (union > 0)
    return np.divide(shared, union, out=np.zeros_like(shared), where=meet)


def _one_by_one(edges: np.ndarray, limit: int, allowed: Any) -> np.ndarray:
    """Which boxes are kept, best first, until there are `limit`: each is held against all behind it."""
    alive = np.ones(edges.shape[1], np.bool_)
    kept = 0
    for i in range(len(alive)):
        if not alive[i]:
            continue
        kept += 1
        if kept >= limit:
            alive[i + 1 :] = False
            break
        behind = i + 1 + np.flatnonzero(alive[i + 1 :])
        overlap = _overlap(edges[:, i : i + 1], edges[:, behind])
        alive[behind[(overlap > allowed) & (overlap > 0)]] = False
    return alive


def _by_pairs(
    edges: np.ndarray, by_left: np.ndarray, follow: np.ndarray, allowed: Any
) -> np.ndarray:
    """The same without a limit: first every pair that overlaps too much, then who is in whose way."""
    winners, losers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    ends = np.cumsum(follow)
    start = 0
    while start < len(follow):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE)))
        first = np.repeat(np.arange(start, stop), follow[start:stop])
        within = np.arange(len(first)) - np.repeat(
            ends[start:stop] - follow[start:stop] - done, follow[start:stop]
        )
        a, b = by_left[first], by_left[first + 1 + within]
        overlap = _overlap(edges[:, a], edges[:, b])
        close = (overlap > allowed) & (overlap > 0)
        winners.append(np.minimum(a, b)[close])
        losers.append(np.maximum(a, b)[close])
        start = stop
    winner, loser = np.concatenate(winners), np.concatenate(losers)
    order = np.argsort(winner, kind="stable")
    winner, loser = winner[order], loser[order]
    alive = np.ones(edges.shape[1], np.bool_)
    names, begins = np.unique(winner, return_index=True)
    ends = np.append(begins, len(winner))[1:]
    for name, begin, end in zip(names, begins, ends, strict=True):
        if alive[name]:
            alive[loser[begin:end]] = False
    return alive


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
