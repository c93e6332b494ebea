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
    for i, name in enumerate(("boxes at most", "largest overlap", "least score"), 2):
        if call.has(i):
            call.expect(call.spec(i).size == 1, f"input {i} ({name}) must hold one value")
            expect_kind(call, i, "number")
    return data_dependent(call, _reference)


def _edges(at: Any, boxes: np.ndarray) -> np.ndarray:
    """(4, n): y0, x0, y1, x1 with the smaller corner first, in the boxes' own precision."""
    if at.center_point_box:
        x, y, width, height = boxes.T
        return np.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    return np.concatenate([low, high], 1).T


# Seconds that a box takes, and a pair of boxes that may overlap, in the two ways to select; roughly.
_BOX_TIME, _PAIR_TIME = 3e-6, 35e-9
_BOXES_AT_ONCE, _PAIRS_AT_ONCE = 64, 1 << 16


def _alive(edges: np.ndarray, groups: np.ndarray, limit: int, allowed: Any) -> np.ndarray:
    """Which boxes no better one of their group is in the way of.

    edges: (4, boxes), the best first in each group. groups: ascending. Boxes beyond the first `limit` of a group may
    be alive or not.
    """
    by_left, follow = _neighbours(edges, groups)
    begins = np.flatnonzero(np.diff(groups, prepend=-1))
    sizes = np.diff(begins, append=len(groups))
    looked_at = np.minimum(2.0 * limit, sizes).sum()
    if looked_at * _BOX_TIME >= follow.sum() * _PAIR_TIME:
        return _by_pairs(edges, by_left, follow, allowed)
    each = [
        _best_first(edges[:, begin : begin + size], limit, allowed)
        for begin, size in zip(begins, sizes, strict=True)
    ]
    return np.concatenate([np.empty(0, np.bool_), *each])


def _neighbours(edges: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes in the order of their left edges, group by group, and how many behind each begin before it ends."""
    by_left = np.lexsort((edges[1], groups))
    lefts = np.sort(edges[1])
    # Edges as numbers, so that one search tells for all groups.
    begins, ends = np.searchsorted(lefts, edges[1]), np.searchsorted(lefts, edges[3])
    keys = groups * (len(lefts) + 1)
    stops = np.searchsorted((keys + begins)[by_left], (keys + ends)[by_left])
    return by_left, np.maximum(stops - np.arange(1, len(lefts) + 1), 0)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (4, ...), 0 where they do not meet; in their own precision."""
    height = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    width = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = np.maximum(height, 0) * np.maximum(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    meet = (shared > 0) & (union > 0)
    return np.divide(shared, union, out=np.zeros_like(shared), where=meet)


def _best_first(edges: np.ndarray, limit: int, allowed: Any) -> np.ndarray:
    """Which boxes of one group are kept, best first, until there are `limit`: some at a time are held against those
    that are kept already, then against each other."""
    alive = np.zeros(edges.shape[1], np.bool_)
    kept = np.empty((4, 0), edges.dtype)
    for begin in range(0, edges.shape[1], _BOXES_AT_ONCE):
        if kept.shape[1] >= limit:
            break
        some = edges[:, begin : begin + _BOXES_AT_ONCE]
        free = np.logical_not(np.any(_too_close(kept, some, allowed), axis=0))
        close = _too_close(some, some, allowed)
        for i in range(len(free)):
            if free[i]:
                free[i + 1 :] &= ~close[i, i + 1 :]
        alive[begin : begin + _BOXES_AT_ONCE] = free
        kept = np.concatenate([kept, some[:, free]], 1)
    return alive


def _too_close(a: np.ndarray, b: np.ndarray, allowed: Any) -> np.ndarray:
    """(boxes of a, boxes of b): which pairs overlap too much."""
    overlap = _overlap(a[:, :, None], b[:, None, :])
    return (overlap > allowed) & (overlap > 0)


def _by_pairs(
    edges: np.ndarray, by_left: np.ndarray, follow: np.ndarray, allowed: Any
) -> np.ndarray:
    """All that are kept without a limit: first every pair that overlaps too much, then who is in whose way."""
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
        near = (edges[0, a] < edges[2, b]) & (edges[0, b] < edges[2, a])
        a, b = a[near], b[near]
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
    allowed = boxes.dtype.type(0.0 if overlap is None else float(overlap.reshape(-1)[0]))
    threshold = -np.inf if least is None else float(least.reshape(-1)[0])
    batch, classes, count = scores.shape
    chosen = np.flatnonzero(scores > threshold)
    groups = chosen // max(count, 1)  # of an image and a class
    order = np.lexsort((-scores.reshape(-1)[chosen], groups))  # stable: of equal scores the first
    chosen = chosen[order]
    index = chosen - groups * count
    edges = _edges(at, boxes.reshape(batch * count, 4))
    alive = _alive(edges[:, groups // max(classes, 1) * count + index], groups, limit, allowed)
    groups, index = groups[alive], index[alive]
    rank = np.arange(len(groups)) - np.searchsorted(groups, groups)
    groups, index = groups[rank < limit], index[rank < limit]
    return np.stack([groups // max(classes, 1), groups % max(classes, 1), index], 1).astype(
        np.int64
    )


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
