"""One node on its own, run and timed through one variant after the other: what a tuner's worker process does."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine, Measurements, Named, Shape
from clconv.device.options import PlanOptions
from clconv.errors import UnsupportedError
from clconv.graph.ir import Attributes, Constant, EpilogueStep, Graph, Node, TensorSpec
from clconv.graph.reference import run_reference
from clconv.lowering.choice.select import instruction_for, is_restricted
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import Problem
from clconv.planning.plan import Plan
from clconv.planning.planner import Planner
from clconv.runtime.bound import BoundPlan
from clconv.runtime.check import relative_error
from clconv.runtime.prepared import PreparedDevice

Candidate = tuple[str, Named]  # a variant and those of its parameters that are not as by default

# Constants of fewer bytes (axes, shapes, scales) are the network's own; weights are random: only their size matters.
_SMALL = 1 << 16
_NAME = "on trial"  # no value has this name: it distinguishes its launches from conversions
_SAMPLE_SECONDS, _MOST_REPEATS = 2e-3, 64
_HOPELESS = 1.25  # times the best: not timed to the end
_EARLY_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class TuningTrial:
    """A node with all that it reads, as data that can be sent to another process. number: identifies the trial.
    options: those of the plans of all candidates."""

    number: int
    node: Mapping[str, Any]
    epilogue: tuple[tuple[str, Mapping[str, Any], tuple[int, ...]], ...]
    specs: Mapping[str, TensorSpec]
    given: Mapping[str, np.ndarray]
    weights: Mapping[str, TensorSpec]
    options: PlanOptions

    @classmethod
    def of(
        cls, number: int, graph: Graph, node: Node, options: PlanOptions = PlanOptions()
    ) -> TuningTrial:
        names = {n for n in node.inputs if n}
        constants = {n: graph.constants[n] for n in names if n in graph.constants}
        large = {
            n for n, c in constants.items() if c.spec.nbytes > _SMALL and c.spec.dtype.is_float
        }
        return cls(
            number,
            {"op": node.op, "name": _NAME, "inputs": node.inputs, "outputs": node.outputs,
             "attrs": dict(node.attrs), "op_arity": node.op_arity},
            tuple((s.op, dict(s.attrs), s.operands) for s in node.epilogue),
            {n: graph.specs[n] for n in (*sorted(names), *node.outputs) if n and n not in constants},
            {n: np.array(c.array) for n, c in constants.items() if n not in large},
            {n: constants[n].spec for n in large},
            options,
        )  # fmt: skip

    def build(self) -> tuple[Graph, dict[str, np.ndarray]]:
        """The graph of the node alone, and what to feed it."""
        rng = np.random.default_rng(0)
        steps = tuple(EpilogueStep(op, Attributes(a), o) for op, a, o in self.epilogue)
        node = Node(**{**self.node, "attrs": Attributes(self.node["attrs"])}, epilogue=steps)
        constants = {name: Constant(array) for name, array in self.given.items()}
        constants |= {n: Constant(_random(spec, rng)) for n, spec in sorted(self.weights.items())}
        graph = _graph(node, self.specs, constants)
        return graph, {n: _random(self.specs[n], rng) for n in graph.inputs}


def _graph(node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]) -> Graph:
    inputs = tuple(dict.fromkeys(n for n in node.inputs if n and n not in constants))
    outputs = tuple(n for n in node.outputs if n)
    return Graph("trial", (node,), inputs, outputs, specs, constants)


def alone(graph: Graph, node: Node) -> Graph:
    """A node of a graph as a graph of its own, with the constants that it reads."""
    names = [n for n in (*node.inputs, *node.outputs) if n]
    constants = {n: graph.constants[n] for n in names if n in graph.constants}
    return _graph(node, {n: graph.specs[n] for n in names if n not in constants}, constants)


def _random(spec: TensorSpec, rng: np.random.Generator) -> np.ndarray:
    if spec.dtype.is_float:
        return rng.uniform(-1, 1, spec.shape).astype(spec.dtype.numpy)
    return rng.integers(0, 2, spec.shape).astype(spec.dtype.numpy)


def shape_of(problem: Problem) -> Shape:
    """What a node is tuned as."""
    instruction, strict = instruction_for(problem), is_restricted(problem)
    return Shape.of(problem.node, problem.inputs, problem.outputs, instruction, strict)


def plan_candidate(
    graph: Graph, device: DeviceInfo, options: PlanOptions, candidate: Candidate
) -> Plan:
    """A plan of a graph of one node through the candidate, chosen as select() would choose it had it been found best.

    Raises UnsupportedError if it does not apply.
    """
    (node,) = graph.nodes
    variant, parameters = candidate
    machine = Machine.of(device)
    shape = shape_of(problem_of(graph, node, device, options))
    entry = Entry(machine, shape, variant, parameters)
    plan = Planner(
        device, options, Findings(measurements=Measurements(machine, (entry,)))
    ).plan_as_is(graph)
    choice = plan.lowered.choices[node.name]
    if (choice.variant.name, choice.parameters) != candidate:
        raise UnsupportedError(
            f"node '{node.name}': {variant} with {dict(parameters)} cannot apply"
        )
    return plan


class _Bench:
    """A trial's graph on a device, and the candidates that are bound."""

    def __init__(self, trial: TuningTrial, device: DeviceInfo) -> None:
        self.number, self._options = trial.number, trial.options
        self._info, self._prepared = device, PreparedDevice(device)
        self.graph, self.feeds = trial.build()
        self.expected = run_reference(self.graph, self.feeds)
        self._bound: dict[Candidate, BoundPlan] = {}

    def bound(self, candidate: Candidate) -> BoundPlan:
        if candidate not in self._bound:
            plan = plan_candidate(self.graph, self._info, self._options, candidate)
            self._bound[candidate] = self._prepared.bind(plan)
        return self._bound[candidate]

    def keep_only(self, candidates: Sequence[Candidate]) -> None:
        """Frees the memory of all others."""
        self._bound = {c: b for c, b in self._bound.items() if c in candidates}

    def sample(self, candidate: Candidate, repeats: int) -> float:
        """Seconds of the node's own launches, conversions of layouts around it left out."""
        bound = self.bound(candidate)
        launches = [
            launch
            for launch, call in zip(bound.launches, bound.plan.calls, strict=True)
            if call.node == _NAME
        ]
        return self._prepared.queue.seconds(launches, repeats) / repeats


