"""What the host does in a run from arrays to arrays, step by step."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np


def steps_us(name: str, size: int, batch: int, precision: str, runs: int) -> dict[str, float]:
    """Median microseconds of the steps of a run of what work.prepared() made ready, each waited for: writing the inputs,
    enqueuing the launches, what is left of them then, and reading the outputs. In a run only the last is waited for."""
    from benchmarks.gpu.work import _sessions

    _, bound, feeds = _sessions[name, size, batch, precision]
    queue, graph, lowered = bound.queue, bound.plan.graph, bound.plan.lowered
    ready = queue.ready(bound.launches)
    specs = [(stored, lowered.specs[stored]) for stored in map(lowered.stored.get, graph.returned)]

    def write() -> None:
        for fed in graph.fed:
            queue.write(bound.buffer(fed), feeds[fed], wait=True)

    def read() -> None:
        for stored, spec in specs:
            queue.read(np.empty(spec.shape, spec.dtype.numpy), bound.buffer(stored), wait=True)

    steps: dict[str, Callable[[], None]] = {
        "write_us": write,
        "enqueue_us": lambda: queue.run(ready, waits=False),
        "left_us": queue.finish,
        "read_us": read,
    }
    times: dict[str, list[float]] = {step: [] for step in steps}
    for _ in range(runs + 5):
        for step, do in steps.items():
            begin = time.perf_counter()
            do()
            times[step].append((time.perf_counter() - begin) * 1e6)
    return {step: statistics.median(found[5:]) for step, found in times.items()}
