"""What there is to tune in a network: its nodes, one of each shape, and the variants that may serve each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from clconv.cases import CASES
from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo
from clconv.device.measurements import Shape
from clconv.device.options import PlanOptions
from clconv.errors import ShapeError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import DType, Graph, Node
from clconv.lowering.choice.half import half_test
from clconv.lowering.choice.select import select
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import Problem, Variant
from clconv.lowering.variants import VARIANTS
from clconv.tuning.described import layer_text
from clconv.tuning.trial import Candidate, shape_of

_TIMEABLE = (
    1e6  # operations of a case; fewer take too little time to be distinguished from a launch
)
_ESTIMATED_HOPELESS = 4.0  # times the least estimate of a node's variants


@dataclasses.dataclass(frozen=True)
class Task:
    """A node to tune: what it is, where in the graph, how often such a node occurs, and the usual choice."""

    shape: Shape
    graph: Graph
    node: Node
    count: int
    usual: Candidate
    variants: tuple[Variant, ...]

    @property
    def described(self) -> str:
        """The layer for people."""
        return layer_text(self.node, self.graph)

    @property
    def dtype(self) -> DType:
        return DType(self.shape.dtype)


def tasks_of(
    graph: Graph,
    device: DeviceInfo,
    options: PlanOptions,
    findings: Findings,
    operators: Sequence[str] = (),
) -> list[Task]:
    """What is worth a search in a graph as it is planned (Plan.graph): nodes with several variants that work in the same
    layouts, or with parameters; one for all of the same shape.

    operators: only these; without, all that have parameters or that estimates choose among. The usual choice is what
    quarantine leaves and tuning has not touched.
    """
    without_measurements = Findings(findings.quarantined)
    found: dict[Shape, Task] = {}
    for node in graph.nodes:
        if operators and node.op not in operators:
            continue
        problem = problem_of(graph, node, device, options, without_measurements)
        if not all(spec.size for spec in problem.outputs) or not problem.outputs:
            continue
        usual = select(problem).variant
        variants = _candidate_variants(problem, usual, bool(operators))
        if len(variants) < 2 and not usual.space:
            continue
        shape = shape_of(problem)
        count = found[shape].count + 1 if shape in found else 1
        first = found.get(shape, Task(shape, graph, node, 1, (usual.name, ()), tuple(variants)))
        found[shape] = dataclasses.replace(first, count=count)
    return list(found.values())


def case_tasks(
    device: DeviceInfo, options: PlanOptions, findings: Findings, operators: Sequence[str]
) -> list[Task]:
    """The cases of operators that are large enough to be timed, as tasks: on halves, those that kernels take so, if
    precision float16 is asked for."""
    found: dict[Shape, Task] = {}
    takes_half = half_test(device, options)
    for case in CASES:
        if case.op not in operators:
            continue
        halves = options.precision == "float16"
        try:
            graph, _ = (case.halved() if halves else case).build()
        except ShapeError:  # an operator that ONNX has for float32 alone
            continue
        (node,) = graph.nodes
        if node_cost(node, graph).flops < _TIMEABLE:
            continue
        if not halves or takes_half(node, graph.specs, graph.constants):
            found.update(
                (t.shape, t) for t in tasks_of(graph, device, options, findings, operators)
            )
    return list(found.values())


def _candidate_variants(problem: Problem, usual: Variant, asked_for: bool) -> list[Variant]:
    """The usual variant first, then those that may replace it: right here as far as is known, in the same layouts (what
    others cost depends on the neighbours), and not hopeless by their own estimate."""
    known = VARIANTS[problem.node.op]
    fitting = [
        v
        for v in known
        if v.obstacle(problem) is None
        and (v.op, v.name) not in problem.findings.quarantined
        and v.signatures(problem)[0] == usual.signatures(problem)[0]
    ]
    if usual.estimate is not None:
        limit = _ESTIMATED_HOPELESS * usual.estimate(problem)
        fitting = [v for v in fitting if v.estimate is not None and v.estimate(problem) <= limit]
    elif not asked_for and not any(v.space for v in fitting):
        return [usual]
    return [usual, *(v for v in fitting if v is not usual)]
