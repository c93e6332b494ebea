"""Memory for what is read only to be packed, used again for the next constant of the same thread.

A large array that goes gives its pages back to the system, which clears as many for the next one; inside a virtual
machine both cost more than reading what comes into them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np

_LEAST = 1 << 20  # bytes; what is smaller may be kept by whoever reads it


class _Staging(threading.local):
    lends = False
    memory: np.ndarray | None = None


_staging = _Staging()


@contextlib.contextmanager
def reused(kept: bool) -> Iterator[None]:
    """Inside, the first large array that this thread asks empty_bytes() for lies in memory that the next such block
    overwrites: nobody may hold it, or a view of it, afterwards. kept: for a next block, else it goes with this one."""
    _staging.lends = True
    try:
        yield
    finally:
        _staging.lends = False
        if not kept:
            _staging.memory = None


def empty_bytes(nbytes: int) -> np.ndarray:
    """So many bytes, undefined: the caller's own, but for what reused() says."""
    if not _staging.lends or nbytes < _LEAST:
        return np.empty(nbytes, np.uint8)
    _staging.lends = False
    if _staging.memory is None or len(_staging.memory) < nbytes:
        _staging.memory = None  # gone before the larger one comes
        _staging.memory = np.empty(nbytes, np.uint8)
    return _staging.memory[:nbytes]
