"""float16: which nodes run on halves, and where values change between half and float.

A node on halves reads and writes float16 and computes in float32: half the memory and half its traffic. One
that no kernel can run so is computed in float32, between Casts. A Cast of the network itself to float16
still rounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, MutableMapping

import numpy as np

from clconv.errors import ShapeError
from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.ops import hooks_of, make_node
from clconv.graph.ops.hooks import Half

HALF, FLOAT = DType.FLOAT16, DType.FLOAT32
_OTHER = {HALF: FLOAT, FLOAT: HALF}
_NOTHING = TensorSpec((0,))

Specs = Mapping[str, TensorSpec]
Constants = Mapping[str, Constant]
TakesHalf = Callable[[Node, Specs, Constants], bool]
Changes = Mapping[str, DType]  # inputs of a node in other dtypes than the graph's
# Constants in another dtype by the key of the original and the dtype; None where half cannot hold one.
Converted = MutableMapping[tuple[int, DType], Constant | None]


def place_half(
    graph: Graph,
    converted: Converted | None = None,
    takes_half: TakesHalf = lambda node, specs, constants: False,
    narrow: bool = False,
) -> Graph:
    """A graph with known specs in which every node has a dtype that the device computes; the graph itself if
    it has no float16 and needs none.

    takes_half: whether there is a kernel for a node whose tensors have these specs, some of them float16.
    narrow: float32 nodes become float16 ones where that is possible; inputs and outputs of the graph stay
    what they are. converted: kept between calls, so that the plans of a session share constants on the
    device.
    """
    names = (
        *graph.inputs,
        *graph.constants,
        *(o for node in graph.nodes for o in node.outputs if o),
    )
    if not narrow and not any(graph.spec(n).dtype is HALF for n in names):
        return graph
    return _Placing(graph, {} if converted is None else converted, takes_half, narrow).run()


def float32_nodes(graph: Graph) -> tuple[str, ...]:
    """Names of the nodes that compute in float32 in a network of which other parts lie in float16."""
    halves = {
        node.name for node in graph.nodes for name in (*node.inputs, *node.outputs)
        if name and hooks_of(node).half is not Half.EXACT and graph.spec(name).dtype is HALF
    }  # fmt: skip
    if not halves:
        return ()
    return tuple(
        node.name
        for node in graph.nodes
        if hooks_of(node).half not in (Half.EXACT, Half.MOVES)
        and any(name and graph.spec(name).dtype is FLOAT for name in node.outputs)
    )


class _Placing:
    def __init__(
        self, graph: Graph, converted: Converted, takes_half: TakesHalf, narrow: bool
    ) -> None:
        self.graph, self.converted = graph, converted
        self.takes_half, self.narrow = takes_half, narrow
        self.nodes: list[Node] = []
        self.specs = dict(graph.specs)
        self.constants = dict(graph.constants)
        self.twins: dict[str, str] = {}  # value -> the same in the other of the two dtypes
        self.unmade: set[str] = set()  # values of which so far only the twin exists

    def run(self) -> Graph:
        for node in self.graph.nodes:
            self._node(node)
        for name in self.graph.outputs:
            if self._is_float(name):
                self._in(name, self.graph.spec(name).dtype)
        for name in self.unmade:
            del self.specs[name]
        return self.graph.replace(
            nodes=tuple(self.nodes), specs=self.specs, constants=self.constants
        )

    def _node(self, node: Node) -> None:
        floats = [n for n in node.inputs if n and self._is_float(n)]
        missing, half = self.unmade.intersection(floats), hooks_of(node).half
        if node.op == "Cast" and missing and self._dtype(node.outputs[0]) is not HALF:
            # From the twin: a half that was never stored has not been rounded.
            self.nodes.append(dataclasses.replace(node, inputs=(self.twins[floats[0]],)))
        elif half is Half.EXACT:
            self._emit(node, {})
        elif half is Half.MOVES:
            moved = {self._dtype(n) for n in missing}
            self._emit(node, self._other(n for n in floats if self._dtype(n) in moved))
        elif any(self._dtype(n) is HALF for n in (*floats, *filter(None, node.outputs))):
            self._compute_half(node, floats)
        else:
            self._emit(node, self._narrowings(node, floats))

    def _compute_half(self, node: Node, floats: list[str]) -> None:
        """A node that the network has in float16: so if a kernel does it, else in float32. What is only
        element-wise stays in float32 behind such a one."""
        read = [n for n in floats if n not in self.graph.constants]
        follows = hooks_of(node).half.follows and bool(read) and self.unmade.issuperset(read)
        if not follows and self._is_taken(node, {}):
            self._emit(node, {})
        else:
            self._emit(node, self._other(n for n in floats if self._dtype(n) is HALF))

    def _narrowings(self, node: Node, floats: list[str]) -> Changes:
        """What to narrow so that a float32 node runs on halves; nothing if it is not to."""
        half = hooks_of(node).half
        if not self.narrow or half.kind != "narrowed":
            return {}
        if half.follows and not self.unmade.intersection(floats):
            return {}
        behind = len(node.op_inputs)
        indices = (*(half.inputs or range(behind)), *range(behind, len(node.inputs)))
        names = [node.inputs[i] for i in indices if i < len(node.inputs) and node.inputs[i]]
        changes = self._other(n for n in names if self._dtype(n) is FLOAT)
        return changes if changes and self._is_taken(node, changes) else {}

    # --- nodes with other dtypes -----------------------------------------------------------------------

    def _other(self, names: Iterable[str]) -> Changes:
        """The inputs in the other of the two dtypes; nothing where a constant cannot be."""
        changes = {n: _OTHER[self._dtype(n)] for n in names}
        constants = ((self.graph.constants.get(n), dtype) for n, dtype in changes.items())
        lost = any(c is not None and self._convert(c, dtype) is None for c, dtype in constants)
        return {} if lost else changes

    def _retyped(
        self, node: Node, changes: Changes
    ) -> tuple[dict[str, TensorSpec], dict[str, Constant]]:
        """Specs of what a node reads and makes, and its constants, if these inputs change.

        Raises ShapeError if the operator does not take them so.
        """
        specs: dict[str, TensorSpec] = {}
        constants: dict[str, Constant] = {}
        for name in filter(None, node.inputs):
            dtype, constant = changes.get(name), self.graph.constants.get(name)
            if constant is None:
                spec = self.graph.specs[name]
                specs[name] = spec if dtype is None else dataclasses.replace(spec, dtype=dtype)
            else:
                other = constant if dtype is None else self._convert(constant, dtype)
                assert other is not None
                constants[name] = other
        if changes:
            made = infer_node(node, specs, constants)
        else:
            made = tuple(self.graph.specs.get(n, _NOTHING) for n in node.outputs)
        specs.update((n, spec) for n, spec in zip(node.outputs, made, strict=False) if n)
        return specs, constants

    def _is_taken(self, node: Node, changes: Changes) -> bool:
        try:
            specs, constants = self._retyped(node, changes)
        except ShapeError:
            return False
        return self.takes_half(node, specs, constants)

    def _emit(self, node: Node, changes: Changes) -> None:
        """Appends the node with these inputs in other dtypes, and the Casts before it."""
        inputs = tuple(
            self._in(n, changes.get(n, self._dtype(n))) if n and self._is_float(n) else n
            for n in node.inputs
        )
        outputs = list(node.outputs)
        if changes:
            specs, _ = self._retyped(node, changes)
            for index, name in enumerate(node.outputs):
                if name and self._is_float(name) and specs[name].dtype is not self._dtype(name):
                    outputs[index] = self._unused(f"{name}:{specs[name].dtype.value}")
                    self.twins[name] = outputs[index]
                    self.specs[outputs[index]] = specs[name]
                    self.unmade.add(name)
        self.nodes.append(dataclasses.replace(node, inputs=inputs, outputs=tuple(outputs)))

    # --- values ----------------------------------------------------------------------------------------

    def _dtype(self, name: str) -> DType:
        return self.graph.spec(name).dtype

    def _is_float(self, name: str) -> bool:
        return self._dtype(name) in (HALF, FLOAT)

    def _in(self, name: str, dtype: DType) -> str:
        """The value's name in a dtype, made from its twin where it is not there yet."""
        if dtype is self._dtype(name):
            if name in self.unmade:
                self.unmade.remove(name)
                self._cast(self.twins[name], name, dtype)
            return name
        if name not in self.twins:
            twin = self.twins[name] = self._unused(f"{name}:{dtype.value}")
            constant = self.constants.get(name)
            if constant is None:
                self._cast(name, twin, dtype)
            else:
                other = self._convert(constant, dtype)
                assert other is not None
                self.constants[twin] = other
        return self.twins[name]

    def _convert(self, constant: Constant, dtype: DType) -> Constant | None:
        """A constant in a dtype; None if it would not be the same number, but for rounding."""
        key = constant.key, dtype
        if key not in self.converted:
            if dtype is HALF and not fits_half(constant.array):
                self.converted[key] = None
            else:
                spec = dataclasses.replace(constant.spec, dtype=dtype)
                self.converted[key] = Constant.reread(
                    spec, lambda: constant.array.astype(dtype.numpy)
                )
        return self.converted[key]

    def _cast(self, source: str, target: str, dtype: DType) -> None:
        self.nodes.append(make_node("Cast", (source,), (target,), target, to=dtype.value))
        self.specs[target] = dataclasses.replace(self.specs[source], dtype=dtype)

    def _unused(self, name: str) -> str:
        while name in self.specs or name in self.constants:
            name += "'"
        return name


_INFINITE = 65520.0  # what rounds to infinity: 65504 is the largest half
_SMALLEST = 2.0**-14  # normal half


def fits_half(array: np.ndarray) -> bool:
    """Whether halves hold a float array's numbers: none becomes infinite; a single one, such as an epsilon,
    keeps all its bits."""
    usual = np.abs(array[np.isfinite(array)])
    if not usual.size:
        return True
    if array.size == 1 and 0 < float(usual.max()) < _SMALLEST:
        return False
    return float(usual.max()) < _INFINITE
