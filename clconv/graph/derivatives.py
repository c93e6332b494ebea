"""gradients(): a graph that computes derivatives besides."""

from __future__ import annotations

from collections.abc import Sequence

from clconv.errors import GraphError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.ir import Graph
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops import make_node
from clconv.graph.specialise.specialise import specialise
from clconv.graph.verify import verify


def gradients(
    graph: Graph, outputs: Sequence[str], inputs: Sequence[str], segments: int = 1
) -> Graph:
    """The graph with further outputs: NAME.grad for each of `inputs`, the derivative of the sum of `outputs` with
    respect to it, in its shape.

    outputs: floats, any values of the graph. inputs: inputs, constants or other values that hold floats; what nothing in
    `outputs` depends on gets zeros. Where all sizes are known the nodes are written here; else they are when a Session
    learns them. Gradients of gradients are computed alike. segments: into how many parts of about the same size the way
    from inputs to outputs is cut; of all but the last only what crosses their ends is kept, the rest is computed again
    on the way back, which takes less memory and more time.

    Raises GraphError for a name that the graph has not or that holds no floats, UnsupportedError that lists the
    operators without a gradient rule.
    """
    graph = without_epilogues(graph)
    defined = {*graph.inputs, *graph.constants, *(o for node in graph.nodes for o in node.outputs)}
    for name in (*outputs, *inputs):
        if name not in defined:
            raise GraphError(f"graph '{graph.name}' has no value '{name}'")
        spec = graph.constants[name].spec if name in graph.constants else graph.specs.get(name)
        if spec is not None and not spec.dtype.is_float:
            raise GraphError(f"'{name}' is {spec}; only floats have a gradient")
    for kind, names in (("outputs", outputs), ("inputs", inputs)):
        if isinstance(names, str) or not names:
            raise GraphError(f"{kind} are a list of at least one name, not {names!r}")
    fresh = fresh_names(lambda: all_names(graph))
    named = [fresh(f"{name}.grad") for name in inputs]
    node = make_node(
        "Gradient",
        (*outputs, *inputs),
        named,
        fresh("gradient"),
        results=len(outputs),
        segments=segments,
    )
    found = verify(graph.replace(nodes=(*graph.nodes, node), outputs=(*graph.outputs, *named)))
    specs = graph.input_specs()
    if all(spec.is_static for spec in specs.values()):
        settled = specialise(found, specs)
        return found if settled.cut is not None else settled.graph
    return found
