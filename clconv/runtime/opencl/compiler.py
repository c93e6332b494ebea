"""Compiles kernels for a device, and knows what is compiled."""

from __future__ import annotations

import collections
import contextlib
import functools
import threading
import time
import weakref
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

import pyopencl as cl

from clconv import config
from clconv.debug import LOGGER, say
from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.errors import DeviceError, KernelBuildError
from clconv.lowering.model.call import Kernel, KernelCall, StoredKernel
from clconv.lowering.model.template import numbered, program_source
from clconv.planning.persistent import idle_arguments, is_part, is_persistent, pieces_of
from clconv.runtime import process
from clconv.runtime.opencl.beside import Beside, launch_idle, start_early
from clconv.runtime.opencl.built import (
    BUILD_OPTIONS,
    POCL_OPTIONS,
    built,
    side_by_side,
    without_logs,
)
from clconv.runtime.opencl.builtins import declared
from clconv.runtime.opencl.driver_cache import LONG, QUIRK, Elsewhere
from clconv.runtime.opencl.found import is_pocl
from clconv.runtime.opencl.helper import Job, given
from clconv.runtime.opencl.library import read_ahead
from clconv.runtime.opencl.machine_code import read_once
from clconv.runtime.opencl.program import (
    KERNELS_A_PROGRAM,
    Program,
    known_binary,
    known_source,
    together,
)
from clconv.runtime.progress import Progress, silent
from clconv.spans import span
from clconv.store.pocl_folder import VARIABLE, settle_folder
from clconv.store.pocl_programs import Programs

MAKE_ROOM = (
    f"compiling kernels needs more; make room, or set {VARIABLE} to another folder and start again"
)
Part = tuple[Kernel, ...]  # kernels of one program
Made = tuple[Part, Program]
_KERNELS_KEPT = 256  # that nobody uses, of some hundred KB each


