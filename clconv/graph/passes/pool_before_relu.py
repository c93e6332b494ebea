"""MaxPool of a Relu becomes the Relu of a MaxPool, for networks that learn.

The result is the same, and so is the gradient to the bit: where the largest element of a window is positive both pass on
to it, else to none. But the Relu has fewer elements both ways, and its large result need not be kept. Networks that only
run gain nothing: there the Relu is part of the convolution before it.
"""

from __future__ import annotations

import collections
import dataclasses

from clconv.graph.ir import Graph, Node
from clconv.graph.names import all_names, fresh_names


def pool_before_relu(graph: Graph) -> Graph:
    """The graph with each Relu that only a MaxPool reads behind that MaxPool."""
    readers = collections.Counter(n for node in graph.nodes for n in node.inputs)
    only = {n for n, count in readers.items() if count == 1 and n not in graph.outputs}
    relus = {
        node.outputs[0]: node
        for node in graph.nodes
        if node.op == "Relu" and node.outputs[0] in only and not node.epilogue
    }
    moved = {
        node.inputs[0]
        for node in graph.nodes
        if node.op == "MaxPool" and node.inputs[0] in relus and _sees_pixels(node)
    }
    if not moved:
        return graph
    fresh = fresh_names(lambda: all_names(graph))
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op == "Relu" and node.outputs[0] in moved:
            continue
        if node.inputs and node.inputs[0] in moved:
            relu, pooled = relus[node.inputs[0]], fresh(f"{node.outputs[0]}.pooled")
            nodes.append(dataclasses.replace(node, inputs=relu.inputs, outputs=(pooled,)))
            nodes.append(dataclasses.replace(relu, inputs=(pooled,), outputs=node.outputs))
        else:
            nodes.append(node)
    specs = {name: spec for name, spec in graph.specs.items() if name not in moved}
    return graph.replace(nodes=tuple(nodes), specs=specs)


def _sees_pixels(pool: Node) -> bool:
    """Whether each of its windows has a pixel in it, and nothing is asked for but the largest. The largest of padding
    alone is -infinity, of which the Relu would make 0."""
    return not (pool.epilogue or any(pool.outputs[1:])) and set(pool.attrs.dilations) == {1}
