"""Which values of a quantised network are bytes, and which nodes read and write them.

After all passes a quantised network is one of floats whose values were put on grids: FakeQuantize at the end of an
epilogue. Such a value is the same as a byte that counts the grid's steps. Here convolutions and full connections between
such values become ByteConv, where their weights were bytes and a kernel takes them; what lies between becomes an operator
on bytes if its input is bytes already (to_float.py: what is quantised by its own range at a run). Everything else stays as it is, between QuantizeLinear and DequantizeLinear.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.epilogue import without_epilogue
from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Constant, Graph, Node
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops import hooks_of, make_node
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.passes.bytes.between import combined_on_bytes, curve_of, mean_on_bytes
from clconv.graph.passes.bytes.grid import Grid, grid_of
from clconv.graph.passes.bytes.products import WrittenConv, product_on_bytes
from clconv.graph.passes.bytes.to_float import TakesBytes, place_to_float
from clconv.graph.passes.fuse_epilogue import fuse_epilogue
from clconv.graph.passes.remove_dead import remove_dead


def place_bytes(graph: Graph, takes: TakesBytes) -> Graph:
    """A graph with known specs, after all passes, with what is quantised in it as bytes; the graph itself if no product is.

    takes: whether a kernel for bytes takes a node whose tensors have these specs.
    """
    of_ranges = place_to_float(graph, takes)
    placed = _place_grids(of_ranges, takes)
    if placed is graph:
        return graph
    return remove_dead(fuse_epilogue(remove_dead(placed)))


def _place_grids(graph: Graph, takes: TakesBytes) -> Graph:
    """What lies on grids that are known before a run."""
    ops = {n.op for n in graph.nodes} | {s.op for n in graph.nodes for s in n.epilogue}
    if "FakeQuantize" not in ops:
        return graph
    placer = Placer(graph, takes)
    for node in graph.nodes:
        placer.place(node)
    if not placer.products:
        return graph
    return graph.replace(nodes=tuple(placer.nodes), specs=placer.specs, constants=placer.constants)


class Placer:
    """The graph that is being written. grids: of values that lie on one. curves: values that are a function of one value on
    a grid, by what they are for each of its bytes. lines: of bytes, the name by that of the floats they stand for."""

    def __init__(self, graph: Graph, takes: TakesBytes) -> None:
        self.graph, self.takes = graph, takes
        self.nodes: list[Node] = []
        self.specs, self.constants = dict(graph.specs), dict(graph.constants)
        self.fresh = fresh_names(lambda: all_names(graph))
        self.grids: dict[str, Grid] = {}
        self.lines: dict[str, str] = {}
        self.curves: dict[str, tuple[str, np.ndarray]] = {}
        self.unrounded: dict[str, str] = {}  # value on a grid -> the floats it was rounded from
        self.makers: dict[str, Node] = {}
        self.made: dict[str, WrittenConv] = {}
        self.products = 0
        self.readers: dict[str, int] = {}
        for node in graph.nodes:
            for name in set(node.inputs):
                self.readers[name] = self.readers.get(name, 0) + 1

    # --- writing

    def emit(self, node: Node) -> None:
        self.nodes.append(node)
        if not all(n in self.specs for n in node.outputs if n):
            found = infer_node(node, self.specs, self.constants)
            self.specs.update((n, s) for n, s in zip(node.outputs, found, strict=False) if n)
        for name in node.outputs:
            self.makers[name] = node

    def node(self, op: str, inputs: Sequence[str], hint: str, **attrs: Any) -> str:
        """Writes a node; the name of its result."""
        result = self.fresh(hint)
        self.emit(make_node(op, inputs, [result], result, **attrs))
        return result

    def constant(self, value: Any, hint: str) -> str:
        name = self.fresh(hint)
        self.constants[name] = value if isinstance(value, Constant) else Constant(value)
        return name

    def has_bytes(self, name: str) -> bool:
        return name in self.lines

    def on_bytes(self, name: str) -> str:
        """The bytes of a value on a grid, written if they are not there yet."""
        if name not in self.lines:
            grid = self.grids[name]
            source = self.unrounded.get(name, name) if grid.most == 255 else name
            scale, zero = self._scale_and_zero(name, grid)
            self.lines[name] = self.node("QuantizeLinear", [source, scale, zero], f"{name}/bytes")
        return self.lines[name]

    def _scale_and_zero(self, name: str, grid: Grid) -> tuple[str, str]:
        scale = self.constant(np.array(grid.scale, np.float32), f"{name}/scale")
        return scale, self.constant(np.array(grid.zero, np.uint8), f"{name}/zero")

    def gives(self, name: str, line: str, grid: Grid) -> None:
        """Says which bytes a value is. It is written from them, for whoever reads floats."""
        self.lines[name], self.grids[name] = line, grid
        scale, zero = self._scale_and_zero(name, grid)
        self.emit(make_node("DequantizeLinear", [line, scale, zero], [name], f"{name}/real"))

    # --- nodes

    def place(self, node: Node) -> None:
        """Writes a node of the graph, or what computes the same on bytes."""
        if node.op in ("Conv", "Gemm", "MatMul"):
            rest = product_on_bytes(self, node)
            if rest is not None:
                for one in rest:
                    self.place(one)
                return
        if node.epilogue and "FakeQuantize" in (node.op, *(s.op for s in node.epilogue)):
            for one in without_epilogue(node, self.fresh):
                self._infer(one)
                self._place_bare(one)
        else:
            self._place_bare(node)

    def _infer(self, node: Node) -> None:
        if node.outputs[0] not in self.specs:
            (self.specs[node.outputs[0]], *_) = infer_node(node, self.specs, self.constants)

    def _place_bare(self, node: Node) -> None:
        if node.op == "FakeQuantize":
            self._fake_quantise(node)
        elif not self._moved(node) and not self._joined(node):
            curve = curve_of(self, node) if node.op in ROWS else None
            if curve is not None:
                self.curves[node.outputs[0]] = curve
            self.emit(node)

    def _moved(self, node: Node) -> bool:
        """What only moves or compares bytes does so without knowing what they stand for."""
        x = node.inputs[0] if node.inputs else ""
        maximum = node.op == "MaxPool" and not any(node.outputs[1:])
        if not (hooks_of(node).keeps_elements or maximum) or x not in self.lines or node.epilogue:
            return False
        if any(node.outputs[1:]):
            return False
        line = self.fresh(f"{node.outputs[0]}/bytes")
        inputs = (self.lines[x], *node.inputs[1:])
        self.emit(dataclasses.replace(node, inputs=inputs, outputs=(line,)))
        self.gives(node.outputs[0], line, self.grids[x])
        return True

    def _joined(self, node: Node) -> bool:
        """A Concat of bytes on one grid."""
        if node.op != "Concat" or not all(n in self.lines for n in node.inputs):
            return False
        found = {self.grids[n] for n in node.inputs}
        if len(found) > 1:
            return False
        self._join(node, node.outputs[0], found.pop())
        return True

    def _join(self, node: Node, result: str, grid: Grid) -> None:
        line = self.fresh(f"{result}/bytes")
        private = self._is_private(node.outputs[0])
        inputs = tuple(self._on_grid(n, grid, private) for n in node.inputs)
        self.emit(dataclasses.replace(node, inputs=inputs, outputs=(line,)))
        self.gives(result, line, grid)

    def _is_private(self, name: str) -> bool:
        """Whether one node reads a value, and nobody else."""
        return self.readers.get(name) == 1 and name not in self.graph.outputs

    def _on_grid(self, name: str, grid: Grid, private: bool) -> str:
        """The bytes of a value on a grid, perhaps another than its own. private: whether nothing reads the floats that its
        reader makes of it: then who makes it may put it on that grid itself, if it has no other reader."""
        if self.grids[name] == grid:
            return self.on_bytes(name)
        made = self.made.get(name)
        if made is not None and private and self._is_private(name):
            tail = made.tail.requantised(grid)
            if tail is not None:
                self.nodes[made.position] = made.finish(tail)
                return self.lines[name]
        return self._table(name, self.grids[name].reals, grid)

    def _table(self, name: str, reals: np.ndarray, grid: Grid) -> str:
        table = self.constant(grid.bytes_of(reals), f"{name}/table")
        return self.node("ByteTable", [self.on_bytes(name), table], f"{name}/bytes")

    def _fake_quantise(self, node: Node) -> None:
        x, result = node.inputs[0], node.outputs[0]
        scale, zero = (self.constants.get(n) for n in node.inputs[1:3])
        known = None if scale is None or zero is None else (scale.array, zero.array)
        grid = grid_of(node.attrs, *known) if known else None
        if grid is None:
            self.emit(node)
        elif not self._quantised(x, result, grid):
            self.emit(node)
            self.grids[result], self.unrounded[result] = grid, x

    def _quantised(self, x: str, result: str, grid: Grid) -> bool:
        """Writes the value that FakeQuantize makes as bytes, if what makes its input can be done on bytes."""
        if x in self.lines:
            self.gives(result, self._on_grid_of(x, grid), grid)
            return True
        if x in self.curves and self.curves[x][0] in self.lines:
            source, reals = self.curves[x]
            self.gives(result, self._table(source, reals, grid), grid)
            self.curves[result] = (source, grid.reals[grid.bytes_of(reals)])
            return True
        maker = self.makers.get(x)
        if maker is None or maker.epilogue:
            return False
        if maker.op == "Concat" and all(n in self.grids for n in maker.inputs):
            if not any(n in self.lines for n in maker.inputs):
                return False
            self._join(maker, result, grid)
            return True
        line = mean_on_bytes(self, maker, grid) or combined_on_bytes(self, maker, grid)
        if line:
            self.gives(result, line, grid)
        return bool(line)

    def _on_grid_of(self, x: str, grid: Grid) -> str:
        if self.grids[x] == grid:
            return self.lines[x]
        return self._table(x, self.grids[x].reals, grid)
