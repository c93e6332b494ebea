"""Removes nodes whose results are not used, and unused constants and specs."""

from __future__ import annotations

from clconv.graph.ir import Graph, Node


def remove_dead(graph: Graph) -> Graph:
    """The graph without what cannot reach an output. Inputs stay: callers feed them by name."""
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    needed.update(graph.inputs)
    needed.update(o for node in kept for o in node.outputs)
    constants = {n: c for n, c in graph.constants.items() if n in needed}
    specs = {n: s for n, s in graph.specs.items() if n in needed}
    unchanged = len(kept) == len(graph.nodes) and len(constants) == len(graph.constants)
    if unchanged and len(specs) == len(graph.specs):
        return graph
    return graph.replace(nodes=tuple(reversed(kept)), constants=constants, specs=specs)
