"""What a card allows, for benchmarks/gpu: rates of copies and products, the cost of a launch, and what loading a network
takes with empty and with full caches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.gpu.caches import empty_caches
from benchmarks.gpu.lanes import Bench, Lane, networks
from clconv.device.info import DeviceInfo

_SIDE, _SMALL_SIDE = 8192, 256  # of the matrices that are multiplied
_COPIED, _SMALL_COPIED = 1 << 30, 1 << 20  # floats
_ROW, _ROWS = 64, 31  # launches in a row, and rows


def run_ceilings(bench: Bench) -> None:
    from benchmarks.gpu import peer as peer_work

    found: dict[str, Any] = {}
    mine, reason = bench.ours.call(launch_us, bench.device, bench.least, limit=bench.limit)
    found |= mine if mine else {"failed": reason}
    if bench.peer:
        small = bench.options.small
        sizes = (_SMALL_SIDE, _SMALL_COPIED) if small else (_SIDE, _COPIED)
        theirs, reason = bench.theirs.call(
            peer_work.peer_ceilings, bench.peer, *sizes, limit=bench.limit
        )
        found |= theirs or {"peer_failed": reason}
    bench.record["ceilings"] = found
    bench.save()
    print(f"ceilings: {found}", flush=True)


def launch_us(device: DeviceInfo, least: float) -> dict[str, float]:
    """Microseconds of a launch that does next to nothing: from one to the next in a long row; and in rows like a network's, until
    the host has enqueued it and until it is over, as plans are run and with an event for each."""
    import clconv
    from benchmarks.gpu.work import time_launches
    from clconv.cases.elementwise.elementwise import special

    graph, _ = special("Relu").build()
    session = clconv.load(graph, device)
    bound = session.prepare({n: graph.specs[n].shape for n in graph.inputs})
    queue, launches = bound.queue, [*bound.launches] * _ROW
    ready = queue.ready(launches)

    def without_events() -> None:
        queue.run(ready, waits=False)

    def with_events() -> None:
        for launch in launches:
            queue.launch(*launch)

    found = {"launch_us": time_launches(bound, least) / len(bound.launches) * 1e6}
    for enqueue in (without_events, with_events):
        rows = [_row_us(queue, enqueue, len(launches)) for _ in range(_ROWS)]
        name = enqueue.__name__.replace("_", " ")
        found[f"enqueue_us {name}"], found[f"row_us {name}"] = map(
            statistics.median, zip(*rows, strict=True)
        )
    return found


def _row_us(queue: Any, enqueue: Callable[[], None], count: int) -> tuple[float, float]:
    """Microseconds of each launch until all are enqueued, and until all are over."""
    queue.finish()
    begin = time.perf_counter()
    enqueue()
    enqueued = time.perf_counter()
    queue.finish()
    return (enqueued - begin) / count * 1e6, (time.perf_counter() - begin) / count * 1e6


def run_load(bench: Bench) -> None:
    """Seconds from a graph to a session that can run, in new processes: first with empty caches, then with what that left."""
    from benchmarks.gpu import work

    found: dict[str, Any] = {}
    for name, size in networks(bench.options)[:1]:
        arguments = (name, size, 1, "float32", bench.device)
        with empty_caches():
            for when in ("cold", "warm"):
                limit = min(bench.limit, 2 * max(1.0, bench.part_end - time.monotonic()))
                row, reason = alone(work.prepared, *arguments, limit=limit)
                found[f"{name} {when}"] = row["load_s"] if row else reason
    bench.record["load"] = found
    bench.save()
    print(f"load: {found}", flush=True)


def alone(function: Callable[..., Any], *arguments: Any, limit: float) -> tuple[Any, str]:
    """What a new process comes to, as Lane.call() returns it."""
    lane = Lane()
    try:
        return lane.call(function, *arguments, limit=limit)
    finally:
        lane.close()
