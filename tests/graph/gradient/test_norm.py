"""Normalisations backwards where the table of cases cannot say it: statistics as outputs, training networks, limits."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import UnsupportedError
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference

RNG = np.random.default_rng(3)


def test_through_the_statistics_of_layer_normalization() -> None:
    """They are float32 whatever the input, too coarse for differences: by the formulas of mean and 1 / deviation."""
    x = RNG.standard_normal((3, 7)).astype(np.float32)
    node = make_node("LayerNormalization", ["x", "ones"], ["y", "mean", "inverse"], epsilon=1e-3)
    constants = {"ones": Constant(np.ones(7, np.float32))}
    graph = Graph("g", (node,), ("x",), ("y",), {"x": TensorSpec((3, 7))}, constants)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(1, keepdims=True)
    inverse = (wide.var(1, keepdims=True) + 1e-3) ** -0.5
    for name, wanted in (
        ("mean", np.full((3, 7), 1 / 7)),
        ("inverse", -(inverse**3) * centred / 7),
    ):
        found = run_reference(gradients(graph, [name], ["x"]), {"x": x})
        np.testing.assert_allclose(found["x.grad"], wanted, rtol=1e-4, atol=1e-6)


def test_a_trained_batch_norm_takes_the_activation_behind_it() -> None:
    """Forward and backward read what it saved; nothing is computed twice."""
    shape = (2, 4, 3, 3)
    nodes = (
        make_node("BatchNormalization", ["x", *"sbmv"], ["n", "m2", "v2", "mean", "inverse"], training_mode=1),
        make_node("Relu", ["n"], ["y"]),
    )  # fmt: skip
    specs = {"x": TensorSpec(shape), **{n: TensorSpec((4,)) for n in "sbmv"}}
    graph = Graph("g", nodes, ("x", *"sbmv"), ("y", "m2", "v2"), specs)
    backward = gradients(graph, ["y"], ["x", "s", "b"])
    fused = run_passes(backward)
    norms = [node for node in fused.nodes if node.op == "BatchNormalization"]
    assert [len(node.epilogue) for node in norms] == [1]
    feeds = {"x": RNG.standard_normal(shape).astype(np.float32)}
    feeds |= {n: RNG.uniform(0.5, 1, 4).astype(np.float32) for n in "sbmv"}
    for name, wanted in run_reference(backward, feeds).items():
        np.testing.assert_allclose(run_reference(fused, feeds)[name], wanted, rtol=1e-5, atol=1e-6)


def test_too_many_steps_of_a_recurrent_layer() -> None:
    node = make_node("RNN", ["x", "w", "r"], ["y"])
    constants = {n: Constant(np.ones((1, 2, 2), np.float32)) for n in "wr"}
    graph = Graph("g", (node,), ("x",), ("y",), {"x": TensorSpec((1025, 1, 2))}, constants)
    with pytest.raises(UnsupportedError, match="shorter"):
        gradients(graph, ["y"], ["x"])
