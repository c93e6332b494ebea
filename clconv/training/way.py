"""The way from what learns to the loss: every step of it needs a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clconv.errors import UnsupportedError
from clconv.graph.ir import Node
from clconv.graph.specialise.differentiate import has_rule, nodes_between

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
    way = nodes_between(learner.graph.nodes, learner.trained, [output])
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


def _has_no_rule(node: Node) -> bool:
    floats = node.op not in _NO_FLOATS and not node.op.startswith("Sequence")
    return floats and not has_rule(node)


def _listed(nodes: list[Node]) -> str:
    kinds: dict[str, list[str]] = {}
    for node in nodes:
        kinds.setdefault(node.op, []).append(node.name)
    return "; ".join(
        f"{op} x{len(names)}, first in node '{names[0]}'" for op, names in sorted(kinds.items())
    )
