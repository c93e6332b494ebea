"""A working copy of a Graph that a pass edits in place and turns back into a Graph.

It keeps who makes and who reads each value up to date, so that every question a pass asks is
answered in constant time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from clconv.graph.evaluate import infer_node
from clconv.graph.ir import RUNNING, Constant, EpilogueStep, Graph, Node, TensorSpec
from clconv.graph.ops import make_node


class Editor:
    """Nodes by position (None: removed), constants and specs of a graph, open to change.

    A node's position is its place in the original order; a replacement takes the position it is put
    at, so a pass that keeps every input's position smaller keeps the graph sorted.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node | None] = list(graph.nodes)
        self.constants: dict[str, Constant] = dict(graph.constants)
        self.specs: dict[str, TensorSpec] = dict(graph.specs)
        self.inputs = frozenset(graph.inputs)
        self.outputs = frozenset(graph.outputs)
        self.complete = all(o in self.specs for n in graph.nodes for o in n.outputs if o)
        self._inserted: dict[int, list[Node]] = {}
        self._makers: dict[str, int] = {}
        self._readers: dict[str, dict[int, None]] = {}
        for position, node in enumerate(graph.nodes):
            self._link(position, node)
        self.changed = False

    # questions

    def maker(self, name: str) -> tuple[int, Node] | None:
        """Position and node that make a value; None for inputs, constants and absent values."""
        position = self._makers.get(name)
        if position is None or (node := self.nodes[position]) is None:
            return None
        return position, node

    def made_by(self, name: str, *ops: str) -> Node | None:
        """The node that makes a value if it is one of these operators without an epilogue."""
        found = self.maker(name)
        if found is None or found[1].op not in ops or found[1].epilogue:
            return None
        return found[1]

    def readers(self, name: str) -> list[int]:
        """Positions of the nodes that read a value, in the order of the graph."""
        return sorted(self._readers.get(name, ()))

    def is_private(self, name: str) -> bool:
        """Whether exactly one node reads the value and it is no output of the graph."""
        return len(self._readers.get(name, ())) == 1 and name not in self.outputs

    def array(self, name: str) -> np.ndarray | None:
        """The value of a constant; None if the name is absent or no constant."""
        constant = self.constants.get(name)
        return None if constant is None else constant.array

    def scalar(self, name: str) -> float | None:
        """The value of a constant with one element and no more than one axis."""
        constant = self.constants.get(name)
        if constant is None or constant.spec.size != 1 or constant.spec.rank > 1:
            return None
        return float(constant.array.reshape(-1)[0])

    def ints(self, name: str) -> tuple[int, ...] | None:
        """The values of a constant integer tensor."""
        constant = self.constants.get(name)
        if constant is None or constant.spec.dtype.numpy.kind not in "iu":
            return None
        return tuple(int(v) for v in constant.array.reshape(-1))

    def knows(self, name: str) -> bool:
        """Whether the value exists already (a fresh name must not)."""
        return (
            name in self.constants
            or name in self.inputs
            or name in self._makers
            or name in self._readers
            or name in self.specs
        )

    # changes

    def put(self, position: int, node: Node) -> None:
        """Replaces the node at a position; infers the specs of new values if specs are known."""
        if self.nodes[position] == node:
            return
        self.drop(position)
        self.nodes[position] = node
        self._link(position, node)
        self._infer(node)

    def insert_before(self, position: int, node: Node) -> None:
        """Adds a node in front of a position, whose node must be the only reader of its results."""
        self.changed = True
        self._inserted.setdefault(position, []).append(node)
        for name in node.inputs:
            if name:
                self._readers.setdefault(name, {})[position] = None
        self._infer(node)

    def drop(self, position: int) -> None:
        """Removes the node at a position."""
        node = self.nodes[position]
        if node is None:
            return
        self.changed = True
        self.nodes[position] = None
        for name in node.inputs:
            if name:
                self._readers[name].pop(position, None)
        for name in node.outputs:
            if self._makers.get(name) == position:
                del self._makers[name]

    def merge(self, position: int, follower: int, merged: Node) -> None:
        """`merged` stands for the node at `position` and the later one that follows it.

        It runs where the first one ran, unless it needs a value that is made after that.
        """
        self.drop(follower)
        latest = max((self._makers.get(n, -1) for n in merged.inputs), default=-1)
        if latest > position:
            self.drop(position)
            self.put(follower, merged)
        else:
            self.put(position, merged)

    def substitute(self, old: str, new: str) -> None:
        """Every node that reads `old` reads `new` instead."""
        for position in self.readers(old):
            node = self.nodes[position]
            if node is not None:
                inputs = tuple(new if n == old else n for n in node.inputs)
                self.put(position, dataclasses.replace(node, inputs=inputs))

    def bypass(self, position: int) -> None:
        """Removes a node that hands its first input on unchanged. Names of graph outputs stay.

        A graph input (or another output) handed straight to an output leaves an Identity.
        """
        node = self.nodes[position]
        assert node is not None
        source, result = node.inputs[0], node.outputs[0]
        maker = self.maker(source)
        if result not in self.outputs or source in self.constants:
            self.drop(position)
            self.substitute(result, source)
            if result in self.outputs:
                self.constants[result] = self.constants[source]
                self.specs.pop(result, None)
        elif maker is None or source in self.outputs:
            if node.op != "Identity":
                self.put(position, make_node("Identity", [source], [result], node.name))
        else:  # the source takes the output's name
            self.drop(position)
            origin, producer = maker
            outputs = tuple(result if o == source else o for o in producer.outputs)
            self.put(origin, dataclasses.replace(producer, outputs=outputs))
            self.substitute(source, result)

    def fresh(self, hint: str) -> str:
        """A name that no value has, made from the hint."""
        name, count = hint, 0
        while self.knows(name):
            count += 1
            name = f"{hint}_{count}"
        return name

    def constant(self, hint: str, array: Any) -> str:
        """Adds a constant, given as such or as its value, under a fresh name and returns the name."""
        name = self.fresh(hint)
        self.constants[name] = array if isinstance(array, Constant) else Constant(array)
        return name

    def result(self) -> Graph:
        """The edited graph, or the original object if nothing changed."""
        if not self.changed:
            return self.graph
        nodes: list[Node] = []
        for position, node in enumerate(self.nodes):
            nodes += self._inserted.get(position, ())
            if node is not None:
                nodes.append(node)
        return self.graph.replace(nodes=tuple(nodes), specs=self.specs, constants=self.constants)

    def _link(self, position: int, node: Node) -> None:
        self.changed = True
        for name in node.outputs:
            if name:
                self._makers[name] = position
        for name in node.inputs:
            if name:
                self._readers.setdefault(name, {})[position] = None

    def _infer(self, node: Node) -> None:
        if not self.complete or all(o in self.specs for o in node.outputs if o):
            return
        for name, spec in zip(
            node.outputs, infer_node(node, self.specs, self.constants), strict=False
        ):
            if name:
                self.specs.setdefault(name, spec)


def inherit(host: Node, follower: Node, steps: Sequence[EpilogueStep] = ()) -> Node:
    """The host with `steps`, then the follower's epilogue, behind its own epilogue.

    It takes the follower's output. Operands of `steps` index the follower's inputs, as those of
    its epilogue do.
    """
    arity = len(host.op_inputs)
    inputs = list(host.inputs)
    added: dict[int, int] = {}

    def moved(index: int) -> int:
        if index == RUNNING:
            return RUNNING
        if index not in added:
            name = follower.inputs[index]
            if name in inputs[arity:]:
                added[index] = arity + inputs[arity:].index(name)
            else:
                added[index] = len(inputs)
                inputs.append(name)
        return added[index]

    epilogue = (
        *host.epilogue,
        *(
            dataclasses.replace(step, operands=tuple(moved(i) for i in step.operands))
            for step in (*steps, *follower.epilogue)
        ),
    )
    return dataclasses.replace(
        host,
        inputs=tuple(inputs),
        outputs=(follower.outputs[0], *host.outputs[1:]),
        epilogue=epilogue,
        op_arity=arity if epilogue else host.op_arity,
    )
