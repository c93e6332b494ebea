"""What `clconv tune` finds for the networks' layers, for benchmarks.gpu: within minutes, the layers that take most first.

    python -m benchmarks.gpu --only tune --batches 1 16 --json FILE.json

Processes compile what will be tried first, as many as there are cores; then one searches, layer by layer. FILE.measurements.json
has the results in the form of those that clconv ships, and a row of FILE.json for each network says what they change.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.gpu.lanes import Bench, in_parallel, networks
from benchmarks.gpu.work import Setting, closed, network_graph, time_launches
from clconv.device.findings import NOTHING_FOUND
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry
from clconv.device.options import PlanOptions
from clconv.graph.evaluate import node_cost
from clconv.lowering.model.kernel import AUTO
from clconv.planning.planner import Planner
from clconv.runtime.measurement_files import write_entries
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.worker import Worker
from clconv.tuning.runs import both_ways
from clconv.tuning.search import Search, Step
from clconv.tuning.tasks import Task, tasks_of
from clconv.tuning.trial import Candidate, TuningTrial, plan_candidate

_COMPILING, _SEARCHING = 0.35, 0.75  # of the part's time: until then
_CANDIDATE = 20.0  # seconds for one
_TURNS = 3


class _Over(Exception):
    """The time is over."""


def run_tuning(bench: Bench) -> None:
    begun, end = time.monotonic(), bench.part_end
    compiled_by, searched_by = (begun + share * (end - begun) for share in (_COMPILING, _SEARCHING))
    found: dict[str, Any] = {"layers": [], "networks": [], "rejected": [], "left": 0}
    bench.record["tuned"] = found
    ordered = ordered_tasks(bench)
    if bench.options.small:
        ordered = ordered[:2]
    trials = [(task, TuningTrial.of(i, task.graph, task.node, options)) for i, (options, task) in enumerate(ordered)]  # fmt: skip
    compiling = [
        (compiled_candidate, trial, bench.device, candidate)
        for task, trial in trials
        for candidate in first_candidates(task)
    ]
    for _ in in_parallel(compiling, bench.options.jobs, compiled_by, _CANDIDATE):
        pass
    entries: list[Entry] = []
    for task, entry, rejected in searched(bench, ordered, searched_by):
        found["rejected"] += rejected
        if entry is None:
            found["left"] += 1
            continue
        entries.append(entry)
        found["layers"].append(layer_row(task, entry))
        keep(bench, entries)
    better = [entry for entry in entries if not entry.is_default]
    for setting in settings(bench) if better else ():
        if time.monotonic() < end:
            found["networks"].append(network_row(bench, setting, better))
            bench.save()
    bench.save()
    for line in lines(found):
        print(line, flush=True)


def settings(bench: Bench) -> list[Setting]:
    options = bench.options
    return [
        Setting(name, size, batch, precision)
        for precision in options.precisions
        for batch in options.batches
        for name, size in networks(options)
    ]


def ordered_tasks(bench: Bench) -> list[tuple[PlanOptions, Task]]:
    """One for each shape in each precision, by the largest share of the multiply-adds of a network that such layers have."""
    shares: dict[tuple[str, Any], tuple[float, PlanOptions, Task]] = {}
    for setting in settings(bench):
        options = PlanOptions(setting.precision)
        plan = Planner(bench.device, options).plan(*_graph_of(setting))
        tasks = tasks_of(plan.graph, bench.device, options, NOTHING_FOUND)
        costs = [task.count * node_cost(task.node, task.graph).flops for task in tasks]
        for task, cost in zip(tasks, costs, strict=True):
            key, share = (setting.precision, task.shape), cost / max(1.0, sum(costs))
            if key not in shares or share > shares[key][0]:
                shares[key] = share, options, task
    by_share = sorted(shares.values(), key=lambda found: -found[0])
    return [(options, task) for _, options, task in by_share]


def _graph_of(setting: Setting) -> tuple[Any, dict[str, Any]]:
    graph = closed(network_graph(setting.name, setting.size), setting.batch)
    return graph, {name: graph.specs[name] for name in graph.inputs}


def first_candidates(task: Task) -> list[Candidate]:
    """What a search begins with: each variant as it is, and with each value of one parameter."""
    found: list[Candidate] = [task.usual]
    for variant in task.variants:
        found.append((variant.name, ()))
        found += [
            (variant.name, ((name, value),))
            for name, values in variant.space.items()
            for value in values
            if value != AUTO
        ]
    return list(dict.fromkeys(found))


def compiled_candidate(trial: TuningTrial, device: DeviceInfo, candidate: Candidate) -> None:
    """So that the driver's cache has it. Raises UnsupportedError if it does not apply."""
    graph, _ = trial.build()
    plan = plan_candidate(graph, device, trial.options, candidate)
    PreparedDevice(device).bind(plan)


