"""Compiles several programs at a time: PoCL compiles one after another in a process, so others get a process of their own. What
those leave in PoCL's folder is found by the process that computes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.lowering.model.call import Kernel
from clconv.planning.persistent import idle_arguments
from clconv.runtime.opencl import trial_process
from clconv.runtime.search_path import search_path
from clconv.store.pocl_programs import Programs

if TYPE_CHECKING:
    import subprocess

LINES = 3000  # of a program that takes longer to compile, about a second, than a process to start
_LIMIT = 900.0  # seconds of a process
_BYTES = 4096  # of each buffer


class Beside:
    """Programs of persistent kernels that are compiled beside those of this process, by the kernel. sources: of all that
    this process needs; stored: where PoCL keeps those that it has compiled. The longest is left to this process, with
    what more there is than processors. `with` ends
    processes that are not waited for."""

    def __init__(
        self,
        sources: Mapping[Kernel, str],
        stored: Programs | None,
        device: DeviceInfo,
        options: Sequence[str],
    ) -> None:
        spare = usable_cores() - 1 if sources and sys.executable else 0
        long = [k for k, source in sources.items() if source.count("\n") >= LINES]
        wanted = [] if stored is None else [k for k in long if not _is_there(k, sources[k], stored)]
        wanted.sort(key=lambda kernel: -sources[kernel].count("\n"))
        self.sources = sources
        self._processes = {
            kernel: _started(_job(kernel, sources[kernel], device, options))
            for kernel in wanted[1:][:spare]
        }

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *reason: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()

    def __contains__(self, kernel: Kernel) -> bool:
        return kernel in self._processes

    def __len__(self) -> int:
        return len(self._processes)

    def wait(self, kernel: Kernel) -> None:
        """Returns when the program is there, or is not going to be: then it is compiled as any other."""
        if kernel not in self._processes:
            return
        import subprocess

        try:
            self._processes[kernel].wait(_LIMIT)
        except subprocess.TimeoutExpired:
            self._processes[kernel].kill()


def _is_there(kernel: Kernel, source: str, stored: Programs) -> bool:
    """Whether PoCL has compiled the program before."""
    stored.check(source, [kernel.symbol])
    return stored.has(source, [(kernel.symbol, (1,))])


def _started(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    import subprocess  # only now: where all is compiled already, nothing is started

    text = Path(trial_process.__file__).read_text(encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", text],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None
    with process.stdin as file:
        file.write(json.dumps(job).encode())
    return process


def _job(kernel: Kernel, source: str, device: DeviceInfo, options: Sequence[str]) -> dict[str, Any]:
    arguments = [
        ("buffer", 0, 0, _BYTES) if value is None else ("number", "<i4", value)
        for value in idle_arguments(kernel)
    ]
    return {
        "path": search_path(),
        "device": device.index,
        "options": list(options),
        "sources": [source],
        "address": (None, ""),
        "launches": [(0, kernel.symbol, arguments, (device.compute_units,), (1,))],
        "buffers": [_BYTES],
        "contents": [],
    }


def launch_idle(kernel: Kernel, compiled: Any, context: Any, device: DeviceInfo) -> None:
    """Has this process make the machine code of a persistent kernel. compiled: the kernel object."""
    zeros = np.zeros(_BYTES, np.uint8)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffer = cl.Buffer(context, flags, hostbuf=zeros)
    values = idle_arguments(kernel)
    compiled.set_args(*(buffer if value is None else np.int32(value) for value in values))
    queue = cl.CommandQueue(context, device=context.devices[0])
    cl.enqueue_nd_range_kernel(queue, compiled, (device.compute_units,), (1,))
    queue.finish()
