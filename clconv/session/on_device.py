"""What of a session belongs to its device: its context, its queue, and arrays in their memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.runtime.opencl import DeviceArray
from clconv.runtime.process import opencl
from clconv.session.elsewhere import copied
from clconv.session.spreading import Spreading


class OnDevice(Spreading):
    """context, queue and arrays of a session."""

    @property
    def context(self) -> Any:
        """The `pyopencl.Context` in which the session computes; arrays that run() takes in place lie in it."""
        return self._shared.prepared.device.context

    @property
    def queue(self) -> Any:
        """The in-order `pyopencl.CommandQueue` in which it enqueues: what is enqueued there as well comes before or behind
        its runs without any events."""
        return self._shared.prepared.queue.raw

    def to_device(self, array: Any) -> DeviceArray:
        """A copy of an array in the device's memory. Raises DeviceError if there is no room."""
        opencl.check()
        given = np.asarray(array)
        if given.dtype.kind not in "biufc":
            raise InputError(f"arrays on a device have numbers, not {given.dtype}")
        native = given.astype(given.dtype.newbyteorder("="), copy=False)
        return copied(self._shared.prepared, native)

    def empty(self, shape: Sequence[int], dtype: Any = np.float32) -> DeviceArray:
        """An array in the device's memory whose elements are undefined, for an output to go into. Raises DeviceError if
        there is no room."""
        opencl.check()
        found = np.empty(0, dtype).dtype
        return self._shared.prepared.device.fresh(tuple(map(int, shape)), found, self.queue)
