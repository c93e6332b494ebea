"""Partial statistics of a value by channel, which the kernels that compute it leave for the one that needs the whole."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a kernel is to leave of its result y, on channel blocks.

    Without x the statistics of y: of each part the count, `top`, mean - top, and the squared deviations from the mean. `top` is
    near the mean, and an element itself where all are equal: what is summed is the distance from it, so that nothing is lost
    where the mean is large.
    With x, a value of y's shape and layout: sums of y, of y (x - center) and of x - center. center: a value, one for each
    channel.
    """

    x: str = ""
    center: str = ""

    @property
    def fields(self) -> int:
        return 3 if self.x else 4


@dataclasses.dataclass(frozen=True)
class Moments:
    """A buffer of float32 (parts, fields, channels padded to whole blocks). Every part is of other elements, at least one of
    each channel; together they are all."""

    name: str
    parts: int
