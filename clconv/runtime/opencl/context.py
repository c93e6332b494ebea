"""A device in use: its context, its buffers, and its compiler."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError
from clconv.planning.persistent import ADDRESS
from clconv.runtime import pages, process, transfers
from clconv.runtime.opencl.arrays import DeviceArray
from clconv.runtime.opencl.compiler import Compiler
from clconv.runtime.opencl.found import raw_devices
from clconv.runtime.opencl.memory import host_address
from clconv.runtime.opencl.queue import Queue, set_arguments
from clconv.runtime.opencl.refusals import refused


class Device:
    """One device with its context. Sessions on it share the context; each has a queue of its own. context: a caller's, in
    the place of a new one."""

    @refused("make a context")
    def __init__(self, info: DeviceInfo, context: Any = None) -> None:
        self.info = info
        self._raw = raw_devices()[info.index]
        with process.opencl:
            self.context = context or _own_context(info.index)
        self.compiler = Compiler(info, self.context, self._raw)
        self._kept: list[Any] = []

    def queue(self, profile: bool = False, given: Any = None) -> Queue:
        """A new in-order queue, or a caller's."""
        return Queue(self.info, self.context, self._raw, profile, given)

    def allocate(self, nbytes: int, patience: pages.Patience | None = None) -> Any:
        """A buffer; DeviceError with the size if the runtime refuses. patience: for huge pages."""
        with self._allocating(nbytes):
            flags, size = cl.mem_flags.READ_WRITE, max(int(nbytes), 4)
            host = pages.memory(size, patience) if pages.are_wanted(self.info) else None
            if host is None:
                buffer = cl.Buffer(self.context, flags, size)
            else:  # the buffer keeps the array
                buffer = cl.Buffer(self.context, flags | cl.mem_flags.USE_HOST_PTR, hostbuf=host)
            if "forgets-what-is-initialised" in self.info.quirks:
                self._kept.append(buffer)
            return buffer

    @contextlib.contextmanager
    def _allocating(self, nbytes: int) -> Iterator[None]:
        try:
            yield
        except (cl.Error, MemoryError, OSError, OverflowError) as reason:
            raise DeviceError(f"{self.info}: cannot allocate {nbytes:,} bytes: {reason}") from None

    def fresh(self, shape: tuple[int, ...], dtype: np.dtype, queue: Any) -> DeviceArray:
        """An array in memory of the runtime's: unlike memory of ours, it lives as long as anything enqueued uses it. Its
        elements are undefined. Raises DeviceError. queue: of pyopencl."""
        nbytes, is_cpu = max(4, math.prod(shape) * dtype.itemsize), self.info.kind == "cpu"
        flags = cl.mem_flags.READ_WRITE | (cl.mem_flags.ALLOC_HOST_PTR if is_cpu else 0)
        with self._allocating(nbytes):
            buffer = cl.Buffer(self.context, flags, nbytes)
        return DeviceArray(buffer, shape, dtype, queue=queue)

    def copied(self, array: np.ndarray, queue: Any) -> DeviceArray:
        """A copy of a contiguous array, made here and now. Raises DeviceError."""
        if not array.nbytes:
            return self.fresh(array.shape, array.dtype, queue)
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        with self._allocating(array.nbytes):
            buffer = cl.Buffer(self.context, flags, hostbuf=array)
        transfers.count("to_device", array.nbytes)
        return DeviceArray(buffer, array.shape, array.dtype, queue=queue)

    def addresses(self, buffers: Sequence[Any]) -> np.ndarray:
        """Where each buffer begins, as kernels on this device see it; uint64.

        For devices that leave buffers where they are: see Addresses.
        """
        known = [host_address(buffer) for buffer in buffers]
        if None not in known:  # no program to build, and none of its launches to wait for
            return np.array(known, np.uint64)
        unique = {id(buffer): buffer for buffer in buffers}
        found = np.zeros(max(len(unique), 1), np.uint64)
        programs = self.compiler.prepare([ADDRESS])
        queue, launched = self.queue(), programs[ADDRESS].kernel(ADDRESS)
        result = self.allocate(found.nbytes)
        for place, buffer in enumerate(unique.values()):
            set_arguments(launched, [buffer, result, np.int32(place)])
            queue.launch(launched, (1,), (1,))
        queue.read(found, result, wait=True)
        by_buffer = dict(zip(unique, found, strict=False))
        return np.array([by_buffer[id(buffer)] for buffer in buffers], np.uint64)


@functools.cache
def _own_context(index: int) -> Any:
    """The context of clconv's own on a device: arrays of one session are taken by the others, whatever is known of it."""
    return cl.Context([raw_devices()[index]])


def open_device(info: DeviceInfo, context: Any = None) -> Device:
    """The Device of an info, one for the life of the process; in a caller's context one as long as it is used. Raises
    ForkError."""
    process.opencl.check()
    if context is None:
        return _open_device(info)
    with _lock:
        key = (info, context.int_ptr)
        found = _in_contexts.get(key)
        if found is None:
            _in_contexts[key] = found = Device(info, context)
        return found


_lock = threading.Lock()
_in_contexts: weakref.WeakValueDictionary[tuple[DeviceInfo, int], Device] = (
    weakref.WeakValueDictionary()
)


@functools.cache
def _open_device(info: DeviceInfo) -> Device:
    return Device(info)
