"""Memory on huge pages for CPU devices that would lay their buffers on small ones.

A convolution walks through channels that lie kilobytes apart and weights of a hundred megabytes: with pages of
4 KiB it looks up one after another, which costs most inside virtual machines.
"""

from __future__ import annotations

import contextlib
import mmap
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from clconv.device.info import DeviceInfo

PAGE = 2 << 20  # of x86-64, and of AArch64 with small pages of 4 KiB
_SMALL = 4 << 10
_LEAST = PAGE // 2  # bytes that are worth a page
_CHUNK = 4 * PAGE
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of Linux 5.14, which the mmap module has no name for


def are_wanted(device: DeviceInfo) -> bool:
    """Whether buffers of this device gain by huge pages, and this system has them."""
    return "small-pages" in device.quirks and hasattr(mmap, "MADV_HUGEPAGE")


class Patience:
    """How much longer than usual the system may take for huge pages.

    Inside a virtual machine that gives free memory back to its host, a huge page can take 5 ms instead of a tenth of
    that, when small ones are at hand: 3 s a gigabyte, where large weights gain by a few percent of a run.
    """

    USUAL, EXTRA = 5e-4, 0.2  # seconds of a page, and beyond that of all

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        self._clock, self._left = clock, self.EXTRA  # one thread's time: others may have the core

    def touch(self, pages: np.ndarray) -> int:
        """Bytes of whole huge pages that are there afterwards; not all, once they took too long."""
        for begin in range(0, len(pages), PAGE):
            if self._left <= 0:
                return begin
            start = self._clock()
            pages[begin : begin + _SMALL] = 0  # long enough for other threads to run meanwhile
            self._left -= max(0.0, self._clock() - start - self.USUAL)
        return len(pages)


def memory(nbytes: int, patience: Patience | None = None) -> np.ndarray:
    """Zeroed bytes at the beginning of a page, a huge one where they gain by it and the system grants it. They go
    with the last reference to the array. patience: with which they are had at once, small ones after it ends."""
    if nbytes < _LEAST:
        room = np.zeros(nbytes + _SMALL, np.uint8)
        begin = -room.ctypes.data % _SMALL
        return room[begin : begin + nbytes]
    whole = -(-nbytes // PAGE) * PAGE
    mapped = mmap.mmap(-1, whole + PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # the system has them switched off: small pages then
        mapped.madvise(mmap.MADV_HUGEPAGE)
    content = np.frombuffer(mapped, np.uint8)
    begin = -content.ctypes.data % PAGE
    room = content[begin : begin + whole]
    had = whole if patience is None else patience.touch(room)
    if had < whole:
        with contextlib.suppress(OSError):
            mapped.madvise(mmap.MADV_NOHUGEPAGE, begin + had, whole - had)
            _populate(mapped, begin + had, begin + whole)
    return room


def _populate(mapped: mmap.mmap, begin: int, end: int) -> None:
    """Gets many small pages at a time: two thirds of the time that one after another takes. Other threads wait
    meanwhile, so not all at a time. OSError if this system cannot."""
    for first in range(begin, end, PAGE):
        mapped.madvise(_POPULATE_WRITE, first, min(PAGE, end - first))


class Piece(NamedTuple):
    """A buffer, and what it is a part of, which must be kept as long as it is used. offset: bytes between their
    beginnings."""

    buffer: Any
    owner: Any
    offset: int = 0


class Pool:
    """Many small buffers side by side in large ones; a large one goes when the last piece of it does.

    allocate(nbytes), sub_buffer(buffer, offset, nbytes): how to get a large one, and a part of it. alignment:
    bytes that parts begin at a multiple of.
    """

    def __init__(self, allocate: Any, sub_buffer: Any, alignment: int) -> None:
        self._allocate, self._sub_buffer, self._alignment = allocate, sub_buffer, alignment
        self._chunk: Any = None
        self._used = _CHUNK

    @staticmethod
    def shares(nbytes: int) -> bool:
        """Whether a piece of that size lies in a buffer with others."""
        return nbytes <= _CHUNK // 2

    def take(self, nbytes: int) -> Piece:
        """A buffer of its own for what is large, else a part of the current large one."""
        if not self.shares(nbytes):
            buffer = self._allocate(nbytes)
            return Piece(buffer, buffer)
        room = -(-max(nbytes, 4) // self._alignment) * self._alignment
        if self._used + room > _CHUNK:
            self._chunk, self._used = self._allocate(_CHUNK), 0
        part = self._sub_buffer(self._chunk, self._used, nbytes)
        offset, self._used = self._used, self._used + room
        return Piece(part, self._chunk, offset)
