"""Stages of a session: a graph with its plans by input specs, what a plan could not do yet, and the bodies of control
flow."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Mapping, Sequence

import numpy as np

from clconv import config
from clconv.debug import LOGGER, say
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import Guard
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops.control import run_loop
from clconv.graph.passes import run_passes
from clconv.graph.specialise.trips import blocks_of
from clconv.planning.plan import Plan
from clconv.probes.probed import planner_for
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.check import checked_run
from clconv.runtime.dump import Dump
from clconv.runtime.opencl import Place
from clconv.runtime.prepared import Execute, PreparedDevice, run_batch
from clconv.runtime.process import opencl
from clconv.runtime.state import DeviceState
from clconv.spans import span

_PLANS_KEPT = 16

_Key = tuple[object, ...]
Blocks = tuple[tuple[int, Graph], ...]


class Shared:
    """What the stages of a session have in common. Nothing here leads back to a stage: without a circle all goes, the
    memory on the device too, with the last reference to the session."""

    def __init__(
        self,
        graph: Graph,
        device: DeviceInfo,
        options: PlanOptions,
        progress: Progress,
        state: DeviceState | None = None,
        place: Place | None = None,
    ):
        self.progress, self.place = progress, place
        self.dump = dump = Dump.from_config()

        def on_pass(stage: str, name: str, graph: Graph) -> None:
            say(3, f"{stage} pass {name}: {len(graph.nodes)} nodes")
            if dump:
                dump.graph(stage, name, graph)

        self.on_pass = on_pass
        with span("device"):
            self.planner = planner_for(graph, device, options, on_pass)
            if state is None:
                self.prepared = PreparedDevice(self.planner.device, place)
            else:
                self.prepared = state.prepared
        self.state = state
        if state is None and graph.state:
            self.state = DeviceState(self.prepared, guard=options.guard)
        if self.state is not None:
            self.state.add({name: graph.specs[name] for name in graph.state})

    def passed(self, graph: Graph, stage: str) -> Graph:
        """A graph after the passes that need no sizes."""
        with span("passes"):
            return run_passes(graph, lambda name, now: self.on_pass(stage, name, now))


class Bodies:
    """The stages of subgraphs, made at their first run; their plans are kept like those of the whole."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._lock = shared, threading.Lock()
        # By identity; the graph is kept so that its id stays its own.
        self._stages: dict[int, tuple[Graph, Stage]] = {}
        self._blocks: dict[int, tuple[Graph, Blocks]] = {}

    def stage(self, graph: Graph) -> Stage:
        with self._lock:
            if id(graph) not in self._stages:
                passed = self._shared.passed(graph, f"body {graph.name}")
                self._stages[id(graph)] = (graph, Stage(self._shared, passed))
            return self._stages[id(graph)][1]

    def trips_at_once(self, node: Node) -> Blocks:
        """Several trips of a Loop as one graph, where that can be; the same graphs for every run."""
        body = node.attrs.body
        with self._lock:
            if id(body) not in self._blocks:
                self._blocks[id(body)] = (body, blocks_of(body, node.attrs.carried))
            return self._blocks[id(body)][1]


@dataclasses.dataclass(frozen=True)
class Ready:
    """A plan that is ready to run. rest: what is left to do behind its cut."""

    bound: BoundPlan
    rest: Stage | None


