"""The whole of a tuning: task by task, results kept as they come, and the network as a whole at the end."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine, Measurements
from clconv.graph.ir import Graph, TensorSpec
from clconv.planning.planner import Planner
from clconv.runtime.bound import BoundPlan
from clconv.runtime.measurement_files import entries_or_warning, merged, own_file, write_entries
from clconv.runtime.prepared import PreparedDevice, run_batch
from clconv.tuning.search import Search
from clconv.tuning.tasks import Task

_ROUNDS, _SECONDS = 15, 20.0
SLOWER = 1.01  # times the usual time; less may be chance


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A task and its result: None if nothing could be run. again: found earlier, not searched now."""

    task: Task
    entry: Entry | None
    again: bool = False

    @property
    def gain(self) -> float:
        """How many times faster than usual."""
        if self.entry is None or self.entry.is_default or not self.entry.seconds:
            return 1.0
        return self.entry.default_seconds / self.entry.seconds


def run_tasks(
    tasks: Sequence[Task], device: DeviceInfo, search: Search, afresh: bool = False
) -> Iterator[Outcome]:
    """Results in order. Each is in the user's file before the next is searched, so that a tuning that was interrupted
    goes on where it was; afresh: what is there already is searched again."""
    known = {entry.key: entry for entry in entries_or_warning(own_file())}
    machine = Machine.of(device)
    for task in tasks:
        before = known.get((machine, task.shape))
        if before is not None and not afresh:
            yield Outcome(task, before, again=True)
            continue
        entry = search.run(task)
        if entry is not None:
            keep([entry])
        yield Outcome(task, entry)


def keep(entries: Sequence[Entry]) -> None:
    """Adds results to the user's file, in the place of older ones."""
    write_entries(own_file(), merged(entries_or_warning(own_file()), entries))


def both_ways(
    graph: Graph, specs: Mapping[str, TensorSpec], planner: Planner, entries: Sequence[Entry]
) -> list[BoundPlan]:
    """The network as usual and with these results, ready to run. planner: that of the network as usual."""
    device, quarantined = planner.device, planner.findings.quarantined
    prepared = PreparedDevice(device)
    bound = []
    for measurements in (Measurements(), Measurements(Machine.of(device), tuple(entries))):
        own = Planner(device, planner.options, Findings(quarantined, measurements))
        bound.append(prepared.bind(own.plan(graph, specs)))
    return bound


def compare_whole(
    graph: Graph, specs: Mapping[str, TensorSpec], planner: Planner, entries: Sequence[Entry]
) -> tuple[float, float]:
    """Median seconds of a run of the network as usual, and that times the median ratio with these results: both take
    turns, as a Session runs them. planner: that of the network as usual."""
    bound = both_ways(graph, specs, planner, entries)
    rng = np.random.default_rng(0)
    feeds = {name: _values(spec, rng) for name, spec in specs.items()}
    times: list[list[float]] = [[], []]
    until = time.perf_counter() + _SECONDS
    for number in range(_ROUNDS + 1):
        for plan_times, one in zip(times, bound, strict=True):
            started = time.perf_counter()
            run_batch(one, feeds)
            if number:  # the first warms up
                plan_times.append(time.perf_counter() - started)
        if number > 2 and time.perf_counter() > until:
            break
    usual = statistics.median(times[0])
    ratios = [tuned_time / time_ for time_, tuned_time in zip(*times, strict=True)]
    return usual, usual * statistics.median(ratios)


def _values(spec: TensorSpec, rng: np.random.Generator) -> np.ndarray:
    if spec.dtype.is_float:
        return rng.uniform(0, 1, spec.shape).astype(spec.dtype.numpy)
    return np.zeros(spec.shape, spec.dtype.numpy)


def as_usual(entry: Entry) -> Entry:
    """The result that nothing is better than the usual choice."""
    return dataclasses.replace(
        entry,
        parameters=(),
        is_default=True,
        error=entry.default_error,
        seconds=entry.default_seconds,
    )
