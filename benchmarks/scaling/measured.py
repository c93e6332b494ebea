"""What a network's launches are made of for a number of workers, and how long each operation takes on one core.

    python -m benchmarks.scaling.measured NETWORK WORKERS THREADS        prints JSON

The plan is that of a device with so many cores: its work is split for them. Where one thread runs it, with time stamps
inside the launch, the workers go one after another and the first finds all the work: the seconds are those of one core.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
from typing import Any

import numpy as np

from benchmarks.scaling.queue_model import Operation

_RUNS = 7


@dataclasses.dataclass(frozen=True)
class Launch:
    """operations: of a joined launch, or the only one of a launch of its own. segments: of its counters, 0 for those."""

    operations: tuple[Operation, ...]
    segments: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """A run: its launches, and the median seconds from the first operation's begin to the last one's end."""

    launches: tuple[Launch, ...]
    seconds: float

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def parse(cls, text: str) -> Measured:
        content: dict[str, Any] = json.loads(text)
        launches = [
            Launch(
                tuple(
                    Operation(**{**o, "awaited": tuple(o["awaited"])}) for o in launch["operations"]
                ),
                launch["segments"],
            )
            for launch in content["launches"]
        ]
        return cls(tuple(launches), content["seconds"])


def measure(network: str, workers: int) -> Measured:
    """Raises RuntimeError where the processor's clock cannot be read inside a launch."""
    from benchmarks.nets import NETS
    from clconv.planning.persistent import calls_in, is_persistent
    from clconv.probes.clock_probe import verified_clock
    from clconv.profiling.recorder import rows_of
    from clconv.runtime.device import choose_device
    from clconv.runtime.stamps import Stamper
    from clconv.session.random_feeds import random_feeds
    from clconv.session.session import Session

    device = dataclasses.replace(choose_device(None), compute_units=workers)
    clock = verified_clock(device)
    if clock is None:
        raise RuntimeError(f"{device}: its kernels cannot tell the time")
    graph = NETS[network](1)
    session = Session(graph, device)
    shapes = {name: spec.shape for name, spec in session.inputs.items()}
    feeds = random_feeds(session.inputs, shapes)
    bound = session.prepare(shapes)
    stamper, runs = Stamper(bound, clock), []
    for number in range(-2, _RUNS):
        executed = stamper.run(feeds)[1]
        if number >= 0:
            runs.append(executed)
    plan = bound.plan
    seconds = {
        call: statistics.median(
            sum(r.end - r.ready for r in run.ran if r.call == call) for run in runs
        )
        for call in range(len(plan.calls))
    }
    rows = rows_of(plan, seconds, dict.fromkeys(seconds, 1))
    launches, first = [], 0
    for launch in plan.launches:
        count = calls_in(launch)
        calls = range(first, first + count)
        whole = [(seconds[c], float(rows[c].bytes)) for c in calls]
        names = [f"{rows[c].operator} {rows[c].layer}" for c in calls]
        if is_persistent(launch.kernel):
            launches.append(_joined(launch, names, whole))
        else:
            ((s, b),) = whole
            items = int(np.prod(launch.global_size))
            launches.append(Launch((Operation(names[0], items, 1, s / items, b / items, ()),), 0))
        first += count
    spans = [max(r.end for r in run.ran) - min(r.ready for r in run.ran) for run in runs]
    return Measured(tuple(launches), statistics.median(spans))


def _joined(launch: Any, names: list[str], whole: list[tuple[float, float]]) -> Launch:
    """The operations as the kernel gets them."""
    from clconv.planning.persistent import OPERATION

    arguments = dict(launch.arguments)
    table = arguments["operations"].array.view(OPERATION)
    awaited = arguments["awaited"].array
    operations = []
    for name, (seconds, nbytes), row in zip(names, whole, table, strict=True):
        begin, items = int(row["first_awaited"]), int(row["items"])
        others = tuple(int(o) for o in awaited[begin : begin + int(row["awaited"])])
        share = max(items, 1)
        operations.append(
            Operation(name, items, int(row["chunk"]), seconds / share, nbytes / share, others)
        )
    return Launch(tuple(operations), int(arguments["segments"].value))


if __name__ == "__main__":
    os.environ["POCL_MAX_PTHREAD_COUNT"] = sys.argv[3]
    print(measure(sys.argv[1], int(sys.argv[2])).text())
