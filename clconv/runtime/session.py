"""Session: a network on a device. Plans are made for each set of input shapes and kept."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from clconv import config
from clconv.errors import Guard, InputError
from clconv.graph.evaluate import evaluate_node
from clconv.graph.images import Apart
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops.control import run_loop
from clconv.graph.passes import run_passes
from clconv.graph.passes.half import Converted
from clconv.graph.trips import blocks_of
from clconv.lowering.device import DeviceInfo
from clconv.lowering.kernel import Kernel
from clconv.lowering.lower import LoweredGraph
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.check import OnNode, checked_run
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.debug import say
from clconv.runtime.dump import Dump
from clconv.runtime.findings import findings_for
from clconv.runtime.images import plan_images
from clconv.runtime.inputs import conform, conform_shapes, fed_defaults, with_inputs
from clconv.runtime.launches import are_joined, join_launches
from clconv.runtime.opencl import open_device
from clconv.runtime.plan import Plan, make_plan
from clconv.runtime.rehearse import KernelsByNode, kernels_at, other_sizes

_PLANS_KEPT = 16

_Key = tuple[object, ...]
Blocks = tuple[tuple[int, Graph], ...]
Execute = Callable[[BoundPlan, Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class Session:
    """Runs a graph on one device. Safe to call from several threads.

    graph: as imported; the passes run here. guard: bytes of canary around every value, checked after each
    run (for tests). precision: "float32", or "float16" to store weights and what lies between layers as
    halves; None takes CLCONV_PRECISION.
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
        self.precision = config.chosen_precision(precision)
        self._dump = Dump.from_config()
        self._imported = graph if graph.metadata.get("defaults") else None
        self._with_fed: dict[frozenset[str], Session] = {}
        self.graph = run_passes(graph, self._on_pass("import"))
        self._forced = config.VARIANT.get()
        self._findings = findings_for(device)
        self._progress, self._guard = progress, guard
        self._opened = open_device(device)
        self._queue = self._opened.queue()
        self._constants = DeviceConstants(self._opened, self._queue)
        self._joined = are_joined(device, self._findings) and not guard
        self._compiled: list[Kernel] = []
        self._converted: Converted = {}
        self._stage = _Stage(self, self.graph)
        # By identity; the graph is kept so that its id stays its own.
        self._bodies: dict[int, tuple[Graph, _Stage]] = {}
        self._blocks: dict[int, tuple[Graph, Blocks]] = {}
        self._bodies_lock = threading.Lock()
        say(1, f"device {device}, driver {device.driver}")
        if all(spec.is_static for spec in self.inputs.values()):
            self.prepare({n: spec.shape for n, spec in self.inputs.items()})

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        """Specs of the inputs as the model declares them; unknown sizes are names or None."""
        return self.graph.input_specs()

    @property
    def outputs(self) -> dict[str, TensorSpec | None]:
        """Specs of the outputs as the model declares them, None where it does not."""
        declared = self.graph.metadata.get("output_specs", {})
        return {name: declared.get(name) for name in self.graph.outputs}

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
        values = self._stage.run(arrays)
        return {name: values[name] for name in wanted}

    def _fed(self, graph: Graph, names: frozenset[str]) -> Session:
        """A session for runs that give values for initialisers, which are inputs there."""
        with self._bodies_lock:
            if names not in self._with_fed:
                self._with_fed[names] = Session(
                    with_inputs(graph, names), self.device, guard=self._guard,
                    precision=self.precision,
                )  # fmt: skip
            return self._with_fed[names]

    def check(self, feeds: Mapping[str, np.ndarray], told: OnNode) -> dict[str, np.ndarray]:
        """Like run(), but node by node: told(node, output, relative error, variant) hears how far each
        result is from the NumPy reference."""

        def execute(bound: BoundPlan, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return checked_run(bound, arrays, told)

        return self._stage.run(conform(self.inputs, feeds), execute=execute)

    def _body(self, graph: Graph) -> _Stage:
        """The stage of a subgraph, made at its first run; its plans are kept like those of the whole."""
        with self._bodies_lock:
            if id(graph) not in self._bodies:
                passed = run_passes(graph, self._on_pass(f"body {graph.name}"))
                self._bodies[id(graph)] = (graph, _Stage(self, passed))
            return self._bodies[id(graph)][1]

    def _trips_at_once(self, node: Node) -> Blocks:
        """Several trips of a Loop as one graph, where that can be; the same graphs for every run."""
        body = node.attrs.body
        with self._bodies_lock:
            if id(body) not in self._blocks:
                self._blocks[id(body)] = (body, blocks_of(body, node.attrs.carried))
            return self._blocks[id(body)][1]

    def _on_pass(self, stage: str) -> Callable[[str, Graph], None]:
        def told(name: str, graph: Graph) -> None:
            say(3, f"{stage} pass {name}: {len(graph.nodes)} nodes")
            if self._dump:
                self._dump.graph(stage, name, graph)

        return told


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

    def __init__(self, session: Session, graph: Graph) -> None:
        self._session, self._graph = session, graph
        self._plans: collections.OrderedDict[_Key, _Ready] = collections.OrderedDict()
        self._known: dict[str, str] = {}  # the first plan's variants, by node
        self._lock = threading.Lock()

    def ready(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> _Ready:
        key: _Key = (
            *sorted((n, s.shape, s.dtype.value) for n, s in specs.items()),
            *sorted((n, a.shape, a.tobytes()) for n, a in values.items()),
        )
        with self._lock:
            if key not in self._plans:
                self._plans[key] = self._make(specs, values)
                if len(self._plans) > _PLANS_KEPT:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]

    def _make(self, specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> _Ready:
        session = self._session
        shapes = " ".join(str(s) for s in specs.values())
        others = session._joined and not values and self._will_see_others(specs)

        def make(graph: Graph, specs: Mapping[str, TensorSpec]) -> Plan:
            return make_plan(
                graph,
                specs,
                session.device,
                values=values,
                forced=session._forced,
                findings=session._findings,
                guard=session._guard,
                on_pass=session._on_pass(shapes),
                converted=session._converted,
                precision=session.precision,
                known=self._known,
                rivals=others,
            )

        with Guard(f"the plan for {shapes}"):
            plan, apart = plan_images(make, self._graph, specs, values)
            if session._joined:
                rivals = self._rivals(specs if apart is None else apart.specs) if others else {}
                plan = join_launches(plan, session._compiled, rivals)
        if apart is not None:
            say(1, f"{apart.count} of {apart.batch} images at a time")
        say(1, f"plan for {shapes}: {plan.memory.total:,} bytes, {len(plan.calls)} launches")
        for call in plan.calls:
            say(2, call)
        for name, choice in plan.lowered.choices.items():
            say(3, f"{name}: {choice}")
        session._compiled += {c.kernel for c in plan.launches} - {*session._compiled}
        if session._dump:
            session._dump.plan(plan)
        bound = BoundPlan(
            plan,
            session._opened,
            session._queue,
            session._constants,
            session._progress,
            guarded=bool(session._guard),
        )
        self._known = self._known or {n: c.variant.name for n, c in plan.lowered.choices.items()}
        return _Ready(bound, None if plan.cut is None else _Stage(session, plan.cut.rest), apart)

    def _will_see_others(self, specs: Mapping[str, TensorSpec]) -> bool:
        """Whether other sizes than these, the first ones, may come."""
        declared = self._graph.specs
        if self._plans or any(name not in declared for name in specs):  # a body declares nothing
            return False
        return not all(declared[name].is_static for name in specs)

    def _rivals(self, specs: Mapping[str, TensorSpec]) -> KernelsByNode:
        """Kernels of sizes that stand for the others to come."""
        session = self._session

        def lower(sizes: Mapping[str, TensorSpec]) -> LoweredGraph:
            return make_plan(
                self._graph,
                sizes,
                session.device,
                forced=session._forced,
                findings=session._findings,
                converted=session._converted,
                precision=session.precision,
                rivals=True,
            ).lowered

        return kernels_at(other_sizes(self._graph.specs, specs), lower)

    def run(
        self,
        arrays: Mapping[str, np.ndarray],
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
            available.update(self._on_host(node, available, execute))
        carried = {name: available[name] for name in rest._graph.inputs}
        result = rest.run(carried, {n: available[n] for n in cut.needed}, execute)
        return {
            name: result[name] if name in result else available[name]
            for name in self._graph.outputs
        }

    def _on_host(
        self, node: Node, available: Mapping[str, np.ndarray], execute: Execute
    ) -> dict[str, np.ndarray]:
        """A host node's outputs; the subgraphs of control flow run on the device like any graph."""

        def run(graph: Graph, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            arrays = {n: np.asarray(a, order="C") for n, a in feeds.items()}
            return self._session._body(graph).run(arrays, execute=execute)

        given = [available[n] if n else None for n in node.inputs]
        if node.op == "Loop" and execute is BoundPlan.run:
            results = run_loop(node.attrs, given, run, self._session._trips_at_once(node))
        else:
            results = evaluate_node(node, given, run)
        named = zip(node.outputs, results, strict=False)
        return {n: np.asarray(r, order="C") for n, r in named if n}
