"""Which constants of a graph are learned, and which follow what is learned."""

from __future__ import annotations

from collections.abc import Mapping

from clconv.graph.ir import Graph, Node

# Inputs that hold numbers which are not learned, by operator.
_SETTINGS: Mapping[str, tuple[int, ...]] = {
    "Clip": (1, 2), "Pad": (2,), "Resize": (1, 2), "Pow": (1,), "OneHot": (1, 2), "TopK": (1,),
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "FakeQuantize": (1, 2), "Dropout": (1, 2),
    "GridSample": (1,), "RoiAlign": (1,), "LSTM": (5, 6), "GRU": (5,), "RNN": (5,), "Range": (0, 1, 2),
    "Equal": (0, 1), "Less": (0, 1), "Greater": (0, 1), "LessOrEqual": (0, 1), "GreaterOrEqual": (0, 1),
}  # fmt: skip
_SCALING = ("Add", "Sub", "Mul", "Div")  # of an input of the network: what prepares it


def parameter_names(graph: Graph) -> tuple[str, ...]:
    """Names of the constants that training changes: floats that are no settings, such as a Clip's bounds, no running
    statistics and no lone numbers."""
    held = set(statistic_names(graph))
    places: dict[str, list[tuple[Node, int]]] = {}
    for node in graph.nodes:
        for index, name in enumerate(node.inputs):
            if name in graph.constants:
                places.setdefault(name, []).append((node, index))
    return tuple(
        name
        for name, constant in graph.constants.items()
        if constant.spec.dtype.is_float
        and constant.spec.rank > 0
        and name not in held
        and name in places
        and all(_is_place_of_parameter(graph, node, i) for node, i in places[name])
    )


def statistic_names(graph: Graph) -> tuple[str, ...]:
    """Names of the constants that are running means and variances of batch norms."""
    names = [
        name for node in graph.nodes if node.op == "BatchNormalization" for name in node.inputs[3:5]
    ]
    return tuple(dict.fromkeys(n for n in names if n in graph.constants))


def _is_place_of_parameter(graph: Graph, node: Node, index: int) -> bool:
    if index in _SETTINGS.get(node.op, ()):
        return False
    others = [n for i, n in enumerate(node.inputs) if i != index]
    if node.op in _SCALING:
        size = graph.constants[node.inputs[index]].spec.size
        return size > 1 and not any(n in graph.inputs for n in others)
    return True
