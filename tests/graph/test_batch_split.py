"""Batches taken apart: what is taken apart computes the same, what mixes images is left whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from clconv.cases import CASES, Case
from clconv.graph.batch_split import batch_of, split_batch
from clconv.graph.ir import Graph
from clconv.graph.ops import OPS
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.passes import run_passes
from clconv.graph.reference import run_reference
from clconv.graph.specialise.specialise import specialise
from tests.graph.graph_builder import CONV, Builder

# Operators that have a rule.
RULES = {name for name, op in OPS.items() if op.hooks and op.hooks.images}


def assert_same_split(graph: Graph, feeds: dict[str, np.ndarray], count: int) -> bool:
    """Whether the graph is taken apart; the outputs are the same then."""
    split = split_batch(graph, count)
    if split is None:
        return False
    expected = run_reference(graph, feeds)
    found = split.run(lambda part: run_reference(split.graph, part), feeds)
    for name in graph.outputs:
        assert found[name].dtype == expected[name].dtype
        # NumPy may sum another number of rows in another order.
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)
    again = specialise(split.graph, split.specs).graph
    outputs = {name: again.spec(name) for name in graph.outputs}
    assert split.whole(outputs) == {name: graph.spec(name) for name in graph.outputs}
    return True


TWO = [case for case in CASES if batch_of(case.build()[0]) > 1]


@pytest.mark.parametrize("case", TWO, ids=lambda c: c.name)
def test_a_case_that_is_taken_apart_computes_the_same(case: Case) -> None:
    graph, feeds = case.build()
    if case.op not in RULES or any(a.size == 0 for a in feeds.values()):
        assert split_batch(graph, 1) is None or case.op in RULES
        return
    with np.errstate(all="ignore"):
        assert_same_split(graph, feeds, 1)


def test_rules_are_met_by_cases() -> None:
    """Every rule is met by a case or a network, but those of element-wise operators, which are all one, and that
    of Identity, which the passes remove."""
    met = {case.op for case in TWO if split_batch(case.build()[0], 1) is not None}
    met |= {node.op for last in APART.values() for node in network(Builder(), last).nodes}
    assert met & ROWS.keys()
    assert RULES - ROWS.keys() - met == {"Identity"}


def network(b: Builder, last: Callable[[Builder, str], str]) -> Graph:
    """A convolution with an epilogue, and what a test puts behind it, specialised for five images."""
    hidden = b.node("Relu", b.conv(b.input(5, 3, 6, 6), 4, 3, 3))
    graph = b.graph(last(b, hidden))
    return run_passes(specialise(graph, graph.specs).graph)


APART: dict[str, Callable[[Builder, str], str]] = {
    "reshape to rows": lambda b, x: b.node("Reshape", x, b.constant([5, -1], "int64")),
    "reshape by zeros": lambda b, x: b.node("Reshape", x, b.constant([0, 2, 2, -1], "int64")),
    "reshape with an open batch": lambda b, x: b.node("Reshape", x, b.constant([-1, 64], "int64")),
    "expand": lambda b, x: b.node(
        "Expand", b.node("GlobalAveragePool", x), b.constant([5, 4, 3, 2], "int64")
    ),
    "resize to sizes": lambda b, x: b.node("Resize", x, "", "", b.constant([5, 4, 7, 9], "int64")),
    "resize by scales": lambda b, x: b.node("Resize", x, "", b.constant([1, 1, 2, 1.5])),
    "resize of two axes": lambda b, x: b.node(
        "Resize", x, "", "", b.constant([7, 9], "int64"), axes=(2, 3)
    ),
    "a residual": lambda b, x: b.node("Add", x, b.conv(x, 4, 4, 1, **CONV)),
    "a scale for all images": lambda b, x: b.node("Mul", x, b.random(1, 4, 1, 1)),
    "a gate of each image": lambda b, x: b.node(
        "Mul", x, b.node("Sigmoid", b.node("GlobalAveragePool", x))
    ),
    "attention": lambda b, x: b.node(
        "MatMul", b.node("Softmax", b.node("MatMul", x, x), axis=-1), x
    ),
    "squeezed and unsqueezed": lambda b, x: b.node(
        "Unsqueeze",
        b.node("Squeeze", b.node("GlobalMaxPool", x), b.constant([-1, 2], "int64")),
        b.constant([1, -1], "int64"),
    ),
    "features to classes": lambda b, x: b.node(
        "Gemm", b.node("Flatten", x, axis=1), b.random(64, 7), b.random(7)
    ),
}  # fmt: skip

TOGETHER: dict[str, Callable[[Builder, str], str]] = {
    "reshape over the batch": lambda b, x: b.node("Reshape", x, b.constant([10, 2, 4, 4], "int64")),
    "a scale for each image": lambda b, x: b.node("Mul", x, b.random(5, 1, 1, 1)),
    "a statistic of all": lambda b, x: b.node("ReduceMean", x, keepdims=1),
    "a statistic over the batch": lambda b, x: b.node("ReduceMax", x, b.constant([0], "int64")),
    "softmax over the batch": lambda b, x: b.node("Softmax", x, axis=0),
    "softmax over the batch from behind": lambda b, x: b.node("Softmax", x, axis=-4),
    "concatenated along the batch": lambda b, x: b.node("Concat", x, x, axis=0),
    "turned": lambda b, x: b.node("Transpose", x, perm=(1, 0, 2, 3)),
    "half of the batch": lambda b, x: b.node(
        "Slice", x, *(b.constant([v], "int64") for v in (0, 2, 0))
    ),
    "padded along the batch": lambda b, x: b.node(
        "Pad", x, b.constant([1, 0, 0, 0, 0, 0, 0, 0], "int64")
    ),
    "resized along the batch": lambda b, x: b.node("Resize", x, "", b.constant([2, 1, 1, 1])),
    "a sum along the batch": lambda b, x: b.node("CumSum", x, b.constant(0, "int64")),
    "each with each": lambda b, x: b.node(
        "MatMul", b.node("Flatten", x, axis=1), b.node("Transpose", b.node("Flatten", x, axis=1), perm=(1, 0))
    ),
    "a number of each image on rows": lambda b, x: b.node(
        "Add", b.node("Flatten", b.node("GlobalAveragePool", b.conv(x, 5, 4)), axis=1),
        b.node("ReduceMean", x, b.constant([1, 2, 3], "int64"), keepdims=0),
    ),
    "unsqueezed in front": lambda b, x: b.node("Unsqueeze", x, b.constant([0], "int64")),
    "statistics of the batch": lambda b, x: b.node("MeanVarianceNormalization", x, axes=(0, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("name", APART)
def test_images_that_stay_apart(name: str, count: int) -> None:
    graph = network(Builder(), APART[name])
    images = np.random.default_rng(3).uniform(-1, 1, (5, 3, 6, 6)).astype(np.float32)
    assert assert_same_split(graph, {"x": images}, count)


@pytest.mark.parametrize("name", TOGETHER)
def test_images_that_meet(name: str) -> None:
    assert split_batch(network(Builder(), TOGETHER[name]), 1) is None


def test_inputs_that_belong_to_all_images_go_to_each_run() -> None:
    b = Builder()
    x, scale = b.input(4, 3, 5, 5), b.input(1, 3, 1, 1, name="scale")
    graph = b.graph(b.node("Mul", x, scale))
    graph = specialise(graph, graph.specs).graph
    feeds = {"x": np.random.default_rng(1).random((4, 3, 5, 5), np.float32)}
    feeds["scale"] = np.full((1, 3, 1, 1), 2, np.float32)
    assert assert_same_split(graph, feeds, 3)
    split = split_batch(graph, 3)
    assert split is not None and split.inputs == {"x"} and split.batch == 4


@pytest.mark.parametrize("count", [0, 4, 5])
def test_nothing_to_split_batch(count: int) -> None:
    b = Builder()
    graph = b.graph(b.node("Relu", b.input(4, 3, 5, 5)))
    assert split_batch(specialise(graph, graph.specs).graph, count) is None
