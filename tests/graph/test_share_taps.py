"""A max pooling that is differentiated is computed once."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.passes.share_taps import share_taps
from clconv.graph.reference import run_reference

WINDOW = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1), "dilations": (1, 1)}


def pooled(outputs: tuple[str, ...] = ("y",), **more: object) -> Graph:
    """z = relu(max_pool(x))."""
    nodes = (
        make_node("MaxPool", ["x"], outputs, **{**WINDOW, **more}),
        make_node("Relu", ["y"], ["z"]),
    )
    return Graph("g", nodes, ("x",), ("z",), {"x": TensorSpec((2, 3, 9, 8))}, {})


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def test_once_for_both_ways() -> None:
    backward = gradients(pooled(), ["z"], ["x"])
    assert ops(backward).count("MaxPool") == ops(backward).count("MaxPoolWithTaps") == 1
    shared = share_taps(backward)
    assert ops(shared).count("MaxPoolWithTaps") == 1 and "MaxPool" not in ops(shared)
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 8)).astype(np.float32)
    before, after = (run_reference(g, {"x": x}) for g in (backward, run_passes(backward)))
    for name in backward.outputs:
        np.testing.assert_array_equal(before[name], after[name])


def test_twice_differentiated() -> None:
    once = gradients(pooled(), ["z"], ["x"])
    both = gradients(once, ["z"], ["y"])
    again = gradients(both, ["z"], ["x"])
    assert ops(run_passes(again)).count("MaxPoolWithTaps") == 1


@pytest.mark.parametrize("change", [{"strides": (1, 2)}, {"pads": (0, 1, 1, 1)}, {"ceil_mode": 1}])
def test_other_windows_stay_apart(change: dict[str, object]) -> None:
    graph = pooled()
    nodes = (
        *graph.nodes,
        make_node("MaxPoolWithTaps", ["x"], ["v", "taps"], **{**WINDOW, **change}),
    )
    graph = graph.replace(nodes=nodes, outputs=("z", "taps"))
    assert share_taps(graph) is graph


def test_indices_stay() -> None:
    graph = pooled(("y", "indices"))
    backward = gradients(graph.replace(outputs=("z", "indices")), ["z"], ["x"])
    assert ops(share_taps(backward)) == ops(backward)