def searched(
    bench: Bench, tasks: Iterable[tuple[PlanOptions, Task]], end: float
) -> Iterator[tuple[Task, Entry | None, list[str]]]:
    """Each task with its result, None if there is none or the time was over, and what was refused."""

    def on_step(step: Step) -> None:
        if time.monotonic() > end:
            raise _Over

    with Worker(quiet=True) as worker:
        for options, task in tasks:
            search = Search(bench.device, worker, _CANDIDATE, on_step, options)
            try:
                entry = search.run(task)
            except _Over:
                entry = None
            yield task, entry, search.rejected


def keep(bench: Bench, entries: list[Entry]) -> None:
    if bench.options.json:
        path: Path = bench.options.json.with_suffix(".measurements.json")
        write_entries(path, entries)
    bench.save()


def layer_row(task: Task, entry: Entry) -> dict[str, Any]:
    """Milliseconds as usual and through the best, which is the usual again where nothing is clearly faster."""
    return {
        "layer": task.described, "of": task.graph.name, "count": task.count, "usual": task.usual[0],
        "best": entry.variant, "parameters": dict(entry.parameters),
        "usual_ms": entry.default_seconds * 1e3, "ms": entry.seconds * 1e3,
    }  # fmt: skip


def network_row(bench: Bench, setting: Setting, entries: list[Entry]) -> dict[str, Any]:
    row = {"name": setting.name, "batch": setting.batch, "precision": setting.precision}
    arguments = (*setting.arguments, bench.device, entries, bench.least)
    times, reason = bench.ours.call(timed_both_ways, *arguments, limit=bench.limit)
    return row | ({"failed": reason} if reason else {"usual_ms": times[0], "ms": times[1]})


def timed_both_ways(
    name: str,
    size: int,
    batch: int,
    precision: str,
    device: DeviceInfo,
    entries: list[Entry],
    least: float,
) -> tuple[float, float]:
    """Milliseconds of a network's launches as usual and with these results, in turn."""
    graph, specs = _graph_of(Setting(name, size, batch, precision))
    bound = both_ways(graph, specs, Planner(device, PlanOptions(precision)), entries)
    times: list[list[float]] = [[], []]
    for _ in range(_TURNS):
        for own, plan in zip(times, bound, strict=True):
            own.append(time_launches(plan, least))
    usual, tuned = (statistics.median(own) * 1e3 for own in times)
    return usual, tuned


def lines(found: dict[str, Any]) -> list[str]:
    """For people: what is faster than usual, and what that makes of networks."""
    layers, better = found["layers"], [r for r in found["layers"] if r["ms"] < r["usual_ms"]]
    said = [
        f"tuned: {len(better)} of {len(layers)} layers are faster by another choice, {found['left']} not searched"
    ]
    for row in sorted(better, key=lambda r: r["ms"] / r["usual_ms"])[:12]:
        said.append(
            f"  {row['layer']}: {row['usual_ms']:.3f} ms by {row['usual']}, {row['ms']:.3f} by {row['best']} {row['parameters'] or ''}"
        )
    for row in found["networks"]:
        label = f"  {row['name']} x {row['batch']} {row['precision']}"
        said.append(
            f"{label}: FAILED {row['failed']}"
            if "failed" in row
            else f"{label}: {row['usual_ms']:.3f} ms as usual, {row['ms']:.3f} tuned"
        )
    return said
