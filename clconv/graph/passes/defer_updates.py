"""Nodes that make new values of state move behind those that read the old ones, so that each can be written in place."""

from __future__ import annotations

import heapq

from clconv.graph.ir import Graph
from clconv.graph.ops.elementwise.elementwise import ROWS

# Their results may be another view of what they read, so that whoever reads those reads it, too.
_VIEWS = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def defer_updates(graph: Graph) -> Graph:
    """The graph in another order of its nodes, in which updates come behind all that reads the old values, and no later;
    the graph itself if they do.

    What reads an old value and depends on the new one, too, stays behind it. Gradients are then alive for as long as it
    takes to use them, and not all at once.
    """
    if not graph.updates:
        return graph
    order = _Order(graph)
    for name, new in graph.updates.items():
        order.defer(name, new)
    return order.result()


class _Order:
    """What each node must wait for: those that make what it reads, and what defer() adds."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        makers = {o: i for i, node in enumerate(graph.nodes) for o in node.outputs if o}
        self.makers = makers
        self.readers: dict[str, list[int]] = {}
        self.followers: list[set[int]] = [set() for _ in graph.nodes]
        for i, node in enumerate(graph.nodes):
            for name in filter(None, node.inputs):
                self.readers.setdefault(name, []).append(i)
                if name in makers:
                    self.followers[makers[name]].add(i)

    def defer(self, name: str, new: str) -> None:
        """Lets the maker of the new value wait for all that read the old one, if none of them waits for it."""
        maker = self.makers.get(new)
        if maker is None:
            return
        reading = self._reading(name)
        late = [i for i in reading if i > maker]
        free = not self._waiting_for(maker).intersection(late)
        for reader in reading:
            if reader < maker or (free and reader > maker):
                self.followers[reader].add(maker)

    def result(self) -> Graph:
        """The nodes in the order that was, as far as they need not wait; what only updates need comes as soon as it can."""
        count = [0] * len(self.followers)
        for followers in self.followers:
            for i in followers:
                count[i] += 1
        hurried = self._for_updates()
        free = [(i not in hurried, i) for i, waits in enumerate(count) if not waits]
        heapq.heapify(free)
        order: list[int] = []
        while free:
            _, first = heapq.heappop(free)
            order.append(first)
            for i in self.followers[first]:
                count[i] -= 1
                if not count[i]:
                    heapq.heappush(free, (i not in hurried, i))
        if order == sorted(order):
            return self.graph
        return self.graph.replace(nodes=tuple(self.graph.nodes[i] for i in order))

    def _for_updates(self) -> set[int]:
        """Element-wise nodes whose results nothing but new values of state depends on.

        Gradients themselves keep their place: a data gradient in front of them may need memory of its own.
        """
        new = set(self.graph.updates.values())
        wanted = set(self.graph.outputs) - new
        found: set[int] = set()
        for i in reversed(range(len(self.graph.nodes))):
            outputs = [o for o in self.graph.nodes[i].outputs if o]
            reached = any(o in new for o in outputs) or any(self.readers.get(o) for o in outputs)
            if (
                reached
                and (self.graph.nodes[i].op in ROWS or self.graph.nodes[i].op == "Pointwise")
                and not wanted.intersection(outputs)
                and all(r in found for o in outputs for r in self.readers.get(o, ()))
            ):
                found.add(i)
        return found

    def _reading(self, name: str) -> set[int]:
        """Nodes that read a value, or another view of it."""
        found: set[int] = set()
        names = [name]
        while names:
            for i in self.readers.get(names.pop(), ()):
                if i not in found:
                    found.add(i)
                    node = self.graph.nodes[i]
                    names += node.outputs[:1] if node.op in _VIEWS else ()
        return found

    def _waiting_for(self, node: int) -> set[int]:
        found: set[int] = set()
        wanted = [node]
        while wanted:
            new = self.followers[wanted.pop()] - found
            found |= new
            wanted += new
        return found
