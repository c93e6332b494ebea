"""How the output pixels of a direct convolution are dealt out to work-items: in runs."""

from __future__ import annotations

import dataclasses

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
