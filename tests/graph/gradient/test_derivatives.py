"""Gradient graphs as a whole: open sizes, constants, values between, gradients of gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.errors import GraphError, UnsupportedError
from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise

W = np.arange(12, dtype=np.float32).reshape(3, 4) / 7


def dense(rows: int | str) -> Graph:
    """y = relu(x w), with w a constant."""
    nodes = (make_node("MatMul", ["x", "w"], ["h"]), make_node("Relu", ["h"], ["y"]))
    return Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec((rows, 3))}, {"w": Constant(W)})


@pytest.mark.parametrize("rows", [2, "N"])
def test_of_inputs_and_constants(rows: int | str) -> None:
    x = np.array([[1, -2, 0.5], [0, 1, 2]], np.float32)
    backward = gradients(dense(rows), ["y"], ["x", "w", "h"])
    assert backward.outputs == ("y", "x.grad", "w.grad", "h.grad")
    settled = specialise(backward, {"x": TensorSpec((2, 3))}).graph
    found = run_reference(settled, {"x": x})
    dh = (x @ W > 0).astype(np.float32)
    np.testing.assert_allclose(found["h.grad"], dh)
    np.testing.assert_allclose(found["x.grad"], dh @ W.T, rtol=1e-6)
    np.testing.assert_allclose(found["w.grad"], x.T @ dh, rtol=1e-6)


def test_after_passes_and_with_epilogues() -> None:
    graph = dense(2)
    fused = run_passes(specialise(graph, graph.specs).graph)
    assert any(node.epilogue for node in fused.nodes)
    x = np.ones((2, 3), np.float32)
    plain = run_reference(gradients(graph, ["y"], ["x"]), {"x": x})
    again = run_reference(gradients(fused, ["y"], ["x"]), {"x": x})
    np.testing.assert_array_equal(plain["x.grad"], again["x.grad"])


def test_gradients_of_gradients() -> None:
    """y = x^4 as (x x)(x x): y' = 4 x^3, y'' = 12 x^2."""
    nodes = (make_node("Mul", ["x", "x"], ["s"]), make_node("Mul", ["s", "s"], ["y"]))
    graph = Graph("g", nodes, ("x",), ("y",), {"x": TensorSpec((3,), DType.FLOAT64)})
    first = gradients(graph, ["y"], ["x"])
    second = gradients(first, ["x.grad"], ["x"])
    x = np.array([1.0, -2, 3])
    found = run_reference(second, {"x": x})
    np.testing.assert_allclose(found["x.grad"], 4 * x**3)
    np.testing.assert_allclose(found[second.outputs[-1]], 12 * x**2)


def test_what_nothing_depends_on_gets_zeros() -> None:
    graph = dense(2).replace(
        inputs=("x", "other"), specs={"x": TensorSpec((2, 3)), "other": TensorSpec((5,))}
    )
    found = run_reference(
        gradients(graph, ["y"], ["other"]),
        {"x": np.ones((2, 3), np.float32), "other": np.ones(5, np.float32)},
    )
    assert (found["other.grad"] == np.zeros(5)).all()


def test_errors_say_what_is_wrong() -> None:
    graph = dense(2)
    with pytest.raises(GraphError, match="no value 'z'"):
        gradients(graph, ["z"], ["x"])
    with pytest.raises(GraphError, match="at least one name"):
        gradients(graph, ["y"], [])
    whole = graph.replace(
        nodes=(*graph.nodes, make_node("ArgMax", ["y"], ["i"])),
        specs={**graph.specs, "i": TensorSpec((1, 4), DType.INT64)},
    )
    with pytest.raises(GraphError, match="only floats"):
        gradients(whole, ["i"], ["x"])


def test_operators_without_a_rule_are_listed_in_one_error() -> None:
    nodes = (
        make_node("NonZero", ["x"], ["places"]),
        make_node("Cast", ["places"], ["y"], to="float32"),
        make_node("ReduceSum", ["y"], ["z"]),
        make_node("Mul", ["z", "x"], ["w"]),
    )
    graph = Graph("g", nodes, ("x",), ("w",), {"x": TensorSpec((3,))})
    with pytest.raises(UnsupportedError, match="depends on what the inputs hold"):
        specialise(gradients(graph, ["w"], ["x"]), graph.specs)
