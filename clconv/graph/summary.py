"""A graph as rows for people: what each layer makes, and what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from clconv.errors import GraphError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph, Node

# Inputs that training would change. A batch norm's mean and variance are measured, not learned.
_LEARNED_INPUTS = {"BatchNormalization": (1, 2)}
_NO_PARAMETERS = frozenset(
    {"Resize", "Pad", "Clip", "Dropout", "Range", "ConstantOfShape", "Where", "Pow"}
)
_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One node with the epilogue fused into it.

    output: shape of the (first) result, batch included. window, stride: one value a spatial axis, ()
    where there is none. padding: begin of every axis, then end of every axis. padding_mode: constant,
    reflect, edge or wrap. parameters: learned values that appear here first (shared ones count once).
    multiply_adds: of convolutions and matrix products, for the whole batch.
    """

    name: str
    op: str
    output: tuple[int, ...]
    filters: int | None
    window: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    padding_mode: str
    groups: int
    epilogue: tuple[str, ...]
    parameters: int
    multiply_adds: int

    @property
    def volume(self) -> tuple[int, ...]:
        """The output without its batch."""
        return self.output[1:]


def summary(graph: Graph) -> tuple[LayerSummary, ...]:
    """A LayerSummary for every node of a graph whose shapes are known.

    Raises GraphError if they are not: specialise the graph first.
    """
    counted: set[int] = set()
    return tuple(_row(graph, node, counted) for node in graph.nodes)


def totals(rows: Iterable[LayerSummary]) -> tuple[int, int]:
    """Parameters and multiply-adds of all rows."""
    listed = list(rows)
    return sum(r.parameters for r in listed), sum(r.multiply_adds for r in listed)


def _row(graph: Graph, node: Node, counted: set[int]) -> LayerSummary:
    result = next(o for o in node.outputs if o)
    for name in (result, *filter(None, node.inputs)):
        if name not in graph.constants and name not in graph.specs:
            raise GraphError(
                f"node '{node.name}' ({node.op}): the shape of '{name}' is not known yet; "
                "specialise the graph for its input sizes first"
            )
    attrs = node.attrs
    weights = graph.spec(node.inputs[1]).shape if node.op in _PRODUCTS else ()
    window = tuple(attrs.get("kernel_shape") or ())
    filters = None
    if node.op in ("Conv", "ConvTranspose"):
        window = weights[2:]
        filters = weights[0] if node.op == "Conv" else weights[1] * attrs.group
    elif node.op == "Gemm":
        filters = weights[0 if attrs.transB else 1]
    return LayerSummary(
        name=node.name,
        op=node.op,
        output=graph.spec(result).shape,
        filters=filters,
        window=window,
        stride=tuple(attrs.get("strides") or ()),
        padding=tuple(attrs.get("pads") or ()),
        padding_mode=attrs.get("pad_mode", "constant"),
        groups=attrs.get("group", 1),
        epilogue=tuple(step.op for step in node.epilogue),
        parameters=sum(_parameters(graph, name, counted) for name in _learned(node)),
        multiply_adds=_multiply_adds(graph, node),
    )


def _learned(node: Node) -> list[str]:
    """Inputs of the node and its epilogue that may be learned."""
    own = node.op_inputs
    if node.op in _LEARNED_INPUTS:
        names = [own[i] for i in _LEARNED_INPUTS[node.op] if i < len(own)]
    else:
        names = [] if node.op in _NO_PARAMETERS else list(own)
    for step in node.epilogue:
        if step.op not in _NO_PARAMETERS:
            names += [node.inputs[i] for i in step.operands if i >= 0]
    return names


def _parameters(graph: Graph, name: str, counted: set[int]) -> int:
    """Values of a constant float tensor that no earlier row counted; a lone number is no parameter."""
    constant = graph.constants.get(name)
    if constant is None or not constant.spec.dtype.is_float or constant.spec.rank == 0:
        return 0
    if constant.key in counted:
        return 0
    counted.add(constant.key)
    return constant.spec.size


def _multiply_adds(graph: Graph, node: Node) -> int:
    if node.op not in _PRODUCTS:
        return 0
    plain = dataclasses.replace(
        node, epilogue=(), inputs=node.op_inputs, op_arity=None
    )  # the steps of an epilogue are no multiply-adds
    return node_cost(plain, graph).flops // 2