_bench: _Bench | None = None


def _bench_of(trial: TuningTrial, device: DeviceInfo) -> _Bench:
    global _bench
    if _bench is None or _bench.number != trial.number:
        _bench = None  # frees the memory of the last one first
        _bench = _Bench(trial, device)
    return _bench


def prepare(trial: TuningTrial, device: DeviceInfo) -> None:
    """Computes the reference, which is slow; the candidates that follow do not."""
    _bench_of(trial, device)


def verify(trial: TuningTrial, device: DeviceInfo, candidate: Candidate) -> float:
    """Compiles and runs a candidate: its largest error over the largest value of the reference."""
    bench = _bench_of(trial, device)
    bench.keep_only([])
    bound = bench.bound(candidate)
    found = bound.run({name: bench.feeds[name] for name in bound.plan.graph.inputs})
    return float(max(relative_error(found[n], array) for n, array in bench.expected.items()))


def time_together(
    trial: TuningTrial,
    device: DeviceInfo,
    candidates: Sequence[Candidate],
    rounds: int,
    afresh: bool = False,
) -> list[list[float]]:
    """Seconds of each candidate in each round, warm. They take turns, as many launches each, so that all meet the same
    disturbances. Those that are far behind after the first rounds are not timed further. afresh: in buffers that are
    allocated now, in the order of the candidates."""
    bench = _bench_of(trial, device)
    bench.keep_only([] if afresh else candidates)
    for candidate in candidates:
        bench.bound(candidate).run(bench.feeds)
    once = min(bench.sample(candidate, 1) for candidate in (*candidates, *candidates))
    repeats = int(max(1, min(_MOST_REPEATS, _SAMPLE_SECONDS / max(once, 1e-7))))
    times: dict[Candidate, list[float]] = {c: [] for c in candidates}
    left = list(times)
    for number in range(rounds):
        for candidate in left if number % 2 else reversed(left):
            times[candidate].append(bench.sample(candidate, repeats))
        if number + 1 >= _EARLY_ROUNDS:
            best = min(statistics.median(times[c]) for c in left)
            left = [c for c in left if statistics.median(times[c]) <= _HOPELESS * best]
    return [times[c] for c in candidates]
