"""Gradient rows become steps of the kernel that computes dy."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes


@pytest.mark.parametrize(
    "op", ["Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "Swish", "Gelu", "Mish"]
)
def test_of_an_activation_between_products(op: str) -> None:
    """p = act(x v) w, y = p^2: dp w' and the activation's gradient are one node."""
    constants = {n: Constant(np.ones((5, 5), np.float32)) for n in ("v", "w")}
    nodes = (
        make_node("MatMul", ["x", "v"], ["h"]),
        make_node(op, ["h"], ["a"]),
        make_node("MatMul", ["a", "w"], ["p"]),
        make_node("Mul", ["p", "p"], ["y"]),  # so that dy is no constant
    )
    graph = Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec((3, 5))}, constants)
    fused = run_passes(gradients(graph, ["y"], ["x"]))
    steps = {step.op: node.op for node in fused.nodes for step in node.epilogue}
    assert steps[f"{op}Gradient"] == "Gemm"
    assert not any(node.op == "Transpose" for node in fused.nodes)


def test_of_an_activation_alone_its_input_is_not_kept() -> None:
    for op in ("Sigmoid", "Tanh", "Exp", "Sqrt", "LeakyRelu", "Elu", "Celu", "HardSigmoid"):
        nodes = (make_node("Neg", ["x"], ["h"]), make_node(op, ["h"], ["y"]))
        graph = Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec((3, 5))})
        found = gradients(graph, ["y"], ["x"])
        assert [node.op for node in found.nodes if "h" in node.inputs] == [op]
