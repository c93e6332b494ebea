"""Which launches must be over before another may begin: those whose memory it touches. Pure functions."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

from clconv.records import record


@record(frozen=True)
class Extent:
    """Bytes [begin, end) of one arena."""

    arena: int
    begin: int
    end: int


@record(frozen=True)
class Access:
    """What one launch reads and writes."""

    reads: tuple[Extent, ...]
    writes: tuple[Extent, ...]


def dependencies(accesses: Sequence[Access]) -> list[tuple[int, ...]]:
    """For each launch the earlier ones it must wait for: who wrote what it reads, and who wrote or read what
    it overwrites. What those waited for themselves is left out where a write covers it, so that the lists
    stay short: waiting is transitive.
    """
    arenas: dict[int, _Arena] = {}
    found = []
    for index, access in enumerate(accesses):
        awaited: set[int] = set()
        for extent in access.reads:
            awaited |= arenas.setdefault(extent.arena, _Arena()).read(extent, index)
        for extent in access.writes:
            awaited |= arenas.setdefault(extent.arena, _Arena()).write(extent, index)
        awaited.discard(index)
        found.append(tuple(sorted(awaited)))
    return found


class _Arena:
    """Neighbouring pieces of an arena: where each begins, its last writer, who has read it since."""

    def __init__(self) -> None:
        self._begins = [0]
        self._writers: list[int | None] = [None]
        self._readers: list[set[int]] = [set()]

    def read(self, extent: Extent, index: int) -> set[int]:
        pieces = self._pieces(extent)
        for piece in pieces:
            self._readers[piece].add(index)
        return self._known(self._writers[piece] for piece in pieces)

    def write(self, extent: Extent, index: int) -> set[int]:
        pieces = self._pieces(extent)
        awaited = self._known(self._writers[piece] for piece in pieces)
        awaited.update(*(self._readers[piece] for piece in pieces))
        if pieces:
            first, last = pieces[0], pieces[-1] + 1
            self._begins[first:last] = [extent.begin]
            self._writers[first:last] = [index]
            self._readers[first:last] = [set()]
        return awaited

    def _pieces(self, extent: Extent) -> range:
        """Indices of the pieces that make up the extent, cut to fit."""
        if extent.begin >= extent.end:
            return range(0)
        return range(self._cut(extent.begin), self._cut(extent.end))

    def _cut(self, place: int) -> int:
        """Index of the piece that begins at a place, made if there is none."""
        index = bisect.bisect_right(self._begins, place) - 1
        if self._begins[index] == place:
            return index
        self._begins.insert(index + 1, place)
        self._writers.insert(index + 1, self._writers[index])
        self._readers.insert(index + 1, set(self._readers[index]))
        return index + 1

    @staticmethod
    def _known(writers: Iterable[int | None]) -> set[int]:
        return {writer for writer in writers if writer is not None}
