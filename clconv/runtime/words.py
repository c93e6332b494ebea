"""Arguments as 64-bit words: how a persistent launch is told those of all its operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.runtime.opencl import SCALARS

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan


def words_of(arguments: Sequence[Any], bound: BoundPlan) -> np.ndarray:
    """A 64-bit word for each argument of a bound plan's: a number's bits, or an address."""
    words = np.zeros(len(arguments), np.uint64)
    addressed = []
    for i, argument in enumerate(arguments):
        match argument:
            case Scalar(value, ctype):
                found = SCALARS[ctype](value)
                words[i : i + 1].view(found.dtype)[0] = found
            case Read(value, offset) | Write(value, offset):
                slot = bound.slot(value, offset)
                words[i] = slot.offset
                addressed.append((i, bound.arenas[slot.arena]))
            case _:
                addressed.append((i, bound.argument(argument)))
    begins = bound.device.addresses([buffer for _, buffer in addressed])
    words[[i for i, _ in addressed]] += begins
    return words
