"""Constants on a device: packed once, shared by the plans of a session, gone with the last that uses them."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

from clconv.errors import Guard
from clconv.graph.ir import Constant
from clconv.lowering.arguments import Packing
from clconv.runtime import pages
from clconv.runtime.opencl import Device, Queue, sub_buffer


class Held:
    """A buffer that lasts as long as somebody holds this. owner: what it is a part of."""

    def __init__(self, buffer: Any, nbytes: int, owner: Any = None) -> None:
        self.buffer, self.nbytes, self._owner = buffer, nbytes, owner


class DeviceConstants:
    """Constants on a device, one copy for each packing, shared by all plans of a session.

    A copy lives as long as a plan that uses it: what only one input size needs goes with its plan.
    """

    def __init__(self, device: Device, queue: Queue) -> None:
        self._device, self._queue = device, queue
        self._held: weakref.WeakValueDictionary[tuple[int, Packing], Held] = (
            weakref.WeakValueDictionary()
        )
        self._lock = threading.Lock()
        self._pool: pages.Pool | None = None
        if pages.are_wanted(device.info):
            self._pool = pages.Pool(device.allocate, sub_buffer, device.info.base_alignment)

    @property
    def nbytes(self) -> int:
        """Bytes of all copies on the device."""
        return sum(held.nbytes for held in list(self._held.values()))

    def get(self, constant: Constant, packing: Packing) -> Held:
        key = (constant.key, packing)
        with self._lock:
            held = self._held.get(key)
            if held is None:
                with Guard(f"packing the constant {constant.spec} as {packing.name}"):
                    packed = np.ascontiguousarray(packing.function(constant.array))
                held = self._allocate(packed.nbytes)
                self._queue.write(held.buffer, packed, wait=True)
                self._held[key] = held
            return held

    def _allocate(self, nbytes: int) -> Held:
        if self._pool is None:
            return Held(self._device.allocate(nbytes), nbytes)
        piece = self._pool.take(nbytes)
        return Held(piece.buffer, nbytes, piece.owner)
