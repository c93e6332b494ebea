"""Runs a plan and writes down when each of its calls began and ended: by time stamps inside joined launches where the
device's clock is known to be right, else launch by launch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.planning.persistent import STAMP, calls_in, is_persistent, stamped
from clconv.planning.plan import Plan
from clconv.records import record
from clconv.runtime.bound import BoundPlan
from clconv.runtime.clock import DeviceClock
from clconv.runtime.opencl import times

_SLACK = 2e-4  # seconds by which two clocks may seem to disagree
ALONE = -1  # in the place of a worker: a launch of its own, by the whole device


@record(frozen=True)
class Ran:
    """A call of the plan, or one worker's part of it. Times are seconds of time.perf_counter().

    ready: when all that it had to wait for was done.
    """

    call: int
    worker: int
    begin: float
    ready: float
    end: float


@record(frozen=True)
class Executed:
    """One run of a plan: inputs are written from `begin` on, kernels run from `written` on, outputs are read from
    `computed` on. overhead: seconds that the time stamps took before and behind."""

    plan: Plan
    begin: float
    written: float
    computed: float
    end: float
    ran: tuple[Ran, ...]
    overhead: float


class Stamper:
    """Runs a bound plan and remembers it.

    clock: of the device, for time stamps inside joined launches. None: a launch for each call, timed by the device.
    """

    def __init__(self, bound: BoundPlan, clock: DeviceClock | None) -> None:
        joined = any(is_persistent(launch.kernel) for launch in bound.plan.launches)
        self._bound, self._clock = bound, clock if joined else None
        self._queue = bound.device.queue(profile=True)
        self._calls = bound.plan.calls
        if self._clock is not None:
            self._calls = tuple(
                stamped(launch) if is_persistent(launch.kernel) else launch
                for launch in bound.plan.launches
            )
        found = bound.bind(self._calls)
        self._launches = [launch for launch, _ in found]
        self._kept = [buffers for _, buffers in found]
        self._events: list[tuple[float, Any]] = []  # when a launch was enqueued, and its event
        self._written = self._computed = 0.0
        self._is_new = True

    @property
    def is_joined(self) -> bool:
        """Whether launches stay joined, and have time stamps inside."""
        return self._clock is not None

    def run(self, feeds: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Executed]:
        """Outputs as of BoundPlan.run(), and when what was done."""
        entered = time.perf_counter()
        self._clear()
        begin = time.perf_counter()
        outputs = self._bound.run_by(feeds, self._enqueue)
        end = time.perf_counter()
        if self._is_new:
            self._is_new = False
            self._bound.launched(self._calls)
        ran = tuple(self._collected())
        overhead = time.perf_counter() - end + begin - entered
        moments = (begin, self._written, self._computed, end)
        return outputs, Executed(self._bound.plan, *moments, ran, overhead)

    def _clear(self) -> None:
        if self._clock is None:
            return
        for call, buffers in zip(self._calls, self._kept, strict=True):
            if is_persistent(call.kernel):
                self._queue.fill(buffers[-1], 0, self._stamps(call) * 8)
        self._queue.finish()
        self._clock.synchronise()

    def _enqueue(self) -> None:
        self._bound.queue.finish()  # the inputs are there
        self._written = time.perf_counter()
        self._events = []
        try:
            for launch in self._launches:
                begin = time.perf_counter()
                self._events.append((begin, self._queue.launch(*launch)))
        finally:
            self._queue.finish()
        self._computed = time.perf_counter()

    def _stamps(self, call: Any) -> int:
        return calls_in(call) * int(call.global_size[0]) * STAMP

    def _collected(self) -> list[Ran]:
        """What ran, in the order of the plan."""
        found: list[Ran] = []
        alone: list[tuple[int, tuple[float, float]]] = []
        enqueued: list[tuple[float, float]] = []
        first = 0
        for call, buffers, (at, event) in zip(self._calls, self._kept, self._events, strict=True):
            if self._clock is not None and is_persistent(call.kernel):
                found += self._inside(call, buffers[-1], first, self._clock)
                first += calls_in(call)
            else:
                queued, begin, end = times(event)
                alone.append((first, (begin, end)))
                enqueued.append((at, queued))
                first += 1
        self._events = []
        within = self._written, self._computed
        later = hosts_lead(enqueued, [times for _, times in alone], within) if alone else 0.0
        for call_index, (begin, end) in alone:
            found.append(Ran(call_index, ALONE, begin + later, begin + later, end + later))
        return sorted(found, key=lambda ran: (ran.call, ran.begin))

    def _inside(self, call: Any, buffer: Any, first: int, clock: DeviceClock) -> list[Ran]:
        stamps = np.zeros(self._stamps(call), np.uint64)
        self._queue.read(stamps, buffer, wait=True)
        workers = int(call.global_size[0])
        lines = stamps.reshape(-1, workers, STAMP)
        seconds = clock.seconds(lines[:, :, :3])
        return [
            Ran(first + int(i), int(worker), *map(float, seconds[i, worker]))
            for i, worker in np.argwhere(lines[:, :, 3])
        ]


def hosts_lead(
    enqueued: Sequence[tuple[float, float]],
    ran: Sequence[tuple[float, float]],
    within: tuple[float, float],
) -> float:
    """What to add to the seconds of a device's clock to get those of the host's.

    enqueued: when launches were enqueued, by either clock: host, device. ran: when they began and ended, by the device.
    within: when that was, by the host. Where a driver says nothing of use about the first, the last launch ended when
    the host knew that all were over.
    """
    lead = statistics.median(host - device for host, device in enqueued)
    first, last = min(begin for begin, _ in ran), max(end for _, end in ran)
    if within[0] - _SLACK <= first + lead and last + lead <= within[1] + _SLACK:
        return lead
    return within[1] - last
