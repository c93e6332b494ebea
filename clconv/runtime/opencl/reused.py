"""Arrays whose memory is used again once nobody has it any more."""

from __future__ import annotations

import math
import threading
from typing import Any, NamedTuple

import numpy as np
import pyopencl as cl

from clconv.planning.persistent import is_wanted
from clconv.runtime import transfers
from clconv.runtime.opencl.arrays import DeviceArray
from clconv.runtime.opencl.context import Device
from clconv.runtime.opencl.memory import host_array

_KEPT, _FREE = 16, 8  # buffers in all, and those of them that nobody has


class _Buffer(NamedTuple):
    """first: the array that the buffer was made for, with nothing that keeps its memory but `handle`."""

    handle: Any
    nbytes: int
    first: DeviceArray


class Reused:
    """New arrays for the runs of a plan.

    Where kernels are told addresses, finding a buffer's takes as long as a small network. So buffers are kept there, and
    given out again once they have no owner but this: OpenCL counts the arrays that they are part of, and what is enqueued
    and may use them.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._keeps = is_wanted(device.info) and len(device.context.devices) == 1
        self._kept: list[_Buffer] = []
        self._lock = threading.Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype, queue: Any) -> DeviceArray:
        """An array whose elements are undefined. Raises DeviceError. queue: of pyopencl."""
        if not self._keeps:
            return self._device.fresh(shape, dtype, queue)
        nbytes = max(4, math.prod(shape) * dtype.itemsize)
        with self._lock:
            free = [kept for kept in self._kept if kept.handle.reference_count == 1]
            for kept in free[:-_FREE]:
                self._kept.remove(kept)
            for kept in free[-_FREE:]:
                if kept.nbytes == nbytes:
                    again = cl.Buffer.from_int_ptr(kept.handle.int_ptr, retain=True)
                    return kept.first.again(again, shape, dtype)
        made = self._device.fresh(shape, dtype, queue)
        handle = cl.Buffer.from_int_ptr(made.handle.int_ptr, retain=True)
        made.address()  # known from now on
        buffer = _Buffer(handle, nbytes, made.again(handle, shape, dtype))
        with self._lock:
            self._kept.append(buffer)
            if len(self._kept) > _KEPT:
                self._kept.pop(0)
        return made

    def copied(self, array: np.ndarray, queue: Any) -> DeviceArray:
        """A copy of a contiguous array, made here and now. Raises DeviceError."""
        if not self._keeps:
            return self._device.copied(array, queue)
        found = self.empty(array.shape, array.dtype, queue)
        if array.nbytes:
            transfers.count("to_device", array.nbytes)
            np.copyto(host_array(found.address(), found.shape, found.dtype, found), array)
        return found
