"""Session: a network on a device. Plans are made for each set of input shapes and kept."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv import config
from clconv.debug import say
from clconv.device.info import DeviceInfo
from clconv.errors import Guard, InputError
from clconv.graph.batch_split import Apart
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops.control import run_loop
from clconv.graph.passes import run_passes
from clconv.graph.passes.half import Converted
from clconv.graph.specialise.trips import blocks_of
from clconv.lowering.lower import LoweredGraph
from clconv.lowering.model.kernel import Kernel
from clconv.planning.batch import plan_images
from clconv.planning.joining import are_joined, join_launches
from clconv.planning.other_sizes import CallsByNode, calls_at, other_sizes
from clconv.planning.plan import Plan, make_plan
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.check import OnNode, checked_run
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.device import found_again
from clconv.runtime.dump import Dump
from clconv.runtime.findings import findings_for
from clconv.runtime.inputs import conform, conform_shapes, fed_defaults, with_inputs
from clconv.runtime.opencl import open_device
from clconv.runtime.process import opencl

_PLANS_KEPT = 16

_Key = tuple[object, ...]
Blocks = tuple[tuple[int, Graph], ...]
Execute = Callable[[BoundPlan, Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class Session:
    """Runs a graph on one device. Safe to call from several threads.

    graph: as imported; the passes run here. guard: bytes of canary around every value, checked after each
    run (for tests). precision: "float32", "strict" (float32 without variants that mix what a plain sum keeps apart), or
    "float16" to store weights and what lies between layers as halves; None takes CLCONV_PRECISION.
    """

    def __init__(
        self,
        graph: Graph,
        device: DeviceInfo,
        *,
        progress: Progress = lambda done, total: None,
        guard: int = 0,
        precision: str | None = None,
    ) -> None:
        self.device = device
        self._shared = shared = _Shared(device, progress, guard, precision)
        self._imported = graph if graph.metadata.get("defaults") else None
        self._with_fed: dict[frozenset[str], Session] = {}
        self._with_fed_lock = threading.Lock()
        self.graph = run_passes(graph, shared.on_pass("import"))
        self._stage = _Stage(shared, self.graph)
        self._bodies = _Bodies(shared)
        say(1, f"device {device}, driver {device.driver}")
        if all(spec.is_static for spec in self.inputs.values()):
            self.prepare({n: spec.shape for n, spec in self.inputs.items()})

    @property
    def precision(self) -> str:
        return self._shared.precision

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Specs of the inputs as the model declares them; unknown sizes are names or None."""
        return self.graph.input_specs()

    @property
    def outputs(self) -> dict[str, TensorSpec | None]:
        """Specs of the outputs as the model declares them. Where it does not, what follows if all its input sizes are
        known, else None."""
        declared = self.graph.metadata.get("output_specs", {})
        found = {name: declared.get(name) for name in self.graph.outputs}
        inputs = self.inputs
        if None in found.values() and all(spec.is_static for spec in inputs.values()):
            known = self.output_specs({name: spec.shape for name, spec in inputs.items()})
            found = {name: spec or known.get(name) for name, spec in found.items()}
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or pickled, a session is made anew on the same device, which the process that unpickles it has to
        have. `progress` stays behind."""
        return _made_anew, (self.graph, self.device, self.precision, self._shared.guard)

    def prepare(self, shapes: Mapping[str, Sequence[int]]) -> BoundPlan:
        """Plans, compiles and allocates for these input shapes, so that run() only runs. The plan is one for fewer
        images if those run a few at a time. Raises InputError for shapes that the inputs do not take."""
        return self._stage.ready(self._specs(shapes), {}).bound

    def output_specs(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        """Specs of the outputs for these input shapes, less those that depend on what the inputs hold."""
        ready = self._stage.ready(self._specs(shapes), {})
        graph = ready.bound.plan.graph
        found = {n: graph.spec(n) for n in self.graph.outputs if n in graph.outputs}
        return found if ready.apart is None else ready.apart.whole(found)

    def _specs(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, TensorSpec]:
        return conform_shapes(self.inputs, shapes)

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Output arrays by name for input arrays by name.

        outputs: which ones, all by default. feeds may hold values for initialisers that the model lists among its
        inputs, too. Raises InputError for a wrong name, rank, size or dtype.
        """
        if self._imported is not None and (fed := fed_defaults(self._imported, feeds)):
            return self._fed(self._imported, fed).run(feeds, outputs)
        arrays = conform(self.inputs, feeds)
        if isinstance(outputs, str):
            raise InputError(f"outputs are a list of names, not the text {outputs!r}")
        wanted = tuple(self.graph.outputs) if outputs is None else tuple(outputs)
        unknown = [name for name in wanted if name not in self.graph.outputs]
        if unknown:
            raise InputError(f"no outputs {unknown}; the model has {list(self.graph.outputs)}")
        values = self._stage.run(arrays, self._bodies)
        return {name: values[name] for name in wanted}

    def _fed(self, graph: Graph, names: frozenset[str]) -> Session:
        """A session for runs that give values for initialisers, which are inputs there."""
        with self._with_fed_lock:
            if names not in self._with_fed:
                self._with_fed[names] = Session(
                    with_inputs(graph, names), self.device, guard=self._shared.guard,
                    precision=self.precision,
                )  # fmt: skip
            return self._with_fed[names]

    def check(self, feeds: Mapping[str, np.ndarray], told: OnNode) -> dict[str, np.ndarray]:
        """Like run(), but node by node: told(node, output, relative error, variant) hears how far each
        result is from the NumPy reference."""

        def execute(bound: BoundPlan, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return checked_run(bound, arrays, told)

        return self._stage.run(conform(self.inputs, feeds), self._bodies, execute=execute)


def _made_anew(graph: Graph, device: DeviceInfo, precision: str, guard: int) -> Session:
    return Session(graph, found_again(device), precision=precision, guard=guard)


class _Shared:
    """What the stages of a session have in common. Nothing here leads back to a stage: without a circle all goes, the
    memory on the device too, with the last reference to the session."""

    def __init__(
        self, device: DeviceInfo, progress: Progress, guard: int, precision: str | None
    ) -> None:
        self.device, self.progress, self.guard = device, progress, guard
        self.precision = config.chosen_precision(precision)
        self.dump = Dump.from_config()
        self.forced = config.VARIANT.get()
        self.findings = findings_for(device)
        self.opened = open_device(device)
        self.queue = self.opened.queue()
        self.constants = DeviceConstants(self.opened, self.queue)
        self.joined = are_joined(device, self.findings) and not guard
        self.compiled: list[Kernel] = []
        self.converted: Converted = {}

    def on_pass(self, stage: str) -> Callable[[str, Graph], None]:
        def told(name: str, graph: Graph) -> None:
            say(3, f"{stage} pass {name}: {len(graph.nodes)} nodes")
            if self.dump:
                self.dump.graph(stage, name, graph)

        return told


class _Bodies:
    """The stages of subgraphs, made at their first run; their plans are kept like those of the whole."""

    def __init__(self, shared: _Shared) -> None:
        self._shared, self._lock = shared, threading.Lock()
        # By identity; the graph is kept so that its id stays its own.
        self._stages: dict[int, tuple[Graph, _Stage]] = {}
        self._blocks: dict[int, tuple[Graph, Blocks]] = {}

    def stage(self, graph: Graph) -> _Stage:
        with self._lock:
            if id(graph) not in self._stages:
                passed = run_passes(graph, self._shared.on_pass(f"body {graph.name}"))
                self._stages[id(graph)] = (graph, _Stage(self._shared, passed))
            return self._stages[id(graph)][1]

    def trips_at_once(self, node: Node) -> Blocks:
        """Several trips of a Loop as one graph, where that can be; the same graphs for every run."""
        body = node.attrs.body
        with self._lock:
            if id(body) not in self._blocks:
                self._blocks[id(body)] = (body, blocks_of(body, node.attrs.carried))
            return self._blocks[id(body)][1]


@dataclasses.dataclass(frozen=True)
class _Ready:
    """A plan that is ready to run. apart: the images of a batch that it is for, if not for all at once."""

    bound: BoundPlan
    rest: _Stage | None
    apart: Apart | None

    def run(self, execute: Execute, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.apart is None:
            return execute(self.bound, arrays)
        return self.apart.run(lambda part: execute(self.bound, part), arrays)


class _Stage:
    """A graph and its plans by input specs; what a plan could not do yet is the next stage."""

    def __init__(self, shared: _Shared, graph: Graph) -> None:
        self._shared, self._graph = shared, graph
        self._plans: collections.OrderedDict[_Key, _Ready] = collections.OrderedDict()
        self._known: dict[str, str] = {}  # the first plan's variants, by node
        self._lock = threading.Lock()

    def ready(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> _Ready:
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

    def _make(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> _Ready:
        shared = self._shared
        shapes = " ".join(str(s) for s in specs.values())
        others = shared.joined and not values and self._will_see_others(specs)

        def make(graph: Graph, specs: Mapping[str, TensorSpec]) -> Plan:
            return make_plan(
                graph,
                specs,
                shared.device,
                values=values,
                forced=shared.forced,
                findings=shared.findings,
                guard=shared.guard,
                on_pass=shared.on_pass(shapes),
                converted=shared.converted,
                precision=shared.precision,
                known=self._known,
                rivals=others,
            )

        with Guard(f"the plan for {shapes}"):
            plan, apart = plan_images(make, self._graph, specs, values)
            if shared.joined:
                rivals = self._rivals(specs if apart is None else apart.specs) if others else {}
                plan = join_launches(plan, shared.compiled, rivals)
        if apart is not None:
            say(1, f"{apart.count} of {apart.batch} images at a time")
        say(1, f"plan for {shapes}: {plan.memory.total:,} bytes, {len(plan.calls)} launches")
        for call in plan.calls:
            say(2, call)
        for name, choice in plan.lowered.choices.items():
            say(3, f"{name}: {choice}")
        shared.compiled += {c.kernel for c in plan.launches} - {*shared.compiled}
        if shared.dump:
            shared.dump.plan(plan)
        bound = BoundPlan(
            plan,
            shared.opened,
            shared.queue,
            shared.constants,
            shared.progress,
            guarded=bool(shared.guard),
        )
        self._known = self._known or {n: c.variant.name for n, c in plan.lowered.choices.items()}
        return _Ready(bound, None if plan.cut is None else _Stage(shared, plan.cut.rest), apart)

    def _will_see_others(self, specs: Mapping[str, TensorSpec]) -> bool:
        """Whether other sizes than these, the first ones, may come."""
        declared = self._graph.specs
        if self._plans or any(name not in declared for name in specs):  # a body declares nothing
            return False
        return not all(declared[name].is_static for name in specs)

    def _rivals(self, specs: Mapping[str, TensorSpec]) -> CallsByNode:
        """Calls of sizes that stand for the others to come."""
        shared = self._shared

        def lower(sizes: Mapping[str, TensorSpec]) -> LoweredGraph:
            return make_plan(
                self._graph,
                sizes,
                shared.device,
                forced=shared.forced,
                findings=shared.findings,
                converted=shared.converted,
                precision=shared.precision,
                rivals=True,
            ).lowered

        return calls_at(other_sizes(self._graph.specs, specs), lower)

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
        bodies: _Bodies,
        known: Mapping[str, np.ndarray] | None = None,
        execute: Execute | None = None,
    ) -> dict[str, np.ndarray]:
        known = known or {}
        specs = {n: TensorSpec.of(a) for n, a in arrays.items() if n not in known}
        ready = self.ready(specs, known)
        if execute is None:
            execute = checked_run if config.CHECK.get() else BoundPlan.run
        values = ready.run(execute, arrays)
        cut, rest = ready.bound.plan.cut, ready.rest
        if cut is None or rest is None:
            return values
        constants = cut.rest.constants  # the plan keeps only those its own part reads
        available = {**{n: c.array for n, c in constants.items()}, **arrays, **values}
        for node in cut.host_nodes:
            available.update(self._on_host(node, available, bodies, execute))
        carried = {name: available[name] for name in rest._graph.inputs}
        result = rest.run(carried, bodies, {n: available[n] for n in cut.needed}, execute)
        return {
            name: result[name] if name in result else available[name]
            for name in self._graph.outputs
        }

    def _on_host(
        self,
        node: Node,
        available: Mapping[str, np.ndarray],
        bodies: _Bodies,
        execute: Execute,
    ) -> dict[str, np.ndarray]:
        """A host node's outputs; the subgraphs of control flow run on the device like any graph."""

        def run(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            arrays = {n: np.asarray(a, order="C") for n, a in feeds.items()}
            return bodies.stage(graph).run(arrays, bodies, execute=execute)

        given = [available[n] if n else None for n in node.inputs]
        if node.op == "Loop" and execute is BoundPlan.run:
            results = run_loop(node.attrs, given, run, bodies.trips_at_once(node))
        else:
            results = evaluate_node(node, given, run)
        named = zip(node.outputs, results, strict=False)
        return {n: np.asarray(r, order="C") for n, r in named if n}
