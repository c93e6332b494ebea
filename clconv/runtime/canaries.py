"""Canaries: bytes around the values of a plan, by which a write outside them is found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clconv.errors import CheckError
from clconv.planning.memory import MemoryPlan, Slot

CANARY = 0xA5


def check_canaries(memory: MemoryPlan, contents: Sequence[np.ndarray]) -> None:
    """CheckError if a byte of an arena that belongs to no value is no canary. contents: the bytes of each arena."""
    for index, content in enumerate(contents):
        free = np.ones(content.size, bool)
        for slot in memory.slots.values():
            if slot.arena == index:
                free[slot.offset : slot.offset + slot.nbytes] = False
        touched = np.flatnonzero(free & (content != CANARY))
        if touched.size:
            place = int(touched[0])
            near = min(memory.slots.items(), key=lambda item: _distance(item[1], index, place))
            raise CheckError(
                f"{touched.size} bytes outside every value were written, the first at offset "
                f"{place} of arena {index}, near value '{near[0]}' ({near[1]})"
            )


def _distance(slot: Slot, arena: int, place: int) -> float:
    if slot.arena != arena:
        return math.inf
    return min(abs(slot.offset - place), abs(slot.offset + slot.nbytes - place))
