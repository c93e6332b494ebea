"""The order of nodes, and the rules every graph must keep: one definition each, no cycles."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Sequence

import onnx

from clconv.errors import GraphError


class Names:
    """Hands out names that nothing else has."""

    def __init__(self, taken: Collection[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def fresh(self, wanted: str) -> str:
        """The wanted name, or the name with a number behind it if it is taken; taken from now on."""
        name, number = wanted, self._next.get(wanted, 0)
        while name in self._taken or not name:
            number += 1
            name = f"{wanted}_{number}"
        self._next[wanted] = number
        self._taken.add(name)
        return name


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs that are attributes of the node (branches, bodies), not those inside them."""
    for attribute in node.attribute:
        yield from graphs_of(attribute)


def graphs_of(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, also those of subgraphs at any depth."""
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner)


def value_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Every name of a value, also inside subgraphs; some more than once."""
    yield from (v.name for v in (*graph.input, *graph.output, *graph.value_info))
    yield from (t.name for t in graph.initializer)
    yield from (t.values.name for t in graph.sparse_initializer)
    for node in graph.node:
        yield from node.input
        yield from node.output
        for inner in subgraphs(node):
            yield from value_names(inner)


def captured(graph: onnx.GraphProto) -> set[str]:
    """Names that a subgraph uses and does not define itself."""
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own |= {t.values.name for t in graph.sparse_initializer}
    own.update(o for node in graph.node for o in node.output)
    used = {v.name for v in graph.output}
    for node in graph.node:
        used.update(reads(node))
    return used - own


def reads(node: onnx.NodeProto) -> list[str]:
    """Names of values the node needs: its inputs, and what its subgraphs take from outside."""
    names = [n for n in node.input if n]
    for inner in subgraphs(node):
        names += sorted(captured(inner))
    return names


def describe(node: onnx.NodeProto, index: int) -> str:
    """How messages call a node: by its name, or by its place if it has none."""
    return f"node '{node.name}' ({node.op_type})" if node.name else f"node {index} ({node.op_type})"


def in_order(
    nodes: Sequence[onnx.NodeProto], defined: Collection[str], where: str
) -> list[onnx.NodeProto]:
    """The nodes so that values are defined before they are used; the given order where it is sound.

    Raises GraphError for values defined twice or never, and for cycles.
    """
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if not name:
                continue
            if name in defined:
                raise GraphError(
                    f"{where}: {describe(node, index)} defines '{name}', which is already defined as an "
                    "input or initializer"
                )
            if name in producer:
                first = describe(nodes[producer[name]], producer[name])
                raise GraphError(
                    f"{where}: '{name}' is defined twice: by {first} and by {describe(node, index)}"
                )
            producer[name] = index
    waiting: list[set[int]] = []
    for index, node in enumerate(nodes):
        needs = set()
        for name in reads(node):
            if name in producer:
                needs.add(producer[name])
            elif name not in defined:
                raise GraphError(
                    f"{where}: {describe(node, index)} uses '{name}', which nothing defines"
                )
        waiting.append(needs)
    return [nodes[i] for i in _sorted(waiting, nodes, where)]


def _sorted(needs: Sequence[set[int]], nodes: Sequence[onnx.NodeProto], where: str) -> list[int]:
    unlocks: list[list[int]] = [[] for _ in nodes]
    missing = [len(n) for n in needs]
    for index, before in enumerate(needs):
        for other in before:
            unlocks[other].append(index)
    ready = [i for i, count in enumerate(missing) if count == 0]
    order = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for other in unlocks[index]:
            missing[other] -= 1
            if missing[other] == 0:
                heapq.heappush(ready, other)
    if len(order) != len(nodes):
        loop = _a_cycle(needs, set(range(len(nodes))) - set(order))
        names = " -> ".join(describe(nodes[i], i) for i in loop[:12])
        more = f" -> ... ({len(loop)} nodes)" if len(loop) > 12 else ""
        raise GraphError(f"{where}: the graph has a cycle: {names}{more}")
    return order


def _a_cycle(needs: Sequence[set[int]], stuck: set[int]) -> list[int]:
    """Nodes of one cycle, in the order of data flow; every stuck node waits for a stuck one."""
    path: list[int] = []
    place: dict[int, int] = {}
    index = min(stuck)
    while index not in place:
        place[index] = len(path)
        path.append(index)
        index = min(needs[index] & stuck)
    return [*reversed(path[place[index] :]), path[-1]]
