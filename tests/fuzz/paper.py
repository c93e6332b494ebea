"""A model run without a device: planned for made-up ones, its kernels rendered, its answer by the references.

Nothing is compiled, so that ten times as many mutants are tried in a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv.api import read_model
from clconv.errors import UnsupportedError
from clconv.graph.evaluate import evaluate_node, node_cost
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.lowering.model.arguments import Packed
from clconv.lowering.model.template import program_source
from clconv.planning.plan import Plan
from clconv.session.inputs import conform
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan

_DEVICES = (AVX2, NVIDIA)
_STAGES = 50  # plans that values known at run time may make necessary
_MOST = 1e8  # operations that are worth computing by the references


class Paper:
    """Like a Session, as far as attempt() uses it."""

    def __init__(self, source: Any) -> None:
        self.graph = run_passes(read_model(source))
        self.inputs = self.graph.input_specs()

    def run(self, feeds: Mapping[str, Any]) -> dict[str, np.ndarray]:
        arrays = conform(self.inputs, feeds)
        for device in _DEVICES:
            specs = {n: TensorSpec.of(a) for n, a in arrays.items()}
            _written(make_plan(self.graph, specs, device))
        return _computed(self.graph, arrays)


def _written(plan: Plan) -> None:
    """Sources and packed weights, as a device would get them."""
    str(plan)
    for call in plan.calls:
        program_source((call.kernel,))
        for _, argument in call.arguments:
            if isinstance(argument, Packed):
                argument.packing.function(plan.graph.constants[argument.constant].array)


def _computed(graph: Graph, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs, from plan to plan as a Session goes, host nodes and kernels alike by the references."""
    wanted, values, known = graph.outputs, dict(arrays), dict[str, np.ndarray]()
    for _ in range(_STAGES):
        specs = {n: TensorSpec.of(values[n]) for n in graph.inputs if n not in known}
        plan = make_plan(graph, specs, AVX2, values=known)
        if sum(node_cost(node, plan.graph).flops for node in plan.graph.nodes) > _MOST:
            raise UnsupportedError("takes long by the references")
        values.update(run_reference(plan.graph, values))
        values.update((n, c.array) for n, c in plan.graph.constants.items())
        if plan.cut is None:
            return {name: values[name] for name in wanted}
        values.update((n, c.array) for n, c in plan.cut.rest.constants.items())
        for node in plan.cut.host_nodes:
            results = evaluate_node(node, [values[n] if n else None for n in node.inputs])
            values.update((n, r) for n, r in zip(node.outputs, results, strict=False) if n)
        graph = plan.cut.rest
        known = {n: values[n] for n in plan.cut.needed}
    raise UnsupportedError("plans without end")
