"""Steps of epilogues as nodes of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from clconv.graph.ir import RUNNING, Graph, Node
from clconv.graph.names import all_names, fresh_names


def without_epilogues(graph: Graph) -> Graph:
    """The same graph with the steps of epilogues as nodes; the specs are those of its inputs then."""
    if not any(node.epilogue for node in graph.nodes):
        return graph
    fresh = fresh_names(lambda: all_names(graph))
    nodes = tuple(n for node in graph.nodes for n in without_epilogue(node, fresh))
    specs = {n: graph.specs[n] for n in graph.inputs if n in graph.specs}
    return graph.replace(nodes=nodes, specs=specs)


def without_epilogue(node: Node, fresh: Callable[[str], str]) -> list[Node]:
    """The bare node, then one node for each of its epilogue steps."""
    results = [fresh(f"{node.outputs[0]}/{i}") for i in range(len(node.epilogue))]
    results.append(node.outputs[0])
    outputs = (results[0], *node.outputs[1:])
    bare = dataclasses.replace(
        node, inputs=node.op_inputs, outputs=outputs, epilogue=(), op_arity=None
    )
    nodes = [bare]
    for i, step in enumerate(node.epilogue):
        inputs = tuple(results[i] if o == RUNNING else node.inputs[o] for o in step.operands)
        name = fresh(f"{node.name}/{step.op}")
        nodes.append(Node(step.op, name, inputs, (results[i + 1],), step.attrs))
    return nodes
