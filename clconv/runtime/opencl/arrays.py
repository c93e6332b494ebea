"""DeviceArray: an array that lies in a buffer of OpenCL, given to run() and taken from it without a copy."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from clconv.errors import InputError
from clconv.runtime import transfers
from clconv.runtime.opencl.flights import Flight, wait_for
from clconv.runtime.opencl.memory import address_of, host_array, svm_buffer, whole_of
from clconv.runtime.opencl.refusals import refused
from clconv.runtime.process import opencl

_DLPACK_CPU, _DLPACK_OPENCL = 1, 4  # DLDeviceType


class DeviceArray:
    """An array in row-major order inside a buffer, which clconv neither copies nor converts.

    buffer: a `pyopencl.Buffer` that was not released (also one of a memory pool), or shared virtual memory (`SVMAllocation`, `SVM`), which
    needs its `context`. shape, dtype: of the array; bool takes a byte. offset: bytes of the buffer in front of it. events:
    what must be over before the array may be read; run() waits for them on the device. queue: where get() reads. `context` is the buffer's.

    The array holds the buffer, also if its owner releases it later. run(outputs="device") returns such arrays while the device may still compute: `events` is
    then what is waited for, which get(), NumPy and DLPack do by themselves. Raises InputError for what is no buffer, a
    negative size, a dtype without a fixed size, and a buffer that ends before the array does.
    """

    __array_priority__ = -1.0
    lies_on_device = True

    def __init__(
        self,
        buffer: Any,
        shape: int | Sequence[int],
        dtype: Any,
        offset: int = 0,
        *,
        events: Iterable[Any] = (),
        queue: Any = None,
        context: Any = None,
    ) -> None:
        self._kept: Any = buffer
        if isinstance(buffer, cl.SVMPointer):
            if context is None and queue is None:
                raise InputError(
                    "shared virtual memory needs its context: DeviceArray(..., context=)"
                )
            buffer = svm_buffer(buffer, context or queue.context)
        if not isinstance(buffer, cl.MemoryObjectHolder):
            raise InputError(
                f"a DeviceArray lies in a pyopencl.Buffer or in shared virtual memory, not in {type(buffer).__name__}"
            )
        self.buffer: Any = buffer  # the caller's, which they may release
        self.handle: Any = cl.Buffer.from_int_ptr(buffer.int_ptr, retain=True)
        self.shape, self.dtype, self.offset = _sizes(shape), _dtype(dtype), operator.index(offset)
        size = int(buffer.size)
        if self.offset < 0 or self.offset + self.nbytes > size:
            raise InputError(
                f"{self.dtype.name}{list(self.shape)} takes {self.nbytes:,} bytes from byte {self.offset:,} on; the buffer "
                f"has {size:,}"
            )
        self.context: Any = _context_of(self.handle)
        self._events = tuple(events)
        self._queue = queue
        self._flight: Flight | None = None
        self._base = _Base()
        self._whole, _ = whole_of(self.handle)
        self._host_memory = getattr(buffer, "hostbuf", None)  # lives as long as this does

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def queue(self) -> Any:
        """Where get() reads: the queue it was given, else a new one of the context's first device."""
        if self._queue is None:
            self._queue = cl.CommandQueue(self.context)
        return self._queue

    @property
    def events(self) -> tuple[Any, ...]:
        """What must be over before the array may be read; empty when nothing has to be waited for."""
        return self._events

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<DeviceArray {self.dtype.name}{list(self.shape)} on {self.context.devices[0].name.strip()}>"

    def wait(self) -> DeviceArray:
        """Returns the array when it may be read. Raises DeviceError if what computes it failed."""
        opencl.check()
        flight, events = self._flight, self._events
        if flight is not None:
            flight.wait()
        wait_for(events)
        self._events, self._flight = (), None
        return self

    def get(self) -> np.ndarray:
        """A copy as a NumPy array, once the array may be read. Raises DeviceError."""
        self.wait()
        found = np.empty(self.shape, self.dtype)
        if self.nbytes:
            transfers.count("to_host", self.nbytes)
            if self._base.address is None:
                self._read(found)
            else:
                np.copyto(found, host_array(self.address(), self.shape, self.dtype, self))
        return found

    @refused("read an array")
    def _read(self, found: np.ndarray) -> None:
        with opencl:
            cl.enqueue_copy(self.queue, found, self.handle, src_offset=self.offset)

    @refused("write an array")
    def set(self, array: Any) -> None:
        """Copies a NumPy array of the same shape and dtype in, once the events are over; whoever reads the array on
        another queue must be done. Raises InputError for another shape or dtype."""
        given = np.asarray(array)
        if given.shape != self.shape or given.dtype != self.dtype:
            raise InputError(
                f"the array is {self.dtype.name}{list(self.shape)}, what is copied into it "
                f"{given.dtype.name}{list(given.shape)}"
            )
        self.wait()
        if self.nbytes:
            transfers.count("to_device", self.nbytes)
            with opencl:
                cl.enqueue_copy(
                    self.queue, self.handle, np.ascontiguousarray(given), dst_offset=self.offset
                )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("NumPy needs a copy of a DeviceArray; numpy.from_dlpack() makes none")
        found = self.get()
        return found if dtype is None else found.astype(dtype, copy=False)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (_DLPACK_CPU if self._is_in_host_memory() else _DLPACK_OPENCL), 0

    def __dlpack__(self, *, stream: Any = None, **named: Any) -> Any:
        """The array in place for NumPy, PyTorch and others, where the device is a CPU; BufferError elsewhere. It must not
        be written there, nor be an output of a run, as long as that lasts."""
        if not self._is_in_host_memory():
            raise BufferError("the array lies in the memory of a device; .get() copies it")
        return self._in_place().__dlpack__(**named)

    @refused("map an array")
    def _in_place(self) -> np.ndarray:
        self.wait()
        if not self.nbytes:
            return np.empty(self.shape, self.dtype)
        if self._base.address is not None:
            return host_array(self.address(), self.shape, self.dtype, self)
        with opencl:  # mapped until the last reference to it goes
            found, _ = cl.enqueue_map_buffer(
                self.queue, self.handle, cl.map_flags.READ, self.offset, self.shape, self.dtype
            )
        return found

    def _is_in_host_memory(self) -> bool:
        return all(d.type & cl.device_type.CPU for d in self.context.devices)

    def to_pyopencl(self, queue: Any = None) -> Any:
        """A `pyopencl.array.Array` of the same memory, which waits for the same events. queue: where its operations run,
        that of this array by default."""
        from pyopencl.array import Array

        return Array(
            queue or self.queue, self.shape, self.dtype, data=self.buffer, offset=self.offset,
            events=list(self._events),
        )  # fmt: skip

    # For those who run plans.

    @property
    def memory(self) -> tuple[Any, ...]:
        """What must be kept as long as the array's memory is used."""
        return self._kept, self._host_memory, self.handle

    def rows(self, begin: int, count: int) -> DeviceArray:
        """Some rows along axis 0, in the same memory."""
        row = self.nbytes // max(1, self.shape[0])
        found = DeviceArray.__new__(DeviceArray)
        found.__dict__.update(self.__dict__)
        found.shape, found.offset = (count, *self.shape[1:]), self.offset + begin * row
        return found

    @refused("join arrays")
    def joined(self, parts: Sequence[DeviceArray]) -> DeviceArray:
        """The rows of several arrays of this queue in a new one."""
        shape = (sum(part.shape[0] for part in parts), *self.shape[1:])
        nbytes = max(4, sum(part.nbytes for part in parts))
        found = DeviceArray(
            cl.Buffer(self.context, self.handle.get_info(cl.mem_info.FLAGS), nbytes),
            shape, self.dtype, queue=self.queue,
        )  # fmt: skip
        at = 0
        with opencl:
            for part in parts:
                if part.nbytes:
                    transfers.count("on_device", part.nbytes)
                    cl.enqueue_copy(
                        self.queue, found.handle, part.handle, byte_count=part.nbytes,
                        src_offset=part.offset, dst_offset=at, wait_for=list(part.events),
                    )  # fmt: skip
                at += part.nbytes
            event = cl.enqueue_marker(self.queue)
            self.queue.flush()
        found.computed_by(Flight(event, [part.memory for part in parts]))
        return found

    def address(self) -> int:
        """Where the array begins in the address space of a CPU device that leaves buffers where they are."""
        if self._base.address is None:
            self._base.address = address_of(self.handle)
        return self._base.address + self.offset

    def again(self, handle: Any, shape: tuple[int, ...], dtype: np.dtype) -> DeviceArray:
        """Another array in the memory of this one, of which all is known but whether it is computed. handle: a reference
        of its own to the buffer."""
        found = DeviceArray.__new__(DeviceArray)
        found.__dict__.update(self.__dict__)
        found.buffer = found.handle = found._kept = found._whole = handle
        found.shape, found.dtype, found._events, found._flight = shape, dtype, (), None
        return found

    def computed_by(self, flight: Flight) -> None:
        """The array may be read when this is over."""
        self._flight, self._events = flight, (flight.event,)


@refused("tell a buffer's context")
def _context_of(buffer: Any) -> Any:
    return buffer.context


class _Base:
    """Where a buffer begins, once somebody had to know; the parts of an array share it."""

    address: int | None = None


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    try:
        sizes = (shape,) if isinstance(shape, int) else tuple(operator.index(d) for d in shape)
    except TypeError:
        raise InputError(f"a shape is a sequence of numbers, not {shape!r}") from None
    if min(sizes, default=0) < 0:
        raise InputError(f"the shape {sizes} has a negative size")
    return sizes


def _dtype(dtype: Any) -> np.dtype:
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise InputError(f"no dtype of NumPy: {dtype!r}") from None
    if found.kind not in "biufc" or not found.isnative:
        raise InputError(f"the elements of a DeviceArray are numbers of this machine, not {found}")
    return found
