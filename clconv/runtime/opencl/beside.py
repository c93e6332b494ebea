"""Compiles several programs at a time: PoCL compiles one after another in a process, so others get a process of their own. What
those leave in PoCL's folder is found by the process that computes."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyopencl as cl

from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.planning.persistent import LEAST, idle_arguments, is_part
from clconv.runtime.opencl import trial_process
from clconv.runtime.opencl.built import POCL_OPTIONS
from clconv.runtime.search_path import search_path
from clconv.store.pocl_programs import Programs

# Lines of a program that takes longer to compile, about a second, than a process to start.
LINES = 3000
_LIMIT = 900.0  # seconds of a process
_IDLE = 20.0  # seconds that one which was started early waits for what it is to compile
_BYTES = 4096  # of each buffer
_PIPE = 1 << 20  # bytes that a pipe may hold

# How many more processes may be started here, None: as many as there are cores that nobody uses.
SPARE: contextvars.ContextVar[int | None] = contextvars.ContextVar("spare", default=None)

_early: list[Process] = []  # that nobody has asked for yet
_lock = threading.Lock()


def _spare() -> int:
    """How many processes have a core of their own beside this one: where others are at work, one more would only cost."""
    limit = SPARE.get()
    if not sys.executable or limit is not None:
        return limit or 0
    spare = usable_cores() - 1
    with contextlib.suppress(AttributeError, OSError):  # not every system tells
        spare = min(spare, int((os.cpu_count() or 1) - os.getloadavg()[0]))
    return max(0, spare)


class Process:
    """One that compiles a program. early: before it is known which one; it reads the compiler's library meanwhile."""

    def __init__(self, device: DeviceInfo, options: Sequence[str], early: bool = False) -> None:
        import subprocess  # only now: where all is compiled already, nothing is started

        self.place = device.index, tuple(options)
        self._own = os.getpid()
        text = Path(trial_process.__file__).read_text(encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", text],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        idle = _IDLE if early else None
        setup = {"path": search_path(), "device": device.index, "options": options, "idle": idle}
        self._write(json.dumps(setup).encode() + b"\n")

    def _write(self, text: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(
            OSError
        ):  # it ended: what it should compile is compiled by who waits for it
            self._process.stdin.write(text)
            self._process.stdin.flush()

    @property
    def is_there(self) -> bool:
        """Whether it can still be given something. It is not one of a process that forked this one."""
        return self._own == os.getpid() and self._process.poll() is None

    def give(self, job: Mapping[str, Any]) -> None:
        """Says what to compile. The pipe takes it, whether the process reads yet or not."""
        assert self._process.stdin is not None
        text = json.dumps(job).encode()
        with contextlib.suppress(
            ImportError, AttributeError, OSError
        ):  # with less room it takes longer
            import fcntl  # Linux has it, and can do this

            fcntl.fcntl(self._process.stdin, fcntl.F_SETPIPE_SZ, min(len(text), _PIPE))
        self._write(text)
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def wait(self) -> int | None:
        """How it ended, 0 if all is compiled; None if it took too long."""
        import subprocess

        try:
            return self._process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


def start_early(device: DeviceInfo, options: Sequence[str] = POCL_OPTIONS) -> None:
    """Starts a process for the parts of a network that is about to be planned, if there is a core for it and none waits yet.
    It ends by itself when nothing comes."""
    with _lock:
        _early[:] = [process for process in _early if process.is_there]
        if _spare() and not _early:
            with contextlib.suppress(OSError):
                _early.append(Process(device, options, early=True))


def _taken(device: DeviceInfo, options: Sequence[str]) -> Process:
    """A process that nobody else has, one that was started early if there is one."""
    with _lock:
        for process in _early:
            if process.is_there and process.place == (device.index, tuple(options)):
                _early.remove(process)
                return process
    return Process(device, options)


@atexit.register
def _end_early() -> None:
    for process in _early:
        if process.is_there:
            process.end()
    _early.clear()


class Beside:
    """Programs of persistent kernels and their parts that are compiled beside those of this process, by the kernel. sources: of
    all that this process needs; stored: where PoCL keeps those that it has compiled. The longest is left to this process, and its
    share of the others. `with` ends processes that are not waited for."""

    def __init__(
        self,
        sources: Mapping[Kernel, str],
        stored: Programs | None,
        device: DeviceInfo,
        options: Sequence[str],
    ) -> None:
        spare = _spare() if sources else 0
        least = LEAST if any(map(is_part, sources)) else LINES
        long = [k for k, source in sources.items() if source.count("\n") >= least]
        wanted = [] if stored is None else [k for k in long if not _is_there(k, sources[k], stored)]
        wanted.sort(key=lambda kernel: -sources[kernel].count("\n"))
        self.sources = sources
        self._processes: dict[Kernel, Process] = {}
        for group in _shared_out(wanted, sources, 1 + spare)[1:]:
            process = _taken(device, options)
            process.give(_job(group, sources, device))
            self._processes.update(dict.fromkeys(group, process))

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *reason: object) -> None:
        for process in set(self._processes.values()):
            process.end()

    def __contains__(self, kernel: Kernel) -> bool:
        return kernel in self._processes

    def __len__(self) -> int:
        return len(self._processes)

    def wait(self, kernel: Kernel) -> None:
        """Returns when the program is there, or is not going to be: then it is compiled as any other."""
        if kernel in self._processes:
            self._processes[kernel].wait()


def _is_there(kernel: Kernel, source: str, stored: Programs) -> bool:
    """Whether PoCL has compiled the program before."""
    stored.check(source, [kernel.symbol])
    return stored.has(source, [(kernel.symbol, (1,))])


def _shared_out(
    wanted: Sequence[Kernel], sources: Mapping[Kernel, str], processes: int
) -> list[list[Kernel]]:
    """Programs, the longest first, each for the process that has the fewest lines yet; none for nobody."""
    loads = [0] * processes
    groups: list[list[Kernel]] = [[] for _ in loads]
    for kernel in wanted:
        least = loads.index(min(loads))
        loads[least] += sources[kernel].count("\n")
        groups[least].append(kernel)
    return [group for group in groups if group]


def _job(
    kernels: Sequence[Kernel], sources: Mapping[Kernel, str], device: DeviceInfo
) -> dict[str, Any]:
    launches = []
    for i, kernel in enumerate(kernels):
        arguments = [
            ("buffer", 0, 0, _BYTES) if value is None else ("number", "<i4", value)
            for value in idle_arguments(kernel)
        ]
        launches.append((i, kernel.symbol, arguments, (device.compute_units,), (1,)))
    return {
        "sources": [sources[kernel] for kernel in kernels],
        "address": (None, ""),
        "launches": launches,
        "buffers": [_BYTES],
        "contents": [],
    }


def launch_idle(kernel: Kernel, compiled: Any, context: Any, device: DeviceInfo) -> None:
    """Has this process make the machine code of a persistent kernel or a part. compiled: the kernel object."""
    zeros = np.zeros(_BYTES, np.uint8)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffer = cl.Buffer(context, flags, hostbuf=zeros)
    values = idle_arguments(kernel)
    compiled.set_args(*(buffer if value is None else np.int32(value) for value in values))
    queue = cl.CommandQueue(context, device=context.devices[0])
    cl.enqueue_nd_range_kernel(queue, compiled, (device.compute_units,), (1,))
    queue.finish()
