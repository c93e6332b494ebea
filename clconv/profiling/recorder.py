"""Runs a session's plans with time stamps, and adds up what they say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from clconv.graph.evaluate import node_cost
from clconv.planning.plan import Plan
from clconv.profiling.elapsed import elapsed_by_call
from clconv.profiling.profile import Event, Row
from clconv.runtime.bound import BoundPlan
from clconv.runtime.clock import DeviceClock
from clconv.runtime.stamps import ALONE, Executed, Ran, Stamper
from clconv.spans import Recording


class Recorder:
    """What Session.run_by() runs plans with. clock: see Stamper."""

    runs_whole_plans = True  # trips of a Loop may go together

    def __init__(self, clock: DeviceClock | None) -> None:
        self._clock = clock
        self._stampers: dict[
            int, tuple[BoundPlan, Stamper]
        ] = {}  # the plan is kept: its id stays its own
        self.executed: list[Executed] = []

    def __call__(self, bound: BoundPlan, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if id(bound) not in self._stampers:
            self._stampers[id(bound)] = (bound, Stamper(bound, self._clock))
        outputs, executed = self._stampers[id(bound)][1].run(feeds)
        self.executed.append(executed)
        return outputs

    @property
    def is_joined(self) -> bool:
        """Whether launches stay joined, where there are any that can be."""
        return any(stamper.is_joined for _, stamper in self._stampers.values())

    def taken(self) -> list[Executed]:
        """What was executed since the last time."""
        executed, self.executed = self.executed, []
        return executed


_OUTSIDE = (
    "write inputs", "start kernels", "between kernels", "finish", "read outputs", "host nodes", "around",
)  # fmt: skip
LaunchKey = tuple[int, int]  # which plan of a run, which call of it


@dataclasses.dataclass(frozen=True)
class RunTimes:
    """One run in seconds. kernels: by launch. outside: what no kernel has, by what it is for; with `kernels` it adds up
    to `total`. counts: how often each launch ran; a batch may go a few images at a time."""

    total: float
    kernels: Mapping[LaunchKey, float]
    outside: Mapping[str, float]
    counts: Mapping[LaunchKey, int]
    plans: tuple[Plan, ...]


def run_times(total: float, executed: list[Executed], spans: Recording) -> RunTimes:
    """Adds up one run that took so many seconds, with the overhead of the time stamps. spans: nodes on the host."""
    plans: dict[int, int] = {}
    found: list[Plan] = []
    kernels: dict[LaunchKey, float] = {}
    counts: dict[LaunchKey, int] = {}
    outside = dict.fromkeys(_OUTSIDE, 0.0)
    for one in executed:
        if id(one.plan) not in plans:
            plans[id(one.plan)] = len(found)
            found.append(one.plan)
        number = plans[id(one.plan)]
        elapsed = elapsed_by_call(one.ran)
        for call, seconds in elapsed.items():
            key = (number, call)
            kernels[key] = kernels.get(key, 0.0) + seconds
            counts[key] = counts.get(key, 0) + 1
        first = min((r.ready for r in one.ran), default=one.computed)
        last = max((r.end for r in one.ran), default=one.computed)
        outside["write inputs"] += one.written - one.begin
        outside["start kernels"] += first - one.written
        outside["between kernels"] += last - first - sum(elapsed.values())
        outside["finish"] += one.computed - last
        outside["read outputs"] += one.end - one.computed
    total -= sum(one.overhead for one in executed)
    outside["host nodes"] = _on_the_host(executed, spans)
    outside["around"] = total - outside["host nodes"] - sum(one.end - one.begin for one in executed)
    return RunTimes(total, kernels, outside, counts, tuple(found))


def _on_the_host(executed: list[Executed], spans: Recording) -> float:
    """Seconds of nodes that the host computes, without those of the plans that control flow runs."""
    nodes = spans.outermost("host: ")
    inside = sum(
        one.end - one.begin + one.overhead
        for one in executed
        if any(node.begin <= one.begin and one.end <= node.end for node in nodes)
    )
    return sum(node.seconds for node in nodes) - inside


def rows_of(plan: Plan, seconds: Mapping[int, float], counts: Mapping[int, int]) -> list[Row]:
    """A row for each call that ran: by its index, its seconds and how often, both in one run.

    What a node costs is shared out among its calls by the time that they take, for it says nothing of a single one: a
    transform of Winograd's and the product behind it do the work of one convolution.
    """
    nodes = {node.name: node for node in plan.graph.nodes}
    by_node: dict[str, list[int]] = {}
    for index in seconds:
        by_node.setdefault(plan.calls[index].node, []).append(index)
    work: dict[int, tuple[float, float]] = {}
    for name, calls in by_node.items():
        costs = {index: plan.calls[index].cost for index in calls}
        if name in nodes:
            whole = node_cost(nodes[name], plan.graph)
            flops = _shared_out(whole.flops, {i: seconds[i] for i in calls if costs[i].flops})
            nbytes = _shared_out(whole.bytes, {i: seconds[i] for i in calls if costs[i].bytes})
        else:
            flops = {index: cost.flops for index, cost in costs.items()}
            nbytes = {index: cost.bytes for index, cost in costs.items()}
        work.update((i, (flops.get(i, 0.0), nbytes.get(i, 0.0))) for i in calls)
    rows = []
    for index in sorted(seconds):
        call, count = plan.calls[index], counts[index]
        node, choice = nodes.get(call.node), plan.lowered.choices.get(call.node)
        operator = "(conversion)"
        if node is not None:
            operator = "+".join((node.op, *(step.op for step in node.epilogue)))
        variant = choice.name if choice is not None and node is not None else ""
        flops_of_all, bytes_of_all = (round(part * count) for part in work[index])
        names = (call.node, operator, variant, call.kernel.entry)
        rows.append(Row(*names, count, seconds[index], flops_of_all, bytes_of_all))
    return rows


def _shared_out(whole: float, weights: Mapping[int, float]) -> dict[int, float]:
    together = sum(weights.values())
    even = 1 / max(len(weights), 1)
    return {i: whole * (w / together if together else even) for i, w in weights.items()}


def timeline(begin: float, executed: list[Executed], spans: Recording) -> list[Event]:
    """The bars of one run that began at `begin`."""
    events = [
        Event("host", span.name, span.begin - begin, span.end - begin) for span in spans.spans
    ]
    for one in executed:
        calls = one.plan.calls
        for name, first, last in (
            ("write inputs", one.begin, one.written),
            ("start and wait for kernels", one.written, one.computed),
            ("read outputs", one.computed, one.end),
        ):
            events.append(Event("host", name, first - begin, last - begin))
        for ran in one.ran:
            events.append(_event(ran, calls[ran.call].node, calls[ran.call].kernel.entry, begin))
    return events


def _event(ran: Ran, layer: str, kernel: str, begin: float) -> Event:
    lane = "device" if ran.worker == ALONE else f"worker {ran.worker}"
    return Event(lane, layer, ran.ready - begin, ran.end - begin, kernel)
