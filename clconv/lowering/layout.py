"""Chooses each node's signature so that the bytes moved by layout conversions are fewest.

Exact choice on a graph with branches is exponential; this is a greedy walk in execution order followed by
sweeps that move one node at a time to a cheaper signature until none is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clconv.graph.ir import PLAIN, Graph, Layout, Node, TensorSpec
from clconv.lowering.kernel import Signature

_SWEEPS = 6


def is_free(spec: TensorSpec, source: Layout, target: Layout) -> bool:
    """Whether a value has the same bytes in both layouts."""
    if source == target:
        return True
    if PLAIN not in (source, target) or spec.rank < 2:
        return False
    block = max(source.block, target.block)
    pixels = 1
    for size in spec.shape[2:]:
        pixels *= size
    return pixels == 1 and spec.shape[1] % block == 0


def _named_outputs(node: Node, signature: Signature) -> list[tuple[str, Layout]]:
    """Outputs that have a name, which are those that a signature speaks of, with their layouts."""
    return list(zip((n for n in node.outputs if n), signature.outputs, strict=True))


class _Chooser:
    def __init__(self, graph: Graph, options: Mapping[int, Sequence[Signature]]) -> None:
        self.graph = graph
        self.options = options
        self.chosen = {i: signatures[0] for i, signatures in options.items()}
        self.home: dict[str, Layout] = dict.fromkeys(graph.inputs, PLAIN)
        self.uses: dict[str, list[tuple[int, int]]] = {}
        for i, node in enumerate(graph.nodes):
            for k, name in enumerate(node.inputs):
                if name and name not in graph.constants:
                    self.uses.setdefault(name, []).append((i, k))
        self.final = set(graph.outputs)

    def conversion(self, name: str, target: Layout) -> int:
        spec = self.graph.specs[name]
        source = self.home.get(name, PLAIN)
        return 0 if is_free(spec, source, target) else 2 * max(spec.nbytes, 1024)

    def value_cost(self, name: str, skip: int = -1) -> int:
        """Bytes of all conversions of one value, each target layout counted once."""
        targets = {self.chosen[i].inputs[k] for i, k in self.uses.get(name, ()) if i != skip}
        if name in self.final:
            targets.add(PLAIN)
        return sum(self.conversion(name, t) for t in targets)

    def cost(self, index: int, signature: Signature) -> int:
        node = self.graph.nodes[index]
        before, homes = self.chosen[index], {}
        self.chosen[index] = signature
        for name, layout in _named_outputs(node, signature):
            homes[name] = self.home.get(name)
            self.home[name] = layout
        touched = dict.fromkeys((*node.inputs, *node.outputs))
        total = sum(
            self.value_cost(n) for n in touched if n and n not in self.graph.constants
        )
        self.chosen[index] = before
        for name, layout in homes.items():
            if layout is None:
                del self.home[name]
            else:
                self.home[name] = layout
        return total

    def place(self, index: int, signature: Signature) -> None:
        self.chosen[index] = signature
        self.home.update(_named_outputs(self.graph.nodes[index], signature))

    def greedy(self) -> None:
        for index, signatures in self.options.items():
            node = self.graph.nodes[index]

            def inputs_cost(signature: Signature, node=node) -> int:  # type: ignore[no-untyped-def]
                return sum(
                    self.conversion(name, layout)
                    for name, layout in zip(node.inputs, signature.inputs, strict=True)
                    if name and name not in self.graph.constants
                )

            self.place(index, min(signatures, key=inputs_cost))

    def improve(self) -> None:
        movable = [i for i, signatures in self.options.items() if len(signatures) > 1]
        for sweep in range(_SWEEPS):
            changed = False
            for index in reversed(movable) if sweep % 2 == 0 else movable:
                now = self.cost(index, self.chosen[index])
                best = min(self.options[index], key=lambda s, i=index: self.cost(i, s))  # type: ignore[misc]
                if self.cost(index, best) < now:
                    self.place(index, best)
                    changed = True
            if not changed:
                return


def choose_signatures(
    graph: Graph, options: Mapping[int, Sequence[Signature]]
) -> dict[int, Signature]:
    """A signature for each node index out of its options (preferred first)."""
    chooser = _Chooser(graph, options)
    chooser.greedy()
    chooser.improve()
    return chooser.chosen
