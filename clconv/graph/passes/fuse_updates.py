"""Element-wise nodes that make new values of state become one Pointwise node for each parameter.

An optimiser's steps read and write a parameter, its gradient and its moments again and again; as one node they do once.
"""

from __future__ import annotations

from collections.abc import Iterable

from clconv.graph.ir import DType, Graph, Node
from clconv.graph.ops import make_node
from clconv.graph.ops.elementwise.pointwise import STEPS, arity

_MOST_INPUTS = 16


def fuse_updates(graph: Graph) -> Graph:
    """The graph with groups of nodes fused whose results nothing but each other and new values of state need.

    All results of a group have one shape, known already, and are float32; what it reads has that shape or one element. A
    group has several nodes.
    """
    if not graph.updates or any(o not in graph.specs for n in graph.nodes for o in n.outputs if o):
        return graph
    fused: dict[int, Node] = {}  # by the position of the last of those that it stands for
    gone = set[int]()
    for group in _groups(graph):
        made = _fused(graph, group)
        if made is not None:
            fused[group[-1]] = made
            gone.update(group)
    if not fused:
        return graph
    nodes = [
        fused.get(i, node) for i, node in enumerate(graph.nodes) if i in fused or i not in gone
    ]
    kept = {o for node in nodes for o in node.outputs} | {n for node in nodes for n in node.inputs}
    kept |= {*graph.inputs, *graph.outputs, *graph.constants}
    return graph.replace(
        nodes=tuple(nodes), specs={n: s for n, s in graph.specs.items() if n in kept}
    )


def _groups(graph: Graph) -> list[list[int]]:
    """Positions of nodes that lead to new state only, by what hangs together, each group in the order of the graph."""
    new = set(graph.updates.values())
    other = set(graph.outputs) - new
    readers: dict[str, list[int]] = {}
    for i, node in enumerate(graph.nodes):
        for name in node.inputs:
            readers.setdefault(name, []).append(i)
    group: dict[int, int] = {}  # of each member, by its first
    members: dict[int, list[int]] = {}
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        if not _is_step(graph, node) or node.outputs[0] in other:
            continue
        reading = readers.get(node.outputs[0], [])
        if not (reading or node.outputs[0] in new) or not all(
            r in group and graph.spec(graph.nodes[r].outputs[0]) == graph.spec(node.outputs[0])
            for r in reading
        ):
            continue
        members[i] = [i, *(k for first in {group[r] for r in reading} for k in members.pop(first))]
        group.update(dict.fromkeys(members[i], i))
    return [sorted(g) for g in members.values() if len(g) > 1]


def _is_step(graph: Graph, node: Node) -> bool:
    return (
        node.op in STEPS
        and not node.epilogue
        and len(node.inputs) == arity(node.op)
        and graph.spec(node.outputs[0]).dtype is DType.FLOAT32
    )


def _fused(graph: Graph, group: list[int]) -> Node | None:
    """The nodes as one; None where they read what Pointwise cannot."""
    members = [graph.nodes[i] for i in group]
    spec = graph.spec(members[0].outputs[0])
    made = {node.outputs[0]: k for k, node in enumerate(members)}
    inputs = list(dict.fromkeys(n for node in members for n in node.inputs if n not in made))
    specs = [graph.spec(n) for n in inputs]
    fits = all(s.dtype is spec.dtype and (s.shape == spec.shape or s.size == 1) for s in specs)
    whole = any(s.shape == spec.shape for s in specs)
    if not fits or not whole or len(inputs) > _MOST_INPUTS:
        return None
    new = set(graph.updates.values())
    results = [k for name, k in made.items() if name in new]
    steps = tuple((n.op, *_operands(n.inputs, inputs, made)) for n in members)
    last = members[-1]
    outputs = [members[k].outputs[0] for k in results]
    return make_node("Pointwise", inputs, outputs, last.name, steps=steps, results=tuple(results))


def _operands(names: Iterable[str], inputs: list[str], made: dict[str, int]) -> tuple[int, ...]:
    return tuple(-1 - made[n] if n in made else inputs.index(n) for n in names)
