"""Constants on a device: packed once, shared by the plans of a session, gone with the last that uses them."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from clconv.errors import Guard
from clconv.graph.ir import Constant
from clconv.lowering.model.arguments import Packing
from clconv.runtime import pages
from clconv.runtime.opencl import Device, Queue, host_memory, sub_buffer

_LARGE = 1 << 20  # bytes of a constant that is worth a thread
_WORKERS = 4  # each holds a constant and what packing makes of it


class Held:
    """A buffer that lasts as long as somebody holds this. owner: what it is a part of."""

    def __init__(self, buffer: Any, nbytes: int, owner: Any = None) -> None:
        self.buffer, self.nbytes, self.owner = buffer, nbytes, owner


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

    def prepare(self, wanted: Sequence[tuple[Constant, Packing]]) -> list[Held]:
        """Several copies, the large ones made side by side: what is read, rearranged and written is long in coming
        where a network has gigabytes of weights."""
        large = [w for w in wanted if w[0].spec.nbytes >= _LARGE]
        if len(large) < 2:
            return []
        with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
            return list(pool.map(lambda one: self.get(*one), large))

    def get(self, constant: Constant, packing: Packing) -> Held:
        key = (constant.key, packing)
        with self._lock:
            held = self._held.get(key)
        if held is not None:
            return held
        with Guard(f"packing the constant {constant.spec} as {packing.name}"):
            packed = np.ascontiguousarray(packing.function(constant.array))
        with self._lock:
            made = self._held.get(key)  # by another thread, meanwhile
            if made is not None:
                return made
            held = self._allocate(packed.nbytes)
        # What is ours and whole is written here and now; the queue would hand it to another thread.
        memory = host_memory(held.buffer) if held.owner is held.buffer else None
        if memory is None:
            self._queue.write(held.buffer, packed, wait=True)
        else:
            memory[: packed.nbytes] = packed.reshape(-1).view(np.uint8)
        with self._lock:
            return self._held.setdefault(key, held)

    def _allocate(self, nbytes: int) -> Held:
        if self._pool is None:
            return Held(self._device.allocate(nbytes), nbytes)
        piece = self._pool.take(nbytes)
        return Held(piece.buffer, nbytes, piece.owner)
