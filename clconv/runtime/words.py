"""Arguments as 64-bit words: how a persistent launch is told those of all its operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.planning.persistent import part_call
from clconv.runtime.opencl import SCALARS, Function, part_function

if TYPE_CHECKING:
    from clconv.lowering.model.call import Kernel
    from clconv.planning.memory import Slot
    from clconv.runtime.bound import BoundPlan


def words_of(arguments: Sequence[Any], bound: BoundPlan) -> np.ndarray:
    """A 64-bit word for each argument of a bound plan's: a number's bits, or an address."""
    words, places, others = words_and_places(arguments, bound)
    addressed = [(i, bound.arenas[slot.arena]) for i, slot in places]
    addressed += [(i, bound.argument(argument)) for i, argument in others]
    add_addresses(words, addressed, bound)
    return words


def add_addresses(
    words: np.ndarray, addressed: Sequence[tuple[int, Any]], bound: BoundPlan
) -> None:
    """Adds to words where buffers begin, or functions: those are the number itself."""
    for i, one in addressed:
        if isinstance(one, int):
            words[i] = one
    buffers = [(i, one) for i, one in addressed if not isinstance(one, int)]
    words[[i for i, _ in buffers]] += bound.device.addresses([one for _, one in buffers])


def loaded(part: Kernel, bound: BoundPlan) -> Function:
    """The function of a part of a bound plan's launches, which this has loaded. Raises DeviceError."""
    call = part_call(part)
    ((launch, _),) = bound.bind([call])
    bound.queue.launch(*launch)
    bound.queue.finish()
    bound.launched([call])
    return part_function(part.symbol)


def words_and_places(
    arguments: Sequence[Any], bound: BoundPlan
) -> tuple[np.ndarray, list[tuple[int, Slot]], list[tuple[int, Any]]]:
    """The words as far as no address is needed, and by their numbers those to which the beginning of a slot's arena is to be
    added, and those that are the address of another argument."""
    words = np.zeros(len(arguments), np.uint64)
    places, others = [], []
    for i, argument in enumerate(arguments):
        match argument:
            case Scalar(value, ctype):
                found = SCALARS[ctype](value)
                words[i : i + 1].view(found.dtype)[0] = found
            case Read(value, offset) | Write(value, offset):
                slot = bound.slot(value, offset)
                words[i] = slot.offset
                places.append((i, slot))
            case _:
                others.append((i, argument))
    return words, places, others
