"""Arguments as 64-bit words: how a persistent launch is told those of all its operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clconv.lowering.model.arguments import Read, Scalar, Write
from clconv.runtime.opencl import SCALARS


def words_of(
    arguments: Sequence[Any],
    place: Callable[[str, int], tuple[Any, int]],
    made: Callable[[Any], Any],
    addresses: Callable[[Sequence[Any]], np.ndarray],
) -> np.ndarray:
    """A 64-bit word for each argument: a number's bits, or an address.

    place: the buffer and offset of a value from so many bytes on. made: the buffer of any other argument. addresses: where
    buffers begin, see Device.addresses.
    """
    words = np.zeros(len(arguments), np.uint64)
    addressed = []
    for i, argument in enumerate(arguments):
        match argument:
            case Scalar(value, ctype):
                found = SCALARS[ctype](value)
                words[i : i + 1].view(found.dtype)[0] = found
            case Read(value, offset) | Write(value, offset):
                buffer, words[i] = place(value, offset)
                addressed.append((i, buffer))
            case _:
                addressed.append((i, made(argument)))
    begins = addresses([buffer for _, buffer in addressed])
    words[[i for i, _ in addressed]] += begins
    return words
