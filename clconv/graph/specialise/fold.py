"""Folding: what only depends on constants is computed once, before any run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.graph.evaluate import evaluate_node, infer_node, is_quick, settle_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import get_op

# Folding may not blow a small model up: a folded tensor has at most this many elements, or is no
# larger than what it was made of.
FOLD_LIMIT = 1 << 22


def fold(node: Node, specs: Mapping[str, TensorSpec], constants: dict[str, Constant]) -> bool:
    """Adds the node's outputs to `constants` if they only depend on constants; says whether it did."""
    op = get_op(node.op)
    if not op.folds or (op.control is not None and _needs_specialising(node)):
        return False
    if node.op in ("Shape", "Size") and node.inputs[0] in specs and specs[node.inputs[0]].is_static:
        source: list[np.ndarray | None] = [np.empty(specs[node.inputs[0]].shape, np.bool_)]
    elif all(not n or n in constants for n in node.inputs):
        source = [constants[n].array if n else None for n in node.inputs]
        if not op.host_only:
            node = settle_node(node, specs, constants)
            outputs = infer_node(node, specs, constants)
            budget = max(FOLD_LIMIT, sum(a.size for a in source if a is not None))
            if sum(s.size for s in outputs) > budget:
                return False
            given = [constants[n].spec if n else None for n in node.inputs]
            if not is_quick(node, given, outputs):
                return False
    else:
        return False
    for name, value in zip(node.outputs, evaluate_node(node, source), strict=False):
        if name:
            constants[name] = Constant(value)
    return True


def _needs_specialising(node: Node) -> bool:
    """Whether a subgraph holds what the references alone cannot compute, or may not beforehand."""
    graphs = [value for value in node.attrs.values() if isinstance(value, Graph)]
    return any(
        not get_op(inner.op).folds or _needs_specialising(inner)
        for graph in graphs
        for inner in graph.nodes
    )
