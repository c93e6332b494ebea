"""The last layer of a classifier, made anew for other classes."""

from __future__ import annotations

import dataclasses

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import Constant, Graph, Node
from clconv.graph.names import all_names, fresh_names
from clconv.graph.ops import make_node
from clconv.training.way import check_floats

# What turns places into one row of scores, and what leaves the scores' order as it is.
_TO_ROWS = frozenset({"Flatten", "GlobalAveragePool", "ReduceMean", "Reshape", "Squeeze"})
_THROUGH = _TO_ROWS | {"Cast", "Identity", "LogSoftmax", "Relu", "Sigmoid", "Softmax"}


@dataclasses.dataclass(frozen=True)
class Head:
    """A network's last layer with weights: a Gemm, a MatMul with an Add behind it, or a 1x1 Conv.

    weight, bias: names of constants; bias "" if there is none. axis: of the weight, along which the classes lie. behind:
    the nodes from there to the output.
    """

    weight: str
    bias: str
    axis: int
    behind: tuple[Node, ...] = dataclasses.field(default=(), compare=False)

    def classes(self, graph: Graph) -> int:
        return int(graph.constants[self.weight].spec.shape[self.axis])


def find_head(graph: Graph) -> Head:
    """The head of a graph without epilogues. Raises InputError if its first output comes from none, UnsupportedError if it
    is quantised."""
    makers, name, bias, rows = graph.producers(), graph.outputs[0], "", False
    behind: list[Node] = []
    while (node := makers.get(name)) is not None:
        constants = [n for n in node.inputs if n in graph.constants]
        if node.op == "Gemm" and node.inputs[1] in graph.constants:
            own = node.inputs[2] if len(node.inputs) > 2 else ""
            return Head(node.inputs[1], own or bias, 0 if node.attrs.transB else 1, tuple(behind))
        if node.op == "MatMul" and node.inputs[1] in graph.constants:
            axis = graph.constants[node.inputs[1]].spec.rank - 1
            return Head(node.inputs[1], bias, axis, tuple(behind))
        if node.op == "Conv" and rows and _is_pointwise(node, graph):
            own = node.inputs[2] if len(node.inputs) > 2 else bias
            return Head(node.inputs[1], own, 0, tuple(behind))
        if node.op == "Add" and len(constants) == 1 and not bias:
            bias = constants[0]
            name = next(n for n in node.inputs if n != bias)
        elif node.op in _THROUGH:
            name, rows = node.inputs[0], rows or node.op in _TO_ROWS
        else:
            break
        behind.append(node)
    check_floats(graph)
    raise InputError(
        f"'{graph.name}': its output '{graph.outputs[0]}' does not come from a dense layer{_besides(node, graph)}, so that "
        "there is no last layer to replace: give a network with as many outputs as there are classes"
    )


def _besides(node: Node | None, graph: Graph) -> str:
    """What an output comes from that comes from no head, in words."""
    if node is None:
        return ""
    maker = graph.producers().get(node.inputs[1]) if len(node.inputs) > 1 else None
    if node.op in ("Gemm", "MatMul") and maker is not None:
        return f" of constant weights ('{node.name}' takes those of {maker.op} '{maker.name}')"
    return f" but from {node.op} ('{node.name}')"


def _is_pointwise(node: Node, graph: Graph) -> bool:
    weight = graph.constants.get(node.inputs[1])
    return weight is not None and all(d == 1 for d in weight.spec.shape[2:])


def replaced_head(graph: Graph, classes: int, seed: int = 0) -> Graph:
    """The graph with a last layer for so many classes, its weights uniform in +-1/sqrt(fan in) as PyTorch's. The output
    is declared anew. Raises what find_head() raises, and InputError where another layer reads its weights."""
    head = find_head(graph)
    for held in filter(None, (head.weight, head.bias)):
        readers = [node for node in graph.nodes if held in node.inputs]
        if len(readers) > 1:
            raise InputError(
                f"'{graph.name}': '{held}' of its last layer is read by '{readers[0].name}', too, and cannot be made anew: "
                "give a network with as many outputs as there are classes"
            )
    rng = np.random.default_rng(seed)
    constants = dict(graph.constants)
    for name in filter(None, (head.weight, head.bias)):
        spec = constants[name].spec
        axis = head.axis if name == head.weight else max(spec.rank - 1, 0)
        if name == head.bias and spec.rank > 1:  # of a Conv's Add: (1, C, 1, 1)
            axis = int(np.argmax(spec.shape))
        shape = tuple(classes if i == axis else d for i, d in enumerate(spec.shape))
        weight = constants[head.weight].spec
        bound = 1 / np.sqrt(weight.size // weight.shape[head.axis])
        constants[name] = Constant(rng.uniform(-bound, bound, shape).astype(spec.dtype.numpy))
    nodes = _reshaped(graph, head, classes, constants)
    metadata = {k: v for k, v in graph.metadata.items() if k != "output_specs"}
    specs = {n: graph.specs[n] for n in graph.inputs if n in graph.specs}
    return graph.replace(nodes=nodes, constants=constants, metadata=metadata, specs=specs)


def _reshaped(
    graph: Graph, head: Head, classes: int, constants: dict[str, Constant]
) -> tuple[Node, ...]:
    """The nodes, those behind the head that reshape to a row of as many scores as there were with as many as there are;
    their shapes go to the constants. PyTorch's exporter writes Flatten as a Reshape to (-1, classes)."""
    before, fresh = head.classes(graph), fresh_names(lambda: all_names(graph))
    found = list(graph.nodes)
    for node in head.behind:
        held = constants.get(node.inputs[1]) if node.op == "Reshape" else None
        if held is None or held.spec.size < 2 or held.array[1] != before:
            continue
        name, places = fresh(node.inputs[1]), np.arange(held.spec.size)
        constants[name] = Constant(np.where(places == 1, classes, held.array))
        inputs = (node.inputs[0], name)
        anew = make_node(node.op, inputs, node.outputs, node.name, **node.attrs)
        found[found.index(node)] = anew
    return tuple(found)
