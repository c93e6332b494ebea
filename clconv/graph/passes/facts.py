"""What is known of values before the input sizes are: dtype, rank, and sizes that cannot change.

Passes run on imported graphs whose batch, height and width may be open. Channels, ranks and dtypes
follow from the weights; a fact says so with a TensorSpec whose unknown sizes are None.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.ops import OPS
from clconv.graph.ops.elementwise.elementwise import ROWS, Row
from clconv.graph.rules.known import Known


def gather_facts(graph: Graph) -> dict[str, TensorSpec]:
    """Facts of the graph's values; a value of which not even the rank is known is left out."""
    facts: dict[str, TensorSpec] = {
        name: TensorSpec(tuple(d if isinstance(d, int) else None for d in s.shape), s.dtype)
        for name, s in graph.specs.items()
    }
    facts.update((name, constant.spec) for name, constant in graph.constants.items())
    # Axes, sizes and the like; weights stay where they are.
    values = {n: c.array for n, c in graph.constants.items() if not c.spec.dtype.is_float}
    for node in graph.nodes:
        first = node.outputs[0]
        if first and first not in facts:
            found = _infer(node, facts, values)
            if found is not None:
                facts[first] = found
    return facts


def _infer(
    node: Node, facts: dict[str, TensorSpec], values: Mapping[str, np.ndarray]
) -> TensorSpec | None:
    row = ROWS.get(node.op)
    if row is not None:
        return _row(row, node, facts)
    data = facts.get(node.inputs[0]) if node.inputs else None
    op = OPS.get(node.op)
    if data is None or op is None or op.hooks is None or op.hooks.known is None:
        return None
    return op.hooks.known(node, data, facts, values)


def _row(row: Row, node: Node, facts: Known) -> TensorSpec | None:
    specs = [facts.get(n) for n in node.op_inputs if n]
    known = [s for s in specs if s is not None]
    if not known or len(known) != len(specs):
        return None
    rank = max(s.rank for s in known)
    shape = []
    for axis in range(rank):
        sizes = [s.shape[axis - rank + s.rank] if axis >= rank - s.rank else 1 for s in known]
        wide = [d for d in sizes if d is not None and d != 1]
        shape.append(wide[0] if wide else None if None in sizes else 1)
    return TensorSpec(tuple(shape), row.result or known[-1 if row.condition_first else 0].dtype)
