"""All passes together: a whole network, random networks, and the time they take."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import CONV, Builder, assert_same_results, specialised
from hypothesis import given, settings
from hypothesis import strategies as st

from clconv.errors import GraphError
from clconv.graph.ir import Graph, Node, TensorSpec
from clconv.graph.passes import PASSES, run_passes
from tests.patience import growth

SAME = {"pads": (1, 1, 1, 1)}
WINDOW = {"kernel_shape": (3, 3), "strides": (1, 1), "dilations": (1, 1)}


def batch_norm(b: Builder, x: str, channels: int) -> str:
    parts = [b.random(channels) for _ in range(3)]
    return b.node("BatchNormalization", x, *parts, b.constant(np.full(channels, 0.7)))


def residual_block(b: Builder, x: str, channels: int) -> str:
    y = b.node("Relu", batch_norm(b, b.conv(x, channels, channels, 3, **SAME), channels))
    y = batch_norm(b, b.conv(y, channels, channels, 3, **SAME), channels)
    return b.node("Relu", b.node("Add", y, x))


def test_a_residual_network_is_convolutions_only(build):
    x = build.node("Relu", build.conv(build.input(1, 3, 8, 8), 4, 3, 3, **SAME))
    for _ in range(2):
        x = residual_block(build, x, 4)
    x = build.node("Flatten", build.node("GlobalAveragePool", x))
    logits = build.node("MatMul", x, build.random(4, 10))
    graph = build.graph(build.node("Add", logits, build.random(10), out="logits"))
    once = run_passes(graph)
    after = run_passes(specialised(once))
    kinds = [node.op for node in after.nodes]
    assert kinds == ["Conv"] * 5 + ["GlobalAveragePool", "Flatten", "Gemm"]
    assert [s.op for s in after.nodes[2].epilogue] == ["Add", "Relu"]
    assert_same_results(graph, once)
    assert_same_results(graph, after)
    # What the first run folded is shared by the plans of all input sizes.
    assert {c.key for c in after.constants.values()} <= {c.key for c in once.constants.values()}
    assert run_passes(after) is after


def test_on_pass_sees_every_pass_in_order(build):
    seen = []
    graph = build.graph(build.node("Relu", build.input(2)))
    run_passes(graph, lambda name, after: seen.append((name, after)))
    assert [name for name, _ in seen] == [p.__name__ for p in PASSES]
    assert seen[-1][1] is graph


def test_a_pass_that_breaks_the_graph_is_caught(build, monkeypatch):
    def broken(graph: Graph) -> Graph:
        return graph.replace(nodes=())

    monkeypatch.setattr("clconv.graph.passes.PASSES", (broken,))
    with pytest.raises(GraphError, match="never computed"):
        run_passes(build.graph(build.node("Relu", build.input(2))))


def test_open_sizes_stay_open(build):
    build.input(1, 3, 8, 8)
    build.node("Relu", build.conv("x", 4, 3, 3), out="y")
    build.specs["x"] = TensorSpec(("N", 3, None, None))
    after = run_passes(build.graph("y"))
    assert [node.op for node in after.nodes] == ["Conv"] and after.specs["x"].shape[0] == "N"


CHANNELS = 4


def grow(b: Builder, values: list[str], choice: tuple[int, int, int]) -> str:
    """One more value of shape (1, 4, 6, 6), made from the values that are there."""
    kind, first, second = choice
    x, z = values[first % len(values)], values[second % len(values)]
    constant = b.random(*((), (1,), (CHANNELS, 1, 1), (1, CHANNELS, 1, 1), (6,))[second % 5])
    mode = ("constant", "reflect", "edge", "wrap")[second % 4]
    pads = b.constant([0, 0, 1, 1, 0, 0, 1, 1], "int64")
    makers = (
        lambda: b.conv(x, CHANNELS, CHANNELS, 3, group=1 + first % 2, **SAME),
        lambda: b.conv(x, CHANNELS, CHANNELS, 1, bias=False),
        lambda: b.conv(b.node("Pad", x, pads, mode=mode), CHANNELS, CHANNELS, 3),
        lambda: batch_norm(b, x, CHANNELS),
        lambda: b.node("Add", x, z),
        lambda: b.node(("Add", "Sub", "Mul", "Div")[first % 4], x, constant),
        lambda: b.node(("Sub", "Mul")[first % 2], constant, x),
        lambda: b.node(("Relu", "Tanh", "Sigmoid", "HardSwish", "Abs")[second % 5], x),
        lambda: b.node("Mul", x, b.node("Sigmoid", x)),
        lambda: b.node("Clip", x, b.constant(-1.0), b.constant(2.0)),
        lambda: b.node("MaxPool", x, **WINDOW, **SAME),
        lambda: b.node(
            ("AveragePool", "MaxPool")[first % 2],
            b.node("Pad", b.node("Relu", x), pads, mode=mode),
            **WINDOW,
            pads=(0, 0, 0, 0),
            ceil_mode=second % 2,
        ),
        lambda: b.node(("Identity", "Dropout")[first % 2], x),
        lambda: b.node("Transpose", b.node("Transpose", x, perm=(0, 2, 3, 1)), perm=(0, 3, 1, 2)),
        lambda: b.node("Mul", x, b.node("GlobalAveragePool", z)),
        lambda: b.node(
            "Conv",
            x,
            b.random(CHANNELS, CHANNELS, 3, 3),
            **{**CONV, "pads": (1, 1, 1, 1), "pad_mode": "reflect"},
        ),
    )
    return makers[kind % len(makers)]()


CHOICE = st.tuples(st.integers(0, 15), st.integers(0, 30), st.integers(0, 30))


@settings(max_examples=60, deadline=None)
@given(st.lists(CHOICE, min_size=1, max_size=12), st.integers(0, 30))
def test_random_networks_keep_their_results(choices, extra):
    b = Builder()
    values = [b.input(1, CHANNELS, 6, 6)]
    for choice in choices:
        values.append(grow(b, values, choice))
        # Keeps magnitudes near one, so that a difference is a fault and not rounding.
        values[-1] = b.node("Softsign", values[-1]) if choice[0] % 3 == 0 else values[-1]
    graph = b.graph(*dict.fromkeys((values[-1], values[extra % len(values)])))
    once = run_passes(graph)
    assert_same_results(graph, once)
    twice = run_passes(specialised(once))
    assert_same_results(graph, twice)
    assert all(o in twice.specs for node in twice.nodes for o in node.outputs if o)


def test_time_grows_with_the_graph_and_not_faster():
    def chain(length: int) -> Graph:
        b = Builder()
        x = b.input(1, 2, 4, 4)
        for _ in range(length):
            y = batch_norm(b, b.conv(x, 2, 2), 2)
            x = b.node("Relu", b.node("Add", y, x))
        return specialised(b.graph(x))

    def all_passes(graph: Graph) -> None:
        for graph_pass in PASSES:
            graph_pass(graph)

    small, large = chain(50), chain(400)
    # Eight times the nodes: a quadratic pass would take 64 times as long.
    growth(lambda: all_passes(small), lambda: all_passes(large), 30)


def test_a_cycle_is_refused(build):
    x = build.input(2)
    build.nodes += [
        Node("Relu", "a", ("q",), ("p",)),
        Node("Relu", "b", ("p",), ("q",)),
    ]
    with pytest.raises(GraphError, match=r"'a'.*'q' is not defined before"):
        build.graph("q", x)


def test_a_graph_of_which_nothing_is_known(build):
    """What is left behind a cut has inputs without any spec until their values arrive."""
    x = build.input(1, 4, 6, 6)
    y = residual_block(build, x, 4)
    graph = build.graph(build.node("Transpose", build.node("Add", y, build.random(4, 1, 1))))
    unknown = run_passes(graph.replace(specs={}))
    known = run_passes(specialised(unknown.replace(specs=graph.specs)))
    assert [node.op for node in known.nodes] == ["Conv", "Conv", "Transpose"]
    assert_same_results(graph, known)
