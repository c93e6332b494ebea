"""The boxes of which a non-maximum suppression keeps some: those with a score above the threshold, best first."""

from __future__ import annotations

import numpy as np

from clconv.graph.ops.numeric import true_places
from clconv.records import record


@record(frozen=True)
class Candidates:
    """The boxes of all classes that may be kept: class by class, the best first, of equal ones the first first."""

    groups: np.ndarray  # the class of each, ascending
    index: np.ndarray  # which box
    sizes: np.ndarray  # of each class, how many

    @classmethod
    def of(cls, scores: np.ndarray, threshold: float) -> Candidates:
        """Those of scores (classes, boxes) above the threshold."""
        classes, boxes = scores.shape
        places = true_places(scores > threshold)
        sizes = np.diff(np.searchsorted(places, np.arange(classes + 1) * boxes))
        groups = np.repeat(np.arange(classes), sizes)
        order = _best_first_order(groups, scores.reshape(-1)[places])
        return cls(groups, places[order] - groups * boxes, sizes)

    @property
    def begins(self) -> np.ndarray:
        """Where each class begins."""
        return np.cumsum(self.sizes) - self.sizes


def _best_first_order(groups: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The order of ascending groups, in each the best scores first, of equal ones the first first; no score is NaN.

    groups: ascending.
    """
    count = len(scores)
    place_bits = max(count - 1, 1).bit_length()
    group_bits = int(groups[-1]).bit_length() if count else 0
    if scores.dtype.itemsize > 4 or group_bits + 32 + place_bits > 64:
        return np.lexsort((-scores, groups))
    # One whole number each, group before score before place: sorted many times as fast. -0 equals 0.
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.int32)
    keys = np.where(bits < 0, bits, bits ^ 0x7FFFFFFF).view(np.uint32).astype(np.uint64)
    keys |= groups.astype(np.uint64) << np.uint64(32)
    keys <<= np.uint64(place_bits)
    keys |= np.arange(count, dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64((1 << place_bits) - 1)).astype(np.int64)
