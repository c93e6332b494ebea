"""How many rows run at once. A session keeps a plan for each size, so there are few: powers of two up to the most."""

from __future__ import annotations

from collections.abc import Sequence


def sizes_up_to(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... and the most itself."""
    powers = [2**i for i in range(most.bit_length()) if 2**i < most]
    return (*powers, most)


def rows_to_take(sizes: Sequence[int], waiting: int) -> int:
    """How many of the rows that wait should run now: as many as fill a size. The others run right after, which costs less
    than to compute rows that nobody asked for."""
    return max((size for size in sizes if size <= waiting), default=sizes[0])


def size_for(sizes: Sequence[int], rows: int) -> int:
    """The smallest size that holds so many rows, which are at most as many as the largest."""
    return min(size for size in sizes if size >= rows)
