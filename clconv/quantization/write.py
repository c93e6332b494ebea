"""A network with its values and weights rounded: QuantizeLinear and DequantizeLinear behind each, as QDQ files have them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from clconv.graph.ir import Constant, Graph, Node
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops import make_node
from clconv.quantization.points import Points
from clconv.quantization.ranges import Range

_MOST_BIAS = 1 << 30  # steps of the sums


def with_rounding(graph: Graph, points: Points, ranges: Mapping[str, Range]) -> Graph:
    """The graph with the values on grids of uint8, weights of products as int8 with a scale for each filter, and biases as
    int32 in the steps of their sums."""
    return _Writer(graph, points, ranges).graph()


class _Writer:
    def __init__(self, graph: Graph, points: Points, ranges: Mapping[str, Range]) -> None:
        self._graph, self._points, self._ranges = graph, points, ranges
        self._nodes: list[Node] = []
        self._constants = dict(graph.constants)
        self._fresh = fresh_names(lambda: all_names(graph))
        self._stands_for: dict[str, str] = {}
        self._weights: dict[tuple[str, int | None], tuple[str, np.ndarray]] = {}
        self._grids: dict[str, tuple[str, str]] = {}

    def graph(self) -> Graph:
        for name in self._graph.fed:
            self._round(name)
        for node in self._graph.nodes:
            original = node.inputs[0] if node.inputs else ""
            inputs = tuple(self._stands_for.get(n, n) for n in node.inputs)
            node = dataclasses.replace(node, inputs=inputs)
            if node.name in self._points.products:
                node = self._product(node, original)
            self._nodes.append(node)
            for name in node.outputs:
                self._round(name)
        specs = {n: s for n, s in self._graph.specs.items() if n in self._graph.inputs}
        return self._graph.replace(nodes=tuple(self._nodes), constants=self._constants, specs=specs)

    def _constant(self, hint: str, value: np.ndarray) -> str:
        name = self._fresh(hint)
        self._constants[name] = Constant(value)
        return name

    def _grid(self, name: str) -> tuple[str, str]:
        """The names of scale and zero point of a value's grid, which those that follow it share."""
        if name not in self._grids:
            found = self._ranges[name]
            self._grids[name] = (
                self._constant(f"{name}_scale", np.array(found.scale)),
                self._constant(f"{name}_zero_point", np.array(found.zero)),
            )
        return self._grids[name]

    def _round(self, name: str) -> None:
        owner = self._points.follows.get(name, name)
        if owner not in self._ranges or (name == owner and name not in self._points.rounded):
            return
        grid = self._grid(owner)
        whole, real = self._fresh(f"{name}_quantized"), self._fresh(f"{name}_dequantized")
        self._nodes += [
            make_node("QuantizeLinear", [name, *grid], [whole], self._fresh(f"{name}/quantize")),
            make_node(
                "DequantizeLinear", [whole, *grid], [real], self._fresh(f"{name}/dequantize")
            ),
        ]
        self._stands_for[name] = real

    def _product(self, node: Node, x: str) -> Node:
        owner = self._points.follows.get(x, x)
        if owner not in self._ranges:
            return node
        axis = _filter_axis(node)
        weights, scale = self._rounded_weights(node.inputs[1], axis)
        inputs = [node.inputs[0], weights, *node.inputs[2:]]
        if len(inputs) > 2 and inputs[2] in self._constants:
            bias = self._rounded_bias(inputs[2], self._ranges[owner].scale * scale)
            inputs[2] = bias or inputs[2]
        return dataclasses.replace(node, inputs=tuple(inputs))

    def _rounded_weights(self, name: str, axis: int | None) -> tuple[str, np.ndarray]:
        """The name of the dequantised weights, and what one step of each filter is."""
        if (name, axis) not in self._weights:
            array = self._graph.constants[name].array
            others = None if axis is None else tuple(i for i in range(array.ndim) if i != axis)
            scale = np.abs(array).max(axis=others).astype(np.float32) / np.float32(127)
            scale = np.where(scale > np.finfo(np.float32).tiny, scale, np.float32(1))
            along = [-1 if i == axis else 1 for i in range(array.ndim)]
            steps = np.rint(array / scale.reshape(along if axis is not None else ()))
            whole = np.clip(steps, -127, 127).astype(np.int8)
            names = [
                self._constant(f"{name}_quantized", whole),
                self._constant(f"{name}_scale", scale),
                self._constant(f"{name}_zero_point", np.zeros(scale.shape, np.int8)),
            ]
            real, label = self._fresh(f"{name}_dequantized"), self._fresh(f"{name}/dequantize")
            made = make_node("DequantizeLinear", names, [real], label, axis=axis or 0)
            self._nodes.append(made)
            self._weights[name, axis] = real, scale
        return self._weights[name, axis]

    def _rounded_bias(self, name: str, step: np.ndarray) -> str:
        """The name of the dequantised bias; "" if it does not fit, and stays float."""
        array = self._graph.constants[name].array.reshape(-1).astype(np.float64)
        step = np.broadcast_to(step, array.shape).astype(np.float32)
        steps = np.rint(array / step)
        if (
            array.shape != self._graph.constants[name].spec.shape
            or np.abs(steps).max(initial=0) > _MOST_BIAS
        ):
            return ""
        names = [
            self._constant(f"{name}_quantized", steps.astype(np.int32)),
            self._constant(f"{name}_scale", step.copy()),
        ]
        real, label = self._fresh(f"{name}_dequantized"), self._fresh(f"{name}/dequantize")
        self._nodes.append(make_node("DequantizeLinear", names, [real], label, axis=0))
        return real


def _filter_axis(node: Node) -> int | None:
    """The axis of the weights along which filters, or columns, lie; None where one scale serves all."""
    match node.op:
        case "Conv":
            return 0
        case "ConvTranspose":
            return 1 if node.attrs.group == 1 else None
        case "Gemm" if node.attrs.transB:
            return 0
    return 1
