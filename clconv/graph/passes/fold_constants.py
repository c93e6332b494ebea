"""What depends on constants alone is computed now: Shape/Gather/Concat/Reshape chains collapse."""

from __future__ import annotations

from clconv.graph.ir import Graph, Node
from clconv.graph.specialise.fold import Budget, fold


def fold_constants(graph: Graph) -> Graph:
    """The graph with every node that only depends on constants (or on known shapes) evaluated.

    Raises ShapeError if such a node's inputs do not fit its operator.
    """
    constants = dict(graph.constants)
    specs = dict(graph.specs)
    kept: list[Node] = []
    budget = Budget(constants.values())
    for node in graph.nodes:
        if fold(node, specs, constants, budget):
            for name in node.outputs:
                specs.pop(name, None)
        else:
            kept.append(node)
    if len(kept) == len(graph.nodes):
        return graph
    return graph.replace(nodes=tuple(kept), constants=constants, specs=specs)
