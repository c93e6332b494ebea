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


# Seconds, roughly: of a box that is selected best first, and as how many boxes a group costs; of a box and a pair that
# may overlap, if all pairs are looked at.
_BOX_TIME, _GROUP_BOXES = 5e-7, 100
_SORT_TIME, _PAIR_TIME = 1e-6, 35e-9
_LEAST_AT_ONCE, _MOST_AT_ONCE, _PAIRS_AT_ONCE = 32, 256, 1 << 16
_LATER = np.arange(_MOST_AT_ONCE)[:, None] < np.arange(_MOST_AT_ONCE)


def _best_first_order(scores: np.ndarray) -> np.ndarray:
    """Where the best scores of a line are, of equal ones the first first; no score is NaN."""
    if scores.dtype.itemsize > 4 or len(scores) >= 1 << 32:
        return np.argsort(-scores, kind="stable")
    # One whole number each, score before place: sorted many times as fast. -0 equals 0.
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32)
    ascending = np.where(bits < 0, bits, bits ^ 0x7FFFFFFF).view(np.uint32)
    keys = ascending.astype(np.uint64) << np.uint64(32) | np.arange(len(scores), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


class _Boxes:
    """Some boxes by their edges (4, n), with their areas, in their own precision."""

    def __init__(self, edges: np.ndarray, areas: np.ndarray | None = None) -> None:
        self.edges = edges
        made = (edges[2] - edges[0]) * (edges[3] - edges[1]) if areas is None else areas
        self.areas: np.ndarray = made

    def __getitem__(self, which: Any) -> _Boxes:
        return _Boxes(self.edges[:, which], self.areas[which])

    def down(self) -> _Boxes:
        """The boxes as a column, to be compared with a line of others."""
        return _Boxes(self.edges[:, :, None], self.areas[:, None])

    def too_close(self, other: _Boxes, allowed: Any) -> np.ndarray:
        """Which overlap too much: intersection over union is more than `allowed`, and there is an intersection.
        Broadcast; nothing is in the way of a box that is no number."""
        a, b = self.edges, other.edges
        height, width = np.minimum(a[2], b[2]), np.minimum(a[3], b[3])
        height -= np.maximum(a[0], b[0])
        width -= np.maximum(a[1], b[1])
        shared = np.maximum(height, 0, out=height)
        shared *= np.maximum(width, 0, out=width)
        union = np.add(self.areas, other.areas, out=width)
        union -= shared
        # An intersection is never larger than the areas: where there is one, the union is larger than 0.
        shared /= union
        return np.asarray(shared > np.maximum(allowed, 0))


def _neighbours(edges: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes in the order of their left edges, group by group, and how many behind each begin before it ends."""
    by_left = np.lexsort((edges[1], groups))
    lefts = np.sort(edges[1])
    # Edges as numbers, so that one search tells for all groups.
    begins, ends = np.searchsorted(lefts, edges[1]), np.searchsorted(lefts, edges[3])
    keys = groups * (len(lefts) + 1)
    stops = np.searchsorted((keys + begins)[by_left], (keys + ends)[by_left])
    return by_left, np.maximum(stops - np.arange(1, len(lefts) + 1), 0)


def _best_first(boxes: _Boxes, order: np.ndarray, limit: int, allowed: Any) -> np.ndarray:
    """Which of `order`, best first, are kept, until there are `limit`: some at a time are compared with those that are
    kept already, then with each other."""
    limit = min(limit, len(order))
    names, kept = np.empty(limit, order.dtype), _Boxes(np.empty((4, limit), boxes.edges.dtype))
    count = begin = 0
    while count < limit and begin < len(order):
        end = begin + min(max(limit - count, _LEAST_AT_ONCE), _MOST_AT_ONCE)
        new = order[begin:end]
        begin, some = end, boxes[new]
        for start in range(0, count, _MOST_AT_ONCE):
            earlier = kept[start : min(start + _MOST_AT_ONCE, count)]
            free = ~some.down().too_close(earlier, allowed).any(1)
            new, some = new[free], some[free]
        free = _first_of_each(some, allowed)
        new, some = new[free][: limit - count], some[free][: limit - count]
        end = count + len(new)
        names[count:end] = new
        kept.edges[:, count:end], kept.areas[count:end] = some.edges, some.areas
        count = end
    return names[:count]


def _first_of_each(boxes: _Boxes, allowed: Any) -> np.ndarray:
    """Which boxes, best first, no better one that is kept is in the way of."""
    free = np.ones(len(boxes.areas), np.bool_)
    close = boxes.down().too_close(boxes, allowed) & _LATER[: len(free), : len(free)]
    for i in np.flatnonzero(close.any(1)):
        if free[i]:
            free[close[i]] = False
    return free


def _by_pairs(boxes: _Boxes, by_left: np.ndarray, follow: np.ndarray, allowed: Any) -> np.ndarray:
    """Which are kept without a limit: first every pair that overlaps too much, then who is in whose way."""
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
        near = (boxes.edges[0, a] < boxes.edges[2, b]) & (boxes.edges[0, b] < boxes.edges[2, a])
        a, b = a[near], b[near]
        close = boxes[a].too_close(boxes[b], allowed)
        winners.append(np.minimum(a, b)[close])
        losers.append(np.maximum(a, b)[close])
        start = stop
    winner, loser = np.concatenate(winners), np.concatenate(losers)
    order = np.argsort(winner, kind="stable")
    winner, loser = winner[order], loser[order]
    alive = np.ones(len(by_left), np.bool_)
    names, begins = np.unique(winner, return_index=True)
    ends = np.append(begins, len(winner))[1:]
    for name, begin, end in zip(names, begins, ends, strict=True):
        if alive[name]:
            alive[loser[begin:end]] = False
    return alive


def _all_by_pairs(
    boxes: _Boxes, groups: np.ndarray, limit: int, allowed: Any, time: float
) -> np.ndarray | None:
    """Positions of those that are kept, of each group `limit` at most; None if `time` seconds are not enough.

    boxes: the best first in each group. groups: ascending.
    """
    by_left, follow = _neighbours(boxes.edges, groups)
    if follow.sum() * _PAIR_TIME > time:
        return None
    kept = np.flatnonzero(_by_pairs(boxes, by_left, follow, allowed))
    groups = groups[kept]
    return np.asarray(kept[np.arange(len(groups)) - np.searchsorted(groups, groups) < limit])


def _reference(
    at: Any,
    boxes: np.ndarray,
    scores: np.ndarray,
    most: np.ndarray | None = None,
    overlap: np.ndarray | None = None,
    least: np.ndarray | None = None,
) -> np.ndarray:
    """(selected, 3) int64: batch, class and box index, the best box of each class first."""
    limit = 0 if most is None else max(int(most.reshape(-1)[0]), 0)
    allowed = boxes.dtype.type(0.0 if overlap is None else float(overlap.reshape(-1)[0]))
    threshold = -np.inf if least is None else float(least.reshape(-1)[0])
    with np.errstate(all="ignore"):  # boxes without an area, or without edges
        images = [_Boxes(_edges(at, some)) for some in boxes] if limit else []
        found = [np.empty((0, 3), np.int64)]
        for i, image in enumerate(images):
            places = _of_image(image, scores[i], limit, allowed, threshold)
            found.append(np.insert(places, 0, i, 1))
    return np.concatenate(found)


def _of_image(
    boxes: _Boxes, scores: np.ndarray, limit: int, allowed: Any, threshold: float
) -> np.ndarray:
    """(selected, 2) int64: class and box index, of scores (classes, boxes)."""
    lines = [np.flatnonzero(line > threshold) for line in scores]
    orders = [c[_best_first_order(line[c])] for c, line in zip(lines, scores, strict=True)]
    sizes = np.array([len(order) for order in orders], np.int64)
    time = (
        _BOX_TIME * np.minimum(2.0 * limit + _GROUP_BOXES, sizes + _GROUP_BOXES * (sizes > 0))
    ).sum()
    index = groups = np.empty(0, np.int64)
    if sizes.sum() * _SORT_TIME < time:
        index = np.concatenate([index, *orders])
        groups = np.repeat(np.arange(len(orders)), sizes)
        kept = _all_by_pairs(boxes[index], groups, limit, allowed, time)
        if kept is not None:
            return np.stack([groups[kept], index[kept]], 1)
    each = [_best_first(boxes, order, limit, allowed) for order in orders]
    groups = np.repeat(np.arange(len(each)), [len(kept) for kept in each])
    return np.stack([groups, np.concatenate([np.empty(0, np.int64), *each])], 1)


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
