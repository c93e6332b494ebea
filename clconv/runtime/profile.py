"""Times every launch of a plan with the device's own clock."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

import numpy as np

from clconv.lowering.model.call import KernelCall
from clconv.planning.plan import Plan
from clconv.records import record
from clconv.runtime.bound import BoundPlan
from clconv.runtime.opencl import seconds
from clconv.runtime.prepared import PreparedDevice


@record(frozen=True)
class Timing:
    """One launch: its call and the median of its times in seconds."""

    call: KernelCall
    seconds: float

    @property
    def gflops(self) -> float:
        """Useful operations a second, in units of 1e9: those of the operator, not of the algorithm."""
        return self.call.cost.flops / self.seconds / 1e9 if self.seconds else 0.0


def profile(plan: Plan, feeds: Mapping[str, np.ndarray], repeats: int = 10) -> list[Timing]:
    """Median time of each launch over several whole runs, in the order of the plan."""
    bound = PreparedDevice(plan.device).bind(plan)
    bound.run(feeds)
    return launch_timings(bound, repeats)


def launch_timings(bound: BoundPlan, repeats: int) -> list[Timing]:
    """Median time of each launch of a plan that has run, in its order."""
    queue, calls = bound.device.queue(profile=True), bound.plan.calls
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        events = [queue.launch(*launch) for launch in bound.launches]
        queue.finish()
        for found, event in zip(times, events, strict=True):
            found.append(seconds(event))
    return [
        Timing(call, statistics.median(found)) for call, found in zip(calls, times, strict=True)
    ]
