"""Values that are computed anew on the way back: the same gradients, less memory."""

from __future__ import annotations

import numpy as np
import pytest

from clconv import layers as L
from clconv.device.options import PlanOptions
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.planning.planner import Planner
from tests.lowering.support import AVX2


def deep(layers: int = 12, channels: int = 8) -> Graph:
    """Convolutions one behind the other, and the mean of their result's squares."""
    parts = [part for _ in range(layers) for part in (L.Conv2d(channels, 3, padding=1), L.Tanh())]
    graph = L.Sequential(*parts).build((channels, 10, 10), batch=2)
    square, mean = (
        make_node("Mul", ["output", "output"], ["square"]),
        make_node("ReduceMean", ["square"], ["loss"], keepdims=0),
    )
    specs = {n: graph.specs[n] for n in graph.inputs}
    return graph.replace(nodes=(*graph.nodes, square, mean), outputs=("loss",), specs=specs)


def weights(graph: Graph) -> list[str]:
    return [n for n in graph.constants if n.endswith(".weight")]


@pytest.mark.parametrize("segments", [2, 3, 5])
def test_gradients_are_the_same_to_the_bit(segments: int) -> None:
    graph = deep(layers=5)
    x = np.random.default_rng(0).standard_normal((2, 8, 10, 10)).astype(np.float32)
    wanted = run_reference(gradients(graph, ["loss"], weights(graph)), {"input": x})
    backward = gradients(graph, ["loss"], weights(graph), segments=segments)
    assert sum(".again" in node.name for node in backward.nodes) > 0
    found = run_reference(backward, {"input": x})
    for name, value in wanted.items():
        assert value.tobytes() == found[name].tobytes(), name


def test_it_takes_less_memory() -> None:
    graph = deep()
    specs = {"input": TensorSpec((2, 8, 10, 10))}
    totals = []
    for segments in (1, 4):
        backward = gradients(graph, ["loss"], weights(graph), segments=segments)
        totals.append(Planner(AVX2, PlanOptions()).plan(backward, specs).memory.total)
    assert totals[1] < 0.75 * totals[0]


def test_branches_cross_segments() -> None:
    """A value that a later segment reads, too, is kept; one that is an output as well."""
    nodes = (
        make_node("Tanh", ["x"], ["a"]),
        make_node("Sigmoid", ["a"], ["b"]),
        make_node("Mul", ["a", "b"], ["c"]),
        make_node("Tanh", ["c"], ["d"]),
        make_node("Add", ["d", "a"], ["e"]),
        make_node("ReduceSum", ["e"], ["loss"], keepdims=0),
    )
    graph = Graph("g", nodes, ("x",), ("loss", "b"), {"x": TensorSpec((4, 5))})
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    wanted = run_reference(gradients(graph, ["loss"], ["x"]), {"x": x})
    for segments in (2, 3, 6):
        backward = gradients(graph, ["loss"], ["x"], segments=segments)
        assert not any(node.outputs[0].startswith("b.again") for node in backward.nodes)
        found = run_reference(backward, {"x": x})
        np.testing.assert_array_equal(found["x.grad"], wanted["x.grad"])
