"""Transposes move down the graph until they meet their opposite and both vanish.

Exporters from TensorFlow and Keras wrap each convolution in two: NHWC -> NCHW, convolution, NCHW -> NHWC. What
stands between two convolutions mostly works on any order of axes: it takes its axes, pads and constants
in the other order, and the transposes around it cancel.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import hooks_of, make_node
from clconv.graph.passes.facts import gather_facts
from clconv.graph.rules.known import permutation
from clconv.graph.rules.transposed import NodeInput, Permuted, inverse
from clconv.records import record

OPEN_SIZE = 16  # what a size that is not known yet counts


def push_transposes(graph: Graph) -> Graph:
    """The graph with fewer elements transposed, or the graph itself if pushing saves nothing.

    A Transpose is put off: its readers are rewritten for its input where they can be (see Hooks.transposed), and
    their results are put-off transposes in turn. Where one cannot be, the Transpose is made in front of it.
    """
    before = _cost(graph)
    if not before:
        return graph
    pushed = _Sweep(graph).result()
    return pushed if _cost(pushed) < before else graph


def _cost(graph: Graph) -> int:
    """Elements that Transposes move, those aside that only move axes of one element."""
    nodes = [n for n in graph.nodes if n.op == "Transpose"]
    if not nodes:
        return 0
    facts = gather_facts(graph)
    total = 0
    for node in nodes:
        known = facts.get(node.inputs[0])
        perm = permutation(node, known)
        if known is None or perm is None:
            total += OPEN_SIZE**4
        elif not keeps_order(known, perm):
            total += math.prod(d if isinstance(d, int) else OPEN_SIZE for d in known.shape)
    return total


def keeps_order(source: TensorSpec, perm: Sequence[int]) -> bool:
    """Whether a transpose leaves the elements where they are: only axes of one element change places."""
    moved = [p for p in perm if source.shape[p] != 1]
    return moved == sorted(moved)


@record(frozen=True)
class _DelayedTranspose:
    """A value that is Transpose(source, perm) and not made yet."""

    source: str
    perm: tuple[int, ...]


class _Sweep:
    """One walk over the nodes in order, which writes the new ones."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.facts = gather_facts(graph)
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = dict(graph.constants)
        self.specs: dict[str, TensorSpec] = dict(graph.specs)
        self.put_off: dict[str, _DelayedTranspose] = {}
        self.made: set[str] = set()
        self.taken = {*graph.specs, *graph.constants, *graph.inputs}
        self.taken.update(o for n in graph.nodes for o in n.outputs)

    def result(self) -> Graph:
        for node in self.graph.nodes:
            if not self._transpose(node) and not self._push(node):
                for name in node.inputs:
                    self._make(name)
                self.nodes.append(node)
        for name in self.graph.outputs:
            self._make(name)
        made = {o for n in self.nodes for o in n.outputs}
        known = made.union(self.graph.inputs)
        return self.graph.replace(
            nodes=tuple(self.nodes),
            constants=self.constants,
            specs={n: s for n, s in self.specs.items() if n in known},
        )

    def _transpose(self, node: Node) -> bool:
        """Puts a Transpose off; behind another one, both as one."""
        if node.op != "Transpose" or node.epilogue:
            return False
        name = node.inputs[0]
        perm = permutation(node, self.facts.get(name))
        if perm is None or name in self.graph.constants:
            return False
        earlier = self.put_off.get(name)
        if earlier is not None:
            if len(perm) != len(earlier.perm):
                return False
            perm = tuple(earlier.perm[p] for p in perm)
            name = earlier.source
        self.put_off[node.outputs[0]] = _DelayedTranspose(name, perm)
        return True

    def _make(self, name: str) -> None:
        """Makes a value that was put off, under its own name."""
        found = self.put_off.get(name)
        if found is None or name in self.made:
            return
        self.made.add(name)
        if found.perm == tuple(range(len(found.perm))):
            self.nodes.append(make_node("Identity", [found.source], [name]))
        else:
            self.nodes.append(make_node("Transpose", [found.source], [name], perm=found.perm))

    def _push(self, node: Node) -> bool:
        """Rewrites a node for the source of a put-off input; False if it has none or cannot be."""
        if node.epilogue or not any(n in self.put_off for n in node.inputs):
            return False
        if all(n not in self.put_off or self._is_whole(n) for n in node.inputs):
            # What is handed on unchanged only needs its name.
            inputs = [self.put_off[n].source if n in self.put_off else n for n in node.inputs]
            self.nodes.append(dataclasses.replace(node, inputs=tuple(inputs)))
            return True
        rule = hooks_of(node).transposed
        if rule is None:
            return False
        operands = [self._operand(n) for n in node.inputs]
        permuted = rule(node, operands)
        if permuted is None:
            return False
        self._write(node, permuted)
        return True

    def _is_whole(self, name: str) -> bool:
        perm = self.put_off[name].perm
        return perm == tuple(range(len(perm)))

    def _operand(self, name: str) -> NodeInput:
        found = self.put_off.get(name)
        known = self.facts.get(name) if name else None
        return NodeInput(
            name,
            known,
            self.constants.get(name),
            found.source if found else "",
            found.perm if found else None,
            found is not None and known is not None and _same_elements(known, found.perm),
        )

    def _write(self, node: Node, permuted: Permuted) -> None:
        inputs = []
        for given in permuted.inputs:
            if isinstance(given, np.ndarray):
                given = self._constant(f"{node.name}.permuted", given)
            elif isinstance(given, tuple):
                given = self._turned(*given)
            inputs.append(given)
        outputs = []
        for name, perm in zip(node.outputs, permuted.perms, strict=True):
            if not name or perm is None:
                outputs.append(name)
                continue
            source = self._fresh(f"{name}.pushed")
            self.put_off[name] = _DelayedTranspose(source, perm)
            if name in self.specs:
                spec = self.specs[name]
                back = inverse(perm)
                shape = tuple(spec.shape[b] for b in back)
                self.specs[source] = dataclasses.replace(spec, shape=shape)
            outputs.append(source)
        self.nodes.append(
            make_node(permuted.op or node.op, inputs, outputs, node.name, **permuted.attrs)
        )

    def _turned(self, name: str, perm: tuple[int, ...]) -> str:
        """A small operand in the order of axes that the node now has."""
        self._make(name)
        result = self._fresh(f"{name}.turned")
        self.nodes.append(make_node("Transpose", [name], [result], perm=perm))
        if name in self.specs:
            spec = self.specs[name]
            shape = tuple(spec.shape[p] for p in perm)
            self.specs[result] = dataclasses.replace(spec, shape=shape)
        return result

    def _constant(self, hint: str, array: np.ndarray) -> str:
        name = self._fresh(hint)
        self.constants[name] = Constant(array)
        return name

    def _fresh(self, hint: str) -> str:
        name, count = hint, 0
        while name in self.taken:
            count += 1
            name = f"{hint}_{count}"
        self.taken.add(name)
        return name


def _same_elements(result: TensorSpec, perm: tuple[int, ...]) -> bool:
    """Whether Transpose(source, perm), of which the result's spec is known, leaves elements in place."""
    back = inverse(perm)
    source = dataclasses.replace(result, shape=tuple(result.shape[b] for b in back))
    return keeps_order(source, perm)
