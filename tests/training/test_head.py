"""The last layer that is made anew."""

from __future__ import annotations

import numpy as np
import pytest

from clconv import layers as L
from clconv.errors import InputError, UnsupportedError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.training.head import Head, find_head, replaced_head


def classes_of(graph: Graph) -> tuple[int, ...]:
    shape = tuple(d if isinstance(d, int) else 2 for d in graph.specs[graph.inputs[0]].shape)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return run_reference(graph, {graph.inputs[0]: x})[graph.outputs[0]].shape


def with_matmul() -> Graph:
    nodes = (
        make_node("MatMul", ["x", "w"], ["h"]),
        make_node("Add", ["b", "h"], ["s"]),
        make_node("Softmax", ["s"], ["y"]),
    )
    constants = {"w": Constant(np.ones((6, 4), np.float32)), "b": Constant(np.ones(4, np.float32))}
    return Graph("m", nodes, ("x",), ("y",), {"x": TensorSpec(("n", 6))}, constants)


def test_dense_layers_of_every_form() -> None:
    dense = L.Sequential(L.Dense(8), L.Relu(), L.Dense(5)).build((6,), batch=None)
    assert find_head(dense) == Head("dense_2.weight", "dense_2.bias", 0)
    assert find_head(with_matmul()) == Head("w", "b", 1)
    pointwise = L.Sequential(
        L.Conv2d(4, 3), L.Conv2d(7, 1), L.Relu(), L.GlobalAvgPool2d(), L.Flatten()
    ).build((3, 8, 8), batch=None)
    assert find_head(pointwise).weight == "conv2d_2.weight"
    for graph in (dense, with_matmul(), pointwise):
        assert find_head(graph).classes(graph) != 3
        new = replaced_head(graph, 3)
        assert find_head(new).classes(new) == 3 and classes_of(new) == (2, 3)
        kept = set(graph.constants) - {find_head(graph).weight, find_head(graph).bias}
        assert all(new.constants[n] == graph.constants[n] for n in kept)
    assert replaced_head(dense, 3, seed=1).constants != replaced_head(dense, 3, seed=2).constants


def test_what_has_no_last_layer_says_so() -> None:
    picture = L.Sequential(L.Conv2d(3, 1)).build((3, 8, 8), batch=None)
    pooled = L.Sequential(L.MaxPool2d(2)).build((3, 8, 8), batch=None)
    for graph, last in ((picture, "Conv"), (pooled, "MaxPool")):
        with pytest.raises(InputError, match=f"from {last}"):
            find_head(graph)


def test_weights_that_cannot_be_made_anew_say_why() -> None:
    graph = with_matmul()
    turned = make_node("Transpose", ["w"], ["t"], "turns")
    nodes = (turned, make_node("MatMul", ["x", "t"], ["h"], "last"), *graph.nodes[1:])
    with pytest.raises(
        InputError, match=r"constant weights \('last' takes those of Transpose 'turns'"
    ):
        find_head(graph.replace(nodes=nodes))
    nodes = (make_node("MatMul", ["x", "w"], ["z"], "first"), *graph.nodes)
    with pytest.raises(InputError, match="'w' of its last layer is read by 'first', too"):
        replaced_head(graph.replace(nodes=nodes, outputs=("y", "z")), 3)


def test_a_quantised_head_is_told_from_a_missing_one() -> None:
    graph = with_matmul()
    scale, zero = Constant(np.array(0.1, np.float32)), Constant(np.array(0, np.int8))
    quantised = (
        make_node("QuantizeLinear", ("y", "scale", "zero"), ("q",), output_dtype="int8"),
        make_node("DequantizeLinear", ("q", "scale", "zero"), ("z",)),
    )
    with pytest.raises(UnsupportedError, match=r"computes with integers .QuantizeLinear"):
        find_head(
            graph.replace(
                nodes=graph.nodes + quantised,
                outputs=("z",),
                constants={**graph.constants, "scale": scale, "zero": zero},
            )
        )


def test_a_shape_that_counts_the_classes_follows_them() -> None:
    """As PyTorch's exporter writes Conv, pooling, Flatten."""
    graph = L.Sequential(L.Conv2d(7, 1), L.GlobalAvgPool2d()).build((3, 8, 8), batch=None)
    for shape in ([-1, 7], [-1, 7, 1, 1], [0, -1]):
        node = make_node("Reshape", ["output", "shape"], ["row"], "flat")
        constants = {**graph.constants, "shape": Constant(np.array(shape))}
        nodes = (*graph.nodes, node)
        flat = graph.replace(nodes=nodes, constants=constants, outputs=("row",))
        new = replaced_head(flat, 3)
        assert classes_of(new) == (2, 3, *shape[2:]) and classes_of(flat)[1] == 7
