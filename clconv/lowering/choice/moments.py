"""Where a kernel leaves statistics of its result for the one that reads it, which then needs no pass of its own over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clconv.graph.ir import PLAIN, DType, Graph
from clconv.lowering.model.kernel import Signature
from clconv.lowering.model.lowered import Choice
from clconv.lowering.model.moments import Wanted


def takers_of_moments(
    graph: Graph, choices: Sequence[Choice], signatures: Mapping[int, Signature]
) -> dict[int, tuple[int, Wanted]]:
    """By node that leaves Moments of its first output, the node that takes them, both by position, and what is left.

    Values must be float32, and lie as the kernel writes its result, on channel blocks: what a conversion rounds or moves has
    other elements.
    """
    makers = {
        name: (i, k) for i, node in enumerate(graph.nodes) for k, name in _named(node.outputs)
    }
    homes = {name: signatures[i].outputs[k] for name, (i, k) in makers.items()}
    found: dict[int, tuple[int, Wanted]] = {}
    for reader, node in enumerate(graph.nodes):
        takes = choices[reader].variant.takes_moments
        if takes is None:
            continue
        index, wanted = takes(node)
        maker, place = makers.get(node.inputs[index], (-1, 0))
        if maker < 0 or place or not choices[maker].variant.leaves_moments:
            continue
        layout = signatures[reader].inputs[index]
        values = [node.inputs[index], *([wanted.x] if wanted.x else [])]
        if (
            layout != PLAIN
            and all(homes.get(v) == layout for v in values)
            and all(graph.specs[v].dtype is DType.FLOAT32 for v in values)
            and wanted.center not in graph.constants
        ):
            found.setdefault(maker, (reader, wanted))
    return found


def _named(outputs: Sequence[str]) -> list[tuple[int, str]]:
    """Those that have a name, which are those that a signature speaks of, numbered."""
    return list(enumerate(name for name in outputs if name))
