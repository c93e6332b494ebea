"""The only file that imports pyopencl: devices, buffers, programs, launches."""

from __future__ import annotations

import collections
import functools
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# pyopencl keeps binaries; PoCL keeps its own, by source. Twice costs time and disk on every first load.
os.environ.setdefault("PYOPENCL_NO_CACHE", "1")

import numpy as np
import pyopencl as cl

from clconv.debug import say
from clconv.device.info import (
    DeviceInfo,
    apply_quirks,
    intel_matrix,
    nvidia_matrix,
    shuffle_of,
)
from clconv.errors import DeviceError, KernelBuildError
from clconv.lowering.model.kernel import Kernel, KernelCall
from clconv.lowering.model.template import numbered, program_source
from clconv.planning.persistent import ADDRESS, is_persistent, kernels_of
from clconv.runtime import pages, process
from clconv.store.pocl_folder import settle_folder
from clconv.store.pocl_programs import Programs

# Compiling costs PoCL as much for one kernel as for several, but its back end walks the whole program once
# for every kernel.
_KERNELS_A_PROGRAM = 16
_PROGRAMS_KEPT = 16  # that nobody uses: a network has two or three, of some MB


def _programs(kernels: Sequence[Kernel]) -> list[tuple[Kernel, ...]]:
    """Kernels that are compiled together; one made of others alone, because their functions are in it."""
    alone = [(k,) for k in kernels if is_persistent(k)]
    others = [k for k in kernels if not is_persistent(k)]
    starts = range(0, len(others), _KERNELS_A_PROGRAM)
    return [*alone, *(tuple(others[i : i + _KERNELS_A_PROGRAM]) for i in starts)]


def _keep_invokers() -> None:
    """Lets pyopencl keep the Python code that it generates and compiles for each cl.Kernel, 0.3 ms each: a
    plan for a new input size makes many kernels anew. The code follows from the arguments alone."""
    from pyopencl import invoker

    generate = getattr(invoker, "generate_enqueue_and_set_args", None)
    if generate is None:  # another pyopencl: nothing to keep
        return
    kept: dict[object, object] = {}

    def remembered(*arguments: Any, **named: Any) -> Any:
        key = repr((arguments, sorted(named.items())))
        if key not in kept:
            kept[key] = generate(*arguments, **named)
        return kept[key]

    invoker.generate_enqueue_and_set_args = remembered


_keep_invokers()


