"""Constants on a device: packed once, shared by the plans of a session, gone with the last that uses them."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from clconv.errors import Guard
from clconv.graph import staging
from clconv.graph.ir import Constant
from clconv.lowering.model.arguments import Addresses, Packed, Packing
from clconv.lowering.model.call import KernelCall
from clconv.runtime import pages
from clconv.runtime.opencl import Device, Queue, borrowed, host_memory, sub_buffer
from clconv.spans import span

_LARGE = 1 << 20  # bytes of a constant that is worth a thread
_WORKERS = 4  # each holds a constant and what packing makes of it


def packed_arguments(calls: Iterable[KernelCall]) -> list[Packed]:
    """The packed constants that launches read, each once, also those of which a launch is told addresses."""
    given = [argument for call in calls for _, argument in call.arguments]
    nested = [argument.arguments for argument in given if isinstance(argument, Addresses)]
    found = (a for a in itertools.chain(given, *nested) if isinstance(a, Packed))
    return list(dict.fromkeys(found))


class Held:
    """A buffer that lasts as long as somebody holds this. owner: the buffer that it is a part of, or is, where that may
    lie in memory of ours; it begins `offset` bytes behind that one's beginning."""

    def __init__(self, buffer: Any, nbytes: int, owner: Any = None, offset: int = 0) -> None:
        self.buffer, self.nbytes, self.owner, self.offset = buffer, nbytes, owner, offset

    @property
    def memory(self) -> np.ndarray | None:
        """Its bytes, to be written here and now, which the queue would hand to another thread; None if they are the
        device's."""
        whole = None if self.owner is None else host_memory(self.owner)
        return None if whole is None else whole[self.offset : self.offset + self.nbytes]


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
        self._patience = pages.Patience()
        if pages.are_wanted(device.info):
            self._pool = pages.Pool(device.allocate, sub_buffer, device.info.base_alignment)

    @property
    def nbytes(self) -> int:
        """Bytes of all copies on the device."""
        return sum(held.nbytes for held in list(self._held.values()))

    @contextlib.contextmanager
    def prepared(
        self, wanted: Sequence[tuple[Constant, Packing]]
    ) -> Iterator[Callable[[], list[Held]]]:
        """Several copies, the large ones made side by side: what is read, rearranged and written is long in coming
        where a network has gigabytes of weights. Begun before the block where that is the work of other cores than the
        device's compiler's. What it gives waits for them, and is to be called inside the block."""
        large = [w for w in wanted if w[0].spec.nbytes >= _LARGE]
        begins = bool(large) and self.takes_host_memory
        if not begins and len(large) < 2:
            yield list
            return
        pool = ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1), "clconv packing")

        def begun() -> list[Future[Held]]:
            return [pool.submit(self.get, c, packing, kept=True) for c, packing in large]

        made = begun() if begins else []

        def all_made() -> list[Held]:
            with span("pack"):
                return [one.result() for one in made or begun()]

        try:
            yield all_made
        finally:
            pool.shutdown(cancel_futures=True)

    def get(self, constant: Constant, packing: Packing, kept: bool = False) -> Held:
        """The copy, made unless there is one. kept: so is the thread's memory for reading, for the next."""
        key = (constant.key, packing)
        with self._lock:
            held = self._held.get(key)
        if held is not None:
            return held
        with span("pack"), staging.reused(kept):
            return self._made(key, constant, packing)

    def _made(self, key: tuple[int, Packing], constant: Constant, packing: Packing) -> Held:
        room = _Room(self.allocate)
        with Guard(f"packing the constant {constant.spec} as {packing.name}"):
            if packing.fill is None:
                packed = np.ascontiguousarray(packing.function(constant.array))
            else:
                packed = packing.fill(constant.array, room)
        with self._lock:
            made = self._held.get(key)  # by another thread, meanwhile
        if made is not None:
            return made
        held = room.held or self.allocate(packed.nbytes)
        if not room.in_place:
            memory = held.memory
            if memory is None:
                self._queue.write(held.buffer, packed, wait=True)
            else:
                memory[: packed.nbytes] = packed.reshape(-1).view(np.uint8)
        with self._lock:
            return self._held.setdefault(key, held)

    def allocate(self, nbytes: int) -> Held:
        if self._pool is None:
            return Held(self._device.allocate(nbytes), nbytes)
        if not self._pool.shares(nbytes):  # which threads may ask for side by side
            buffer = self._device.allocate(nbytes, self._patience)
            return Held(buffer, nbytes, buffer)
        with self._lock:
            piece = self._pool.take(nbytes)
        return Held(piece.buffer, nbytes, piece.owner, piece.offset)

    def written(self, nbytes: int, fill: Callable[[np.ndarray], None]) -> Held:
        """A buffer with the bytes that fill(bytes) makes."""
        held = self.allocate(nbytes)
        memory = held.memory
        if memory is not None:
            fill(memory)
            return held
        content = np.empty(nbytes, np.uint8)
        fill(content)
        self._queue.write(held.buffer, content, wait=True)
        return held

    @property
    def takes_host_memory(self) -> bool:
        """Whether the device computes in memory of ours, whatever it is."""
        return self._pool is not None

    def lent(self, memory: np.ndarray) -> Held:
        """A buffer in the place of bytes that are only read, and live as long as it does."""
        return Held(borrowed(self._device.context, memory, writes=False), memory.nbytes)

    def content(self, held: Held) -> np.ndarray:
        """The bytes of a buffer, to be read only: where they are, if that is memory of ours, for new memory takes longer
        than all else that is done with them."""
        memory = held.memory
        if memory is not None:
            return memory
        found = np.empty(held.nbytes, np.uint8)
        self._queue.read(found, held.buffer, wait=True)
        return found


class _Room:
    """Where a packing puts its result: into the buffer itself if that has memory of ours."""

    def __init__(self, allocate: Callable[[int], Held]) -> None:
        self._allocate = allocate
        self.held: Held | None = None
        self.in_place = False

    def __call__(self, shape: tuple[int, ...], dtype: type[np.generic], /) -> np.ndarray:
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        self.held = self._allocate(nbytes)
        memory = self.held.memory
        if memory is None:
            return np.empty(shape, dtype)
        self.in_place = True
        return memory[:nbytes].view(dtype).reshape(shape)
