"""The way from what learns to the loss: every step of it needs a gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clconv.errors import UnsupportedError
from clconv.graph.ir import Graph, Node
from clconv.graph.ops import get_op, hooks_of

if TYPE_CHECKING:
    from clconv.training.model import Learner

# What rounds to integers. Its derivative is zero wherever it is defined, so that all before it would silently stay as it
# is.
QUANTISING = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
)  # fmt: skip
# They give integers, on which nothing that learns depends; or they are gone once sizes are known.
_NO_FLOATS = frozenset(
    {"NonZero", "NonMaxSuppression", "Multinomial", "If", "Loop", "Scan", "SplitToSequence", "ConcatFromSequence"}
)  # fmt: skip


def check_way(learner: Learner, output: str) -> None:
    """Raises UnsupportedError that lists all operators between what learns and the output that have no gradient."""
    way = nodes_between(learner.graph, learner.trained, output)
    name = learner.graph.name
    rounding = [node for node in way if node.op in QUANTISING]
    if rounding:
        raise UnsupportedError(
            f"'{name}' rounds to integers between what learns and its output ({_listed(rounding)}), which no gradient "
            "passes: train the float network that it was made from, or freeze= the parameters before it"
        )
    missing = [node for node in way if _has_no_rule(node)]
    if missing:
        raise UnsupportedError(
            f"'{name}' cannot be trained: no gradient is known of {_listed(missing)}; freeze= the parameters before"
        )


def nodes_between(graph: Graph, sources: Iterable[str], result: str) -> list[Node]:
    """The nodes through which a value depends on others, in order."""
    reached, ahead = set(sources), []
    for node in graph.nodes:
        if reached.intersection(node.inputs):
            ahead.append(node)
            reached.update(o for o in node.outputs if o)
    wanted, way = {result}, []
    for node in reversed(ahead):
        if wanted.intersection(node.outputs):
            way.append(node)
            wanted.update(n for n in node.inputs if n in reached)
    return way[::-1]


def _has_no_rule(node: Node) -> bool:
    op = get_op(node.op)
    known = hooks_of(node).gradient is not None or op.expand is not None
    return not known and node.op not in _NO_FLOATS and not node.op.startswith("Sequence")


def _listed(nodes: list[Node]) -> str:
    kinds: dict[str, list[str]] = {}
    for node in nodes:
        kinds.setdefault(node.op, []).append(node.name)
    return "; ".join(
        f"{op} x{len(names)}, first in node '{names[0]}'" for op, names in sorted(kinds.items())
    )