class Compiler:
    """The programs of one device in one context."""

    def __init__(self, info: DeviceInfo, context: Any, raw: Any) -> None:
        self.info, self.context, self._raw = info, context, raw
        self._lock = threading.Lock()
        self._stored = Programs(settle_folder()) if is_pocl(info.platform) else None
        # The compiler of a GPU takes as long for several kernels in a program as for each in one, and some compile several programs
        # at a time (NVIDIA's does not); the compilers of CPUs do neither, and Oclgrind's dies of it.
        self._is_side_by_side = self._stored is None and info.kind == "gpu"
        self._most = 1 if self._is_side_by_side else KERNELS_A_PROGRAM
        # By the kernel's symbol, as long as a plan uses them; the latest are kept for networks that are loaded again.
        self._programs: weakref.WeakValueDictionary[str, Program] = weakref.WeakValueDictionary()
        self._latest: collections.deque[Program] = collections.deque(
            maxlen=_KERNELS_KEPT // self._most
        )
        self.options = BUILD_OPTIONS if self._stored is None else POCL_OPTIONS

    def prepare(
        self, kernels: Iterable[Kernel], progress: Progress = silent
    ) -> dict[Kernel, Program]:
        """The programs of these kernels, which live as long as somebody holds them; those that this device does not
        have yet are compiled, a few at a time, for a GPU in several threads or processes.

        progress(done, all), in kernels, is called first with 0 if there are any, and after each program. Raises
        KernelBuildError with source and log.
        """
        wanted = tuple(dict.fromkeys(kernels))
        self._have_helped(wanted)
        with self._lock:
            found = self._compiled(wanted)
            missing = [k for k in wanted if k not in found]
            done, total = 0, sum(map(pieces_of, missing))
            if missing:
                progress(0, total)
            with self._beside(parts := together(missing, self._most)) as others:
                parts = sorted(parts, key=lambda part: part[0] in others)
                with contextlib.closing(self._all_made(parts, others)) as made:
                    for _ in parts:
                        with span("build"):
                            part, program = next(made)
                        found.update(dict.fromkeys(part, program))
                        done += sum(map(pieces_of, part))
                        progress(done, total)
                    next(made, None)  # to its end: Python 3.10 makes a cycle of one that is closed
            return found

    def _have_helped(self, kernels: Sequence[Kernel]) -> None:
        """Has the process that this thread was given compile what it can."""
        compile_it = given()
        if compile_it is None or self._stored is None or self._stored.is_in_doubt():
            return
        for kernel in kernels:
            if _is_made_of_kernels(kernel) and kernel.symbol not in self._programs:
                source, idle = self._source((kernel,)), idle_arguments(kernel)
                compile_it(Job(source, kernel.symbol, idle, self.info.compute_units))

    def _beside(self, parts: Sequence[tuple[Kernel, ...]]) -> Beside:
        joined = [p for p in parts if _is_made_of_kernels(p[0])]
        several = len(joined) > 1 and self._stored is not None and not self._stored.is_in_doubt()
        sources = {p[0]: self._source(p) for p in joined} if several else {}
        return Beside(sources, self._stored, self.info)

    def _all_made(self, parts: Sequence[Part], others: Beside) -> Generator[Made, None, None]:
        """The programs as they are compiled, in whatever order."""
        with without_logs():
            if not self._is_side_by_side or len(parts) < 2:
                yield from ((part, self._made_beside(part, others)) for part in parts)
            elif QUIRK in self.info.quirks:
                yield from self._made_elsewhere(parts)
            else:
                yield from self._made_by_threads(parts)

    def _made_by_threads(self, parts: Sequence[Part]) -> Generator[Made, None, None]:
        tasks = (  # rendered here, while the first are compiled
            functools.partial(self._program, part, known_source(part) or self._source(part))
            for part in parts
        )
        programs = side_by_side(tasks, min(len(parts), usable_cores()))
        with contextlib.closing(programs):
            for part, program in zip(parts, programs, strict=True):
                yield part, self._kept(part, program)

    def _made_elsewhere(self, parts: Sequence[Part]) -> Generator[Made, None, None]:
        """By other processes first, unless the longest shows that the driver has kept what it built before."""
        sources = {part: known_source(part) or self._source(part) for part in parts}
        longest, *rest = sorted(parts, key=lambda part: -len(sources[part]))
        began = time.perf_counter()
        yield longest, self._kept(longest, self._program(longest, sources[longest]))
        is_new = time.perf_counter() - began > LONG
        fresh = [sources[part] for part in rest if known_binary(part) is None] if is_new else []
        with Elsewhere(fresh, self.info) as others:
            for part in sorted(rest, key=lambda part: sources[part] in others):
                others.wait(sources[part])
                yield part, self._kept(part, self._program(part, sources[part]))

    def _made_beside(self, part: tuple[Kernel, ...], others: Beside) -> Program:
        kernel = part[0]
        others.wait(kernel)
        program = self._made(part, others.sources.get(kernel))
        if len(others) and _is_made_of_kernels(kernel) and kernel not in others:
            with process.opencl:  # while the others are at work
                launch_idle(kernel, program.kernel(kernel), self.context, self.info)
        return program

    def get_ready(self, in_parts: bool = False) -> None:
        """To be called when something is going to be compiled, and it is not known yet what: another core reads what that needs.
        in_parts: it is likely to be much, of which another process could compile a part."""
        if self._stored is None or self._latest or usable_cores() < 2:
            return
        if not self.is_in_doubt():
            read_ahead(self.context, self._raw)
            if in_parts:
                start_early(self.info)

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

    def _made(self, kernels: tuple[Kernel, ...], source: str | None) -> Program:
        """source: if it has been rendered already."""
        source = source or known_source(kernels) or self._source(kernels)
        if self._stored is not None:
            self._stored.check(source, [k.symbol for k in kernels])
        return self._kept(kernels, self._program(kernels, source))

    def _program(self, kernels: tuple[Kernel, ...], source: str) -> Program:
        read = known_binary(kernels)
        binary = b"" if read is None else read()
        compiled = self._from_binary(binary) if binary else None
        return Program(self._build(source) if compiled is None else compiled, source)

    def _kept(self, kernels: tuple[Kernel, ...], program: Program) -> Program:
        for kernel in kernels:
            self._programs[kernel.symbol] = program
        self._latest.append(program)
        return program

    def sources(self, kernels: Iterable[Kernel]) -> dict[str, tuple[Kernel, ...]]:
        """Kernels by the source of the program that they would be in."""
        return {self._source(part): part for part in together([*dict.fromkeys(kernels)])}

    def _source(self, kernels: tuple[Kernel, ...]) -> str:
        source = program_source(kernels)
        if self._stored is None:
            return source
        is_wide = self.info.wide_verified and self.info.is_cpu
        return declared(source, self.info.wide if is_wide else "")

    def _compiled(self, kernels: Iterable[Kernel]) -> dict[Kernel, Program]:
        """The programs of those that are compiled, and still there."""
        programs = ((kernel, self._programs.get(kernel.symbol)) for kernel in kernels)
        return {k: p for k, p in programs if p and not self._is_gone(p)}

    def _is_gone(self, program: Program) -> bool:
        """Whether what the device still needs of a program was deleted from the disk."""
        return self._stored is not None and self._stored.is_gone(program.source)

    def _build(self, source: str) -> Any:
        if config.DEBUG.get() >= 4:
            say(4, f"program for {self.info}\n{numbered(source)}")
        try:
            with process.opencl:
                program = built(self.context, self._raw, source, self.options)
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

    def _from_binary(self, binary: bytes) -> Any:
        """The program that a binary of this device and driver holds; None if the driver does not take it."""
        try:
            with process.opencl:
                return cl.Program(self.context, [self._raw], [binary]).build()
        except cl.Error as reason:
            LOGGER.warning(
                "%s does not take a program's binary (%s): built anew", self.info, reason
            )
            return None

    def _log(self, program: Any) -> str:
        log = program.get_build_info(self._raw, cl.program_build_info.LOG)
        return str(log).strip("\0 \n") or "(empty)"

    def first_launches(
        self, calls: Iterable[KernelCall], programs: Mapping[Kernel, Program]
    ) -> list[int]:
        """Indices of the calls whose machine code no launch has asked for yet; counts them as asked."""
        fresh = []
        with self._lock:
            for i, call in enumerate(calls):
                kernel, launched = call.kernel, programs[call.kernel].launched
                key = (kernel.symbol, call.local_size)
                if key not in launched:
                    launched.add(key)
                    fresh.append(i)
        return fresh

    def launched(self, calls: Iterable[KernelCall]) -> None:
        """To be called after first launches: what they left on the disk is recorded, to be checked next time, and what they
        loaded is read."""
        if self._stored is not None:
            self._stored.remember()
            read_once({call.kernel.symbol for call in calls})


def _is_made_of_kernels(kernel: Kernel) -> bool:
    """Whether it may take long to compile: one that joins launches, or a part of it."""
    return not isinstance(kernel, StoredKernel) and (is_persistent(kernel) or is_part(kernel))
