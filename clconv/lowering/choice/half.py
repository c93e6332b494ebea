"""Which nodes a device runs on halves: those that a variant takes so."""

from __future__ import annotations

from collections.abc import Mapping

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.ir import Constant, Node, TensorSpec
from clconv.graph.passes.half import TakesHalf
from clconv.lowering.model.kernel import VARIANTS, Problem


def half_test(device: DeviceInfo, options: PlanOptions) -> TakesHalf:
    """What place_half asks: whether a variant, the forced one if there is one, takes a node as it is."""

    def takes(
        node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]
    ) -> bool:
        problem = node_problem(node, specs, constants, device, options)
        if problem.is_empty:
            return True
        wanted = options.forced.get(node.op.lower())
        return any(
            variant.obstacle(problem) is None
            for variant in VARIANTS.get(node.op, ())
            if wanted in (None, variant.name)
        )

    return takes


def node_problem(
    node: Node,
    specs: Mapping[str, TensorSpec],
    constants: Mapping[str, Constant],
    device: DeviceInfo,
    options: PlanOptions,
) -> Problem:
    """The problem that a node of a graph that is still changing would be."""

    def spec(name: str) -> TensorSpec:
        constant = constants.get(name)
        return specs[name] if constant is None else constant.spec

    inputs = tuple(spec(n) if n else None for n in node.inputs)
    outputs = tuple(spec(n) for n in node.outputs if n)
    return Problem(node, inputs, outputs, constants, device, options=options)
