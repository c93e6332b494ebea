"""A Relu in front of a max pooling goes behind it: same results, same gradients, and only where that is sure."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.pool_before_relu import pool_before_relu
from clconv.graph.reference import run_reference

WINDOW = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "dilations": (1, 1)}


def network(**more: object) -> Graph:
    """y = max_pool(relu(x))."""
    nodes = (
        make_node("Relu", ["x"], ["r"], "relu"),
        make_node("MaxPool", ["r"], ["y"], "pool", **{**WINDOW, **more}),
    )
    return Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec((2, 3, 9, 8))}, {})


def test_result_and_gradient_are_the_same() -> None:
    before = network()
    after = pool_before_relu(before)
    assert [node.op for node in after.nodes] == ["MaxPool", "Relu"]
    assert after.outputs == before.outputs
    x = np.random.default_rng(0).integers(-3, 4, (2, 3, 9, 8)).astype(np.float32)  # many ties
    x[0, 0] = -1  # windows of which nothing passes
    found = [run_reference(gradients(g, ["y"], ["x"]), {"x": x}) for g in (before, after)]
    assert np.count_nonzero(found[0]["x.grad"])
    for name in found[0]:
        np.testing.assert_array_equal(found[0][name], found[1][name])


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (2, 2, 2, 2)])
def test_windows_with_gaps_stay(pads: tuple[int, ...]) -> None:
    """They may see nothing but padding."""
    graph = network(dilations=(2, 2), pads=pads)
    assert pool_before_relu(graph) is graph


def test_what_others_read_stays() -> None:
    graph = network()
    other = graph.replace(outputs=("y", "r"))
    assert pool_before_relu(other) is other
    nodes = (*graph.nodes, make_node("Neg", ["r"], ["z"], "neg"))
    other = graph.replace(nodes=nodes, outputs=("y", "z"))
    assert pool_before_relu(other) is other


def test_indices_stay() -> None:
    graph = network()
    pool = dataclasses.replace(graph.nodes[1], outputs=("y", "indices"))
    graph = graph.replace(nodes=(graph.nodes[0], pool), outputs=("y", "indices"))
    assert pool_before_relu(graph) is graph
