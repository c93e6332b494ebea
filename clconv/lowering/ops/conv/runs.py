"""How the output pixels of a direct convolution are dealt out to work-items: in runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

# What tiles of vectors of 16 floats have, of which two or three lie side by side: an image of 14 x 14 wastes 1 or 4 % of its
# last one, and only the images of 7 x 7 behind it up to 18 %.
_WIDE = 9


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
    """One run in items of that length which takes the fewest tiles of `pixels`; of two that take as many, the shorter one.
    The last item takes what is left if that is less than a tile."""

    def items(length: int) -> int:
        return max(1, (run + length - pixels) // length)

    def tiles(length: int) -> int:
        before = items(length) - 1
        return before * -(-length // pixels) + -(-(run - before * length) // pixels)

    length = min(lengths, key=lambda length: (tiles(length), length))
    return Runs(run, 1, length, items(length))
