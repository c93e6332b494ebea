"""Chooses each node's signature so that the bytes moved by layout conversions are fewest.

Exact choice on a graph with branches is exponential; this is a greedy walk in execution order followed by
sweeps that move one node at a time to a cheaper signature until none is, and the same from two other
starts: all plain, all blocked. So the result is never worse than all plain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from clconv.graph.ir import PLAIN, Graph, Layout, Node, TensorSpec
from clconv.lowering.model.kernel import Signature

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
        self.made = [name for node in graph.nodes for name in node.outputs if name]
        self._conversions: dict[tuple[str, int, int], int] = {}
        self.movable = [i for i, signatures in options.items() if len(signatures) > 1]

    def conversion(self, name: str, target: Layout) -> int:
        """Bytes that a value's conversion moves from where it is made."""
        source = self.home.get(name, PLAIN)
        key = name, source.block, target.block  # asked for many times in a sweep
        found = self._conversions.get(key)
        if found is None:
            found = self._conversions[key] = self._bytes_moved(name, source, target)
        return found

    def _bytes_moved(self, name: str, source: Layout, target: Layout) -> int:
        spec = self.graph.specs[name]
        if is_free(spec, source, target):
            return 0
        steps = 1 if PLAIN in (source, target) else 2  # from blocks to others by way of plain
        return 2 * steps * max(spec.nbytes, 1024)

    def value_cost(self, name: str, skip: int = -1) -> int:
        """Bytes of all conversions of one value, each target layout counted once."""
        targets = {self.chosen[i].inputs[k] for i, k in self.uses.get(name, ()) if i != skip}
        if name in self.final:
            targets.add(PLAIN)
        return sum(self.conversion(name, t) for t in targets)

    def cost(self, index: int, signature: Signature) -> int:
        node = self.graph.nodes[index]
        before = self.chosen[index]
        homes: dict[str, Layout | None] = {}
        self.chosen[index] = signature
        for name, layout in _named_outputs(node, signature):
            homes[name] = self.home.get(name)
            self.home[name] = layout
        touched = dict.fromkeys((*node.inputs, *node.outputs))
        total = sum(self.value_cost(n) for n in touched if n and n not in self.graph.constants)
        self.chosen[index] = before
        for name, home in homes.items():
            if home is None:
                del self.home[name]
            else:
                self.home[name] = home
        return total

    def place(self, index: int, signature: Signature) -> None:
        self.chosen[index] = signature
        self.home.update(_named_outputs(self.graph.nodes[index], signature))

    def total(self) -> int:
        return sum(map(self.value_cost, (*self.graph.inputs, *self.made)))

    def greedy(self) -> None:
        """Each node in turn takes what costs least behind those before it."""
        for index, signatures in self.options.items():
            costs = [self.inputs_cost(index, s) for s in signatures]
            self.place(index, signatures[costs.index(min(costs))])

    def inputs_cost(self, index: int, signature: Signature) -> int:
        return sum(
            self.conversion(name, layout)
            for name, layout in zip(self.graph.nodes[index].inputs, signature.inputs, strict=True)
            if name and name not in self.graph.constants
        )

    def all_in(self, plain: bool) -> None:
        """Every node in the signature that is most, or least, plain."""
        for index, signatures in self.options.items():
            counts = [
                sum(x.is_plain for x in (*s.inputs, *s.outputs)) * (1 if plain else -1)
                for s in signatures
            ]
            self.place(index, signatures[counts.index(max(counts))])

    def improve(self) -> None:
        for sweep in range(_SWEEPS):
            order = reversed(self.movable) if sweep % 2 == 0 else self.movable
            if not any([self.improve_node(index) for index in order]):
                return

    def improve_node(self, index: int) -> bool:
        """Moves one node to its cheapest signature; says whether that saved anything."""
        signatures = self.options[index]
        costs = [self.cost(index, s) for s in signatures]
        best = min(costs)
        if best >= costs[signatures.index(self.chosen[index])]:
            return False
        self.place(index, signatures[costs.index(best)])
        return True


def choose_signatures(
    graph: Graph, options: Mapping[int, Sequence[Signature]]
) -> dict[int, Signature]:
    """A signature for each node index out of its options (preferred first)."""
    chooser = _Chooser(graph, options)
    found: list[tuple[int, dict[int, Signature]]] = []
    starts: tuple[Callable[[], None], ...] = (
        chooser.greedy, lambda: chooser.all_in(False), lambda: chooser.all_in(True)
    )  # fmt: skip
    for start in starts if chooser.movable else starts[:1]:
        start()
        chooser.improve()
        found.append((chooser.total(), dict(chooser.chosen)))
        if not found[-1][0]:
            break
    return min(found, key=lambda pair: pair[0])[1]
