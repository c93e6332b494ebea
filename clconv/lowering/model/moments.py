"""Partial statistics of a value by channel, which the kernels that compute it leave for the one that needs the whole."""

from __future__ import annotations

from clconv.records import record

FIELDS = 4  # count, `top`, mean - top, squared deviations from the mean


@record(frozen=True)
class Moments:
    """Of a value on channel blocks: a buffer of float32 (parts, FIELDS, channels padded to whole blocks).

    Every part is of other elements, at least one of each channel; together they are all. `top` is near the mean, and an
    element itself where all are equal: what is summed is the distance from it, so that nothing is lost where the mean is large.
    """

    name: str
    parts: int
