"""What of an operator's run its kernels take, by the device's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.bench_ops import plan_of
from clconv.cases import Case
from clconv.graph.ops import OPS
from clconv.probes.wide_probe import verified_wide
from clconv.runtime.device import choose_device
from clconv.runtime.opencl import seconds
from clconv.runtime.prepared import PreparedDevice

_LEAST = 5


def kernel_clock(device: str | None) -> Callable[[Case, float], float]:
    """A function that runs a case for so many seconds and gives the least time of its launches together, in seconds; 0 for
    what runs on the host."""
    info = verified_wide(choose_device(device))
    prepared = PreparedDevice(info)

    def measure(case: Case, budget: float) -> float:
        if OPS[case.op].host_only:
            return 0.0
        graph, feeds = case.build()
        bound = prepared.bind(plan_of(graph, info))
        bound.run(feeds)
        queue = bound.device.queue(profile=True)
        spent: list[float] = []
        end = time.perf_counter() + budget
        while len(spent) < _LEAST or time.perf_counter() < end:
            events = [queue.launch(*launch) for launch in bound.launches]
            queue.finish()
            spent.append(sum(seconds(event) for event in events))
        return min(spent)

    return measure
