"""A device's measured ceiling: how many float32 operations, and how many bytes, it manages a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import Scalar
from clconv.lowering.model.call import KernelCall
from clconv.lowering.peak_kernels import peak_arithmetic_call, peak_copy_call, result_floats
from clconv.runtime.opencl import Device, Launch, Queue, open_device, seconds, set_arguments

_LONG_ENOUGH = 4e-3  # seconds of one launch, so that starting it does not count
_MOST_ROUNDS = 1 << 24
_COPIED_BYTES = 128 << 20  # more than processors keep in their caches
_NUMBERS: dict[str, Callable[[Any], Any]] = {"int": np.int32, "long": np.int64, "float": np.float32}


@dataclasses.dataclass(frozen=True)
class Peak:
    """flops: float32 operations a second, a multiply-add being two. bytes: read and written a second."""

    flops: float
    bytes: float

    def least_seconds(self, cost: Cost) -> float:
        """What this work takes at least if every tensor comes from memory: the roofline."""
        return max(cost.flops / self.flops, cost.bytes / self.bytes)

    def __str__(self) -> str:
        return f"{self.flops / 1e9:.0f} GFLOP/s, {self.bytes / 1e9:.1f} GB/s"


def measure_peak(device: DeviceInfo, repeats: int = 7) -> Peak:
    """The best of several launches each of multiply-adds in registers and of a copy through memory.

    Takes about 0.2 s on a CPU. Raises DeviceError or KernelBuildError if the device refuses.
    """
    probe = _Probe(open_device(device))
    rounds = 64
    call = peak_arithmetic_call(device, rounds)
    while probe.time(call, 2) < _LONG_ENOUGH and rounds < _MOST_ROUNDS:
        rounds *= 4
        call = peak_arithmetic_call(device, rounds)
    flops = call.cost.flops / probe.time(call, repeats)
    call = peak_copy_call(device, copied_floats(device))
    return Peak(flops, call.cost.bytes / probe.time(call, repeats))


def measure_launch(device: DeviceInfo, repeats: int = 7, launches: int = 200) -> float:
    """Seconds that a launch costs, whatever it does: of a kernel that does next to nothing, many times in a row.

    The least of several rows, by the host's clock. Raises DeviceError or KernelBuildError.
    """
    opened = open_device(device)
    probe = _Probe(opened, profile=False)
    call = peak_arithmetic_call(device, 0)
    buffers = probe.buffers(call)
    launch = probe.bind(call, buffers)
    return min(probe.row(launch, launches) for _ in range(repeats + 1)) / launches


def copied_floats(device: DeviceInfo) -> int:
    """Size of the copy: far more than a cache, far less than the device has."""
    return min(_COPIED_BYTES, device.largest_allocation // 2, device.global_memory // 8) // 4


class _Probe:
    """Runs single calls on a queue of its own."""

    def __init__(self, device: Device, profile: bool = True) -> None:
        self._device = device
        self._queue: Queue = device.queue(profile=profile)

    def row(self, launch: Launch, launches: int) -> float:
        """Seconds of a launch many times in a row."""
        return self._queue.seconds([launch], launches)

    def time(self, call: KernelCall, repeats: int) -> float:
        """Least seconds of several launches, after one that does not count."""
        buffers = self.buffers(call)
        launch = self.bind(call, buffers)
        times = [seconds(self._queue.launch(*launch)) for _ in range(repeats + 1)]
        return max(min(times[1:]), 1e-9)

    def buffers(self, call: KernelCall) -> dict[str, Any]:
        """A zeroed buffer, so that its pages are there, for each value of the call. A kernel object does not
        keep them: the caller must, for as long as it is launched."""
        nbytes = call.cost.bytes // 2 or 4 * result_floats(self._device.info)
        made = {name: self._device.allocate(nbytes) for name in (*call.reads, *call.writes)}
        for buffer in made.values():
            self._queue.fill(buffer, 0, nbytes)
        return made

    def bind(self, call: KernelCall, buffers: Mapping[str, Any]) -> Launch:
        """Kernel with its arguments, global and local size."""
        programs = self._device.compiler.prepare([call.kernel])
        kernel = programs[call.kernel].kernel(call.kernel)
        arguments = [
            _NUMBERS[a.ctype](a.value) if isinstance(a, Scalar) else buffers[name]
            for name, a in call.arguments
        ]
        set_arguments(kernel, arguments)
        return kernel, call.global_size, call.local_size
