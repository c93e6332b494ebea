"""Value lifetimes -> places in a few large buffers. A pure function.

Greedy by size, largest first, each value at the lowest offset free for its whole life: the method of
Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from clconv.errors import DeviceMemoryError


@dataclasses.dataclass(frozen=True)
class Lifetime:
    """A value's bytes, and the first and last step at which its memory must be its own."""

    name: str
    nbytes: int
    first: int
    last: int


@dataclasses.dataclass(frozen=True)
class Slot:
    """A place: which arena, where in it, how many bytes."""

    arena: int
    offset: int
    nbytes: int


@dataclasses.dataclass(frozen=True)
class MemoryPlan:
    """Slot of every value and the bytes of every arena."""

    slots: Mapping[str, Slot]
    arenas: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.arenas)


def largest_live_set(lifetimes: Iterable[Lifetime]) -> int:
    """Bytes that must exist at once at the worst step: no plan can do with less."""
    change: dict[int, int] = {}
    for value in lifetimes:
        change[value.first] = change.get(value.first, 0) + value.nbytes
        change[value.last + 1] = change.get(value.last + 1, 0) - value.nbytes
    live = worst = 0
    for step in sorted(change):
        live += change[step]
        worst = max(worst, live)
    return worst


def plan_memory(
    lifetimes: Iterable[Lifetime],
    alignment: int,
    largest: int,
    total: int,
    guard: int = 0,
) -> MemoryPlan:
    """Slots for all values, none overlapping another that lives at the same time.

    alignment: bytes that offsets are a multiple of. largest: bytes of the largest arena; total: bytes of
    all. guard: bytes left free on both sides of every value. Raises DeviceMemoryError, before anything is
    allocated, if a value or the plan is larger.
    """
    ordered = sorted(lifetimes, key=lambda v: (-v.nbytes, v.first, v.name))
    slots: dict[str, Slot] = {}
    placed: list[list[tuple[Lifetime, Slot]]] = []
    sizes: list[int] = []
    for value in ordered:
        room = _align(max(value.nbytes, 1) + 2 * guard, alignment)
        if room > largest:
            raise DeviceMemoryError(
                f"value '{value.name}' needs {value.nbytes:,} bytes, the device allocates at most "
                f"{largest:,} at once; use a smaller input or batch"
            )
        for arena in range(len(sizes) + 1):
            if arena == len(sizes):
                placed.append([])
                sizes.append(0)
            offset = _lowest_gap(placed[arena], value, room)
            if offset + room <= largest:
                slot = Slot(arena, offset + _align(guard, alignment), value.nbytes)
                placed[arena].append((value, Slot(arena, offset, room)))
                sizes[arena] = max(sizes[arena], offset + room + _align(guard, alignment))
                slots[value.name] = slot
                break
    if sum(sizes) > total:
        raise DeviceMemoryError(
            f"the network's values need {sum(sizes):,} bytes at once, the device has {total:,}; use a "
            "smaller input or batch"
        )
    return MemoryPlan(slots, tuple(sizes))


def _align(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _lowest_gap(taken: list[tuple[Lifetime, Slot]], value: Lifetime, room: int) -> int:
    """Lowest offset with `room` bytes free of everything that lives when `value` does."""
    alive = sorted(
        (slot.offset, slot.nbytes)
        for other, slot in taken
        if other.first <= value.last and value.first <= other.last
    )
    offset = 0
    for start, size in alive:
        if start - offset >= room:
            break
        offset = max(offset, start + size)
    return offset
