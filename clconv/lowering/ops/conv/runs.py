"""How the output pixels of a direct convolution are dealt out to work-items: in runs."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.records import record

# What tiles of vectors of 16 floats have, of which two or three lie side by side: without a narrower one an image of 14 x 14
# wastes 1 to 6 % of its last one, and only the images of 7 x 7 behind it up to 18 %.
_WIDE = 9


def narrower_tile(pixels: int, is_dear: bool) -> int:
    """The pixels of a second, narrower register tile, with which tiles fill a run exactly; 0 where there is none. is_dear: of
    windows of one pixel, where it is a text of its own, which takes as much time to compile again."""
    return 0 if pixels <= 3 or (is_dear and pixels >= _WIDE) else pixels - 1


@record(frozen=True)
class Runs:
    """Runs of `run` pixels, and to an item `runs` of them or `length` pixels of one."""

    run: int
    runs: int
    length: int
    items: int


def fewest_pixels(run: int, lengths: Sequence[int], pixels: int, narrower: int) -> Runs:
    """One run in items of that length whose tiles of `pixels`, or of `narrower` where those fill an item, compute the fewest
    pixels; of two the one of fewer tiles, then the shorter one. The last item takes what is left if that is less than a tile."""

    def items(length: int) -> int:
        return max(1, (run + length - pixels) // length)

    def computed(part: int) -> tuple[int, int]:
        tiles = -(-part // pixels)
        fills = narrower and tiles * pixels - part <= tiles
        return part if fills else tiles * pixels, tiles

    def cost(length: int) -> tuple[int, int, int]:
        before = items(length) - 1
        each, last = computed(length), computed(run - before * length)
        return before * each[0] + last[0], before * each[1] + last[1], length

    length = min(lengths, key=cost)
    return Runs(run, 1, length, items(length))
