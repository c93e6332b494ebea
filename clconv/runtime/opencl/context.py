"""A device in use: its context, its buffers, and the programs that were compiled for it."""

from __future__ import annotations

import collections
import contextlib
import functools
import math
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyopencl as cl

from clconv import config
from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, KernelBuildError
from clconv.lowering.model.call import Kernel, KernelCall, StoredKernel
from clconv.lowering.model.template import numbered, program_source
from clconv.planning.persistent import ADDRESS, is_persistent, pieces_of
from clconv.runtime import pages, process, transfers
from clconv.runtime.opencl.arrays import DeviceArray
from clconv.runtime.opencl.beside import Beside, launch_idle
from clconv.runtime.opencl.built import BUILD_OPTIONS, NO_HEADER, built, from_binary, without_logs
from clconv.runtime.opencl.builtins import declared
from clconv.runtime.opencl.found import is_pocl, raw_devices
from clconv.runtime.opencl.memory import borrowed
from clconv.runtime.opencl.program import Program, together
from clconv.runtime.opencl.queue import Queue, host_address, set_arguments
from clconv.runtime.opencl.refusals import refused
from clconv.spans import span
from clconv.store.pocl_folder import VARIABLE, settle_folder
from clconv.store.pocl_programs import Programs

MAKE_ROOM = (
    f"compiling kernels needs more; make room, or set {VARIABLE} to another folder and start again"
)
_PROGRAMS_KEPT = 16  # that nobody uses: a network has two or three, of some MB


class Device:
    """One device with its context. Sessions on it share the context; each has a queue of its own. context: a caller's, in
    the place of a new one."""

    @refused("make a context")
    def __init__(self, info: DeviceInfo, context: Any = None) -> None:
        self.info = info
        self._raw = raw_devices()[info.index]
        with process.opencl:
            self.context = context or _own_context(info.index)
        self._lock = threading.Lock()
        # By the kernel's symbol, as long as a plan uses them; the latest are kept for networks that are loaded again.
        self._programs: weakref.WeakValueDictionary[str, Program] = weakref.WeakValueDictionary()
        self._latest: collections.deque[Program] = collections.deque(maxlen=_PROGRAMS_KEPT)
        self._stored = Programs(settle_folder()) if is_pocl(info.platform) else None
        self._kept: list[Any] = []
        self.build_options = BUILD_OPTIONS if self._stored is None else (*BUILD_OPTIONS, NO_HEADER)

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

    def lent(self, memory: np.ndarray) -> Any:
        """A buffer in the place of bytes of ours, which kernels only read."""
        with self._allocating(memory.nbytes):
            return borrowed(self.context, memory, writes=False)

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
            found = self._compiled(wanted)
            missing = [k for k in wanted if k not in found]
            done, total = 0, sum(map(pieces_of, missing))
            if missing:
                progress(0, total)
            with self._beside(parts := together(missing)) as others:
                for part in sorted(parts, key=lambda part: part[0] in others):
                    with span("build"):
                        program = self._made_beside(part, others)
                    found.update(dict.fromkeys(part, program))
                    done += sum(map(pieces_of, part))
                    progress(done, total)
            return found

    def _beside(self, parts: Sequence[tuple[Kernel, ...]]) -> Beside:
        joined = [p for p in parts if is_persistent(p[0]) and not isinstance(p[0], StoredKernel)]
        several = len(joined) > 1 and self._stored is not None and not self._stored.is_in_doubt()
        sources = {p[0]: self._source(p) for p in joined} if several else {}
        return Beside(sources, self._stored, self.info, self.build_options)

    def _made_beside(self, part: tuple[Kernel, ...], others: Beside) -> Program:
        kernel = part[0]
        others.wait(kernel)
        program = self._made(part)
        if len(others) and is_persistent(kernel) and kernel not in others:
            with process.opencl:  # while the others are at work
                launch_idle(kernel, program.kernel(kernel), self.context, self.info)
        return program

    def is_in_doubt(self) -> bool:
        """Whether compiling may end this process, see `untried`."""
        return self._stored is not None and self._stored.is_in_doubt()

    def untried(self, calls: Sequence[KernelCall]) -> dict[str, tuple[Kernel, ...]]:
        """Kernels by the source of their program that these launches need compiled, if compiling may end this process:
        another one should do it first. Their damaged files are gone."""
        stored = self._stored
        if stored is None or not self.is_in_doubt():
            return {}
        with self._lock:
            wanted = dict.fromkeys(c.kernel for c in calls)
            known = self._compiled(wanted)
            parts = [(self._source(p), p) for p in together([k for k in wanted if k not in known])]
            parts += [(known[k].source, (k,)) for k in known]
            found: dict[str, tuple[Kernel, ...]] = {}
            for source, kernels in parts:
                symbols = [k.symbol for k in kernels]
                stored.check(source, symbols)
                launched = {(c.kernel.symbol, c.local_size) for c in calls if c.kernel in kernels}
                if not stored.has(source, launched):
                    found[source] = (*found.get(source, ()), *kernels)
            return found

    def discard(self, untried: Mapping[str, Sequence[Kernel]]) -> str:
        """After a process died of these: removes what it left. The want of disk space, in words, if there is any."""
        assert self._stored is not None
        self._stored.discard([[k.symbol for k in kernels] for kernels in untried.values()])
        return self._stored.lack()

    def _made(self, kernels: tuple[Kernel, ...]) -> Program:
        known = kernels[0].program if isinstance(kernels[0], StoredKernel) else None
        source = self._source(kernels) if known is None else known.source
        if self._stored is not None:
            self._stored.check(source, [k.symbol for k in kernels])
        binary = known.binary() if known and known.binary else b""
        compiled = from_binary(self.context, self._raw, binary, str(self.info)) if binary else None
        program = Program(self._build(source) if compiled is None else compiled, source)
        for kernel in kernels:
            self._programs[kernel.symbol] = program
        self._latest.append(program)
        return program

    def _source(self, kernels: tuple[Kernel, ...]) -> str:
        source = program_source(kernels)
        return source if self._stored is None else declared(source)

    def _compiled(self, kernels: Iterable[Kernel]) -> dict[Kernel, Program]:
        """The programs of those that are compiled, and still there."""
        programs = ((kernel, self._programs.get(kernel.symbol)) for kernel in kernels)
        return {k: p for k, p in programs if p and not self._is_gone(p)}

    def _is_gone(self, program: Program) -> bool:
        """Whether what the device still needs of a program was deleted from the disk."""
        return self._stored is not None and self._stored.is_gone(program.source)

    def _build(self, source: str) -> Any:
        with without_logs():
            if config.DEBUG.get() >= 4:
                say(4, f"program for {self.info}\n{numbered(source)}")
            try:
                with process.opencl:
                    program = built(self.context, self._raw, source, self.build_options)
                if config.DEBUG.get() >= 5:
                    say(5, f"build log: {self._log(program)}")
                return program
            except cl.Error as reason:
                lack = "" if self._stored is None else self._stored.lack()
                if lack:
                    raise DeviceError(f"{self.info}: {lack}: {MAKE_ROOM}") from None
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
        known = [host_address(buffer) for buffer in buffers]
        if None not in known:  # no program to build, and none of its launches to wait for
            return np.array(known, np.uint64)
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
