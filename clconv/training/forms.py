"""A network while it learns, and while it is used: what BatchNormalization and Dropout do in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clconv.graph.ir import DType, Graph, Node
from clconv.graph.ops import make_node
from clconv.training.writer import GraphWriter

RANDOM = "random"  # the input that holds seed and step, which decide what is dropped


def inference_form(graph: Graph) -> Graph:
    """The graph as it is used: batch norms take their running statistics, nothing is dropped.

    Outputs of a BatchNormalization in training mode that others read are the running statistics themselves.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op == "BatchNormalization" and node.attrs.training_mode and _follows(graph, node):
            attrs = {**node.attrs, "training_mode": 0}
            nodes.append(make_node(node.op, node.inputs, node.outputs[:1], node.name, **attrs))
            nodes += _running_outputs(graph, node)
        elif node.op == "Dropout" and len(node.inputs) > 2:
            nodes.append(make_node(node.op, node.inputs[:2], node.outputs, node.name))
        else:
            nodes.append(node)
    if tuple(nodes) == graph.nodes:
        return graph
    return graph.replace(nodes=tuple(nodes))


def _running_outputs(graph: Graph, node: Node) -> list[Node]:
    read = {*graph.outputs, *(n for other in graph.nodes for n in other.inputs)}
    return [
        make_node("Identity", (source,), (output,), output)
        for source, output in zip(node.inputs[3:5], node.outputs[1:3], strict=False)
        if output in read
    ]


def _follows(graph: Graph, node: Node) -> bool:
    """Whether a batch norm has running statistics of its own."""
    return all(name in graph.constants for name in node.inputs[3:5])


def training_form(graph: Graph, train_statistics: bool) -> tuple[GraphWriter, dict[str, str]]:
    """The graph as it is while it learns, behind which nodes are added, and the new values of running statistics.

    train_statistics: batch norms take the statistics of the batch, and running ones follow them. A Dropout drops; what,
    follows from its place and the input RANDOM.
    """
    to = GraphWriter(graph)
    to.graph = graph.replace(nodes=())
    new: dict[str, str] = {}
    read = {*graph.outputs, *(name for node in graph.nodes for name in node.inputs)}
    drops = 0
    for node in graph.nodes:
        if node.op == "BatchNormalization" and train_statistics and _follows(graph, node):
            _batch_norm(to, node, new)
        elif node.op == "Dropout":
            drops += 1
            masked = read.intersection(node.outputs[1:])
            _dropout(to, node, node.outputs if masked else node.outputs[:1], drops)
        else:
            to.nodes.append(node)
    return to, new


def _dropout(to: GraphWriter, node: Node, outputs: Sequence[str], number: int) -> None:
    if RANDOM not in to.labelled:
        to.labelled[RANDOM] = to.add_input(RANDOM, (2,), DType.INT64)
        to.labelled["training"] = to.constant(np.array(True), "training")
    ratio = node.inputs[1] if len(node.inputs) > 1 else ""
    inputs = (node.inputs[0], ratio, to.labelled["training"], to.labelled[RANDOM])
    to.nodes.append(make_node(node.op, inputs, outputs, node.name, seed=number))


def _batch_norm(to: GraphWriter, node: Node, new: dict[str, str]) -> None:
    """Two uses of the same statistics follow one another. The batch's own are kept for the gradient."""
    held = node.inputs[3:5]
    before = [new.get(name, name) for name in held]
    named = ("mean", "variance", "batch_mean", "batch_inverse")
    mean, biased, *kept = (to.fresh(f"{node.name}//{what}") for what in named)
    attrs = {**node.attrs, "training_mode": 1}
    inputs, outputs = (*node.inputs[:3], *before), (node.outputs[0], mean, biased, *kept)
    to.nodes.append(make_node(node.op, inputs, outputs, node.name, **attrs))
    variance = _unbiased(to, node, before[1], biased)
    new.update(zip(held, (mean, variance), strict=True))


def _unbiased(to: GraphWriter, node: Node, before: str, after: str) -> str:
    """The running variance that follows n / (n - 1) times the batch's, which ONNX's does not, as PyTorch's does, so that
    it is no less than the truth on average. n: elements of a channel. With one element, whose variance is 0, it is as
    ONNX's."""
    channels = to.graph.constants[node.inputs[3]].spec.size
    size = to.one("Cast", to.one("Size", node.inputs[0]), to="float32")
    others = to.one("Sub", to.scaled(size, 1 / channels), to.number(1))
    # One for each channel: a single number would be part of the kernel, and another batch size need another one.
    ones = to.constant(np.ones(channels, np.float32), "ones")
    gain = to.one("Div", ones, to.one("Max", others, to.number(1)))
    # after - momentum * before is the batch's share.
    share = to.one("Sub", after, to.scaled(before, node.attrs.momentum))
    return to.one("Add", after, to.one("Mul", share, gain))
