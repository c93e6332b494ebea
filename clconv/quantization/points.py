"""Which values of a network are rounded to 8 bits, and which share a grid."""

from __future__ import annotations

import dataclasses

from clconv.graph.ir import DType, Graph, Node

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_BETWEEN = frozenset(
    {
        "Add", "AveragePool", "Clip", "Concat", "GlobalAveragePool", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul",
        "ReduceMean", "Relu", "Sigmoid", "Swish",
    }
)  # fmt: skip
# What moves or compares values leaves them on their grid.
_MOVERS = frozenset(
    {"DepthToSpace", "Flatten", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze"}
)  # fmt: skip
_CUTS = frozenset({"Relu", "Clip"})


@dataclasses.dataclass(frozen=True)
class Points:
    """rounded: values that get a grid of their own. follows: values on the grid of another. products: nodes whose weights
    are rounded, too, by name."""

    rounded: tuple[str, ...]
    follows: dict[str, str]
    products: frozenset[str]


def find_points(graph: Graph) -> Points:
    """What to round so that each product reads and makes 8 bits: what it reads, and what is made of it up to what no
    operator on 8 bits reads. Results of the network stay as they are, as does what stands before an activation that cuts
    values off: rounding behind it is enough."""
    readers = graph.consumers()
    products = frozenset(node.name for node in graph.nodes if _is_product(graph, node))
    takers = {
        node.name
        for node in graph.nodes
        if node.name in products or (node.op in _BETWEEN and not node.epilogue)
    }
    makers = graph.producers()

    def is_read(name: str) -> bool:
        """Whether something on 8 bits reads a value, or what was moved of it."""
        return any(
            name == node.inputs[0] and is_read(node.outputs[0])
            if node.op in _MOVERS
            else node.name in takers and name in _data(node)
            for node in readers.get(name, ())
        )

    rounded: list[str] = []
    follows: dict[str, str] = {}
    for name in (*graph.fed, *(n for node in graph.nodes for n in node.outputs[:1])):
        spec, maker = graph.specs.get(name), makers.get(name)
        if spec is not None and spec.dtype is not DType.FLOAT32:
            continue
        if name in graph.outputs or not is_read(name):
            continue
        after = readers.get(name, [])
        cut = len(after) == 1 and after[0].op in _CUTS and after[0].outputs[0] not in graph.outputs
        if maker is not None and cut and is_read(after[0].outputs[0]):
            continue
        if maker is not None and maker.op in _MOVERS:
            source = follows.get(maker.inputs[0], maker.inputs[0])
            if source in rounded:
                follows[name] = source
                continue
        if (
            maker is None
            or maker.name in takers
            or maker.op in _MOVERS
            or any(node.name in products for node in after)
        ):
            rounded.append(name)
    used = {n for node in graph.nodes if node.name in products for n in node.inputs[:1]}
    placed = {*rounded, *follows}
    return Points(
        tuple(rounded),
        follows,
        frozenset(
            n.name for n in graph.nodes if n.name in products and n.inputs[0] in used & placed
        ),
    )


def _data(node: Node) -> tuple[str, ...]:
    """The inputs that a node computes with, but for weights."""
    return node.inputs[:1] if node.op in {*PRODUCTS, *_CUTS, "ReduceMean"} else node.inputs


def _is_product(graph: Graph, node: Node) -> bool:
    if node.op not in PRODUCTS or node.epilogue or len(node.inputs) < 2:
        return False
    weights = graph.constants.get(node.inputs[1])
    if weights is None or weights.spec.dtype is not DType.FLOAT32 or weights.spec.rank < 2:
        return False
    if node.op == "Gemm" and (node.attrs.transA or node.attrs.alpha != 1 or node.attrs.beta != 1):
        return False
    if node.op == "MatMul" and weights.spec.rank != 2:
        return False
    return node.inputs[0] not in graph.constants
