"""How work whose lengths are known is shared out."""

from __future__ import annotations

from collections.abc import Sequence


def shared_out(lengths: Sequence[int], loads: Sequence[int]) -> list[list[int]]:
    """Places of the works that each of several workers gets: the longest first, each for who has least yet. loads: what each
    has before. After Graham, "Bounds on Multiprocessing Timing Anomalies" (1969)."""
    sums = list(loads)
    found: list[list[int]] = [[] for _ in sums]
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        least = sums.index(min(sums))
        sums[least] += lengths[place]
        found[least].append(place)
    return found
