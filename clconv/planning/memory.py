"""Value lifetimes -> places in a few large buffers. A pure function.

Greedy: each value in turn at the lowest offset free for its whole life, largest first, the method of
Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020); and once more in
the order of execution. The smaller result counts.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Mapping

from clconv.errors import DeviceMemoryError
from clconv.records import record


@record(frozen=True)
class Lifetime:
    """A value's bytes, and the first and last step at which its memory must be its own."""

    name: str
    nbytes: int
    first: int
    last: int


@record(frozen=True)
class Slot:
    """A place: which arena, where in it, how many bytes."""

    arena: int
    offset: int
    nbytes: int


@record(frozen=True)
class MemoryPlan:
    """Slot of every value and the bytes of every arena.

    external: the arenas that are not the plan's own, by the one value that lies in each: state, which outlasts it.
    guard: bytes left free on both sides of every value, at least.
    """

    slots: Mapping[str, Slot]
    arenas: tuple[int, ...]
    external: Mapping[str, int] = dataclasses.field(default_factory=dict)
    guard: int = 0

    @property
    def total(self) -> int:
        """Bytes of the plan's own arenas."""
        return sum(self.arenas) - self.external_total

    def behind(self, value: str, offset: int) -> Slot:
        """From so many bytes behind the beginning of a value that owns its memory to its end."""
        slot = self.slots[value]
        return Slot(slot.arena, slot.offset + offset, slot.nbytes - offset)

    @property
    def external_total(self) -> int:
        return sum(self.arenas[i] for i in self.external.values())


def alone(nbytes: int, alignment: int, guard: int = 0) -> tuple[Slot, int]:
    """The place of the only value in an arena, as arena 0, and the bytes of that arena."""
    before = _align(guard, alignment)
    return Slot(0, before, nbytes), before + _align(max(nbytes, 1) + guard, alignment)


def with_external(memory: MemoryPlan, sizes: Mapping[str, int], alignment: int) -> MemoryPlan:
    """The plan and these values, bytes by name, each in an external arena."""
    slots, arenas, external = dict(memory.slots), list(memory.arenas), {}
    for name, nbytes in sizes.items():
        slot, size = alone(nbytes, alignment, memory.guard)
        external[name] = len(arenas)
        slots[name] = dataclasses.replace(slot, arena=len(arenas))
        arenas.append(size)
    return dataclasses.replace(memory, slots=slots, arenas=tuple(arenas), external=external)


def separate_buffers(memory: MemoryPlan) -> MemoryPlan:
    """The same values, each in an arena of its own."""
    slots, arenas, external = {}, [], {}
    for i, (name, slot) in enumerate(memory.slots.items()):
        if name in memory.external:
            external[name] = i
            slots[name] = dataclasses.replace(slot, arena=i)
            arenas.append(memory.arenas[slot.arena])
        else:
            slots[name] = Slot(i, 0, slot.nbytes)
            arenas.append(slot.nbytes)
    return MemoryPlan(slots, tuple(arenas), external, memory.guard)


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
    values = list(lifetimes)
    before = _align(guard, alignment)
    rooms = {v.name: before + _align(max(v.nbytes, 1) + guard, alignment) for v in values}
    for value in values:
        if rooms[value.name] > largest:
            raise DeviceMemoryError(
                f"value '{value.name}' needs {value.nbytes:,} bytes, the device allocates at most "
                f"{largest:,} at once; use a smaller input or batch"
            )
    placed = min(
        (_place(sorted(values, key=order), rooms, largest) for order in _ORDERS),
        key=lambda placement: sum(placement.sizes),
    )
    needed = sum(placed.sizes)
    if needed > total:
        raise DeviceMemoryError(
            f"the network's values need {needed:,} bytes at once, the device has {total:,} left for "
            "them; use a smaller input or batch"
        )
    slots = {
        v.name: Slot(arena, offset + before, v.nbytes)
        for v in values
        for arena, offset in [placed.places[v.name]]
    }
    return MemoryPlan(slots, tuple(placed.sizes), guard=guard)


# Largest first packs best most of the time; in the order of execution packs chains exactly.
_ORDERS: tuple[Callable[[Lifetime], tuple[int | str, ...]], ...] = (
    lambda v: (-v.nbytes, v.first, v.name),
    lambda v: (v.first, -v.last, -v.nbytes, v.name),
)


@record(frozen=True)
class _Placement:
    places: dict[str, tuple[int, int]]  # value -> arena, offset
    sizes: list[int]


def _place(ordered: Iterable[Lifetime], rooms: Mapping[str, int], largest: int) -> _Placement:
    """Each value in turn at the lowest offset of the first arena that has room for its whole life."""
    places: dict[str, tuple[int, int]] = {}
    taken: list[list[_Taken]] = []
    sizes: list[int] = []
    for value in ordered:
        room = rooms[value.name]
        for arena in range(len(sizes) + 1):
            if arena == len(sizes):
                taken.append([])
                sizes.append(0)
            offset = _lowest_gap(taken[arena], value, room)
            if offset + room <= largest:
                bisect.insort(taken[arena], (offset, offset + room, value.first, value.last))
                sizes[arena] = max(sizes[arena], offset + room)
                places[value.name] = arena, offset
                break
    return _Placement(places, sizes)


_Taken = tuple[int, int, int, int]  # begin and end in the arena, first and last step


def _lowest_gap(taken: Iterable[_Taken], value: Lifetime, room: int) -> int:
    """Lowest offset with `room` bytes free of everything that lives when `value` does; `taken` by offset."""
    offset = 0
    for begin, end, first, last in taken:
        if first <= value.last and value.first <= last:
            if begin - offset >= room:
                break
            if end > offset:
                offset = end
    return offset


def _align(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment
