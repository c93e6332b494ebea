"""Fixtures of the graph tests: a builder, and the one question asked of every pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clconv.graph.ir import Graph
from clconv.graph.verify import verify

sys.path.insert(0, str(Path(__file__).parent))  # whatever pytest's import mode is

from graph_builder import Builder, assert_same_results, specialised


@pytest.fixture
def build() -> Builder:
    return Builder()


Pass = Callable[[Graph], Graph]


@pytest.fixture
def check() -> Callable[..., Graph]:
    """Runs a pass on the graph with open shapes and on the specialised one and compares the results
    of both with the original's. Returns the specialised one (with_open_sizes=True: the other)."""

    def check(graph_pass: Pass, graph: Graph, with_open_sizes: bool = False) -> Graph:
        loose = verify(graph_pass(graph))
        assert_same_results(graph, loose)
        strict = verify(graph_pass(specialised(graph)))
        for node in strict.nodes:
            for name in filter(None, (*node.inputs, *node.outputs)):
                assert name in strict.specs or name in strict.constants, f"no spec of {name}"
        assert_same_results(graph, strict)
        again = verify(graph_pass(specialised(loose)))
        assert_same_results(graph, again)
        return loose if with_open_sizes else strict

    return check