def _said(doing: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What the runtime refuses, as a DeviceError that says what was being done, and where a method knows it, on which
    device."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except (cl.Error, OverflowError) as reason:  # a size that OpenCL's types cannot hold
                owner = arguments[0] if arguments else None
                device = owner.device if isinstance(owner, Queue) else owner
                name = f"{device.info}" if isinstance(device, Device) else "the OpenCL runtime"
                raise DeviceError(f"{name}: cannot {doing}: {reason}") from reason

        return call

    return wrap


_KINDS = {cl.device_type.GPU: "gpu", cl.device_type.CPU: "cpu"}


@functools.cache
def _raw_devices() -> tuple[Any, ...]:
    place = settle_folder()  # before OpenCL is touched
    with process.opencl:
        try:
            platforms = cl.get_platforms()
        except cl.Error:  # no ICD at all
            return ()
        found = []
        for platform in platforms:
            try:
                found.extend(platform.get_devices())
            except cl.Error:  # a platform without devices
                continue
    if any(_is_pocl(device.platform.name) for device in found):
        place.tell()
    return tuple(found)


def _is_pocl(platform: str) -> bool:
    return "portable computing language" in platform.lower()


def device_infos() -> tuple[DeviceInfo, ...]:
    """Every device of every platform, in the order the platforms report them. Raises ForkError."""
    process.opencl.check()
    return _device_infos()


@functools.cache
def _device_infos() -> tuple[DeviceInfo, ...]:
    return tuple(_describe(device, i) for i, device in enumerate(_raw_devices()))


def _describe(device: Any, index: int) -> DeviceInfo:
    def ask(name: str, default: Any) -> Any:
        try:
            return getattr(device, name)
        except cl.Error:
            return default

    extensions = frozenset(ask("extensions", "").split())
    capability = (0, 0)
    if "cl_nv_device_attribute_query" in extensions:
        capability = (
            ask("compute_capability_major_nv", 0),
            ask("compute_capability_minor_nv", 0),
        )
    info = DeviceInfo(
        name=device.name.strip(),
        vendor=device.vendor.strip(),
        platform=device.platform.name.strip(),
        platform_version=device.platform.version.strip(),
        driver=ask("driver_version", "").strip(),
        kind=_KINDS.get(device.type & ~cl.device_type.DEFAULT, "accelerator"),
        version=ask("version", "").strip(),
        compute_units=ask("max_compute_units", 1),
        vector_width=max(1, ask("native_vector_width_float", 4)),
        global_memory=ask("global_mem_size", 0),
        largest_allocation=ask("max_mem_alloc_size", 0),
        cache=ask("global_mem_cache_size", 0),
        local_memory=ask("local_mem_size", 0),
        largest_work_group=ask("max_work_group_size", 1),
        base_alignment=max(128, ask("mem_base_addr_align", 1024) // 8),
        extensions=extensions,
        half="cl_khr_fp16" in extensions,
        matrix=nvidia_matrix(capability) | intel_matrix(extensions),
        shuffle=shuffle_of(capability, extensions),
        index=index,
    )
    return apply_quirks(info)


class Program:
    """A compiled program, its source, and what was launched of it: kernels with local sizes."""

    def __init__(self, compiled: Any, source: str) -> None:
        self._compiled, self.source = compiled, source
        self.launched: set[tuple[Kernel, tuple[int, ...] | None]] = set()

    @_said("make a kernel")
    def kernel(self, kernel: Kernel) -> Any:
        """A new kernel object, whose arguments are its owner's."""
        return cl.Kernel(self._compiled, kernel.symbol)


class Device:
    """One device with its context. Sessions on it share the context; each has a queue of its own."""

    @_said("make a context")
    def __init__(self, info: DeviceInfo) -> None:
        self.info = info
        self._raw = _raw_devices()[info.index]
        with process.opencl:
            self.context = cl.Context([self._raw])
        self._lock = threading.Lock()
        # By kernel, as long as a plan uses them; the latest are kept for networks that are loaded again.
        self._programs: weakref.WeakValueDictionary[Kernel, Program] = weakref.WeakValueDictionary()
        self._latest: collections.deque[Program] = collections.deque(maxlen=_PROGRAMS_KEPT)
        self._stored = Programs(settle_folder()) if _is_pocl(info.platform) else None
        self._kept: list[Any] = []

    def queue(self, profile: bool = False) -> Queue:
        return Queue(self, profile)

    def allocate(self, nbytes: int) -> Any:
        """A buffer; DeviceError with the size if the runtime refuses."""
        try:
            flags, size = cl.mem_flags.READ_WRITE, max(int(nbytes), 4)
            host = pages.memory(size) if pages.are_wanted(self.info) else None
            if host is None:
                buffer = cl.Buffer(self.context, flags, size)
            else:  # the buffer keeps the array
                buffer = cl.Buffer(self.context, flags | cl.mem_flags.USE_HOST_PTR, hostbuf=host)
            if "forgets-what-is-initialised" in self.info.quirks:
                self._kept.append(buffer)
            return buffer
        except (cl.Error, MemoryError, OSError, OverflowError) as reason:
            raise DeviceError(f"{self.info}: cannot allocate {nbytes:,} bytes: {reason}") from None

    def prepare(
        self, kernels: Iterable[Kernel], progress: Callable[[int, int], None]
    ) -> dict[Kernel, Program]:
        """The programs of these kernels, which live as long as somebody holds them; those that this device does not
        have yet are compiled, a few at a time.

        progress(done, all), in kernels, is called first with 0 if there are any, and after each program. Raises
        KernelBuildError with source and log.
        """
        with self._lock:
            wanted = tuple(dict.fromkeys(kernels))
            found = {k: p for k in wanted if (p := self._programs.get(k)) and not self._is_gone(p)}
            missing = [k for k in wanted if k not in found]
            done, total = 0, sum(len(kernels_of(k)) for k in missing)
            if missing:
                progress(0, total)
            for part in _programs(missing):
                program = self._made(part)
                found.update(dict.fromkeys(part, program))
                done += sum(len(kernels_of(k)) for k in part)
                progress(done, total)
            return found

    def _made(self, kernels: tuple[Kernel, ...]) -> Program:
        source = program_source(kernels)
        if self._stored is not None:
            self._stored.check(source, [k.symbol for k in kernels])
        program = Program(self._build(source), source)
        for kernel in kernels:
            self._programs[kernel] = program
        self._latest.append(program)
        return program

    def _is_gone(self, program: Program) -> bool:
        """Whether what the device still needs of a program was deleted from the disk."""
        return self._stored is not None and self._stored.is_gone(program.source)

    def _build(self, source: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cl.CompilerWarning)  # Intel's logs successful builds
            say(4, f"program for {self.info}\n{numbered(source)}")
            try:
                with process.opencl:
                    program = cl.Program(self.context, source).build(options=["-cl-std=CL1.2"])
                say(5, f"build log: {self._log(program)}")
                return program
            except cl.Error as reason:
                raise KernelBuildError(
                    f"{self.info}: the compiler refused a program\n{numbered(source)}\n{reason}"
                ) from None

    def _log(self, program: Any) -> str:
        log = program.get_build_info(self._raw, cl.program_build_info.LOG)
        return str(log).strip("\0 \n") or "(empty)"

    def addresses(self, buffers: Sequence[Any]) -> np.ndarray:
        """Where each buffer begins, as kernels on this device see it; uint64.

        For devices that leave buffers where they are: see Addresses.
        """
        unique = {id(buffer): buffer for buffer in buffers}
        found = np.zeros(max(len(unique), 1), np.uint64)
        programs = self.prepare([ADDRESS], lambda done, total: None)
        queue, launched = self.queue(), programs[ADDRESS].kernel(ADDRESS)
        result = self.allocate(found.nbytes)
        for place, buffer in enumerate(unique.values()):
            set_arguments(launched, [buffer, result, np.int32(place)])
            queue.launch(launched, (1,), (1,))
        queue.read(found, result, wait=True)
        by_buffer = dict(zip(unique, found, strict=False))
        return np.array([by_buffer[id(buffer)] for buffer in buffers], np.uint64)

    def first_launches(
        self, calls: Iterable[KernelCall], programs: Mapping[Kernel, Program]
    ) -> list[int]:
        """Indices of the calls whose machine code no launch has asked for yet; counts them as asked."""
        fresh = []
        with self._lock:
            for i, call in enumerate(calls):
                key, launched = (call.kernel, call.local_size), programs[call.kernel].launched
                if key not in launched:
                    launched.add(key)
                    fresh.append(i)
        return fresh

    def launched(self) -> None:
        """To be called after first launches: what they left on the disk is recorded, to be checked next time."""
        if self._stored is not None:
            self._stored.remember()


def open_device(info: DeviceInfo) -> Device:
    """The Device of an info, one for the life of the process. Raises ForkError."""
    process.opencl.check()
    return _open_device(info)


@functools.cache
def _open_device(info: DeviceInfo) -> Device:
    return Device(info)


class Queue:
    """An in-order command queue."""

    @_said("make a queue")
    def __init__(self, device: Device, profile: bool) -> None:
        self.device = device
        flags = cl.command_queue_properties.PROFILING_ENABLE if profile else 0
        self._queue = cl.CommandQueue(device.context, properties=flags)  # type: ignore[arg-type]

    @_said("write a buffer")
    def write(self, buffer: Any, array: np.ndarray, wait: bool = False) -> None:
        """Copies a contiguous array into a buffer; without wait the array must stay untouched."""
        if array.nbytes:
            with process.opencl:
                cl.enqueue_copy(self._queue, buffer, array, is_blocking=wait)

    @_said("read a buffer")
    def read(self, array: np.ndarray, buffer: Any, wait: bool = False) -> None:
        """Copies a buffer into a contiguous array; without wait it is there after finish()."""
        if array.nbytes:
            with process.opencl:
                cl.enqueue_copy(self._queue, array, buffer, is_blocking=wait)

    @_said("launch a kernel")
    def launch(
        self, kernel: Any, global_size: tuple[int, ...], local_size: tuple[int, ...] | None
    ) -> Any:
        return cl.enqueue_nd_range_kernel(self._queue, kernel, global_size, local_size)

    @_said("fill a buffer")
    def fill(self, buffer: Any, byte: int, nbytes: int) -> None:
        cl.enqueue_fill_buffer(self._queue, buffer, np.uint8(byte), 0, nbytes)

    @_said("finish what is enqueued")
    def finish(self) -> None:
        with process.opencl:
            self._queue.finish()


@_said("take a part of a buffer")
def sub_buffer(buffer: Any, offset: int, nbytes: int) -> Any:
    """A part of a buffer; offset must be a multiple of the device's base alignment."""
    return buffer.get_sub_region(offset, max(int(nbytes), 4))


def host_memory(buffer: Any) -> np.ndarray | None:
    """The bytes of ours that a buffer lies in, None if it has memory of its own."""
    return buffer.hostbuf if isinstance(buffer.hostbuf, np.ndarray) else None


@_said("set a kernel's arguments")
def set_arguments(kernel: Any, arguments: Sequence[Any]) -> None:
    """Binds buffers, NumPy scalars and local sizes (ints) in order."""
    kernel.set_args(*(cl.LocalMemory(a) if type(a) is int else a for a in arguments))


@_said("time a launch")
def seconds(event: Any) -> float:
    """How long a launch on a profiling queue ran."""
    with process.opencl:
        event.wait()
    return float(event.profile.end - event.profile.start) * 1e-9
