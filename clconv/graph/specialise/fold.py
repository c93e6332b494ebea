"""Folding: what only depends on constants is computed once, before any run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from clconv.graph.evaluate import evaluate_node, infer_node, is_quick, settle_node
from clconv.graph.ir import Constant, Graph, Node, TensorSpec
from clconv.graph.ops import get_op
from clconv.graph.tensor import Integers

# Folding may not blow a small model up: a folded tensor has at most this many elements, or is no
# larger than what it was made of.
FOLD_LIMIT = 1 << 22

# All of them together have at most this many elements, or so many times what the model itself holds: nodes that each make
# twice of their inputs would fill any memory. Those of sizes and indices are not counted.
_TOGETHER, _TIMES, _FEW = 1 << 26, 8, 1 << 12


class Budget:
    """How much may be folded in a graph that has these constants."""

    def __init__(self, constants: Iterable[Constant]) -> None:
        given = folded = 0
        for constant in constants:
            if constant.is_folded:
                folded += constant.spec.size
            else:
                given += constant.spec.size
        self._left = max(_TOGETHER, _TIMES * given) - folded

    def takes(self, size: int) -> bool:
        """Whether so many elements more may be folded, which are counted then."""
        if size > max(_FEW, self._left):
            return False
        self._left -= size if size > _FEW else 0
        return True


def fold(
    node: Node, specs: Mapping[str, TensorSpec], constants: dict[str, Constant], budget: Budget
) -> bool:
    """Adds the node's outputs to `constants` if they only depend on constants; says whether it did."""
    op = get_op(node.op)
    if not op.folds or (op.control is not None and _needs_specialising(node)):
        return False
    source: list[np.ndarray | None] = []
    if node.op in ("Shape", "Size") and node.inputs[0] in specs and specs[node.inputs[0]].is_static:
        source = [np.broadcast_to(False, specs[node.inputs[0]].shape)]
    elif not all(not n or n in constants for n in node.inputs):
        return False
    elif not op.host_only:
        node = settle_node(node, specs, constants)
        # Before any value is looked at: what is not folded would be read from the model's file for nothing.
        if not _is_worth_it(node, specs, constants, budget):
            return False
    if node.op == "DequantizeLinear":
        made = [_dequantised(node, constants)]
    else:
        given = source or [constants[n].array if n else None for n in node.inputs]
        made = [Constant(value) for value in evaluate_node(node, given)]
    for name, constant in zip(node.outputs, made, strict=False):
        constant.is_folded = True
        if name:
            constants[name] = constant
    return True


def _is_worth_it(
    node: Node,
    specs: Mapping[str, TensorSpec],
    constants: Mapping[str, Constant],
    budget: Budget,
) -> bool:
    """Whether a node of constants is small enough, computed soon enough, and within the budget, which it then takes from."""
    outputs = infer_node(node, specs, constants)
    given = [constants[n].spec if n else None for n in node.inputs]
    size = sum(spec.size for spec in outputs)
    if size > max(FOLD_LIMIT, sum(spec.size for spec in given if spec)):
        return False
    return is_quick(node, given, outputs) and budget.takes(size)


def _dequantised(node: Node, constants: Mapping[str, Constant]) -> Constant:
    """Floats that remember the integers they were: only one of the two is read in the end, so that large ones are not
    held besides."""
    values = constants[node.inputs[0]]
    source = [constants[name].array if name else None for name in node.inputs[1:]]

    def compute() -> np.ndarray:
        return evaluate_node(node, [values.array, *source])[0]

    given = {name: constants[name].spec for name in node.inputs if name}
    (spec,) = infer_node(node, given, constants)
    constant = Constant.reread(spec, compute)
    scale, zero = (*source, None)[:2]
    if values.spec.dtype.itemsize == 1 and scale is not None and not node.attrs.block_size:
        zero = np.zeros((), values.spec.dtype.numpy) if zero is None else zero
        axis = node.attrs.axis % max(values.spec.rank, 1)
        constant.integers = Integers(values, zero, scale, axis)
    return constant


def _needs_specialising(node: Node) -> bool:
    """Whether a subgraph holds what the references alone cannot compute, or may not beforehand."""
    graphs = [value for value in node.attrs.values() if isinstance(value, Graph)]
    return any(
        not get_op(inner.op).folds or _needs_specialising(inner)
        for graph in graphs
        for inner in graph.nodes
    )
