"""Checks that a graph keeps the rules that every pass and the lowering rely on."""

from __future__ import annotations

from clconv.errors import GraphError, ShapeError
from clconv.graph.evaluate import check_arity, infer_node
from clconv.graph.ir import RUNNING, Graph, Node
from clconv.graph.ops import get_op
from clconv.graph.ops.elementwise.elementwise import ROWS


def verify(graph: Graph, before: Graph | None = None) -> Graph:
    """The graph itself if it is sound; GraphError or ShapeError with the node's name if not.

    before: a sound graph of which this one was made. Specs are not inferred again for the nodes that it has, too, with the same
    specs and constants around them.

    Sound: every value has one definition, before its first use; every operator exists with exactly its
    attributes, and has the inputs that it must have; epilogues are element-wise; where specs are known they are those the operators infer;
    state maps inputs of known sizes to outputs like them, no output twice.
    """
    defined = set(graph.constants)
    for name in graph.inputs:
        if name in defined:
            raise GraphError(f"graph '{graph.name}': input '{name}' is defined twice")
        defined.add(name)
    for node in graph.nodes:
        _verify_node(node, defined)
        defined.update(o for o in node.outputs if o)
    for name in graph.outputs:
        if name not in defined:
            raise GraphError(f"graph '{graph.name}': output '{name}' is never computed")
    verify_state(graph)
    _verify_specs(graph, before)
    return graph


def verify_state(graph: Graph) -> None:
    """GraphError or ShapeError where what the graph says of its state cannot be; see verify."""
    taken: dict[str, str] = {}
    for name, new in graph.state.items():
        label = f"graph '{graph.name}': state '{name}'"
        if name not in graph.inputs:
            raise GraphError(f"{label} is none of the inputs {list(graph.inputs)}")
        spec = graph.specs.get(name)
        if spec is None or not spec.is_static:
            raise GraphError(f"{label} needs a spec whose sizes are known, has {spec}")
        if new == name:
            continue
        if new not in graph.outputs:
            raise GraphError(f"{label}: '{new}' is none of the outputs {list(graph.outputs)}")
        if new in taken:
            raise GraphError(f"{label}: '{new}' is the new value of '{taken[new]}' already")
        taken[new] = name
        is_known = new in graph.specs or new in graph.constants
        if is_known and (made := graph.spec(new)) != spec and made.is_static:
            raise ShapeError(f"{label} is {spec}, but its new value '{new}' is {made}")


def _verify_node(node: Node, defined: set[str]) -> None:
    label = f"node '{node.name}' ({node.op})"
    op = get_op(node.op)
    if set(node.attrs) != set(op.attributes):
        raise GraphError(f"{label}: attributes {sorted(node.attrs)}, needs {sorted(op.attributes)}")
    for name in node.inputs:
        if name and name not in defined:
            raise GraphError(f"{label}: input '{name}' is not defined before it is used")
    check_arity(node)
    if not any(node.outputs):
        raise GraphError(f"{label}: has no output")
    for name in filter(None, node.outputs):
        if name in defined or node.outputs.count(name) > 1:
            raise GraphError(f"{label}: output '{name}' is defined twice")
    for step in node.epilogue:
        if step.op not in ROWS:
            raise GraphError(f"{label}: epilogue {step.op} is not element-wise")
        if any(i != RUNNING and not 0 <= i < len(node.inputs) for i in step.operands):
            raise GraphError(f"{label}: epilogue {step.op} has an operand that is not an input")


def _verify_specs(graph: Graph, before: Graph | None) -> None:
    if not _are_inferred(graph):
        return
    known = set()
    if before is not None and _are_inferred(before):
        known = {id(node) for node in before.nodes}
    for node in graph.nodes:
        if id(node) in known and before is not None and _has_same_values(node, graph, before):
            continue
        for name, spec in zip(
            node.outputs, infer_node(node, graph.specs, graph.constants), strict=False
        ):
            if name and graph.specs.get(name) != spec:
                raise ShapeError(
                    f"node '{node.name}' ({node.op}): '{name}' is recorded as "
                    f"{graph.specs.get(name)} but the operator infers {spec}"
                )


def _are_inferred(graph: Graph) -> bool:
    """Whether the shapes of all values are known."""
    return all(
        not n or n in graph.specs or n in graph.constants
        for node in graph.nodes
        for n in (*node.inputs, *node.outputs)
    )


def _has_same_values(node: Node, graph: Graph, before: Graph) -> bool:
    """Whether the node's values are described by the very same objects."""
    return all(
        graph.specs.get(n) is before.specs.get(n)
        and graph.constants.get(n) is before.constants.get(n)
        for n in (*node.inputs, *node.outputs)
    )
