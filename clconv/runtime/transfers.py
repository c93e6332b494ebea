"""How many bytes of arrays are copied: to a device, from it, and from one place on it to another."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator
from typing import Literal

Way = Literal["to_device", "to_host", "on_device"]


@dataclasses.dataclass
class Transfers:
    """Bytes that were copied, by way; count: how many copies there were."""

    to_device: int = 0
    to_host: int = 0
    on_device: int = 0
    count: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all copies."""
        return self.to_device + self.to_host + self.on_device


_current: contextvars.ContextVar[Transfers | None] = contextvars.ContextVar(
    "transfers", default=None
)


@contextlib.contextmanager
def counted() -> Iterator[Transfers]:
    """Counts what this thread has copied in the block: arrays that go to a device or come from it, also where both lie in
    the host's memory, weights of plans that are made meanwhile included. The arguments of kernels do not count."""
    found = Transfers()
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)


def is_counting() -> bool:
    """Whether somebody counts."""
    return _current.get() is not None


def count(way: Way, nbytes: int) -> None:
    """Adds a copy, if somebody counts."""
    found = _current.get()
    if found is not None and nbytes:
        setattr(found, way, getattr(found, way) + nbytes)
        found.count += 1
