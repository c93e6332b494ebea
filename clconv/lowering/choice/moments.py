"""Where a kernel leaves statistics of its result for the one that reads it, which then needs no pass of its own over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clconv.graph.ir import PLAIN, DType, Graph
from clconv.lowering.model.kernel import Signature
from clconv.lowering.model.lowered import Choice


def takers_of_moments(
    graph: Graph, choices: Sequence[Choice], signatures: Mapping[int, Signature]
) -> dict[int, int]:
    """By node that leaves Moments of its first output, the node that takes them, both by position.

    The value must be float32, and lie as the kernel writes it, on channel blocks: what a conversion rounds or moves has other
    elements.
    """
    makers = {node.outputs[0]: i for i, node in enumerate(graph.nodes)}
    found: dict[int, int] = {}
    for reader, node in enumerate(graph.nodes):
        maker = makers.get(node.inputs[0]) if choices[reader].variant.takes_moments else None
        if maker is None or not choices[maker].variant.leaves_moments:
            continue
        made, read = signatures[maker].outputs[0], signatures[reader].inputs[0]
        if made == read != PLAIN and graph.specs[node.inputs[0]].dtype is DType.FLOAT32:
            found.setdefault(maker, reader)
    return found
