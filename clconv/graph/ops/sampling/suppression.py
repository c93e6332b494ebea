"""Non-maximum suppression of one image's boxes, class by class, in NumPy.

Two ways to the same result. Best first: some boxes at a time are held against those that are kept. By pairs: all pairs
of a class that overlap are looked for at once, for all classes together, by the order of their left edges.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from clconv.graph.ops.sampling.candidates import Candidates

# Seconds, roughly: of a box that is selected best first, of two of them that are held against each other, and as how
# many boxes a class costs; of a box and of a pair that may overlap, if all pairs are looked at.
_BOX_TIME, _HELD_TIME, _CLASS_BOXES = 5e-7, 1e-9, 100
_SORT_TIME, _PAIR_TIME = 3e-7, 20e-9
_LEAST_AT_ONCE, _MOST_AT_ONCE, _PAIRS_AT_ONCE = 32, 256, 1 << 16
# How many times the pairs there may be if all boxes had as many behind them as the one with the most.
_SPREAD = 6
_LATER = np.arange(_MOST_AT_ONCE)[:, None] < np.arange(_MOST_AT_ONCE)
# Boxes of a class whose pairs are looked at, for each that may be kept: most often enough.
_HEAD, _LEAST_HEAD = 1.125, 32
# Candidates that are worth a thread, and every how many-th score is looked at to know how many there are.
_OF_THREAD, _MOST_THREADS, _SAMPLED = 1 << 16, 4, 64
_FAR = 3e38  # edges beyond are as good as there, when they are sorted


class Boxes:
    """Some boxes by their edges (4, n), with their areas, in their own precision."""

    def __init__(self, edges: np.ndarray, areas: np.ndarray | None = None) -> None:
        self.edges = edges
        made = (edges[2] - edges[0]) * (edges[3] - edges[1]) if areas is None else areas
        self.areas: np.ndarray = made

    def __getitem__(self, which: Any) -> Boxes:
        if isinstance(which, np.ndarray) and which.dtype != np.bool_:
            return Boxes(self.edges.take(which, 1), self.areas.take(which))
        return Boxes(self.edges[:, which], self.areas[which])

    @property
    def count(self) -> int:
        return len(self.areas)

    def down(self) -> Boxes:
        """The boxes as a column, to be held against a line of others."""
        return Boxes(self.edges[:, :, None], self.areas[:, None])

    def too_close(self, other: Boxes, allowed: Any) -> np.ndarray:
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
    """The boxes in the order of their left edges, group by group, and how many behind each may begin before it ends."""
    left, right = np.clip(np.nan_to_num(edges[1::2].astype(np.float64)), -_FAR, _FAR)
    count = len(groups)
    # Groups side by side, so that one search tells for all. Rounded sums keep their order, equal ones count as near.
    width = 1.01 * (max(left.max(), right.max()) - min(left.min(), right.min())) or 1.0
    apart = groups * width
    left = left + apart
    by_left, right = np.argsort(left), right + apart
    # Ascending ends are found in half the time, their order included.
    ascending, found = np.argsort(right), np.empty(count, np.int64)
    found[ascending] = np.searchsorted(left[by_left], right[ascending], "right")
    stops = np.minimum(found[by_left], np.cumsum(np.bincount(groups))[groups])
    return by_left, np.maximum(stops - np.arange(1, count + 1), 0)


def _best_first(
    boxes: Boxes, order: np.ndarray, limit: int, allowed: Any, given: np.ndarray
) -> np.ndarray:
    """Which are kept, until there are `limit`: those that are given, then of `order`, best first. Some at a time are
    held against those that are kept already, then against each other."""
    limit = min(limit, len(given) + len(order))
    names, kept = np.empty(limit, order.dtype), Boxes(np.empty((4, limit), boxes.edges.dtype))
    count = len(given)
    names[:count] = given
    kept.edges[:, :count], kept.areas[:count] = boxes.edges[:, given], boxes.areas[given]
    begin = 0
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


def _first_of_each(boxes: Boxes, allowed: Any) -> np.ndarray:
    """Which boxes, best first, no better one that is kept is in the way of."""
    free = np.ones(len(boxes.areas), np.bool_)
    close = boxes.down().too_close(boxes, allowed) & _LATER[: len(free), : len(free)]
    for i in np.flatnonzero(close.any(1)):
        if free[i]:
            free[close[i]] = False
    return free


def _near_by_distance(low: np.ndarray, high: np.ndarray, follow: np.ndarray) -> list[np.ndarray]:
    """As _close_pairs() finds what meets from low to high: first boxes and second ones, by how far apart they stand."""
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for distance in range(1, int(follow.max(initial=0)) + 1):
        near = low[:-distance] < high[distance:]
        near &= low[distance:] < high[:-distance]
        near &= follow[:-distance] >= distance
        first = np.flatnonzero(near)
        firsts.append(first)
        seconds.append(first + distance)
    return [np.concatenate(firsts), np.concatenate(seconds)]


def _close_pairs(boxes: Boxes, follow: np.ndarray, allowed: Any) -> tuple[np.ndarray, np.ndarray]:
    """Positions of two boxes that overlap too much. Of boxes by their left edges, so many that
    follow each are looked at."""
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    ends = np.cumsum(follow)
    low, high = boxes.edges[0], boxes.edges[2]
    if (
        len(follow) * int(follow.max(initial=0))
        <= _SPREAD * int(follow.sum())
        <= _PAIRS_AT_ONCE * _SPREAD
    ):
        first, second = _near_by_distance(low, high, follow)
        close = boxes[first].too_close(boxes[second], allowed)
        return first[close], second[close]
    start = 0
    while start < len(follow):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, "right")))
        times, some = follow[start:stop], slice(start, stop)
        # From each box on, one after another: the places in the list of pairs, moved by as much as there went before.
        moved = np.arange(start + 1, stop + 1) - (ends[some] - times - done)
        second = np.arange(ends[stop - 1] - done)
        second += np.repeat(moved, times)
        near = np.repeat(low[some], times) < high[second]
        near &= low[second] < np.repeat(high[some], times)
        chosen = np.flatnonzero(near)
        first = np.searchsorted(ends[some] - done, chosen, "right") + start
        second = second[chosen]
        close = boxes[first].too_close(boxes[second], allowed)
        firsts.append(first[close])
        seconds.append(second[close])
        start = stop
    return np.concatenate(firsts), np.concatenate(seconds)


def _by_pairs(boxes: Boxes, by_left: np.ndarray, follow: np.ndarray, allowed: Any) -> np.ndarray:
    """Which of the boxes, the best first, are kept without a limit: first every pair that overlaps too much, then who
    is in whose way."""
    a, b = _close_pairs(boxes[by_left], follow, allowed)
    a, b = by_left[a], by_left[b]
    winner, loser = np.minimum(a, b), np.maximum(a, b)
    order = np.argsort(winner, kind="stable")
    winner, loser = winner[order], loser[order]
    alive = np.ones(len(by_left), np.bool_)
    # A winner that nothing is in the way of needs no turn: its losers go together.
    contested = np.zeros(len(by_left), np.bool_)
    contested[loser] = True
    alive[loser[~contested[winner]]] = False
    open_ = np.flatnonzero(contested[winner])
    names, begins = np.unique(winner[open_], return_index=True)
    losers = loser[open_]
    ends = np.append(begins, len(losers))[1:]
    for name, begin, end in zip(names.tolist(), begins.tolist(), ends.tolist(), strict=True):
        if alive[name]:
            alive[losers[begin:end]] = False
    return alive


def _heads_by_pairs(
    boxes: Boxes, found: Candidates, heads: np.ndarray, allowed: Any, time: float
) -> list[np.ndarray] | None:
    """Of each class, which of the first `heads` are kept without a limit; None if `time` seconds are not enough."""
    groups = np.repeat(np.arange(len(heads)), heads)
    if not len(groups):
        return None
    index = found.index[
        np.arange(len(groups)) + (found.begins - (np.cumsum(heads) - heads))[groups]
    ]
    chosen = boxes[index]
    by_left, follow = _neighbours(chosen.edges, groups)
    if len(groups) * _SORT_TIME + follow.sum() * _PAIR_TIME > time:
        return None
    kept = np.flatnonzero(_by_pairs(chosen, by_left, follow, allowed))
    return np.split(index[kept], np.searchsorted(groups[kept], np.arange(1, len(heads))))


def suppress(
    boxes: Boxes, scores: np.ndarray, limit: int, allowed: Any, threshold: float
) -> np.ndarray:
    """(selected, 2) int64: class and box index, of scores (classes, boxes), the best of each class first, `limit` of
    each at most. allowed: the largest intersection over union.

    Many candidates go to several threads by classes, which do not know of each other: NumPy lets them run side by side.
    """
    about = _SAMPLED * np.count_nonzero(scores[:, ::_SAMPLED] > threshold)
    parts = min(len(scores), about // _OF_THREAD, os.cpu_count() or 1, _MOST_THREADS)
    if parts < 2:
        return _suppress(boxes, scores, limit, allowed, threshold)
    edges = [len(scores) * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        found = pool.map(
            lambda begin, end: _suppress(boxes, scores[begin:end], limit, allowed, threshold),
            edges[:-1],
            edges[1:],
        )
        return np.concatenate([np.add(f, (b, 0)) for f, b in zip(found, edges, strict=False)])


def _suppress(
    boxes: Boxes, scores: np.ndarray, limit: int, allowed: Any, threshold: float
) -> np.ndarray:
    """What suppress() does, in this thread, which has NumPy's error state of its own."""
    with np.errstate(all="ignore"):
        return _in_one_thread(boxes, scores, limit, allowed, threshold)


def _in_one_thread(
    boxes: Boxes, scores: np.ndarray, limit: int, allowed: Any, threshold: float
) -> np.ndarray:
    found = Candidates.of(scores, threshold)
    most = np.minimum(found.sizes, limit)
    time = _BOX_TIME * (2 * most + _CLASS_BOXES) + _HELD_TIME * most.astype(np.float64) ** 2
    heads = np.minimum(found.sizes, int(_HEAD * min(limit, boxes.count)) + _LEAST_HEAD)
    first = _heads_by_pairs(boxes, found, heads, allowed, float(time[found.sizes > 0].sum()))
    each = []
    for group, begin in enumerate(found.begins):
        given = found.index[:0] if first is None else first[group][:limit]
        looked_at = 0 if first is None else heads[group]
        if len(given) < limit and looked_at < found.sizes[group]:
            rest = found.index[begin + looked_at : begin + found.sizes[group]]
            given = _best_first(boxes, rest, limit, allowed, given)
        each.append(given)
    groups = np.repeat(np.arange(len(each)), [len(kept) for kept in each])
    return np.stack([groups, np.concatenate([found.index[:0], *each])], 1)
