"""The way from what learns to the loss: every step of it needs a gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clconv.errors import UnsupportedError
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops import get_op
from clconv.graph.passes.remove_dead import remove_dead
from clconv.graph.specialise.differentiate import has_rule, nodes_between
from clconv.graph.specialise.specialise import specialise

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


def check_floats(graph: Graph) -> None:
    """Raises UnsupportedError for a network that rounds to integers."""
    quantised = sorted({n.op for n in graph.nodes if n.op in QUANTISING})
    if quantised:
        raise UnsupportedError(
            f"'{graph.name}' computes with integers ({', '.join(quantised)}), which have no gradient; train the float "
            "network that it was made from"
        )


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
    reasons = [f"no gradient is known of {_listed(missing)}"] if missing else []
    if late := _late(learner.graph, output, {node.op for node in missing}):
        reasons.append(
            f"no gradient goes through values whose size or presence depends on what the inputs hold ({late})"
        )
    if reasons:
        raise UnsupportedError(
            f"'{name}' cannot be trained: {'; '.join(reasons)}; freeze= the parameters before"
        )


def _late(graph: Graph, output: str, besides: set[str]) -> str:
    """What has to be known before the output can be planned, as far as sizes are known but for the batch's; "" if nothing,
    or only what operators make that are named besides."""
    inputs = graph.input_specs()
    sizes = {n: TensorSpec((1, *s.shape[1:]), s.dtype) for n, s in inputs.items() if s.rank}
    if len(sizes) < len(inputs) or not all(s.is_static for s in sizes.values()):
        return ""
    cut = specialise(remove_dead(graph.replace(outputs=(output,))), sizes).cut
    if cut is None:
        return ""
    nodes = (*cut.host_nodes, *cut.rest.nodes)
    hosts = [n for n in nodes if get_op(n.op).host_only and n.op not in besides]
    values = [f"'{name}'" for name in cut.needed]
    return ", ".join([*([_listed(hosts)] if hosts else []), *values])


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
