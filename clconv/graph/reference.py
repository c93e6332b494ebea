"""Runs a Graph with the operators' NumPy references: slow, short, and what every kernel is held to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.errors import InputError
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Graph


def run_reference(
    graph: Graph, feeds: Mapping[str, np.ndarray], keep: bool = False
) -> dict[str, np.ndarray]:
    """Values of the graph's outputs (of all values with keep) for the given inputs.

    Raises InputError if an input is missing.
    """
    values: dict[str, np.ndarray] = {n: c.array for n, c in graph.constants.items()}
    for name in graph.inputs:
        if name not in feeds:
            raise InputError(f"input '{name}' is missing; the model takes {list(graph.inputs)}")
        values[name] = np.asarray(feeds[name])
    for node in graph.nodes:
        results = evaluate_node(node, [values[n] if n else None for n in node.inputs])
        values.update((n, r) for n, r in zip(node.outputs, results, strict=False) if n)
    return values if keep else {name: values[name] for name in graph.outputs}
