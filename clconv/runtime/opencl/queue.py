"""Command queues, and what is done with buffers and kernels on the way to them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import KernelCall
from clconv.planning.persistent import count_of
from clconv.runtime import process, transfers
from clconv.runtime.opencl.launches import Launch, Launches
from clconv.runtime.opencl.refusals import refused

SCALARS: dict[str, Any] = {
    "int": np.int32, "uint": np.uint32, "long": np.int64, "ulong": np.uint64, "float": np.float32,
    "double": np.float64,
}  # fmt: skip


# NVIDIA's driver never ends a fill of 2 GiB or more, or loses the context (https://github.com/inducer/pyopencl/issues/395; an
# H200 did with 3.7 GB). A multiple of every device's alignment.
FILLED_AT_ONCE = 1 << 30


class Queue:
    """An in-order command queue: a new one, or a caller's."""

    @refused("make a queue")
    def __init__(
        self, info: DeviceInfo, context: Any, device: Any, profile: bool, given: Any = None
    ) -> None:
        self.info, self.is_callers = info, given is not None
        self._copies: list[Any] = []  # events of those that may not be over
        flags = cl.command_queue_properties.PROFILING_ENABLE if profile else 0
        self._queue = given or cl.CommandQueue(context, device, properties=flags)  # type: ignore[arg-type]

    @property
    def raw(self) -> Any:
        """pyopencl's queue."""
        return self._queue

    @refused("write a buffer")
    def write(self, buffer: Any, array: np.ndarray, wait: bool = False, at: int = 0) -> None:
        """Copies a contiguous array into a buffer, `at` bytes behind its beginning; without wait the array must stay
        untouched."""
        if array.nbytes:
            transfers.count("to_device", array.nbytes)
            with process.opencl:
                event = cl.enqueue_copy(self._queue, buffer, array, dst_offset=at, is_blocking=wait)
                if not wait:
                    self._copies.append(event)

    @refused("read a buffer")
    def read(self, array: np.ndarray, buffer: Any, wait: bool = False) -> None:
        """Copies a buffer into a contiguous array; without wait it is there after finish(). wait: returns when all that is
        enqueued is over."""
        if not array.nbytes:
            if wait:
                self.finish()
            return
        transfers.count("to_host", array.nbytes)
        with process.opencl:
            if not wait:
                self._copies.append(cl.enqueue_copy(self._queue, array, buffer, is_blocking=False))
                return
            self._wait(lambda: cl.enqueue_copy(self._queue, array, buffer, is_blocking=True))

    @refused("copy a buffer")
    def copy(self, to: Any, source: Any, nbytes: int, at: int = 0, source_at: int = 0) -> Any:
        """Copies bytes of one buffer into another, and returns the event, None if there are none; at, source_at: where they
        begin."""
        if not nbytes:
            return None
        transfers.count("on_device", nbytes)
        with process.opencl:
            return cl.enqueue_copy(
                self._queue, to, source, byte_count=nbytes, dst_offset=at, src_offset=source_at
            )

    @refused("write an argument's table")
    def write_words(self, buffer: Any, words: np.ndarray, at: int) -> None:
        """Copies a few words into a buffer, `at` bytes behind its beginning, in the queue's order."""
        with process.opencl:
            cl.enqueue_copy(self._queue, buffer, words, dst_offset=at, is_blocking=True)

    @refused("wait for events")
    def after(self, events: Sequence[Any]) -> None:
        """What is enqueued from now on begins when these are over."""
        if events:
            with process.opencl:
                cl.enqueue_barrier(self._queue, wait_for=list(events))

    @refused("make an event")
    def event(self, last: Any = None) -> Any:
        """The event that all that is enqueued so far is over; it will be, without further calls. last: that of what was
        enqueued last, if the caller has it."""
        with process.opencl:
            found = last or cl.enqueue_marker(self._queue)
            self._queue.flush()
        return found

    @refused("launch a kernel")
    def launch(
        self, kernel: Any, global_size: tuple[int, ...], local_size: tuple[int, ...] | None
    ) -> Any:
        """Launches a kernel, and returns the event that it is over. Those that nobody asks for one are faster by run()."""
        return cl.enqueue_nd_range_kernel(self._queue, kernel, global_size, local_size)

    def ready(self, launches: Iterable[Launch]) -> Launches:
        """Launches for run(), which may take them many times."""
        return Launches(self._queue, launches, self.info.is_cpu)

    @refused("run kernels")
    def run(self, launches: Launches, waits: bool) -> None:
        """waits: returns when all that is enqueued is over."""
        with process.opencl:
            launches.enqueue()
            if waits:
                self._wait(self._queue.finish)

    def seconds(self, launches: Iterable[Launch], repeats: int) -> float:
        """By the host's clock: of all the launches in order, so many times in a row. Each is what launch() takes."""
        ready = self.ready(launches)
        self.finish()
        started = time.perf_counter()
        for _ in range(repeats):
            self.run(ready, waits=False)
        self.finish()
        return time.perf_counter() - started

    @refused("fill a buffer")
    def fill(self, buffer: Any, byte: int, nbytes: int) -> None:
        """Fills the beginning of a buffer, so many bytes, in parts that every driver can fill."""
        if nbytes <= FILLED_AT_ONCE:
            cl.enqueue_fill_buffer(self._queue, buffer, np.uint8(byte), 0, nbytes)
            return
        for begin in range(0, nbytes, FILLED_AT_ONCE):
            size = min(FILLED_AT_ONCE, nbytes - begin)
            part = buffer.get_sub_region(begin, size)
            cl.enqueue_fill_buffer(self._queue, part, np.uint8(byte), 0, size)

    @refused("finish what is enqueued")
    def finish(self) -> None:
        with process.opencl:
            self._wait(self._queue.finish)

    def _wait(self, wait: Callable[[], object]) -> None:
        """wait: returns when all that is enqueued is over."""
        # When the event of a copy goes, pyopencl waits for it, and no other thread of Python's runs meanwhile: so they are kept
        # until all is over.
        copies, self._copies = self._copies, []
        wait()
        copies.clear()


