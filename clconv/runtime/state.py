"""State on a device: named values that outlast plans, shared by those that read or change them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import TensorSpec
from clconv.planning.memory import Slot, alone
from clconv.runtime.canaries import CANARY
from clconv.runtime.opencl import host_memory, sub_buffer
from clconv.runtime.process import opencl

if TYPE_CHECKING:
    from clconv.runtime.prepared import PreparedDevice


class DeviceState:
    """Values by name on one device: weights, moments, running statistics. Zeros until they are written.

    Several sessions may share it: one that learns at two batch sizes, one that evaluates. Safe to use from several
    threads: a run, a write and a read each wait for the others. guard: bytes of canary around each value, as many as
    the plans have that are bound to it.
    """

    def __init__(
        self,
        prepared: PreparedDevice,
        specs: Mapping[str, TensorSpec] | None = None,
        guard: int = 0,
    ) -> None:
        self.prepared, self.guard = prepared, guard
        self.lock = threading.Lock()  # whoever reads or changes a value holds it
        self._specs: dict[str, TensorSpec] = {}
        self._slots: dict[str, Slot] = {}
        self._arenas: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self.add(specs or {})

    def __del__(self) -> None:
        with opencl.released():
            self.__dict__.clear()

    @property
    def specs(self) -> dict[str, TensorSpec]:
        return dict(self._specs)

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return sum(spec.nbytes for spec in self._specs.values())

    def add(self, specs: Mapping[str, TensorSpec]) -> None:
        """Makes room for those values that are not there yet. Raises InputError for one that is there with another
        spec, DeviceError if the device has no room."""
        opencl.check()
        with self.lock, opencl:
            for name, spec in specs.items():
                if name not in self._specs:
                    self._allocate(name, spec)
                elif self._specs[name] != spec:
                    raise InputError(f"state '{name}' is {self._specs[name]}, not {spec}")

    def read(self, name: str) -> np.ndarray:
        """A copy of a value. Raises InputError for a name that there is not."""
        self._check_name(name)
        opencl.check()
        with self.lock, opencl:
            return self.fetch(name)

    def write(self, name: str, array: Any) -> None:
        """Changes a value. Raises InputError for a name that there is not, another shape or another dtype."""
        self._check_name(name)
        spec, given = self._specs[name], np.asarray(array)
        if given.shape != spec.shape or given.dtype.name != spec.dtype.value:
            raise InputError(
                f"state '{name}' takes {spec}, got {given.dtype.name} of {given.shape}"
            )
        opencl.check()
        with self.lock, opencl:
            self.put(name, given)

    def arena(self, name: str) -> Any:
        """The buffer in which a value lies, canaries around it."""
        return self._arenas[name]

    # For those who hold the lock.

    def fetch(self, name: str) -> np.ndarray:
        """read() under a lock that is held."""
        spec = self._specs[name]
        found = np.empty(spec.shape, spec.dtype.numpy)
        memory = self._in_reach(name)
        if memory is None:
            self.prepared.queue.read(found, self._values[name], wait=True)
        else:
            found.reshape(-1).view(np.uint8)[:] = memory
        return found

    def put(self, name: str, array: np.ndarray) -> None:
        """write() of a value of the right spec, under a lock that is held."""
        whole = np.asarray(array, self._specs[name].dtype.numpy, order="C")
        memory = self._in_reach(name)
        if memory is None:
            self.prepared.queue.write(self._values[name], whole, wait=True)
        else:
            memory[:] = whole.reshape(-1).view(np.uint8)

    def put_all(self, arrays: Mapping[str, np.ndarray]) -> None:
        """put() of each."""
        for name, array in arrays.items():
            self.put(name, array)

    def saved(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Copies of values, under a lock that is held. One that is all zeros, as moments are at first, takes no memory."""
        return {name: self._kept(name) for name in names}

    def _kept(self, name: str) -> np.ndarray:
        memory = self._in_reach(name)
        found = self.fetch(name) if memory is None else memory
        if not found.reshape(-1).view(np.uint8).any():  # of bytes: -0.0 is no zero
            spec = self._specs[name]
            return np.broadcast_to(np.zeros((), spec.dtype.numpy), spec.shape)
        return self.fetch(name) if memory is not None else found

    def _allocate(self, name: str, spec: TensorSpec) -> None:
        if not spec.is_static or not spec.layout.is_plain:
            raise InputError(f"state '{name}' needs known sizes, got {spec}")
        device, queue = self.prepared.device, self.prepared.queue
        slot, size = alone(spec.nbytes, device.info.base_alignment, self.guard)
        arena = device.allocate(size)
        whole = slot.nbytes == size
        self._arenas[name], self._slots[name], self._specs[name] = arena, slot, spec
        self._values[name] = arena if whole else sub_buffer(arena, slot.offset, slot.nbytes)
        if self.guard:
            queue.write(arena, np.full(size, CANARY, np.uint8), wait=True)
        self.put(name, np.zeros(spec.shape, spec.dtype.numpy))

    def _in_reach(self, name: str) -> np.ndarray | None:
        """The bytes of a value where the device computes in memory of ours."""
        slot, whole = self._slots[name], host_memory(self._arenas[name])
        return None if whole is None else whole[slot.offset : slot.offset + slot.nbytes]

    def _check_name(self, name: str) -> None:
        if name not in self._specs:
            raise InputError(f"no state '{name}'; there are {list(self._specs)}")
