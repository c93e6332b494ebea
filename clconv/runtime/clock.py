"""The processor's clock as kernels read it, and what the host's says at the same time."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.planning.persistent import CLOCK
from clconv.records import record
from clconv.runtime.opencl import open_device, set_arguments

_TRIES = 5  # readings, of which the one that took least time counts


@record(frozen=True)
class ClockReading:
    """What the clock said in each group of a launch, between two looks at time.perf_counter()."""

    before: float
    after: float
    ticks: tuple[int, ...]

    @property
    def host(self) -> float:
        return (self.before + self.after) / 2

    @property
    def middle(self) -> float:
        return (self.ticks[0] + self.ticks[-1]) / 2


class DeviceClock:
    """Reads the clock by launches. Only for devices that are the host's own processor.

    Raises DeviceError or KernelBuildError where there is no such clock.
    """

    def __init__(self, device: DeviceInfo, groups: int = 1) -> None:
        opened = open_device(device)
        self._queue, self._groups = opened.queue(), groups
        self._programs = opened.compiler.prepare([CLOCK])
        self._kernel = self._programs[CLOCK].kernel(CLOCK)
        self._found = np.zeros(groups, np.uint64)
        self._lock = threading.Lock()  # sessions of several threads share it
        self._buffer: Any = opened.allocate(self._found.nbytes)
        set_arguments(self._kernel, [self._buffer])
        self.read()  # PoCL makes machine code at the first launch
        self._first = self.best()
        self._latest = self._first

    def read(self) -> ClockReading:
        with self._lock:
            before = time.perf_counter()
            self._queue.launch(self._kernel, (self._groups,), (1,))
            self._queue.finish()
            after = time.perf_counter()
            self._queue.read(self._found, self._buffer, wait=True)
            return ClockReading(before, after, tuple(map(int, self._found)))

    def best(self) -> ClockReading:
        """The one of several readings that took least time."""
        return min((self.read() for _ in range(_TRIES)), key=lambda r: r.after - r.before)

    def synchronise(self) -> None:
        """To be called shortly before ticks are converted: clocks drift apart."""
        self._latest = self.best()

    @property
    def ticks_a_second(self) -> float:
        """Over all the time since the first reading: the longer, the more exact."""
        first, latest = self._first, self._latest
        return (latest.middle - first.middle) / max(latest.host - first.host, 1e-9)

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        """Ticks as seconds of time.perf_counter(). Needs synchronise() some time after the first reading."""
        latest = self._latest
        return latest.host + (ticks.astype(np.float64) - latest.middle) / self.ticks_a_second
