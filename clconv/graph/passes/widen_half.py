"""float16 networks are computed in float32: what arrives as float16 is converted once, what leaves likewise.

In between values stay float32, which rounds less than a device with half arithmetic would; a Cast of the
network itself to float16 still rounds. Devices without half arithmetic (most CPUs) lose nothing by it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import MutableMapping

import numpy as np

from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Constant, DType, Graph, Node
from clconv.graph.ops import make_node

# Operators whose result depends on the dtype itself. Their kernels read and write float16.
EXACT = frozenset(
    {
        "Cast", "CastLike", "ConstantOfShape", "EyeLike", "QuantizeLinear", "DequantizeLinear",
        "QLinearConv", "QLinearMatMul", "BitCast",
    }
)  # fmt: skip
# Operators that only move data: float16 as it is, unless what they move is float32 already.
MOVES = frozenset(
    {
        "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Slice",
        "Gather", "GatherElements", "GatherND", "Expand", "Tile", "DepthToSpace", "SpaceToDepth",
        "ReverseSequence", "Compress",
    }
)  # fmt: skip


def widen_half(graph: Graph, wide: MutableMapping[int, Constant] | None = None) -> Graph:
    """A graph with known specs in which no arithmetic is float16; the graph itself if none was.

    wide: float32 copies of constants by their keys, kept between calls so that the plans of a session
    share them on the device.
    """
    names = (
        *graph.inputs,
        *graph.constants,
        *(o for node in graph.nodes for o in node.outputs if o),
    )
    if not any(graph.spec(n).dtype is DType.FLOAT16 for n in names):
        return graph
    return _Widening(graph, {} if wide is None else wide).run()


class _Widening:
    def __init__(self, graph: Graph, wide: MutableMapping[int, Constant]) -> None:
        self.graph, self.wide = graph, wide
        self.nodes: list[Node] = []
        self.specs = dict(graph.specs)
        self.constants = dict(graph.constants)
        self.twins: dict[str, str] = {}  # value -> its float32 twin
        self.unmade: set[str] = set()  # float16 values of which so far only the twin exists

    def run(self) -> Graph:
        for node in self.graph.nodes:
            self._node(node)
        for name in self.graph.outputs:
            self._half(name)
        for name in self.unmade:
            del self.specs[name]
        return self.graph.replace(
            nodes=tuple(self.nodes), specs=self.specs, constants=self.constants
        )

    def _node(self, node: Node) -> None:
        halves = [n for n in node.inputs if n and self._is_half(n)]
        made = [n for n in node.outputs if n and self._is_half(n)]
        if not halves and not made:
            self.nodes.append(node)
        elif node.op == "Cast" and node.attrs.to != "float16" and halves[0] in self.unmade:
            self.nodes.append(dataclasses.replace(node, inputs=(self.twins[halves[0]],)))
        elif node.op in EXACT or (node.op in MOVES and not self.unmade.intersection(halves)):
            for name in halves:
                self._half(name)
            self.nodes.append(node)
        else:
            self._widened(node, made)

    def _widened(self, node: Node, made: list[str]) -> None:
        inputs = tuple(self._twin(n) if n and self._is_half(n) else n for n in node.inputs)
        for name in made:
            self.twins[name] = self._unused(f"{name}:float32")
            self.unmade.add(name)
        outputs = tuple(self.twins[n] if n in made else n for n in node.outputs)
        widened = dataclasses.replace(node, inputs=inputs, outputs=outputs)
        specs = infer_node(widened, self.specs, self.constants)
        self.specs.update((n, s) for n, s in zip(outputs, specs, strict=False) if n)
        self.nodes.append(widened)

    def _is_half(self, name: str) -> bool:
        return self.graph.spec(name).dtype is DType.FLOAT16

    def _twin(self, name: str) -> str:
        """The float32 twin of a float16 value, made where it is not there yet."""
        if name in self.twins:
            return self.twins[name]
        twin = self.twins[name] = self._unused(f"{name}:float32")
        constant = self.constants.get(name)
        if constant is not None:
            if constant.key not in self.wide:
                self.wide[constant.key] = Constant(constant.array.astype(np.float32))
            self.constants[twin] = self.wide[constant.key]
        else:
            self._cast(name, twin, DType.FLOAT32)
        return twin

    def _half(self, name: str) -> None:
        """Sees to it that a float16 value exists, not only its twin."""
        if name in self.unmade:
            self.unmade.remove(name)
            self._cast(self.twins[name], name, DType.FLOAT16)

    def _cast(self, source: str, target: str, dtype: DType) -> None:
        self.nodes.append(make_node("Cast", (source,), (target,), target, to=dtype.value))
        self.specs[target] = dataclasses.replace(self.specs[source], dtype=dtype)

    def _unused(self, name: str) -> str:
        while name in self.specs or name in self.constants:
            name += "'"
        return name
