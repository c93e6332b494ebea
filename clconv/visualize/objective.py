"""Which layers there are, and a channel's mean as a number whose gradient can be asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.api import Source, read_model
from clconv.errors import InputError
from clconv.graph.epilogue import without_epilogues
from clconv.graph.inside import named_like
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.specialise.specialise import specialise

_OBJECTIVE, _WEIGHTS = "neuron//objective", "neuron//weights"


def layers(model: Source) -> dict[str, str]:
    """The layers whose channels can be maximised: name of the node -> its operator."""
    graph = without_epilogues(read_model(model))
    return {
        node.name: node.op
        for node in graph.nodes
        if node.op in ("Conv", "ConvTranspose", "Gemm", "MatMul", "Relu", "MaxPool", "AveragePool")
    }


def value_of(graph: Graph, layer: str) -> str:
    """The value that a layer makes, by the name of either. Raises InputError."""
    for node in graph.nodes:
        if layer in (node.name, node.outputs[0]):
            return node.outputs[0]
    names = list(layers(graph))
    raise InputError(f"no layer '{layer}'{named_like(layer, names, names)}")


def channel_mean(
    graph: Graph, specs: Mapping[str, TensorSpec], value: str, channel: int
) -> tuple[Graph, list[str]]:
    """The graph with one output more, the mean of a channel of a value over its places (of all pictures together: the
    sum of theirs), and that output's name in a list. Raises InputError for a channel that there is not."""
    needed = graph.replace(outputs=(value,), specs=dict(specs))
    shape = specialise(needed, specs).graph.spec(value).shape
    if len(shape) < 2 or not 0 <= channel < shape[1]:
        raise InputError(
            f"layer '{value}' has {shape[1] if len(shape) > 1 else 0} channels, not {channel}: they count from 0"
        )
    weights = np.zeros((1, shape[1], *[1] * (len(shape) - 2)), np.float32)
    weights[0, channel] = 1 / max(1, int(np.prod(shape[2:])))
    nodes = (
        *needed.nodes,
        make_node("Mul", (value, _WEIGHTS), ("neuron//chosen",)),
        make_node("ReduceSum", ("neuron//chosen",), (_OBJECTIVE,), keepdims=0),
    )
    constants = {**needed.constants, _WEIGHTS: Constant(weights)}
    whole = needed.replace(nodes=nodes, constants=constants, outputs=(_OBJECTIVE,))
    return whole, [_OBJECTIVE]


def logits_of(graph: Graph) -> str:
    """The value with a network's scores: its output, or what its last softmax is taken of, because the gradient of a
    sure answer after a softmax is nearly zero. Raises InputError where there are several outputs."""
    if len(graph.outputs) != 1:
        raise InputError(
            f"'{graph.name}' has the outputs {', '.join(graph.outputs)}; name one of them as the layer"
        )
    value = graph.outputs[0]
    maker = graph.producers().get(value)
    return maker.inputs[0] if maker is not None and maker.op in ("Softmax", "LogSoftmax") else value