@refused("take a part of a buffer")
def sub_buffer(buffer: Any, offset: int, nbytes: int) -> Any:
    """A part of a buffer; offset must be a multiple of the device's base alignment."""
    return buffer.get_sub_region(offset, max(int(nbytes), 4))


def host_memory(buffer: Any) -> np.ndarray | None:
    """The bytes of ours that a buffer lies in, None if it has memory of its own."""
    return buffer.hostbuf if isinstance(buffer.hostbuf, np.ndarray) else None


@refused("set a kernel's arguments")
def set_arguments(kernel: Any, arguments: Sequence[Any]) -> None:
    """Binds buffers, NumPy scalars and local sizes (ints) in order."""
    kernel.set_args(*(cl.LocalMemory(a) if type(a) is int else a for a in arguments))


@refused("set a kernel's argument")
def set_argument(kernel: Any, position: int, buffer: Any) -> None:
    kernel.set_arg(position, buffer)


@contextlib.contextmanager
def without_work(kernel: Any, call: KernelCall) -> Iterator[None]:
    """Inside, a launch of the call's kernel object does nothing but have its machine code made, if it can be told so."""
    count = count_of(call)
    if count is not None:
        kernel.set_arg(count[0], np.int32(0))
    yield
    if count is not None:
        kernel.set_arg(count[0], np.int32(count[1]))


@refused("time a launch")
def times(event: Any) -> tuple[float, float, float]:
    """When a launch on a profiling queue was enqueued, began and ended: seconds of the device's own clock."""
    with process.opencl:
        event.wait()
    found = event.profile
    return found.queued * 1e-9, found.start * 1e-9, found.end * 1e-9


@refused("time a launch")
def seconds(event: Any) -> float:
    """How long a launch on a profiling queue ran."""
    with process.opencl:
        event.wait()
    return float(event.profile.end - event.profile.start) * 1e-9
