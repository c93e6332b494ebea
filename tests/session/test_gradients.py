"""Gradient graphs on every device."""

from __future__ import annotations

import numpy as np

import clconv
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from tests.graph.gradient.test_derivatives import dense


def test_on_a_device(device: clconv.DeviceInfo) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3)).astype(np.float32)
    backward = gradients(dense("N"), ["y"], ["x", "w"])
    found = clconv.Session(backward, device).run({"x": x})
    wanted = run_reference(specialise(backward, {"x": TensorSpec((2, 3))}).graph, {"x": x})
    for name in backward.outputs:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, atol=1e-6)


def test_of_pooling_and_sampling(device: clconv.DeviceInfo) -> None:
    """Forward and back in one plan, with a max pooling that both share."""
    window = {"dilations": (1, 1), "strides": (2, 2), "pads": (1, 1, 1, 1), "kernel_shape": (3, 3)}
    nodes = (
        make_node("MaxPool", ["x"], ["small"], **window),
        make_node("Resize", ["small", "", "scales"], ["large"], mode="linear"),
        make_node("GridSample", ["large", "grid"], ["turned"]),
        make_node("AveragePool", ["turned"], ["y"], **window),
    )
    specs = {"x": TensorSpec((2, 9, 12, 14)), "grid": TensorSpec((2, 8, 9, 2))}
    constants = {"scales": Constant(np.array([1, 1, 2, 2], np.float32))}
    graph = Graph("g", nodes, ("x", "grid"), ("y",), specs, constants)
    rng = np.random.default_rng(1)
    feeds = {n: rng.uniform(-1, 1, s.shape).astype(np.float32) for n, s in specs.items()}
    backward = gradients(graph, ["y"], ["x", "grid"])
    found = clconv.Session(backward, device).run(feeds)
    wanted = run_reference(backward, feeds)
    for name in backward.outputs:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-5)
