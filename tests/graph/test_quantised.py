"""Quantised networks as float32 ones: unfold_quantised and fuse_quantised."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.passes.quantised import fuse_quantised, unfold_quantised
from clconv.graph.reference import run_reference
from tests.graph.graph_builder import CONV, Builder, assert_same_results


def ops(graph: Graph) -> list[str]:
    return [node.op for node in graph.nodes]


def scale_and_zero(b: Builder, scale: float, zero: int, dtype: str = "uint8") -> tuple[str, str]:
    return b.constant(scale), b.constant(zero, dtype)


def quantised_and_back(b: Builder, x: str, scale: float, zero: int, dtype: str = "uint8") -> str:
    q = b.node("QuantizeLinear", x, *scale_and_zero(b, scale, zero, dtype))
    return b.node("DequantizeLinear", q, *scale_and_zero(b, scale, zero, dtype))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("scale", [0.03, 0.5, 0.0001])
def test_a_pair_is_one_operator(dtype: str, scale: float) -> None:
    b = Builder()
    x = b.input(2, 3, 9, 7)
    graph = b.graph(quantised_and_back(b, x, scale, 5, dtype))
    fused = fuse_quantised(graph)
    assert ops(fused) == ["FakeQuantize"]
    assert_same_results(graph, fused)


def test_a_pair_behind_a_convolution_is_a_step_of_it() -> None:
    b = Builder()
    y = b.node("Relu", b.conv(b.input(1, 3, 8, 8), 4, 3))
    graph = b.graph(quantised_and_back(b, y, 0.125, 0))
    fused = run_passes(graph)
    assert [(n.op, [s.op for s in n.epilogue]) for n in fused.nodes] == [
        ("Conv", ["Relu", "FakeQuantize"])
    ]
    assert_same_results(graph, fused)


def test_each_reader_has_a_dequantisation_of_its_own() -> None:
    b = Builder()
    q = b.node("QuantizeLinear", b.input(1, 4, 5, 5), *scale_and_zero(b, 0.05, 100))
    one, two = (b.node("DequantizeLinear", q, *scale_and_zero(b, 0.05, 100)) for _ in range(2))
    graph = b.graph(b.node("Add", b.node("Relu", one), b.node("Sigmoid", two)))
    fused = fuse_quantised(graph)
    assert ops(fused) == ["FakeQuantize", "Relu", "Sigmoid", "Add"]
    assert_same_results(graph, fused)


def test_what_moves_elements_moves_floats() -> None:
    b = Builder()
    y = b.node("QuantizeLinear", b.input(1, 4, 6, 6), *scale_and_zero(b, 0.05, 100))
    window = {"kernel_shape": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    y = b.node("MaxPool", y, **window)
    y = b.node("Flatten", y, axis=1)
    graph = b.graph(b.node("DequantizeLinear", y, *scale_and_zero(b, 0.05, 100)))
    fused = fuse_quantised(graph)
    assert ops(fused) == ["FakeQuantize", "MaxPool", "Flatten"]
    assert_same_results(graph, fused)


@pytest.mark.parametrize("what", ["scale", "zero", "dtype", "channels"])
def test_another_scale_is_no_pair(what: str) -> None:
    b = Builder()
    x = b.input(1, 2, 3, 3)
    if what == "channels":
        given = b.constant([0.1, 0.2]), b.constant([3, 4], "uint8")
        q = b.node("QuantizeLinear", x, *given)
        y = b.node("DequantizeLinear", q, *given)
    else:
        dtype, other = {
            "scale": ("uint8", (0.2, 3)),
            "zero": ("uint8", (0.1, 4)),
            "dtype": ("int8", None),
        }[what]
        q = b.node("QuantizeLinear", x, *scale_and_zero(b, 0.1, 3, dtype))
        given = scale_and_zero(b, *other) if other else (b.constant(0.1),)
        y = b.node("DequantizeLinear", q, *given)
    graph = b.graph(y)
    fused = fuse_quantised(graph)
    assert ops(fused) == ["QuantizeLinear", "DequantizeLinear"]
    assert_same_results(graph, fused)


def test_integers_that_are_a_result_stay() -> None:
    b = Builder()
    q = b.node("QuantizeLinear", b.input(1, 2, 3, 3), *scale_and_zero(b, 0.1, 3), out="q")
    y = b.node("DequantizeLinear", q, *scale_and_zero(b, 0.1, 3), out="y")
    graph = b.graph("q", y)
    fused = fuse_quantised(graph)
    assert sorted(ops(fused)) == ["FakeQuantize", "QuantizeLinear"]
    assert_same_results(graph, fused)


def bytes_of(b: Builder, *shape: int, dtype: str = "uint8") -> str:
    limits = np.iinfo(dtype)
    return b.constant(b.rng.integers(limits.min, limits.max, shape, endpoint=True), dtype)


def one_step(graph: Graph, unfolded: Graph) -> None:
    """Results that may differ where a sum is about half a step."""
    rng = np.random.default_rng(3)
    feeds = {
        n: rng.integers(0, 255, graph.specs[n].shape).astype(graph.specs[n].dtype.numpy)
        for n in graph.inputs
    }
    (wanted,), (found,) = (run_reference(g, feeds).values() for g in (graph, unfolded))
    off = np.abs(wanted.astype(np.int64) - found.astype(np.int64))
    assert wanted.dtype == found.dtype and off.max() <= 1 and off.mean() < 1e-3
    assert 10 < wanted.std() < 120, "most are saturated: nothing would show"


def integer_input(b: Builder, *shape: int) -> str:
    b.specs["x"] = TensorSpec(shape, DType.UINT8)
    return "x"


@pytest.mark.parametrize("per_filter", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_quantised_convolution(per_filter: bool, bias: bool) -> None:
    b = Builder()
    x = integer_input(b, 2, 8, 9, 7)
    w_scale = b.constant(b.rng.uniform(0.005, 0.02, (6,)) if per_filter else 0.01)
    w_zero = bytes_of(b, 6, dtype="int8") if per_filter else b.constant(-3, "int8")
    given = [
        *scale_and_zero(b, 0.02, 120), bytes_of(b, 6, 4, 3, 3, dtype="int8"), w_scale, w_zero,
        *scale_and_zero(b, 0.0737, 128), *([b.constant(b.rng.integers(-900, 900, 6), "int32")] if bias else []),
    ]  # fmt: skip
    y = b.node("QLinearConv", x, *given, **{**CONV, "pads": (1, 0, 1, 2), "group": 2})
    graph = b.graph(y)
    unfolded = unfold_quantised(graph)
    assert ops(unfolded) == ["DequantizeLinear", "Conv", "QuantizeLinear"]
    one_step(graph, unfolded)


@pytest.mark.parametrize("per_column", [False, True])
def test_a_quantised_product(per_column: bool) -> None:
    b = Builder()
    w_scale = b.constant(b.rng.uniform(0.005, 0.02, (6,)) if per_column else [0.01])
    w_zero = b.constant([-3] * 6 if per_column else -3, "int8")
    given = [*scale_and_zero(b, 0.02, 120), bytes_of(b, 50, 6, dtype="int8"), w_scale, w_zero]
    graph = b.graph(
        b.node("QLinearMatMul", integer_input(b, 3, 50), *given, *scale_and_zero(b, 0.0737, 128))
    )
    unfolded = unfold_quantised(graph)
    assert ops(unfolded) == ["DequantizeLinear", "MatMul", "QuantizeLinear"]
    one_step(graph, unfolded)


@pytest.mark.parametrize("op", ["ConvInteger", "MatMulInteger"])
@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_sums_that_become_floats(op: str, zeros: int) -> None:
    b = Builder()
    is_conv = op == "ConvInteger"
    x = integer_input(b, *((2, 3, 8, 7) if is_conv else (5, 12)))
    w = bytes_of(b, *((4, 3, 3, 3) if is_conv else (12, 4)))
    points = [b.constant(77, "uint8"), b.constant([1, 2, 3, 4], "uint8")][:zeros]
    attrs = {**CONV, "pads": (1, 1, 1, 1)} if is_conv else {}
    sums = b.node(op, x, w, *points, **attrs)
    graph = b.graph(b.node("Cast", sums, to="float32"))
    unfolded = unfold_quantised(graph)
    assert ops(unfolded) == ["DequantizeLinear", "Conv" if is_conv else "MatMul"]
    feeds = {"x": np.random.default_rng(1).integers(0, 255, b.specs["x"].shape).astype(np.uint8)}
    (wanted,), (found,) = (run_reference(g, feeds).values() for g in (graph, unfolded))
    np.testing.assert_array_equal(found, wanted)  # so few that float32 holds them


def test_weights_that_are_fed_are_left_alone() -> None:
    b = Builder()
    x, w = integer_input(b, 5, 12), "w"
    b.specs["w"] = TensorSpec((12, 4), DType.UINT8)
    sums = b.node("MatMulInteger", x, w)
    graph = b.graph(b.node("Cast", sums, to="float32"))
    assert unfold_quantised(graph) is graph
