"""What the layers of a network ask of a processor at least: operations, and bytes from beyond the cores' own caches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from clconv.device.info import DeviceInfo
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph, Node
from clconv.lowering.ops.conv.transforms import F2_3, F2_5, F4_3, Transform
from clconv.planning.planner import Planner

TRANSFORMS = (F4_3, F2_3, F2_5)


@dataclasses.dataclass(frozen=True)
class Work:
    """A way to compute a layer. flops: of its products, a multiply-add being two. bytes: weights, and inputs and outputs that
    are larger than the cores' own caches."""

    flops: float
    bytes: float

    def seconds(self, flops: float, bandwidth: float) -> float:
        """On a processor of so many operations and bytes a second: the longer of both."""
        return max(self.flops / flops, self.bytes / bandwidth)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A node and the ways to compute it: directly, and by Winograd's where they fit. weights: bytes as the file has them."""

    name: str
    weights: int
    ways: tuple[Work, ...]

    def least(self, flops: float, bandwidth: float) -> Work:
        """The way that takes least."""
        return min(self.ways, key=lambda way: way.seconds(flops, bandwidth))


def layers_of(graph: Graph, device: DeviceInfo, own_caches: int) -> list[Layer]:
    """The layers after all passes. own_caches: bytes of the caches that the cores do not share, all together."""
    specs = {name: graph.specs[name] for name in graph.inputs}
    planned = Planner(device).plan(graph, specs).graph
    return [_layer(node, planned, own_caches) for node in planned.nodes]


def _layer(node: Node, graph: Graph, own_caches: int) -> Layer:
    named = [name for name in (*node.inputs, *node.outputs) if name]
    weights = sum(graph.spec(n).nbytes for n in named if n in graph.constants)
    values = [graph.spec(n).nbytes for n in named if n not in graph.constants]
    beyond = sum(nbytes for nbytes in values if nbytes > own_caches)
    direct = Work(node_cost(node, graph).flops, weights + beyond)
    reduced = tuple(_reduced(node, graph, weights, beyond)) if node.op == "Conv" else ()
    return Layer(node.name, weights, (direct, *reduced))


def _reduced(node: Node, graph: Graph, weights: int, beyond: int) -> Iterator[Work]:
    """By Winograd's transforms: n * n products for m * m results and r * r weights. The transforms themselves are not counted."""
    y, w, attrs = graph.spec(node.outputs[0]), graph.spec(node.inputs[1]), node.attrs
    for transform in TRANSFORMS:
        if _fits(transform, w.shape, attrs):
            tiles = y.shape[0] * math.prod(-(-size // transform.m) for size in y.shape[2:])
            products = transform.n**2 * tiles * w.shape[0] * w.shape[1]
            growth = transform.n**2 / transform.window**2
            yield Work(2 * products, weights * growth + beyond)


def _fits(transform: Transform, window: tuple[int, ...], attrs: object) -> bool:
    size = (transform.window,) * 2
    given = (attrs.strides, attrs.dilations, attrs.group)  # type: ignore[attr-defined]
    return window[2:] == size and given == ((1, 1), (1, 1), 1)
