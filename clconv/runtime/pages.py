"""Memory on huge pages for CPU devices that would lay their buffers on small ones.

A convolution walks through channels that lie kilobytes apart and weights of a hundred megabytes: with pages of
4 KiB it looks up one after another, which costs most inside virtual machines.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import Any, NamedTuple

import numpy as np

from clconv.device.info import DeviceInfo

PAGE = 2 << 20  # of x86-64, and of AArch64 with small pages of 4 KiB
_SMALL = 4 << 10
_LEAST = PAGE // 2  # bytes that are worth a page
_CHUNK = 4 * PAGE


def are_wanted(device: DeviceInfo) -> bool:
    """Whether buffers of this device gain by huge pages, and this system has them."""
    return "small-pages" in device.quirks and hasattr(mmap, "MADV_HUGEPAGE")


def memory(nbytes: int) -> np.ndarray:
    """Zeroed bytes at the beginning of a page, a huge one where they gain by it and the system grants it. They go
    with the last reference to the array."""
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
    return content[begin : begin + whole]


class Piece(NamedTuple):
    """A buffer and what must be kept as long as it is used."""

    buffer: Any
    owner: Any


class Pool:
    """Many small buffers side by side in large ones; a large one goes when the last piece of it does.

    allocate(nbytes), sub_buffer(buffer, offset, nbytes): how to get a large one, and a part of it. alignment:
    bytes that parts begin at a multiple of.
    """

    def __init__(self, allocate: Any, sub_buffer: Any, alignment: int) -> None:
        self._allocate, self._sub_buffer, self._alignment = allocate, sub_buffer, alignment
        self._chunk: Any = None
        self._used = _CHUNK

    def take(self, nbytes: int) -> Piece:
        """A buffer of its own for what is large, else a part of the current large one."""
        if nbytes > _CHUNK // 2:
            buffer = self._allocate(nbytes)
            return Piece(buffer, buffer)
        room = -(-max(nbytes, 4) // self._alignment) * self._alignment
        if self._used + room > _CHUNK:
            self._chunk, self._used = self._allocate(_CHUNK), 0
        part = self._sub_buffer(self._chunk, self._used, nbytes)
        self._used += room
        return Piece(part, self._chunk)
