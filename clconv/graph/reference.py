"""Runs a Graph with the operators' NumPy references: slow, short, and what every kernel is held to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from clconv.errors import InputError
from clconv.graph.evaluate import evaluate_graph
from clconv.graph.ir import Graph


def run_reference(
    graph: Graph, feeds: Mapping[str, np.ndarray], keep: bool = False
) -> dict[str, np.ndarray]:
    """Values of the graph's outputs (of all values with keep) for the given inputs, state among both.

    Raises InputError if an input is missing.
    """
    missing = [name for name in graph.inputs if name not in feeds]
    if missing:
        raise InputError(f"input '{missing[0]}' is missing; the model takes {list(graph.inputs)}")
    return evaluate_graph(graph, feeds, keep)


def step_reference(
    graph: Graph, feeds: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What a run returns, and what the state holds behind it. Raises InputError if an input is missing."""
    given = {**state, **feeds}
    values = {**given, **run_reference(graph, given)}
    returned = {name: values[name] for name in graph.returned}
    return returned, {name: values[new] for name, new in graph.state.items()}
