"""Gradients of a convolutional network as one plan on a device: the references' numbers, the same bits every run."""

from __future__ import annotations

import numpy as np

import clconv
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise

SHAPE = (4, 3, 37, 41)
WEIGHTS = {"w1": (40, 3, 7, 7), "b1": (40,), "w2": (40, 1, 3, 3), "w3": (24, 40, 1, 1), "w4": (35, 24, 3, 3)}  # fmt: skip


def network(rng: np.random.Generator) -> Graph:
    """A stem of stride 2, a depthwise convolution, one of 1x1, and one that mirrors at the border."""
    one, ones = {"strides": (1, 1), "dilations": (1, 1)}, (1, 1, 1, 1)
    nodes = (
        make_node(
            "Conv", ["x", "w1", "b1"], ["h1"], strides=(2, 2), pads=(3, 3, 3, 3), dilations=(1, 1)
        ),
        make_node("Relu", ["h1"], ["r1"]),
        make_node("Conv", ["r1", "w2"], ["h2"], pads=ones, group=40, **one),
        make_node("Relu", ["h2"], ["r2"]),
        make_node("Conv", ["r2", "w3"], ["h3"], pads=(0, 0, 0, 0), **one),
        make_node("Relu", ["h3"], ["r3"]),
        make_node("Conv", ["r3", "w4"], ["y"], pads=ones, pad_mode="reflect", **one),
    )
    weights = {
        n: Constant((0.2 * rng.standard_normal(shape)).astype(np.float32))
        for n, shape in WEIGHTS.items()
    }
    return Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec(SHAPE)}, weights)


def test_a_networks_gradients_on_the_device() -> None:
    rng = np.random.default_rng(0)
    backward = gradients(network(rng), ["y"], [*WEIGHTS, "x"])
    x = rng.standard_normal(SHAPE).astype(np.float32)
    expected = run_reference(specialise(backward, backward.specs).graph, {"x": x})
    session = clconv.load(backward)
    first, second = session.run({"x": x}), session.run({"x": x})
    assert set(first) == {"y", "x.grad", *(f"{n}.grad" for n in WEIGHTS)}
    for name, want in expected.items():
        assert np.abs(first[name] - want).max() <= 2e-5 * np.abs(want).max(), name
        np.testing.assert_array_equal(first[name], second[name])
