"""Where buffers lie: host memory as buffers, buffers in the address space of the host, and which of them overlap."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
import pyopencl as cl

from clconv.runtime.opencl.refusals import refused
from clconv.runtime.process import opencl


class _Memory:
    """Lets NumPy see memory that somebody else owns, and keeps the owner."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> None:
        self._owner = owner
        self.__array_interface__ = {
            "version": 3, "data": (address, False), "shape": shape, "typestr": dtype.str,
        }  # fmt: skip


def host_array(address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> np.ndarray:
    """The array that begins at an address; it keeps the owner of the memory."""
    return np.asarray(_Memory(address, shape, dtype, owner))


@refused("use shared virtual memory")
def svm_buffer(svm: Any, context: Any) -> Any:
    """Shared virtual memory as a buffer, in place."""
    memory = (ctypes.c_ubyte * svm.size).from_address(svm.svm_ptr)
    memory._svm = svm  # kept with the buffer's memory
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR
    return cl.Buffer(context, flags, hostbuf=np.frombuffer(memory, np.uint8))


@refused("use an array in place")
def borrowed(context: Any, array: np.ndarray, writes: bool) -> Any:
    """A contiguous array as a buffer, in place. writes: whether kernels may write it."""
    access = cl.mem_flags.READ_WRITE if writes else cl.mem_flags.READ_ONLY
    return cl.Buffer(context, access | cl.mem_flags.USE_HOST_PTR, hostbuf=array)


@refused("tell where a buffer lies")
def host_address(buffer: Any) -> int | None:
    """Where a buffer, or a part of one, begins in memory that it was made of; None if it has memory of its own."""
    if not buffer.get_info(cl.mem_info.FLAGS) & cl.mem_flags.USE_HOST_PTR:
        return None
    return int(buffer.get_host_array((1,), np.uint8).ctypes.data)


@refused("tell where a buffer lies")
def address_of(buffer: Any) -> int:
    """Where a buffer begins, for devices that leave buffers in the host's memory where they are."""
    known = host_address(buffer)
    if known is not None:
        return known
    with opencl:
        queue = cl.CommandQueue(buffer.context)  # of its own: it waits for nothing else
        found, _ = cl.enqueue_map_buffer(
            queue, buffer, cl.map_flags.READ, 0, (1,), np.dtype(np.uint8)
        )
        address = int(found.ctypes.data)
        found.base.release(queue)
    return address


class MemoryExtent(NamedTuple):
    """Bytes of a memory object that is no part of another: its handle, or 0 with addresses of the host's memory."""

    handle: int
    begin: int
    end: int

    def overlaps(self, other: MemoryExtent) -> bool:
        return self.handle == other.handle and self.begin < other.end and other.begin < self.end


def extent_of(buffer: Any, offset: int, nbytes: int) -> MemoryExtent:
    """What a part of a buffer takes."""
    whole, at = whole_of(buffer)
    begin = at + offset
    known = host_address(whole)
    if known is None:
        return MemoryExtent(whole.int_ptr, begin, begin + nbytes)
    return MemoryExtent(0, known + begin, known + begin + nbytes)


def whole_of(buffer: Any) -> tuple[Any, int]:
    """The buffer that a sub-buffer is a part of, and where it begins there; other buffers are their own."""
    try:
        parent = buffer.get_info(cl.mem_info.ASSOCIATED_MEMOBJECT)
    except cl.Error:  # Intel's answer for shared virtual memory
        parent = None
    if parent is None:
        if not isinstance(buffer, cl.Buffer):  # of a memory pool, which can be asked for no part
            buffer = cl.Buffer.from_int_ptr(buffer.int_ptr, retain=True)
        return buffer, 0
    return parent, int(buffer.get_info(cl.mem_info.OFFSET))


def part_of(buffer: Any, offset: int, nbytes: int, alignment: int) -> Any | None:
    """A part of a buffer, for a kernel; None if it begins at no multiple of `alignment`, as OpenCL demands. What is
    returned may be larger."""
    if offset == 0:
        return buffer
    whole, at = whole_of(buffer)
    if (at + offset) % alignment:
        return None
    try:
        return whole.get_sub_region(at + offset, max(nbytes, 4))
    except cl.Error:  # Intel's runtime cannot once the whole has no owner but its parts
        return None
