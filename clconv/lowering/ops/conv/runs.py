"""How the output pixels of a direct convolution are dealt out to work-items: in runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

# Half of a vector of 16 floats for each pixel and more: what tiles of so many pixels waste at the end of a run is little.
_WIDE = 12


def narrower_tile(pixels: int, pointwise: bool) -> int:
    """The pixels of a second, narrower register tile, with which tiles fill a run exactly; 0 where there is none. It takes as
    much time to compile again."""
    return 0 if pixels <= 3 or (pointwise and pixels >= _WIDE) else pixels - 1


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs of `run` pixels, and to an item `runs` of them or `length` pixels of one."""

    run: int
    runs: int
    length: int
    items: int


def fewest_tiles(run: int, lengths: Sequence[int], pixels: int) -> Runs:
    """One run, whose last item takes what is left, in items of that length which takes the fewest tiles of `pixels`; of two
    that take as many, the shorter one."""

    def tiles(length: int) -> int:
        items = max(1, run // length)
        return (items - 1) * -(-length // pixels) + -(-(run - (items - 1) * length) // pixels)

    length = min(lengths, key=lambda length: (tiles(length), length))
    return Runs(run, 1, length, max(1, run // length))
