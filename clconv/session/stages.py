"""Stages of a session: a graph with its plans by input specs, what a plan could not do yet, and the bodies of control
flow."""

from __future__ import annotations

import collections
import threading
from collections.abc import Mapping

import numpy as np

from clconv.debug import say
from clconv.errors import Guard, InputError
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.planning.plan import Plan
from clconv.records import record
from clconv.runtime.bound import BoundPlan
from clconv.runtime.prepared import Execute, run_batch
from clconv.runtime.process import opencl
from clconv.runtime.stored.stored_plan import StoredPlan
from clconv.session.kept_plans import KeptPlans
from clconv.session.network import Network, whole
from clconv.session.planned import (
    Key,
    log_plan,
    plan_key,
    usual_execute,
)
from clconv.session.quick import Quick, quick_for
from clconv.session.shared import Shared
from clconv.spans import span
from clconv.store.files import Unusable

_PLANS_KEPT = 16

Blocks = tuple[tuple[int, Graph], ...]


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
                self._stages[id(graph)] = (graph, Stage(self._shared, whole(passed)))
            return self._stages[id(graph)][1]

    def trips_at_once(self, node: Node) -> Blocks:
        """Several trips of a Loop as one graph, where that can be; the same graphs for every run."""
        body = node.attrs.body
        with self._lock:
            if id(body) not in self._blocks:
                from clconv.graph.specialise.trips import blocks_of

                self._blocks[id(body)] = (body, blocks_of(body, node.attrs.carried))
            return self._blocks[id(body)][1]


@record(frozen=True)
class Ready:
    """A plan that is ready to run. rest: what is left to do behind its cut."""

    bound: BoundPlan
    rest: Stage | None


class Stage:
    """A graph and its plans by input specs; what a plan could not do yet is the next stage."""

    def __init__(self, shared: Shared, network: Network, kept: KeptPlans | None = None) -> None:
        self._shared, self._network, self._kept = shared, network, kept
        self._planned: dict[Key, Plan] | None = None  # those of a file, planned again
        self._plans: collections.OrderedDict[Key, Ready] = collections.OrderedDict()
        self._has_planned = False
        self._known: dict[str, str] = {}  # the first plan's variants, by node
        self.quick: Quick | None = None  # of the last run
        # A progress() that is called while a plan is made, or what interrupts it, may run what is planned already.
        self._lock = threading.RLock()
        self._is_planning = False

    @property
    def _graph(self) -> Graph:
        return self._network.graph

    def ready(
        self,
        specs: Mapping[str, TensorSpec],
        values: Mapping[str, np.ndarray],
        stored: bool = False,
    ) -> Ready:
        """The plan for these specs, made, compiled and allocated if there is none yet. values: inputs whose content
        decides sizes. stored: whether a StoredPlan will do, which can be run and no more. Raises InputError if this thread is
        about to make another plan, and what Planner.plan and the device's compiler raise."""
        key = plan_key(specs, values)
        opencl.check()
        with self._lock:
            found = self._plans.get(key)
            if found is None or (not stored and isinstance(found.bound.plan, StoredPlan)):
                found = self._new(specs, values, stored)
            if self._plans.get(key) is not found:
                self._plans[key], self.quick = found, None
                if len(self._plans) > _PLANS_KEPT:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]

    def _new(
        self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray], stored: bool
    ) -> Ready:
        if self._is_planning:
            raise InputError(
                "run() was called by progress(), or by what interrupts a load, for sizes that have no plan yet, while "
                "this session makes another plan: run it afterwards"
            )
        self._is_planning = True
        try:
            return (stored and not values and self._read(specs)) or self._make(specs, values)
        finally:
            self._is_planning = False

    def _read(self, specs: Mapping[str, TensorSpec]) -> Ready | None:
        """The plan that a file has for these specs."""
        shared, kept = self._shared, self._kept
        device = shared.prepared.device
        plan = kept and not device.compiler.is_in_doubt() and kept.find(specs, device.info)
        if not plan or kept is None:
            return None
        try:
            bound = shared.prepared.bind(plan, shared.progress)
        except Unusable as reason:
            kept.damaged(reason)
            return None
        shapes = " ".join(str(spec) for spec in specs.values())
        say(
            1,
            f"plan for {shapes}: {plan.memory.total:,} bytes, {len(plan.launches)} launches, from the disk",
        )
        return Ready(bound, None)

    def _plan(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> Plan:
        if self._planned is None:
            self._planned = {}
            for before in (
                self._kept.planned_before() if self._kept and not self._has_planned else ()
            ):
                # Others follow the first: they take the same variants and kernels.
                self._planned[plan_key(before, {})] = self._plan(before, {})
        found = self._planned.get(plan_key(specs, values))
        if found is not None:
            return found
        graph = self._graph
        plan = self._shared.planner_of(self._network.imported).plan(
            graph,
            specs,
            values,
            known=self._known,
            declared=None if self._has_planned else graph.specs,  # others come behind the first
        )
        self._has_planned = True
        self._known = self._known or {
            n: c.variant.name for n, c in plan.lowered.choices.items() if c.source != "empty"
        }
        return plan

    def _was_warned_of(self, plan: Plan) -> bool:
        """Whether planning may have warned of this plan, as it is to do each time."""
        shared = self._shared
        quarantined = shared.planner_of(self._network.imported).findings.quarantined
        return bool(quarantined or (shared.options.images_at_once and plan.batch_split is None))

    def _make(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> Ready:
        shared = self._shared
        shared.prepared.device.compiler.get_ready()
        plan = self._plan(specs, values)
        log_plan(plan, " ".join(str(spec) for spec in specs.values()))
        if shared.dump:
            shared.dump.plan(plan)
        guarded = bool(shared.options.guard)
        bound = shared.prepared.bind(plan, shared.progress, guarded=guarded, state=shared.state)
        if self._kept is not None and not values and not self._was_warned_of(plan):
            self._kept.keep(self._network.face, shared.prepared.device.info, specs, bound)
        rest = None if plan.cut is None else Stage(shared, whole(plan.cut.rest))
        return Ready(bound, rest)

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
        if execute is None:
            execute = usual_execute()
        ready = self.ready(specs, known, stored=execute is BoundPlan.run)
        values = run_batch(ready.bound, arrays, execute)
        plan = ready.bound.plan
        if execute is BoundPlan.run and plan.cut is None and plan.batch_split is None:
            self.quick = quick_for(self._network.face.specs, arrays, ready.bound)
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
        from clconv.graph.evaluate import evaluate_node
        from clconv.graph.ops.control import run_loop

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
