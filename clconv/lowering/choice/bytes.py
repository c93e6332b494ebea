"""Which nodes a device runs on bytes: those that a variant takes so and that are faster so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import OPS, make_node
from clconv.graph.ops.quantised.bytes_to_float import ZERO, W, X
from clconv.graph.passes.bytes.to_float import TakesBytes
from clconv.lowering.choice.half import node_problem
from clconv.lowering.choice.select import select
from clconv.lowering.model.kernel import VARIANTS, Problem

_PRODUCTS = ("Conv", "Gemm", "MatMul", "ByteConv", "ByteConvToFloat", "ByteMatMulToFloat")
_LEAST_PART = 0.25  # of a network's products, on bytes


def bytes_test(device: DeviceInfo, options: PlanOptions) -> TakesBytes:
    """What place_bytes asks: whether a variant takes a node that is faster than floats are. The last one, which takes
    anything, is not; nor are those that the device was found to compute wrongly."""

    def takes(
        node: Node, specs: Mapping[str, TensorSpec], constants: Mapping[str, Constant]
    ) -> bool:
        problem = node_problem(node, specs, constants, device, options)
        if device.dot == "words" and _by_winograd(problem):
            return False
        return any(v.obstacle(problem) is None for v in VARIANTS.get(node.op, ())[:-1])

    return takes


def pays_on_bytes(graph: Graph, device: DeviceInfo) -> bool:
    """Whether enough of a network is on bytes to be faster so. Where products of bytes gain little or not all operators have
    kernels on bytes, few of them do not make up for conversions between bytes and floats."""
    if device.is_cpu and device.dot != "words":
        return True
    flops = {True: 0, False: 0}
    for node in graph.nodes:
        if node.op in _PRODUCTS:
            flops[node.op.startswith("Byte")] += node_cost(node, graph).flops
    return flops[True] >= _LEAST_PART * sum(flops.values())


def _by_winograd(problem: Problem) -> bool:
    """Whether floats would take Winograd's products for a convolution of bytes whose weights and range are known. It makes
    fewer products than pairs of 16 bits save."""
    node = problem.node
    known = {"ByteConv": (0, 1), "ByteConvToFloat": (X, W)}.get(node.op)
    if known is None or (node.op == "ByteConvToFloat" and not problem.is_constant(ZERO)):
        return False
    window = {name: node.attrs[name] for name in ("strides", "dilations", "pads", "group")}
    specs, y = tuple(TensorSpec(problem.input(i).shape) for i in known), TensorSpec(problem.y.shape)
    conv = make_node("Conv", ["x", "w"], ["y"], node.name, **window)
    weights = Constant(np.broadcast_to(np.float32(1), specs[1].shape))
    floats = dataclasses.replace(
        problem, node=conv, inputs=specs, outputs=(y,), constants={"w": weights},
        cost=OPS["Conv"].cost(conv, specs, [y]),
    )  # fmt: skip
    return select(floats).variant.name.startswith("winograd")