class Stage:
    """A graph and its plans by input specs; what a plan could not do yet is the next stage."""

    def __init__(self, shared: Shared, graph: Graph) -> None:
        self._shared, self._graph = shared, graph
        self._plans: collections.OrderedDict[_Key, Ready] = collections.OrderedDict()
        self._known: dict[str, str] = {}  # the first plan's variants, by node
        self._lock = threading.Lock()

    def ready(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> Ready:
        """The plan for these specs, made, compiled and allocated if there is none yet. values: inputs whose content
        decides sizes. Raises what Planner.plan and the device's compiler raise."""
        key: _Key = (
            *sorted((n, s.shape, s.dtype.value) for n, s in specs.items()),
            *sorted((n, a.shape, a.tobytes()) for n, a in values.items()),
        )
        opencl.check()
        with self._lock:
            if key not in self._plans:
                self._plans[key] = self._make(specs, values)
                if len(self._plans) > _PLANS_KEPT:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]

    def _make(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> Ready:
        shared = self._shared
        plan = shared.planner.plan(
            self._graph,
            specs,
            values,
            known=self._known,
            declared=None if self._plans else self._graph.specs,  # others come behind the first
        )
        if plan.cut is not None and plan.cut.host_nodes:
            LOGGER.warning("%s", _on_the_host(plan.cut.host_nodes))
        _log_plan(plan, " ".join(str(spec) for spec in specs.values()))
        if shared.dump:
            shared.dump.plan(plan)
        guarded = bool(shared.planner.options.guard)
        bound = shared.prepared.bind(plan, shared.progress, guarded=guarded, state=shared.state)
        self._known = self._known or {n: c.variant.name for n, c in plan.lowered.choices.items()}
        return Ready(bound, None if plan.cut is None else Stage(shared, plan.cut.rest))

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        bodies: Bodies,
        known: Mapping[str, np.ndarray] | None = None,
        execute: Execute | None = None,
    ) -> dict[str, np.ndarray]:
        """The graph's outputs. known: inputs whose content decides sizes. execute: how a plan is run."""
        known = known or {}
        specs = {n: TensorSpec.of(a) for n, a in arrays.items() if n not in known}
        ready = self.ready(specs, known)
        if execute is None:
            execute = checked_run if config.CHECK.get() else BoundPlan.run
        values = run_batch(ready.bound, arrays, execute)
        cut, rest = ready.bound.plan.cut, ready.rest
        if cut is None or rest is None:
            return values
        constants = cut.rest.constants  # the plan keeps only those its own part reads
        available = {**{n: c.array for n, c in constants.items()}, **arrays, **values}
        for node in cut.host_nodes:
            with span(f"host: {node.op} {node.name}"):
                available.update(self._on_host(node, available, bodies, execute))
        carried = {name: available[name] for name in rest._graph.fed}
        result = rest.run(carried, bodies, {n: available[n] for n in cut.needed}, execute)
        return {
            name: result[name] if name in result else available[name]
            for name in self._graph.returned
        }

    def _on_host(
        self,
        node: Node,
        available: Mapping[str, np.ndarray],
        bodies: Bodies,
        execute: Execute,
    ) -> dict[str, np.ndarray]:
        """A host node's outputs; the subgraphs of control flow run on the device like any graph."""

        def run(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            arrays = {n: np.asarray(a, order="C") for n, a in feeds.items()}
            return bodies.stage(graph).run(arrays, bodies, execute=execute)

        given = [available[n] if n else None for n in node.inputs]
        if node.op == "Loop" and getattr(execute, "runs_whole_plans", execute is BoundPlan.run):
            with Guard("its trips", node.name, node.op):
                results = run_loop(node.attrs, given, run, bodies.trips_at_once(node))
        else:
            results = evaluate_node(node, given, run)
        named = zip(node.outputs, results, strict=False)
        return {n: np.asarray(r, order="C") for n, r in named if n}


def _on_the_host(nodes: Sequence[Node]) -> str:
    """Which operators run there and why, each with how many there are."""
    counted = collections.Counter(node.op for node in nodes)
    names = ", ".join(f"{op} ({times})" if times > 1 else op for op, times in counted.items())
    return (
        f"on the host, not on the device: {names}, first {nodes[0].name!r}; what follows is planned when their results "
        "are known"
    )


def _log_plan(plan: Plan, shapes: str) -> None:
    if plan.batch_split is not None:
        say(1, plan.batch_split)
    say(1, f"plan for {shapes}: {plan.memory.total:,} bytes, {len(plan.calls)} launches")
    for call in plan.calls:
        say(2, call)
    for name, choice in plan.lowered.choices.items():
        say(3, f"{name}: {choice}")
